//! The way back in one pass: blocks are read, verified many at a time, decrypted and written, by all cores, in order, in bounded
//! memory.
//!
//! ```text
//! read -> Verify, several leaves at once, unless they come verified -> (chunks that lie across leaves are joined) -> Open -> write
//! ```
//!
//! What is wrong with a file is told in the file's order, too, whoever finds it first: after all that is right before it was written.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::Error;
use super::opening::{Chunks, Plaintext, SmallFile, Work, Worked};
use super::package::Unread;
use super::pipeline::{A_FEW, FEW, buffers};
use super::pool::Pool;
use crate::car::{Blocks, Leaf, Leaves, Profile, check_leaf, leaves_at_once};
use crate::crypt::{BodyKey, CHUNK, SEALED_CHUNK, plain_size};

/// Bytes of leaves under way where they come verified: whoever verifies has as many on the way.
const VERIFIED_BYTES: usize = 8 << 20;
/// Small files under way, and their bytes.
const SMALL_FILES: usize = 256;
const SMALL_BYTES: usize = 4 << 20;

/// A leaf on its way, in the order of the file.
enum Stage {
    Verifying,
    Verified(Vec<u8>),
    /// It could not be read, or is not what its CID says.
    Failed(Error),
}

/// Unpacks files, one after the other or, if they are small, several at once.
pub(super) struct Unpacker {
    pool: Pool<Work>,
    spare: Vec<Vec<u8>>,
    /// Small files that are not written yet, and their bytes; what was written; the number of the next one.
    small: usize,
    small_bytes: usize,
    written: u64,
    next: u64,
    /// The first of them that could not be, and why.
    failed: Option<(u64, Error)>,
}

impl Unpacker {
    pub fn new() -> Self {
        Unpacker { pool: Pool::new(), spare: Vec::new(), small: 0, small_bytes: 0, written: 0, next: 0, failed: None }
    }

    /// Unpacks a file that is one block, sooner or later. Gives the bytes written since it was asked last.
    ///
    /// Errors: of the first file, in their order, that is not what it should be ([`Error::Corrupt`] with its path) or cannot be written.
    pub fn small(&mut self, file: SmallFile) -> Result<u64, Error> {
        while self.small >= SMALL_FILES || self.small_bytes > SMALL_BYTES {
            self.wait_for_small();
        }
        self.small += 1;
        self.small_bytes += file.block.len();
        self.pool.submit(Work::Small(self.next, file));
        self.next += 1;
        while let Some(worked) = self.pool.take() {
            self.count(worked);
        }
        if self.failed.is_some() { self.finish_small() } else { Ok(std::mem::take(&mut self.written)) }
    }

    /// Waits until all small files are written. Gives the bytes as [`small`](Unpacker::small) does.
    ///
    /// Errors: as there.
    pub fn finish_small(&mut self) -> Result<u64, Error> {
        while self.small > 0 {
            self.wait_for_small();
        }
        match self.failed.take() {
            Some((_, e)) => Err(e),
            None => Ok(std::mem::take(&mut self.written)),
        }
    }

    fn wait_for_small(&mut self) {
        if let Some(worked) = self.pool.wait() {
            self.count(worked);
        }
    }

    fn count(&mut self, worked: Worked) {
        if let Worked::Small(number, block, outcome) = worked {
            self.small -= 1;
            self.small_bytes -= block;
            match outcome {
                Ok(written) => self.written += written,
                Err(e) if self.failed.as_ref().is_none_or(|(first, _)| number < *first) => {
                    self.failed = Some((number, e));
                }
                Err(_) => {}
            }
        }
    }

    /// Unpacks a range of a file of any size, which ends within it. `write` takes authenticated plaintext, in order.
    ///
    /// Errors: those of `write`; of the blocks; [`Error::Corrupt`].
    pub fn large<B: Blocks>(
        &mut self,
        unread: Unread<'_, B>,
        range: Range<u64>,
        write: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (index, sealed) = unread.chunks(&range);
        let together = leaves_at_once();
        let Unread { car, root, body, sealed: all, .. } = unread;
        let pass = Pass {
            leaves: Leaves::of(&root, sealed.clone()),
            stages: VecDeque::new(),
            first: 0,
            waiting: Vec::new(),
            together,
            parts: VecDeque::new(),
            first_part: 0,
            bytes: 0,
            most: if car.verifies() { VERIFIED_BYTES } else { buffers(together) * Profile::V1_2025.chunk_size },
            joining: Vec::new(),
            start: Some(sealed.start),
            skip: 0,
            left: sealed.end - sealed.start,
            index,
            chunks: plain_size(all)?.1,
            body: Arc::new(body),
            trim: range.start - index * CHUNK as u64,
            due: range.end - range.start,
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
    together: usize,
    /// What is being decrypted, in order; none means not yet.
    parts: VecDeque<Option<Result<Plaintext, Error>>>,
    first_part: u64,
    /// Bytes of leaves under way.
    bytes: usize,
    most: usize,
    /// The beginning of a chunk whose end is in a later leaf.
    joining: Vec<u8>,
    /// Where in the file the first chunk begins, until the first leaf is there; then bytes in front of it, and of the chunks.
    start: Option<u64>,
    skip: u64,
    left: u64,
    /// Number of the next chunk, and how many the file has.
    index: u64,
    chunks: u64,
    body: Arc<BodyKey>,
    /// Plaintext that is left out in front, and that is to be written.
    trim: u64,
    due: u64,
    /// Whether all leaves were read.
    ended: bool,
    unpacker: &'a mut Unpacker,
}

impl Pass<'_> {
    fn run(mut self, car: &mut impl Blocks, write: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        loop {
            while let Some(worked) = self.unpacker.pool.take() {
                self.take(worked);
            }
            self.join();
            self.write(write)?;
            if !self.ended && self.bytes < self.most {
                if let Err(e) = self.read(car) {
                    self.stages.push_back(Stage::Failed(e));
                    self.end();
                }
                continue;
            }
            if self.ended && self.stages.is_empty() && self.parts.is_empty() {
                return Ok(());
            }
            match self.unpacker.pool.wait() {
                Some(worked) => self.take(worked),
                None => self.verify(),
            }
        }
    }

    /// Reads the next leaf.
    fn read(&mut self, car: &mut impl Blocks) -> Result<(), Error> {
        let Some((at, leaf)) = self.leaves.next(car)? else {
            self.end();
            return Ok(());
        };
        if let Some(start) = self.start.take() {
            self.skip = start - at.min(start);
        }
        match leaf {
            Leaf::Inside(bytes) => {
                self.bytes += bytes.len();
                self.stages.push_back(Stage::Verified(bytes));
            }
            Leaf::Raw(cid, size) => {
                let mut bytes = self.unpacker.spare.pop().unwrap_or_default();
                car.read(&cid, &mut bytes)?;
                check_leaf(&cid, size, &bytes)?;
                self.bytes += bytes.len();
                if car.verifies() {
                    self.stages.push_back(Stage::Verified(bytes));
                    return Ok(());
                }
                self.waiting.push((self.first + self.stages.len() as u64, cid, bytes));
                self.stages.push_back(Stage::Verifying);
                if self.waiting.len() == self.together {
                    self.verify();
                }
            }
        }
        Ok(())
    }

    /// There is nothing more to read.
    fn end(&mut self) {
        self.ended = true;
        self.verify();
    }

    /// Hands out the leaves that wait.
    fn verify(&mut self) {
        let each = if self.waiting.len() <= FEW { A_FEW.min(self.together) } else { self.waiting.len() };
        while !self.waiting.is_empty() {
            let rest = self.waiting.split_off(each.min(self.waiting.len()));
            self.unpacker.pool.submit(Work::Verify(std::mem::replace(&mut self.waiting, rest)));
        }
    }

    fn take(&mut self, worked: Worked) {
        match worked {
            Worked::Verified(leaves) => {
                for (number, leaf) in leaves {
                    self.stages[(number - self.first) as usize] = match leaf {
                        Ok(bytes) => Stage::Verified(bytes),
                        Err(e) => Stage::Failed(e.into()),
                    };
                }
            }
            Worked::Opened(number, part) => {
                self.parts[(number - self.first_part) as usize] = Some(part.map_err(Error::from));
            }
            small => self.unpacker.count(small),
        }
    }

    /// Cuts what was verified into chunks.
    fn join(&mut self) {
        while let Some(stage) = self.stages.pop_front_if(|stage| !matches!(stage, Stage::Verifying)) {
            self.first += 1;
            let part = match stage {
                Stage::Verified(part) => part,
                Stage::Failed(e) => {
                    self.parts.push_back(Some(Err(e)));
                    continue;
                }
                Stage::Verifying => unreachable!("such stay"),
            };
            let mut at = part.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip -= at as u64;
            let mut before = None;
            if !self.joining.is_empty() {
                let left = usize::try_from(self.left).unwrap_or(usize::MAX);
                let missing = (SEALED_CHUNK - self.joining.len()).min(part.len() - at).min(left);
                self.joining.extend_from_slice(&part[at..at + missing]);
                at += missing;
                self.left -= missing as u64;
                if self.joining.len() == SEALED_CHUNK || self.left == 0 {
                    before = Some(std::mem::take(&mut self.joining));
                }
            }
            let rest = (part.len() - at).min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let ends = self.left == rest as u64;
            let whole = at..at + if ends { rest } else { rest / SEALED_CHUNK * SEALED_CHUNK };
            self.joining.extend_from_slice(&part[whole.end..at + rest]);
            self.left -= rest as u64;
            let count = whole.len().div_ceil(SEALED_CHUNK) + usize::from(before.is_some());
            if count == 0 {
                self.release(part);
                continue;
            }
            let first = self.index;
            self.index += count as u64;
            let last = self.index == self.chunks;
            let chunks = Chunks { before, part, whole, first, last, body: self.body.clone() };
            let number = self.first_part + self.parts.len() as u64;
            self.parts.push_back(None);
            self.unpacker.pool.submit(Work::Open(number, chunks));
        }
    }

    /// Writes what was decrypted, in order.
    fn write(&mut self, write: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        while let Some(Some(opened)) = self.parts.pop_front_if(|part| part.is_some()) {
            self.first_part += 1;
            let plain = opened?;
            for bytes in [&plain.before[..], &plain.part[plain.whole.clone()]] {
                let front = bytes.len().min(usize::try_from(self.trim).unwrap_or(usize::MAX));
                self.trim -= front as u64;
                let bytes = &bytes[front..];
                let bytes = &bytes[..bytes.len().min(usize::try_from(self.due).unwrap_or(usize::MAX))];
                self.due -= bytes.len() as u64;
                if !bytes.is_empty() {
                    write(bytes)?;
                }
            }
            self.release(plain.part);
        }
        Ok(())
    }

    /// A buffer has done its work. Those that nobody will ask for are not kept: bytes that stand inside of nodes came in others.
    fn release(&mut self, buffer: Vec<u8>) {
        self.bytes -= buffer.len();
        if self.unpacker.spare.len() < buffers(self.together) {
            self.unpacker.spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests;
