//! Reading a CARv1 from front to back.

use std::io::{ErrorKind, Read};

use cid::Cid;

use super::block::{Block, MAX_BLOCK, verify};
use super::{Error, read_uvarint};

/// Largest header, in bytes.
const MAX_HEADER: u64 = 4096;
/// Bytes of the longest CID that `cid` reads: version, codec, hash, length, digest.
const MAX_CID: u64 = 9 * 4 + 64;

/// Reads the blocks of a CAR in turn and checks each against its CID. Whether a block belongs to the root is not asked:
/// blocks that nothing links to are harmless. Zeros behind the last block, as pieces are padded with, end the CAR.
pub struct CarReader<R> {
    input: R,
    root: Cid,
    at: u64,
}

impl<R: Read> CarReader<R> {
    /// Reads the header.
    ///
    /// Errors: [`Error::Truncated`], [`Error::Malformed`], [`Error::TooLarge`], [`Error::Unsupported`] for another version or
    /// another number of roots than one.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut reader = CarReader { input, root: Cid::default(), at: 0 };
        let size = match reader.length()? {
            None | Some(0) => return Err(Error::Malformed { at: 0, why: "this is no CAR" }),
            Some(size) if size > MAX_HEADER => {
                return Err(Error::TooLarge { what: "bytes in the header of a CAR", limit: MAX_HEADER });
            }
            Some(size) => size,
        };
        let mut header = vec![0; size as usize];
        reader.fill(&mut header)?;
        reader.root = parse_header(&header)?;
        Ok(reader)
    }

    /// Gives the root that the header names.
    pub fn root(&self) -> &Cid {
        &self.root
    }

    /// Reads the next block; `None` at the end.
    ///
    /// Errors: [`Error::Forged`] with the CID, [`Error::Truncated`], [`Error::Malformed`], [`Error::TooLarge`],
    /// [`Error::Unsupported`] for other hashes than sha2-256.
    pub fn next_block(&mut self) -> Result<Option<Block>, Error> {
        let Some((cid, size)) = self.next_head()? else { return Ok(None) };
        let mut data = vec![0; size as usize];
        self.fill(&mut data)?;
        verify(&cid, &data)?;
        Ok(Some(Block { cid, data }))
    }

    /// Reads up to the bytes of the next block: gives its CID and their number, at most [`MAX_BLOCK`].
    pub(super) fn next_head(&mut self) -> Result<Option<(Cid, u64)>, Error> {
        let start = self.at;
        let size = match self.length()? {
            None => return Ok(None),
            Some(0) => return self.only_zeros().map(|()| None),
            Some(size) if size > MAX_BLOCK as u64 + MAX_CID => return Err(too_large()),
            Some(size) => size,
        };
        let mut section = self.input.by_ref().take(size);
        let cid = Cid::read_bytes(&mut section);
        let left = section.limit();
        self.at += size - left;
        match cid {
            Ok(_) if left > MAX_BLOCK as u64 => Err(too_large()),
            Ok(cid) => Ok(Some((cid, left))),
            Err(_) if left > 0 && self.is_at_end()? => Err(Error::Truncated(self.at)),
            Err(_) => Err(Error::Malformed { at: start, why: "a block has no CID" }),
        }
    }

    /// Notes that the bytes of a block were passed over.
    pub(super) fn passed(&mut self, size: u64) {
        self.at += size;
    }

    /// Where the next byte stands, counted from the start of the CAR.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The input, standing behind what was read.
    pub(super) fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// Gives the input back.
    pub(super) fn into_input(self) -> R {
        self.input
    }

    /// Reads a varint; `None` at the end of the input.
    fn length(&mut self) -> Result<Option<u64>, Error> {
        let start = self.at;
        let mut bytes = [0; 9];
        for i in 0..bytes.len() {
            match self.fill(&mut bytes[i..=i]) {
                Err(Error::Truncated(_)) if i == 0 => return Ok(None),
                outcome => outcome?,
            }
            if bytes[i] & 0x80 == 0 {
                let length = read_uvarint(&bytes[..=i]).map(|(length, _)| length);
                return length.map(Some).ok_or(Error::Malformed { at: start, why: "a length is not minimal" });
            }
        }
        Err(Error::Malformed { at: start, why: "a length is longer than nine bytes" })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.input.read_exact(bytes).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => Error::Truncated(self.at),
            _ => Error::from(e),
        })?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool, Error> {
        Ok(self.input.read(&mut [0])? == 0)
    }

    fn only_zeros(&mut self) -> Result<(), Error> {
        let mut bytes = [0; 4096];
        loop {
            let n = self.input.read(&mut bytes)?;
            if bytes[..n].iter().any(|byte| *byte != 0) {
                return Err(Error::Malformed { at: self.at, why: "data follows the end of the CAR" });
            }
            if n == 0 {
                return Ok(());
            }
            self.at += n as u64;
        }
    }
}

fn too_large() -> Error {
    Error::TooLarge { what: "bytes in a block", limit: MAX_BLOCK as u64 }
}

fn parse_header(header: &[u8]) -> Result<Cid, Error> {
    #[derive(serde::Deserialize)]
    struct Header {
        #[serde(default)]
        roots: Vec<Cid>,
        version: u64,
    }
    let malformed = Error::Malformed { at: 0, why: "this is no CAR" };
    let parsed: Header = fvm_ipld_encoding::from_slice(header).map_err(|_| malformed)?;
    match (parsed.version, &parsed.roots[..]) {
        (1, [root]) => Ok(*root),
        (1, roots) => Err(Error::Unsupported(format!("a CAR with {} roots", roots.len()))),
        (version, _) => Err(Error::Unsupported(format!("version {version} of CARs"))),
    }
}
