//! Blocks by their names, wherever they are: in a file at hand, or with somebody far away.

use std::ops::Range;

use cid::Cid;

use super::block::verify;
use super::unixfs::{self, Node};
use super::{Error, FileReader, Place};

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// Root of what it names.
    pub cid: Cid,
    /// Bytes of all its blocks, as the directory says.
    pub tree_size: u64,
}

/// Somewhere with the blocks of a graph.
pub trait Blocks {
    /// Gives the root of the graph.
    fn root(&self) -> Cid;

    /// Reads a block into a buffer. Unless [`verifies`](Blocks::verifies), its bytes are anybody's until they have been verified.
    ///
    /// Errors: [`Error::Missing`], [`Error::Truncated`], [`Error::Io`]; [`Error::Unsupported`] for other hashes than sha2-256.
    fn read(&mut self, cid: &Cid, data: &mut Vec<u8>) -> Result<(), Error>;

    /// Says whether [`read`](Blocks::read) has verified what it gives.
    fn verifies(&self) -> bool {
        false
    }

    /// Says how large a block is, where that is known without reading it.
    fn size_of(&mut self, cid: &Cid) -> Option<u64>;

    /// Hears where a block may stand, the likeliest place first.
    fn stands_at(&mut self, _cid: &Cid, _places: &[Place]) {}

    /// Says where a block was found, where that is of interest.
    fn place_of(&self, _cid: &Cid) -> Option<Place> {
        None
    }

    /// Hears that these bytes of a file will be read soon, after all that were announced before.
    fn announce(&mut self, _file: &Cid, _bytes: Range<u64>) {}

    /// Reads a block and checks it.
    ///
    /// Errors: also [`Error::Forged`].
    fn block(&mut self, cid: &Cid) -> Result<Vec<u8>, Error> {
        let mut data = Vec::new();
        self.read(cid, &mut data)?;
        if !self.verifies() {
            verify(cid, &data)?;
        }
        Ok(data)
    }

    /// Opens a file for reading and seeking.
    ///
    /// Errors: [`Error::BadNode`], also for a directory; [`Error::Unsupported`] for a sharded one, a symlink or another codec; those of
    /// [`block`](Blocks::block).
    fn file(&mut self, cid: &Cid) -> Result<FileReader<'_, Self>, Error>
    where
        Self: Sized,
    {
        FileReader::new(self, cid)
    }

    /// Lists a directory; `None` when the CID is a file's.
    ///
    /// Errors: [`Error::BadNode`], [`Error::Unsupported`] for a sharded one; those of [`block`](Blocks::block).
    fn directory(&mut self, cid: &Cid) -> Result<Option<Vec<Entry>>, Error> {
        let block = self.block(cid)?;
        let Node::Directory(links) = unixfs::parse(cid, block)? else { return Ok(None) };
        let entry = |link: super::dag_pb::PbLink| Entry { name: link.name, cid: link.cid, tree_size: link.tree_size };
        let entries: Vec<_> = links.into_iter().map(entry).collect();
        if !entries.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Error::BadNode { cid: *cid, why: "its names are not sorted and unique" });
        }
        Ok(Some(entries))
    }

    /// Walks from a directory along names, separated by `/`.
    ///
    /// Errors: [`Error::NotFound`] with the part of the path that leads nowhere; those of [`directory`](Blocks::directory).
    fn resolve(&mut self, from: &Cid, path: &str) -> Result<Cid, Error> {
        let mut at = *from;
        for (i, name) in path.split('/').enumerate() {
            let entries = self.directory(&at)?.unwrap_or_default();
            let found = entries.into_iter().find(|entry| entry.name == name);
            let not_found = || Error::NotFound(path.split('/').take(i + 1).collect::<Vec<_>>().join("/"));
            at = found.ok_or_else(not_found)?.cid;
        }
        Ok(at)
    }
}
