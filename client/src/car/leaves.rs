//! The leaves of a file in order, so that they can be read and verified many at a time.

use std::ops::Range;

use cid::Cid;

use super::block::RAW;
use super::file::MAX_DEPTH;
use super::unixfs::{self, Node};
use super::{Blocks, Error};

/// A part of a file.
pub(crate) enum Leaf {
    /// A raw block, which nobody has read yet, and the size that its parent says it has.
    Raw(Cid, Option<u64>),
    /// Bytes inside a node, verified.
    Inside(Vec<u8>),
}

/// Walks the tree of a file as far as it holds a range; its nodes are verified on the way.
pub(crate) struct Leaves {
    range: Range<u64>,
    /// Per level the children left, the next one last, with size and first byte.
    todo: Vec<Vec<(Cid, Option<u64>, u64)>>,
}

impl Leaves {
    pub fn of(root: &Cid, range: Range<u64>) -> Self {
        Leaves { range, todo: vec![vec![(*root, None, 0)]] }
    }

    /// Gives the next part and where in the file it begins. It holds at least a byte unless it is the only one, and is given as a whole
    /// wherever the range begins and ends.
    ///
    /// Errors: those of [`Blocks::block`]; [`Error::BadNode`].
    pub fn next(&mut self, car: &mut impl Blocks) -> Result<Option<(u64, Leaf)>, Error> {
        while let Some(level) = self.todo.last_mut() {
            let Some((cid, expected, at)) = level.pop() else {
                self.todo.pop();
                continue;
            };
            let bad = |why| Error::BadNode { cid, why };
            if cid.codec() == RAW {
                return Ok(Some((at, Leaf::Raw(cid, expected))));
            }
            let Node::File { data, children, size } = unixfs::parse(&cid, car.block(&cid)?)? else {
                return Err(bad("it is a directory, not a file"));
            };
            if expected.is_some_and(|expected| expected != size) {
                return Err(bad(WRONG_SIZE));
            }
            if self.todo.len() > MAX_DEPTH {
                return Err(bad("the tree is too deep"));
            }
            let mut next = at + data.len() as u64;
            let mut wanted = Vec::new();
            for (cid, size) in children {
                let begin = next;
                // The node's own size, which was checked above, is the sum of these.
                next += size;
                if begin < self.range.end && next > self.range.start {
                    wanted.push((cid, Some(size), begin));
                }
            }
            wanted.reverse();
            self.todo.push(wanted);
            if !data.is_empty() && at < self.range.end && at + data.len() as u64 > self.range.start {
                return Ok(Some((at, Leaf::Inside(data))));
            }
        }
        Ok(None)
    }
}

/// Checks the size of a leaf that was read.
pub(crate) fn check_leaf(cid: &Cid, expected: Option<u64>, bytes: &[u8]) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != bytes.len() as u64 => Err(Error::BadNode { cid: *cid, why: WRONG_SIZE }),
        _ => Ok(()),
    }
}

const WRONG_SIZE: &str = "its size is not the one its parent names";
