//! The leaves of a file in order, so that they can be read and verified many at a time.

use std::io::{Read, Seek};

use cid::Cid;

use super::Error;
use super::block::RAW;
use super::file::MAX_DEPTH;
use super::store::CarFile;
use super::unixfs::{self, Node};

/// A part of a file.
pub(crate) enum Leaf {
    /// A raw block, which nobody has read yet.
    Raw(Cid),
    /// Bytes inside a node, verified.
    Inside(Vec<u8>),
}

/// Walks the tree of a file; its nodes are verified on the way.
pub(crate) struct Leaves {
    /// Per level the children left, the next one last.
    todo: Vec<Vec<(Cid, Option<u64>)>>,
}

impl Leaves {
    pub fn of(root: &Cid) -> Self {
        Leaves { todo: vec![vec![(*root, None)]] }
    }

    /// Gives the next part, which holds at least a byte unless it is the only one.
    ///
    /// Errors: those of [`CarFile::block`]; [`Error::BadNode`].
    pub fn next<R: Read + Seek>(&mut self, car: &mut CarFile<R>) -> Result<Option<Leaf>, Error> {
        while let Some(level) = self.todo.last_mut() {
            let Some((cid, expected)) = level.pop() else {
                self.todo.pop();
                continue;
            };
            let bad = |why| Error::BadNode { cid, why };
            let misfit = |size| expected.is_some_and(|expected| expected != size);
            if cid.codec() == RAW {
                if misfit(car.size_of(&cid)?) {
                    return Err(bad("its size is not the one its parent names"));
                }
                return Ok(Some(Leaf::Raw(cid)));
            }
            let Node::File { data, mut children, size } = unixfs::parse(&cid, car.block(&cid)?)? else {
                return Err(bad("it is a directory, not a file"));
            };
            if misfit(size) {
                return Err(bad("its size is not the one its parent names"));
            }
            if self.todo.len() > MAX_DEPTH {
                return Err(bad("the tree is too deep"));
            }
            children.reverse();
            self.todo.push(children.into_iter().map(|(cid, size)| (cid, Some(size))).collect());
            if !data.is_empty() {
                return Ok(Some(Leaf::Inside(data)));
            }
        }
        Ok(None)
    }
}
