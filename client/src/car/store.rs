//! A CAR that can be sought in: any file of it, any part of a file.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use cid::Cid;

use super::block::{digest_of, verify};
use super::unixfs::{self, Node};
use super::{CarReader, Error, FileReader, wrong_root};

/// Most blocks of a CAR that is indexed: 8 TiB in leaves of 1 MiB, and some 600 MB of index.
const MAX_BLOCKS: usize = 8 << 20;

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// Root of what it names.
    pub cid: Cid,
}

/// A CAR with an index of its blocks. A block is checked each time it is read.
pub struct CarFile<R> {
    input: BufReader<R>,
    root: Cid,
    /// Where the bytes of a block stand in the input, and how many they are, by codec and digest.
    blocks: HashMap<(u64, [u8; 32]), (u64, u32)>,
}

impl<R: Read + Seek> CarFile<R> {
    /// Indexes a CAR, which the input must begin with, without reading the blocks themselves.
    ///
    /// Errors: [`Error::WrongRoot`] unless the header names the root asked for; those of [`CarReader`].
    pub fn open(input: R, root: Option<&Cid>) -> Result<Self, Error> {
        let mut input = BufReader::with_capacity(16 << 10, input);
        let end = input.seek(SeekFrom::End(0))?;
        input.rewind()?;
        let mut reader = CarReader::new(input)?;
        let found = *reader.root();
        if let Some(expected) = root.filter(|expected| **expected != found) {
            return Err(wrong_root(expected, &found));
        }
        let mut blocks = HashMap::new();
        while let Some((cid, size)) = reader.next_head()? {
            let at = reader.at();
            if end - at < size {
                return Err(Error::Truncated(end));
            }
            if blocks.len() == MAX_BLOCKS {
                return Err(Error::TooLarge { what: "blocks in a CAR", limit: MAX_BLOCKS as u64 });
            }
            // The reader lets no block pass that is larger than 2 MiB.
            blocks.entry((cid.codec(), digest_of(&cid)?)).or_insert((at, size as u32));
            reader.input().seek_relative(size as i64)?;
            reader.passed(size);
        }
        Ok(CarFile { input: reader.into_input(), root: found, blocks })
    }

    /// Gives the root.
    pub fn root(&self) -> Cid {
        self.root
    }

    /// Counts the blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Reads a block and checks it.
    ///
    /// Errors: [`Error::Missing`], [`Error::Forged`], [`Error::Truncated`].
    pub fn block(&mut self, cid: &Cid) -> Result<Vec<u8>, Error> {
        let mut data = Vec::new();
        self.read_unverified(cid, &mut data)?;
        verify(cid, &data)?;
        Ok(data)
    }

    /// Reads a block into a buffer. Its bytes are anybody's until they have been verified.
    pub(crate) fn read_unverified(&mut self, cid: &Cid, data: &mut Vec<u8>) -> Result<(), Error> {
        let (at, size) = *self.blocks.get(&(cid.codec(), digest_of(cid)?)).ok_or(Error::Missing(*cid))?;
        self.input.seek(SeekFrom::Start(at))?;
        data.resize(size as usize, 0);
        self.input.read_exact(data).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::Truncated(at),
            _ => Error::from(e),
        })
    }

    /// Says how large a block is, without reading it.
    ///
    /// Errors: [`Error::Missing`].
    pub(crate) fn size_of(&self, cid: &Cid) -> Result<u64, Error> {
        let place = self.blocks.get(&(cid.codec(), digest_of(cid)?));
        place.map(|(_, size)| u64::from(*size)).ok_or(Error::Missing(*cid))
    }

    /// Opens a file for reading and seeking.
    ///
    /// Errors: [`Error::BadNode`] for a directory; those of [`CarFile::block`].
    pub fn file(&mut self, cid: &Cid) -> Result<FileReader<'_, R>, Error> {
        FileReader::new(self, cid)
    }

    /// Lists a directory; `None` when the CID is a file's.
    ///
    /// Errors: [`Error::BadNode`], [`Error::Unsupported`] for a sharded one; those of [`CarFile::block`].
    pub fn directory(&mut self, cid: &Cid) -> Result<Option<Vec<Entry>>, Error> {
        let block = self.block(cid)?;
        let Node::Directory(links) = unixfs::parse(cid, block)? else { return Ok(None) };
        let entries: Vec<_> = links.into_iter().map(|link| Entry { name: link.name, cid: link.cid }).collect();
        if !entries.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Error::BadNode { cid: *cid, why: "its names are not sorted and unique" });
        }
        Ok(Some(entries))
    }

    /// Walks from a directory along names, separated by `/`.
    ///
    /// Errors: [`Error::NotFound`] with the part of the path that leads nowhere; those of [`CarFile::directory`].
    pub fn resolve(&mut self, from: &Cid, path: &str) -> Result<Cid, Error> {
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
