//! The way back in one pass: blocks are read, verified many at a time, decrypted and written, by all cores, in order, in bounded
//! memory.
//!
//! ```text
//! read -> Verify, 32 leaves at once -> (chunks that lie across leaves are joined) -> Open -> write
//! ```

use std::collections::VecDeque;
use std::io::{Read, Seek};
use std::sync::Arc;

use super::Error;
use super::opening::{Chunks, Plaintext, SmallFile, Work, Worked};
use super::package::Unread;
use super::pool::Pool;
use crate::car::{CarFile, LEAVES_AT_ONCE, Leaf, Leaves};
use crate::crypt::{BodyKey, SEALED_CHUNK};

/// Bytes of leaves under way: those that are verified together, and some for what goes on meanwhile.
const LEAF_BYTES: usize = (LEAVES_AT_ONCE + 10) << 20;
/// Small files under way, and their bytes.
const SMALL_FILES: usize = 256;
const SMALL_BYTES: usize = 4 << 20;

/// A leaf on its way, in the order of the file.
enum Stage {
    Verifying,
    Verified(Vec<u8>),
}

/// Unpacks files, one after the other or, if they are small, several at once.
pub(super) struct Unpacker {
    pool: Pool<Work>,
    spare: Vec<Vec<u8>>,
    /// Small files that are not written yet, and their bytes; what was written.
    small: usize,
    small_bytes: usize,
    written: u64,
}

impl Unpacker {
    pub fn new() -> Self {
        Unpacker { pool: Pool::new(), spare: Vec::new(), small: 0, small_bytes: 0, written: 0 }
    }

    /// Unpacks a file that is one block, sooner or later. Gives the bytes written since it was asked last.
    pub fn small(&mut self, file: SmallFile) -> Result<u64, Error> {
        while self.small >= SMALL_FILES || self.small_bytes > SMALL_BYTES {
            self.wait_for_small()?;
        }
        self.small += 1;
        self.small_bytes += file.block.len();
        self.pool.submit(Work::Small(file));
        while let Some(worked) = self.pool.take() {
            self.count(worked)?;
        }
        Ok(std::mem::take(&mut self.written))
    }

    /// Waits until all small files are written. Gives the bytes as [`small`](Unpacker::small) does.
    pub fn finish_small(&mut self) -> Result<u64, Error> {
        while self.small > 0 {
            self.wait_for_small()?;
        }
        Ok(std::mem::take(&mut self.written))
    }

    fn wait_for_small(&mut self) -> Result<(), Error> {
        match self.pool.wait() {
            Some(worked) => self.count(worked),
            None => Ok(()),
        }
    }

    fn count(&mut self, worked: Worked) -> Result<(), Error> {
        if let Worked::Small(block, outcome) = worked {
            self.small -= 1;
            self.small_bytes -= block;
            self.written += outcome?;
        }
        Ok(())
    }

    /// Unpacks a file of any size. `write` takes authenticated plaintext, in order.
    pub fn large<R: Read + Seek>(
        &mut self,
        unread: Unread<'_, R>,
        write: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Unread { car, root, body, header, sealed, .. } = unread;
        let pass = Pass {
            leaves: Leaves::of(&root),
            stages: VecDeque::new(),
            first: 0,
            waiting: Vec::new(),
            parts: VecDeque::new(),
            first_part: 0,
            bytes: 0,
            joining: Vec::new(),
            skip: header,
            left: sealed,
            index: 0,
            body: Arc::new(body),
            ended: false,
            unpacker: self,
        };
        pass.run(car, write)
    }
}

/// One large file.
struct Pass<'a> {
    leaves: Leaves,
    stages: VecDeque<Stage>,
    /// Number of the first stage.
    first: u64,
    /// Leaves that wait to be verified together.
    waiting: Vec<(u64, cid::Cid, Vec<u8>)>,
    /// What is being decrypted, in order; none means not yet.
    parts: VecDeque<Option<Plaintext>>,
    first_part: u64,
    /// Bytes of leaves under way.
    bytes: usize,
    /// The beginning of a chunk whose end is in a later leaf.
    joining: Vec<u8>,
    /// Bytes of the header that are still to come, then those of the body.
    skip: u64,
    left: u64,
    /// Number of the next chunk.
    index: u64,
    body: Arc<BodyKey>,
    /// Whether all leaves were read.
    ended: bool,
    unpacker: &'a mut Unpacker,
}

impl Pass<'_> {
    fn run<R: Read + Seek>(
        mut self,
        car: &mut CarFile<R>,
        write: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            while let Some(worked) = self.unpacker.pool.take() {
                self.take(worked)?;
            }
            self.join();
            self.write(write)?;
            if !self.ended && self.bytes < LEAF_BYTES {
                self.read(car)?;
                continue;
            }
            if self.ended && self.stages.is_empty() && self.parts.is_empty() {
                return Ok(());
            }
            match self.unpacker.pool.wait() {
                Some(worked) => self.take(worked)?,
                None => self.verify(),
            }
        }
    }

    /// Reads the next leaf.
    fn read<R: Read + Seek>(&mut self, car: &mut CarFile<R>) -> Result<(), Error> {
        match self.leaves.next(car)? {
            None => {
                self.ended = true;
                self.verify();
            }
            Some(Leaf::Inside(bytes)) => {
                self.bytes += bytes.len();
                self.stages.push_back(Stage::Verified(bytes));
            }
            Some(Leaf::Raw(cid)) => {
                let mut bytes = self.unpacker.spare.pop().unwrap_or_default();
                car.read_unverified(&cid, &mut bytes)?;
                self.bytes += bytes.len();
                self.waiting.push((self.first + self.stages.len() as u64, cid, bytes));
                self.stages.push_back(Stage::Verifying);
                if self.waiting.len() == LEAVES_AT_ONCE {
                    self.verify();
                }
            }
        }
        Ok(())
    }

    /// Hands out the leaves that wait.
    fn verify(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.len() > super::pipeline::FEW {
            self.unpacker.pool.submit(Work::Verify(waiting));
        } else {
            waiting.into_iter().for_each(|leaf| self.unpacker.pool.submit(Work::Verify(vec![leaf])));
        }
    }

    fn take(&mut self, worked: Worked) -> Result<(), Error> {
        match worked {
            Worked::Verified(leaves) => {
                for (number, bytes) in leaves? {
                    self.stages[(number - self.first) as usize] = Stage::Verified(bytes);
                }
            }
            Worked::Opened(number, part) => self.parts[(number - self.first_part) as usize] = Some(part?),
            small => self.unpacker.count(small)?,
        }
        Ok(())
    }

    /// Cuts what was verified into chunks.
    fn join(&mut self) {
        while matches!(self.stages.front(), Some(Stage::Verified(_))) {
            self.first += 1;
            let Some(Stage::Verified(part)) = self.stages.pop_front() else { unreachable!("the front was looked at") };
            let mut at = part.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip -= at as u64;
            let mut before = None;
            if !self.joining.is_empty() {
                let missing = (SEALED_CHUNK - self.joining.len()).min(part.len() - at);
                self.joining.extend_from_slice(&part[at..at + missing]);
                at += missing;
                self.left -= missing as u64;
                if self.joining.len() == SEALED_CHUNK || self.left == 0 {
                    before = Some(std::mem::take(&mut self.joining));
                }
            }
            let rest = part.len() - at;
            let last = self.left == rest as u64;
            let whole = at..if last { part.len() } else { at + rest / SEALED_CHUNK * SEALED_CHUNK };
            self.joining.extend_from_slice(&part[whole.end..]);
            self.left -= rest as u64;
            let count = whole.len().div_ceil(SEALED_CHUNK) + usize::from(before.is_some());
            if count == 0 {
                self.release(part);
                continue;
            }
            let chunks = Chunks { before, part, whole, first: self.index, last, body: self.body.clone() };
            self.index += count as u64;
            let number = self.first_part + self.parts.len() as u64;
            self.parts.push_back(None);
            self.unpacker.pool.submit(Work::Open(number, chunks));
        }
    }

    /// Writes what was decrypted, in order.
    fn write(&mut self, write: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        while matches!(self.parts.front(), Some(Some(_))) {
            self.first_part += 1;
            if let Some(Some(plain)) = self.parts.pop_front() {
                if !plain.before.is_empty() {
                    write(&plain.before)?;
                }
                write(&plain.part[plain.whole.clone()])?;
                self.release(plain.part);
            }
        }
        Ok(())
    }

    fn release(&mut self, buffer: Vec<u8>) {
        self.bytes -= buffer.len();
        self.unpacker.spare.push(buffer);
    }
}
