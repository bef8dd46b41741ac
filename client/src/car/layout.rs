//! The balanced tree over the leaves of a file, built while they go by.

use cid::Cid;

use super::Error;
use super::block::{DAG_PB, cid_of};
use super::dag_pb::{self, PbLink};
use super::unixfs::file_data;

/// How a file is cut and linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Bytes of each leaf but the last: at least one, at most 2 MiB.
    pub chunk_size: usize,
    /// Most links of a node: at least two.
    pub max_links: usize,
}

impl Profile {
    /// unixfs-v1-2025: leaves of 1 MiB, 1,024 links.
    pub const V1_2025: Profile = Profile { chunk_size: 1 << 20, max_links: 1024 };
}

/// A file or directory in a CAR, as a parent links to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its root.
    pub cid: Cid,
    /// Bytes of the file; 0 for a directory.
    pub size: u64,
    /// Bytes of all its blocks, repeated ones counted each time.
    pub tree_size: u64,
}

/// Takes each node that is made: CID and bytes.
pub(crate) type Emit<'a> = &'a mut dyn FnMut(&Cid, &[u8]) -> Result<(), Error>;

/// A tree in the making: per level the children that have no parent yet.
pub(crate) struct Layout {
    max_links: usize,
    levels: Vec<Vec<Link>>,
}

impl Layout {
    pub fn new(max_links: usize) -> Self {
        Layout { max_links, levels: vec![Vec::new()] }
    }

    /// Adds the next leaf. A node is made as soon as its last child is there.
    ///
    /// Errors: those of `emit`.
    pub fn push(&mut self, leaf: Link, emit: Emit) -> Result<(), Error> {
        let mut link = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(link);
            if self.levels[level].len() < self.max_links {
                break;
            }
            link = close(&mut self.levels[level], emit)?;
        }
        Ok(())
    }

    /// Makes what parents are missing and gives the root; `None` without leaves.
    ///
    /// Errors: those of `emit`.
    pub fn finish(mut self, emit: Emit) -> Result<Option<Link>, Error> {
        for level in 0..self.levels.len() {
            let top = level + 1 == self.levels.len();
            if top && self.levels[level].len() == 1 {
                return Ok(self.levels[level].pop());
            }
            if self.levels[level].is_empty() {
                continue;
            }
            let node = close(&mut self.levels[level], emit)?;
            if top {
                return Ok(Some(node));
            }
            self.levels[level + 1].push(node);
        }
        Ok(None)
    }
}

/// Puts a parent above the children of a level.
fn close(children: &mut Vec<Link>, emit: Emit) -> Result<Link, Error> {
    let links: Vec<_> = children
        .iter()
        .map(|child| PbLink { cid: child.cid, name: String::new(), tree_size: child.tree_size })
        .collect();
    let block = dag_pb::encode(&links, &file_data(children.iter().map(|child| child.size)));
    let cid = cid_of(DAG_PB, &block);
    emit(&cid, &block)?;
    let sum = |part: fn(&Link) -> u64| children.iter().map(part).sum::<u64>();
    let link =
        Link { cid, size: sum(|child| child.size), tree_size: sum(|child| child.tree_size) + block.len() as u64 };
    children.clear();
    Ok(link)
}
