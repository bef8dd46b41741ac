//! A file out of a CAR that cannot be sought in: in the orders in which that is possible.

use std::collections::VecDeque;
use std::io::{self, Read};

use cid::Cid;

use super::block::RAW;
use super::file::MAX_DEPTH;
use super::layout::Layout;
use super::unixfs::{self, Node};
use super::{Block, CarReader, Error, Link, Profile, wrong_root};

/// Reads the one file of a CAR as it arrives, with bounded memory. Two orders can be read:
///
/// * parents first, as gateways send (depth first, repeated blocks sent again): each block is known to belong to the root
///   before its bytes are given;
/// * children first, as [`super::CarWriter`] writes: the leaves' bytes are given when they match their own CIDs, and whether
///   they are this file and all of it is known at the end only. Until `read` gave 0 the bytes are unconfirmed.
///
/// Errors: [`Error::WrongRoot`]; [`Error::Order`] when another order is met; [`Error::Missing`] when the CAR ends before the file;
/// [`Error::BadNode`], also for a directory; those of [`CarReader`]; inside a `std::io::Error`.
pub struct FileStream<R> {
    car: CarReader<R>,
    root: Cid,
    order: Order,
    leaf: Vec<u8>,
    taken: usize,
}

enum Order {
    /// Nothing was read yet.
    Unknown,
    /// Per level the children to come, the next one last.
    ParentsFirst(Vec<Vec<(Cid, u64)>>),
    /// The tree over the leaves so far, and its nodes that must come next.
    ChildrenFirst(Box<Layout>, VecDeque<Cid>),
    /// The tree's last nodes, which must come next.
    Nodes(VecDeque<Cid>),
    /// Everything is there and belongs together.
    Ended,
    Failed,
}

impl<R: Read> FileStream<R> {
    /// Reads the header.
    ///
    /// Errors: [`Error::WrongRoot`] unless the header names this root; those of [`CarReader::new`].
    pub fn new(input: R, root: &Cid) -> Result<Self, Error> {
        let car = CarReader::new(input)?;
        if car.root() != root {
            return Err(wrong_root(root, car.root()));
        }
        Ok(FileStream { car, root: *root, order: Order::Unknown, leaf: Vec::new(), taken: 0 })
    }

    /// Takes a block, which may bring bytes to give.
    fn fill(&mut self) -> Result<(), Error> {
        self.leaf.clear();
        self.taken = 0;
        let order = std::mem::replace(&mut self.order, Order::Failed);
        self.order = self.step(order)?;
        Ok(())
    }

    fn step(&mut self, order: Order) -> Result<Order, Error> {
        match order {
            Order::Unknown => match self.car.next_block()? {
                None => Err(Error::Missing(self.root)),
                Some(block) if block.cid == self.root => {
                    let mut todo = Vec::new();
                    self.enter(block, None, &mut todo)?;
                    Ok(Order::ParentsFirst(todo))
                }
                Some(block) => {
                    let layout = Box::new(Layout::new(Profile::V1_2025.max_links));
                    self.leaf_or_node(block, layout, VecDeque::new())
                }
            },
            Order::ParentsFirst(mut todo) => {
                let Some((cid, size)) = pop(&mut todo) else { return self.end() };
                let block = self.car.next_block()?.ok_or(Error::Missing(cid))?;
                if block.cid != cid {
                    return Err(Error::Order(cid));
                }
                self.enter(block, Some(size), &mut todo)?;
                Ok(Order::ParentsFirst(todo))
            }
            Order::ChildrenFirst(layout, due) => match self.car.next_block()? {
                Some(block) => self.leaf_or_node(block, layout, due),
                None => self.all_leaves(*layout, due),
            },
            Order::Nodes(mut due) => {
                let Some(cid) = due.pop_front() else { return self.end() };
                match self.car.next_block()? {
                    Some(block) if block.cid == cid => Ok(Order::Nodes(due)),
                    Some(_) => Err(Error::Order(cid)),
                    None => Err(Error::Missing(cid)),
                }
            }
            Order::Ended => Ok(Order::Ended),
            Order::Failed => Err(Error::Malformed { at: self.car.at(), why: "reading went on behind an error" }),
        }
    }

    /// Parents first: a block that is the next one due.
    fn enter(&mut self, block: Block, expected: Option<u64>, todo: &mut Vec<Vec<(Cid, u64)>>) -> Result<(), Error> {
        let bad = |why| Error::BadNode { cid: block.cid, why };
        let Node::File { data, mut children, size } = unixfs::parse(&block.cid, block.data)? else {
            return Err(bad("it is a directory, not a file"));
        };
        if expected.is_some_and(|expected| expected != size) {
            return Err(bad("its size is not the one its parent names"));
        }
        if todo.len() == MAX_DEPTH {
            return Err(bad("the tree is too deep"));
        }
        children.reverse();
        todo.push(children);
        self.leaf = data;
        Ok(())
    }

    /// Children first: a leaf adds to the tree; a node must be one that the tree has.
    fn leaf_or_node(&mut self, block: Block, mut layout: Box<Layout>, mut due: VecDeque<Cid>) -> Result<Order, Error> {
        if let Some(cid) = due.pop_front() {
            return if block.cid == cid { Ok(Order::ChildrenFirst(layout, due)) } else { Err(Error::Order(cid)) };
        }
        let mut emit = |cid: &Cid, _: &[u8]| {
            due.push_back(*cid);
            Ok(())
        };
        if block.cid.codec() == RAW {
            let size = block.data.len() as u64;
            layout.push(Link { cid: block.cid, size, tree_size: size }, &mut emit)?;
            self.leaf = block.data;
            return Ok(Order::ChildrenFirst(layout, due));
        }
        // The leaves are over: what is due now is the rest of the tree, and this its first node.
        let found = layout.finish(&mut emit)?.map(|link| link.cid);
        match due.pop_front() {
            Some(cid) if cid != block.cid => Err(Error::Order(cid)),
            _ if found == Some(self.root) => Ok(Order::Nodes(due)),
            _ => Err(wrong_root(&self.root, &found.unwrap_or(block.cid))),
        }
    }

    /// Children first: the CAR ended with a leaf, or with a node that its last leaf filled.
    fn all_leaves(&mut self, layout: Layout, mut due: VecDeque<Cid>) -> Result<Order, Error> {
        let found = layout.finish(&mut |cid, _| {
            due.push_back(*cid);
            Ok(())
        })?;
        match (due.pop_front(), found) {
            (Some(cid), _) => Err(Error::Missing(cid)),
            (None, Some(link)) if link.cid == self.root => Ok(Order::Ended),
            (None, found) => {
                let found = found.map_or_else(Cid::default, |link| link.cid);
                Err(wrong_root(&self.root, &found))
            }
        }
    }

    /// Checks what follows the file: blocks that nothing links to.
    fn end(&mut self) -> Result<Order, Error> {
        while self.car.next_block()?.is_some() {}
        Ok(Order::Ended)
    }
}

/// Gives the next child, or `None` behind the last.
fn pop(todo: &mut Vec<Vec<(Cid, u64)>>) -> Option<(Cid, u64)> {
    while let Some(level) = todo.last_mut() {
        match level.pop() {
            Some(child) => return Some(child),
            None => todo.pop(),
        };
    }
    None
}

impl<R: Read> Read for FileStream<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.leaf.len() && !matches!(self.order, Order::Ended) {
            self.fill()?;
        }
        let n = out.len().min(self.leaf.len() - self.taken);
        out[..n].copy_from_slice(&self.leaf[self.taken..][..n]);
        self.taken += n;
        Ok(n)
    }
}
