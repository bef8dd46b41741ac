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
pub(crate) const BEFORE_ROOT: &[u8] = b"\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00";
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
}

/// Most bytes in front of a block with a CID of 36 bytes.
pub(crate) const MAX_FRAME: usize = 4 + 36;

/// What stands in front of a block: a length and the CID.
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<W: Write> CarWriter<W> {
    /// Writes a header of the right length.
    ///
    /// Errors: [`Error::Io`].
    pub fn new(mut out: W) -> Result<Self, Error> {
        let nothing = Cid::new_v1(RAW, Multihash::wrap(0x12, &[0; 32]).expect("32 bytes fit a multihash"));
        out.write_all(&header(&nothing)?)?;
        Ok(CarWriter { out, written: HashSet::new(), size: HEADER as u64 })
    }

    /// Goes on with a CAR of so many bytes that holds these blocks; the output stands at its end.
    pub(crate) fn resume<'a>(out: W, size: u64, blocks: impl Iterator<Item = &'a Cid>) -> Result<Self, Error> {
        let written = blocks.map(|cid| Ok((cid.codec(), digest_of(cid)?))).collect::<Result<_, Error>>()?;
        Ok(CarWriter { out, written, size })
    }

    /// Writes a block. Its CID is trusted.
    ///
    /// Errors: [`Error::TooLarge`] for a block that readers would refuse; [`Error::Unsupported`] for other hashes than sha2-256;
    /// [`Error::Io`].
    pub fn put(&mut self, cid: &Cid, data: &[u8]) -> Result<(), Error> {
        if let Some(frame) = self.admit(cid, data.len())? {
            self.out.write_all(frame.as_bytes())?;
            self.out.write_all(data)?;
        }
        Ok(())
    }

    /// Takes the next place in the CAR for a block and gives what stands in front of it there. Who asks writes both to
    /// [`out`](CarWriter::out), in the order of asking. `None` when the block was written already.
    ///
    /// Errors: as [`put`](CarWriter::put).
    pub(crate) fn admit(&mut self, cid: &Cid, size: usize) -> Result<Option<Frame>, Error> {
        if size > MAX_BLOCK {
            return Err(Error::TooLarge { what: "bytes in a block", limit: MAX_BLOCK as u64 });
        }
        if !self.written.insert((cid.codec(), digest_of(cid)?)) {
            return Ok(None);
        }
        let cid = cid.to_bytes();
        let mut frame = Vec::with_capacity(MAX_FRAME);
        write_uvarint((cid.len() + size) as u64, &mut frame);
        frame.extend_from_slice(&cid);
        self.size += (frame.len() + size) as u64;
        Ok(Some(Frame(frame)))
    }

    /// What the CAR is written to.
    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Counts the bytes of the CAR so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends the CAR: gives back the output and the header that belongs at its start.
    ///
    /// Errors: as [`header`]; [`Error::Io`].
    pub fn finish(mut self, root: &Cid) -> Result<(W, [u8; HEADER]), Error> {
        self.out.flush()?;
        Ok((self.out, header(root)?))
    }
}
