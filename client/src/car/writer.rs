//! Writing a CARv1 in one pass.

use std::collections::HashSet;
use std::io::Write;

use cid::Cid;
use cid::multihash::Multihash;

use super::block::{MAX_BLOCK, RAW, digest_of};
use super::{Error, write_uvarint};

/// Bytes of the header of a CAR with one root of 36 bytes.
pub const HEADER: usize = 59;

/// DAG-CBOR `{roots: [CID], version: 1}` up to the CID, with its length in front, and behind it.
const BEFORE_ROOT: &[u8] = b"\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00";
const BEHIND_ROOT: &[u8] = b"\x67version\x01";

/// Gives the header of a CAR with this root.
///
/// Errors: [`Error::Unsupported`] for a CID that is not 36 bytes long.
pub fn header(root: &Cid) -> Result<[u8; HEADER], Error> {
    let header = [BEFORE_ROOT, &root.to_bytes(), BEHIND_ROOT].concat();
    header.try_into().map_err(|_| Error::Unsupported(format!("a CAR with the root {root}")))
}

/// Writes blocks behind a header whose root is still unknown. A block that was written already is not written again.
pub struct CarWriter<W> {
    out: W,
    written: HashSet<(u64, [u8; 32])>,
    size: u64,
    section: Vec<u8>,
}

impl<W: Write> CarWriter<W> {
    /// Writes a header of the right length.
    pub fn new(mut out: W) -> Result<Self, Error> {
        let nothing = Cid::new_v1(RAW, Multihash::wrap(0x12, &[0; 32]).expect("32 bytes fit a multihash"));
        out.write_all(&header(&nothing)?)?;
        Ok(CarWriter { out, written: HashSet::new(), size: HEADER as u64, section: Vec::new() })
    }

    /// Writes a block. Its CID is trusted.
    ///
    /// Errors: [`Error::TooLarge`] for a block that readers would refuse.
    pub fn put(&mut self, cid: &Cid, data: &[u8]) -> Result<(), Error> {
        if data.len() > MAX_BLOCK {
            return Err(Error::TooLarge { what: "bytes in a block", limit: MAX_BLOCK as u64 });
        }
        if !self.written.insert((cid.codec(), digest_of(cid)?)) {
            return Ok(());
        }
        let cid = cid.to_bytes();
        self.section.clear();
        write_uvarint((cid.len() + data.len()) as u64, &mut self.section);
        self.section.extend_from_slice(&cid);
        self.out.write_all(&self.section)?;
        self.out.write_all(data)?;
        self.size += (self.section.len() + data.len()) as u64;
        Ok(())
    }

    /// Counts the bytes of the CAR so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends the CAR: gives back the output and the header that belongs at its start.
    pub fn finish(mut self, root: &Cid) -> Result<(W, [u8; HEADER]), Error> {
        self.out.flush()?;
        Ok((self.out, header(root)?))
    }
}
