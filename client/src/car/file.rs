//! A file inside a CAR: its bytes in order, from any position.

use std::io::{self, Read, Seek, SeekFrom};

use cid::Cid;

use super::unixfs::{self, Node};
use super::{Blocks, Error};

/// Deepest tree read. With two links a node this is a million leaves.
pub(super) const MAX_DEPTH: usize = 20;

/// Reads a file; see [`Blocks::file`].
///
/// Errors: as there; inside a `std::io::Error`.
pub struct FileReader<'a, B> {
    car: &'a mut B,
    root: Cid,
    size: u64,
    /// What comes after the leaf at hand: per level the children left, the next one last.
    todo: Vec<Vec<(Cid, u64)>>,
    /// The bytes at hand, and where in the file they begin.
    leaf: Vec<u8>,
    leaf_at: u64,
    /// Position in the file; inside or at the end of the leaf at hand.
    position: u64,
    /// Whether an error left the walk somewhere in between.
    lost: bool,
}

impl<'a, B: Blocks> FileReader<'a, B> {
    pub(super) fn new(car: &'a mut B, root: &Cid) -> Result<Self, Error> {
        let (todo, leaf) = (Vec::new(), Vec::new());
        let mut reader = FileReader { car, root: *root, size: 0, todo, leaf, leaf_at: 0, position: 0, lost: false };
        reader.size = reader.load(root, None)?;
        Ok(reader)
    }

    /// Gives the size of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives the CAR back, and the root of the file.
    pub(crate) fn into_car(self) -> (&'a mut B, Cid) {
        (self.car, self.root)
    }

    /// Makes a node's own bytes the leaf at hand and its children what comes next. Gives its size.
    fn load(&mut self, cid: &Cid, expected: Option<u64>) -> Result<u64, Error> {
        let bad = |why| Error::BadNode { cid: *cid, why };
        let block = self.car.block(cid)?;
        let Node::File { data, mut children, size } = unixfs::parse(cid, block)? else {
            return Err(bad("it is a directory, not a file"));
        };
        if expected.is_some_and(|expected| expected != size) {
            return Err(bad("its size is not the one its parent names"));
        }
        if self.todo.len() == MAX_DEPTH {
            return Err(bad("the tree is too deep"));
        }
        children.reverse();
        self.todo.push(children);
        self.leaf_at += self.leaf.len() as u64;
        self.leaf = data;
        Ok(size)
    }

    /// Gives the next child, or `None` behind the last.
    fn next_child(&mut self) -> Option<(Cid, u64)> {
        while let Some(level) = self.todo.last_mut() {
            match level.pop() {
                Some(child) => return Some(child),
                None => self.todo.pop(),
            };
        }
        None
    }

    /// Brings the leaf at hand to the position.
    fn go_to(&mut self, position: u64) -> Result<(), Error> {
        if std::mem::replace(&mut self.lost, true) || position < self.leaf_at {
            (self.leaf, self.leaf_at) = (Vec::new(), 0);
            self.todo.clear();
            self.load(&self.root.clone(), Some(self.size))?;
        }
        while self.leaf_at + self.leaf.len() as u64 <= position {
            let Some((cid, size)) = self.next_child() else { break };
            let end = self.leaf_at + self.leaf.len() as u64;
            if end + size <= position {
                // Passed over whole: its blocks are not needed.
                (self.leaf, self.leaf_at) = (Vec::new(), end + size);
            } else {
                self.load(&cid, Some(size))?;
            }
        }
        (self.position, self.lost) = (position, false);
        Ok(())
    }
}

impl<B: Blocks> Read for FileReader<'_, B> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.lost || (self.position == self.leaf_at + self.leaf.len() as u64 && self.position < self.size) {
            self.go_to(self.position)?;
        }
        let rest = &self.leaf[(self.position - self.leaf_at) as usize..];
        let n = out.len().min(rest.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.position += n as u64;
        Ok(n)
    }
}

impl<B: Blocks> Seek for FileReader<'_, B> {
    /// Errors: `InvalidInput` before the start; positions past the end are the end.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.size.checked_add_signed(n),
            SeekFrom::Current(n) => self.position.checked_add_signed(n),
        };
        let target = target.ok_or(io::Error::from(io::ErrorKind::InvalidInput))?.min(self.size);
        self.go_to(target)?;
        Ok(target)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position)
    }
}
