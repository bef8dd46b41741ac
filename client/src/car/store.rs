//! A CAR that can be sought in: any file of it, any part of a file.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use cid::Cid;

use super::block::digest_of;
use super::{Blocks, CarReader, Error, wrong_root};

/// Most blocks of a CAR that is indexed: 8 TiB in leaves of 1 MiB, and some 600 MB of index.
const MAX_BLOCKS: usize = 8 << 20;

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

    /// Counts the blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }
}

impl<R: Read + Seek> Blocks for CarFile<R> {
    fn root(&self) -> Cid {
        self.root
    }

    fn read(&mut self, cid: &Cid, data: &mut Vec<u8>) -> Result<(), Error> {
        let (at, size) = *self.blocks.get(&(cid.codec(), digest_of(cid)?)).ok_or(Error::Missing(*cid))?;
        self.input.seek(SeekFrom::Start(at))?;
        data.resize(size as usize, 0);
        self.input.read_exact(data).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::Truncated(at),
            _ => Error::from(e),
        })
    }

    fn size_of(&mut self, cid: &Cid) -> Option<u64> {
        let place = self.blocks.get(&(cid.codec(), digest_of(cid).ok()?));
        place.map(|(_, size)| u64::from(*size))
    }
}
