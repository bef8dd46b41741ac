//! The work of packing that any thread can do: leaves are encrypted, named and committed to.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use cid::Cid;

use super::pipeline::FEW;
use super::pool::{Job, Turn};
use crate::car::{MAX_FRAME, Profile, leaf_cids};
use crate::crypt::{self, BodyKey, CHUNK, Envelope, FileKey, Recipient, SEALED_CHUNK, TAG};
use crate::piece::{Engine, Part};

/// Bytes of each leaf of a file but the last.
pub(super) const LEAF: usize = Profile::V1_2025.chunk_size;
/// Where a leaf begins in its buffer, so that its frame fits in front, and where a whole one ends.
const START: usize = MAX_FRAME;
const END: usize = START + LEAF;

/// A leaf in its buffer. Buffers of whole leaves are used again.
pub(super) struct Leaf {
    bytes: Vec<u8>,
    /// Where frame and leaf stand.
    place: Range<usize>,
    /// What it counts for among small ones.
    counted: usize,
}

impl Leaf {
    /// Takes a buffer for a whole leaf.
    pub fn in_buffer(bytes: Vec<u8>) -> Self {
        Leaf { bytes, place: START..START, counted: 0 }
    }

    /// Makes a buffer for a whole leaf.
    pub fn new_buffer() -> Vec<u8> {
        vec![0; END]
    }

    /// Takes a block with its frame.
    pub fn framed(bytes: Vec<u8>) -> Self {
        Leaf { place: 0..bytes.len(), bytes, counted: 0 }
    }

    /// The leaf, and the frame once it is there.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.place.clone()]
    }

    /// Puts the frame in front.
    pub fn set_frame(&mut self, frame: &[u8]) {
        let start = START - frame.len();
        self.bytes[start..START].copy_from_slice(frame);
        self.place.start = start;
    }

    /// Fills in the end of a chunk that began in the leaf before.
    pub fn set_head(&mut self, head: &[u8]) {
        self.bytes[START..START + head.len()].copy_from_slice(head);
    }

    /// Gives the buffer back, if it is one of a whole leaf; if not, what it counts for among small ones.
    pub fn into_buffer(self) -> Result<Vec<u8>, usize> {
        if self.counted == 0 && self.bytes.len() == END { Ok(self.bytes) } else { Err(self.counted) }
    }
}

/// A leaf full of plaintext where its ciphertext will be.
pub(super) struct Plain {
    leaf: Leaf,
    body: Arc<BodyKey>,
    /// Number of the first chunk that begins here.
    first: u64,
    /// The chunks that lie in the leaf.
    chunks: Vec<Range<usize>>,
    /// The chunk that begins here and ends in the next leaf, and where.
    across: Option<(usize, Vec<u8>)>,
    /// Whether the last of these chunks is the file's last.
    pub last: bool,
}

/// How far a file was cut into leaves.
pub(super) struct Cutter {
    body: Arc<BodyKey>,
    header: Vec<u8>,
    /// Number of the next chunk.
    index: u64,
    /// Bytes at the start of the next leaf that belong to a chunk before.
    head: usize,
    ended: bool,
}

impl Cutter {
    /// Errors: [`crypt::Error::TooLarge`] for a header that is larger than a leaf.
    pub fn new(header: Vec<u8>, body: BodyKey) -> Result<Self, crypt::Error> {
        if header.len() > LEAF {
            return Err(crypt::Error::TooLarge { what: "the header of an age file", limit: LEAF });
        }
        Ok(Cutter { body: Arc::new(body), header, index: 0, head: 0, ended: false })
    }

    /// Goes on behind so many whole leaves of a file whose reader stands at its start, and which has at least another leaf. `last` are
    /// the bytes of the last of them. Gives what the next leaf begins with, too.
    ///
    /// Errors: [`io::Error`]; `None` where the file does not give the leaf's last bytes: it is another one.
    pub fn resume(
        header: usize,
        body: BodyKey,
        leaves: u64,
        last: &[u8],
        mut reader: impl Read + Seek,
    ) -> io::Result<Option<(Cutter, Vec<u8>)>> {
        let at = leaves * LEAF as u64 - header as u64;
        let (mut index, done) = (at / SEALED_CHUNK as u64, (at % SEALED_CHUNK as u64) as usize);
        reader.seek(SeekFrom::Start(index * CHUNK as u64))?;
        let mut head = Vec::new();
        if done > 0 {
            // The same bytes under the same key and number are the same ciphertext; that of other bytes leaves this function only compared.
            let mut chunk = vec![0; CHUNK];
            if read_full(&mut reader, &mut chunk)? < CHUNK {
                return Ok(None);
            }
            let tag = body.seal(index, false, &mut chunk);
            chunk.extend_from_slice(&tag);
            head = chunk.split_off(done);
            if !last.ends_with(&chunk) {
                return Ok(None);
            }
            index += 1;
        }
        let cutter = Cutter { body: Arc::new(body), header: Vec::new(), index, head: head.len(), ended: false };
        Ok(Some((cutter, head)))
    }

    /// Says whether all was read and given.
    pub fn is_done(&self) -> bool {
        self.ended && self.head == 0
    }

    /// Says whether the file's last chunk was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads what belongs into the next leaf. The leaf is empty when the file ended just before it.
    ///
    /// Errors: the reader's.
    pub fn next(&mut self, mut reader: impl Read, buffer: Vec<u8>) -> io::Result<Plain> {
        let mut leaf = Leaf::in_buffer(buffer);
        let header = std::mem::take(&mut self.header);
        let mut at = START + std::mem::take(&mut self.head);
        leaf.bytes[at..at + header.len()].copy_from_slice(&header);
        at += header.len();
        let (first, mut chunks, mut across) = (self.index, Vec::new(), None);
        while !self.ended && at < END {
            let whole = at + SEALED_CHUNK <= END;
            let mut beside = Vec::new();
            let room = if whole {
                &mut leaf.bytes[at..at + CHUNK]
            } else {
                beside.resize(CHUNK, 0);
                &mut beside[..]
            };
            let n = read_full(&mut reader, room)?;
            self.ended = n < CHUNK;
            // Only the whole file may be an empty chunk.
            if n == 0 && self.index > 0 {
                break;
            }
            self.index += 1;
            let end = at + n + TAG;
            if end <= END {
                if !whole {
                    leaf.bytes[at..at + n].copy_from_slice(&beside[..n]);
                }
                chunks.push(at..at + n);
                at = end;
            } else {
                beside.truncate(n);
                across = Some((at, beside));
                self.head = end - END;
                at = END;
            }
        }
        leaf.place.end = at;
        Ok(Plain { leaf, body: self.body.clone(), first, chunks, across, last: false })
    }
}

impl Plain {
    /// Says whether a chunk begins here.
    pub fn has_chunks(&self) -> bool {
        !self.chunks.is_empty() || self.across.is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.leaf.place.is_empty()
    }

    pub fn into_leaf(self) -> Leaf {
        self.leaf
    }

    /// Encrypts. Gives what belongs into the next leaf, too.
    fn seal(mut self) -> (Leaf, Vec<u8>) {
        let count = self.chunks.len();
        for (i, chunk) in self.chunks.into_iter().enumerate() {
            let last = self.last && self.across.is_none() && i + 1 == count;
            let tag = self.body.seal(self.first + i as u64, last, &mut self.leaf.bytes[chunk.clone()]);
            self.leaf.bytes[chunk.end..chunk.end + TAG].copy_from_slice(&tag);
        }
        let Some((at, mut chunk)) = self.across else { return (self.leaf, Vec::new()) };
        let tag = self.body.seal(self.first + count as u64, self.last, &mut chunk);
        chunk.extend_from_slice(&tag);
        let head = chunk.split_off(END - at);
        self.leaf.bytes[at..END].copy_from_slice(&chunk);
        (self.leaf, head)
    }
}

/// Bytes of the body of an age file of so many bytes.
pub(super) fn sealed_size(plain: u64) -> u64 {
    plain + plain.div_ceil(CHUNK as u64).max(1) * TAG as u64
}

/// Reads until the buffer is full or the input ends.
fn read_full(reader: &mut impl Read, mut out: &mut [u8]) -> io::Result<usize> {
    let size = out.len();
    while !out.is_empty() {
        match reader.read(out) {
            Ok(0) => break,
            Ok(n) => out = &mut out[n..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(size - out.len())
}

/// Largest file that one job does as a whole.
pub(super) const SMALL: usize = 256 << 10;

/// Encrypts a file so small that it is one leaf.
fn seal_small(plain: &[u8], key: &FileKey, recipients: &[Recipient]) -> Result<(Leaf, Cid), crypt::Error> {
    let Envelope { header, body, .. } = Envelope::new(key, recipients)?;
    let mut bytes = Vec::with_capacity(START + header.len() + plain.len() + (plain.len() / CHUNK + 1) * TAG);
    bytes.resize(START, 0);
    bytes.extend_from_slice(&header);
    let count = plain.len().div_ceil(CHUNK).max(1);
    for i in 0..count {
        let chunk = &plain[i * CHUNK..plain.len().min((i + 1) * CHUNK)];
        let at = bytes.len();
        bytes.extend_from_slice(chunk);
        let tag = body.seal(i as u64, i + 1 == count, &mut bytes[at..]);
        bytes.extend_from_slice(&tag);
    }
    let leaf = Leaf { place: START..bytes.len(), bytes, counted: plain.len() };
    let cid = leaf_cids(&[leaf.bytes()])[0];
    Ok((leaf, cid))
}

/// A piece of the work. The numbers are the caller's.
pub(super) enum Work {
    /// Encrypt what was read.
    Seal(u64, Plain),
    /// Encrypt and name a small file.
    Small(u64, Vec<u8>, FileKey, Arc<[Recipient]>),
    /// Name leaves.
    Name(Vec<(u64, Leaf)>),
    /// Commit to a framed leaf that begins here in the CAR.
    Commit(u64, u64, Leaf),
}

/// What came out of it.
pub(super) enum Worked {
    Sealed(u64, Leaf, Vec<u8>),
    Small(u64, Result<(Leaf, Cid), crypt::Error>),
    Named(Vec<(u64, Leaf, Cid)>),
    Committed(u64, Leaf, Part),
}

impl Job for Work {
    type Done = Worked;

    fn run(self) -> Worked {
        match self {
            Work::Seal(number, plain) => {
                let (leaf, head) = plain.seal();
                Worked::Sealed(number, leaf, head)
            }
            Work::Small(number, plain, key, recipients) => Worked::Small(number, seal_small(&plain, &key, &recipients)),
            Work::Name(leaves) => {
                let cids = leaf_cids(&leaves.iter().map(|(_, leaf)| leaf.bytes()).collect::<Vec<_>>());
                Worked::Named(leaves.into_iter().zip(cids).map(|((number, leaf), cid)| (number, leaf, cid)).collect())
            }
            Work::Commit(number, offset, leaf) => {
                let part = Engine::new().part(offset, leaf.bytes());
                Worked::Committed(number, leaf, part)
            }
        }
    }

    fn turn(&self) -> Turn {
        match self {
            Work::Name(leaves) if leaves.len() > FEW => Turn::Long,
            // The next leaves are named once there are enough; while they are, earlier ones are committed to.
            Work::Commit(..) => Turn::Late,
            _ => Turn::Early,
        }
    }
}
