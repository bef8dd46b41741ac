//! The work of unpacking that any thread can do: blocks are verified and chunks decrypted; small files are also written.

use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use cid::Cid;

use super::Error;
use super::error::corrupt;
use super::extract::restore;
use super::manifest::{Content, Entry};
use super::pipeline::FEW;
use super::pool::{Job, Turn};
use crate::car::{self, verify_each};
use crate::crypt::{self, BodyKey, CHUNK, SEALED_CHUNK, TAG};

/// A part of a body that begins and ends anywhere: the end of a chunk, whole chunks.
pub(super) struct Chunks {
    /// The chunk that began in the part before, whole now.
    pub before: Option<Vec<u8>>,
    /// The part, and where in it whole chunks stand; its last may be the body's last and shorter.
    pub part: Vec<u8>,
    pub whole: Range<usize>,
    /// Number of the first chunk, and whether the last of these is the body's last.
    pub first: u64,
    pub last: bool,
    pub body: Arc<BodyKey>,
}

/// Plaintext in the buffers of the ciphertext.
pub(super) struct Plaintext {
    pub before: Vec<u8>,
    pub part: Vec<u8>,
    pub whole: Range<usize>,
}

impl Chunks {
    fn open(self) -> Result<Plaintext, crypt::Error> {
        let Chunks { before, mut part, whole, first, last, body } = self;
        let mut index = first;
        let count = (whole.len().div_ceil(SEALED_CHUNK) + usize::from(before.is_some())) as u64;
        let mut open = |sealed: &[u8], plain: &mut Vec<u8>| {
            plain.resize(sealed.len().saturating_sub(TAG), 0);
            body.open(index, last && index + 1 == first + count, sealed, plain)?;
            index += 1;
            Ok::<_, crypt::Error>(())
        };
        let mut beginning = Vec::new();
        if let Some(sealed) = before {
            open(&sealed, &mut beginning)?;
        }
        let mut plain = Vec::with_capacity(CHUNK);
        let (mut at, mut end) = (whole.start, whole.start);
        while at < whole.end {
            let sealed = at..whole.end.min(at + SEALED_CHUNK);
            at = sealed.end;
            open(&part[sealed], &mut plain)?;
            part[end..end + plain.len()].copy_from_slice(&plain);
            end += plain.len();
        }
        Ok(Plaintext { before: beginning, part, whole: whole.start..end })
    }
}

/// A file that is one block.
pub(super) struct SmallFile {
    pub cid: Cid,
    pub block: Vec<u8>,
    pub entry: Entry,
    pub at: PathBuf,
}

impl SmallFile {
    /// Verifies, decrypts, writes.
    fn unpack(self) -> Result<u64, Error> {
        let Content::File { size, key, .. } = &self.entry.content else { return Ok(0) };
        let opened = car::verify(&self.cid, &self.block).map_err(Error::from).and_then(|()| {
            let mut plain = Vec::with_capacity(self.block.len());
            crypt::open_with_key(&self.block[..], key)?.read_to_end(&mut plain)?;
            if plain.len() as u64 == *size { Ok(plain) } else { Err(corrupt(WRONG_SIZE)) }
        });
        let plain = opened.map_err(|e| e.inside(&self.entry.path))?;
        let write = || {
            let mut file = File::create_new(&self.at)?;
            file.write_all(&plain)?;
            restore(&file, &self.entry)
        };
        write().map_err(|e| Error::io(&self.at, e))?;
        Ok(*size)
    }
}

pub(super) const WRONG_SIZE: &str = "its size is not the one in the manifest";

/// A piece of the work. The numbers are the caller's.
pub(super) enum Work {
    /// Check blocks against their CIDs.
    Verify(Vec<(u64, Cid, Vec<u8>)>),
    /// Decrypt.
    Open(u64, Chunks),
    Small(u64, SmallFile),
}

/// What came out of it.
pub(super) enum Worked {
    /// Each leaf, if it is what its CID says.
    Verified(Vec<(u64, Result<Vec<u8>, car::Error>)>),
    Opened(u64, Result<Plaintext, crypt::Error>),
    /// With the size of the block.
    Small(u64, usize, Result<u64, Error>),
}

impl Job for Work {
    type Done = Worked;

    fn run(self) -> Worked {
        match self {
            Work::Verify(blocks) => {
                let each: Vec<_> = blocks.iter().map(|(_, cid, bytes)| (*cid, &bytes[..])).collect();
                let outcomes = verify_each(&each);
                let verified = |((number, _, bytes), outcome): (_, Result<(), _>)| (number, outcome.map(|()| bytes));
                Worked::Verified(blocks.into_iter().zip(outcomes).map(verified).collect())
            }
            Work::Open(number, chunks) => Worked::Opened(number, chunks.open()),
            Work::Small(number, file) => Worked::Small(number, file.block.len(), file.unpack()),
        }
    }

    fn turn(&self) -> Turn {
        match self {
            Work::Verify(blocks) if blocks.len() > FEW => Turn::Long,
            _ => Turn::Early,
        }
    }
}
