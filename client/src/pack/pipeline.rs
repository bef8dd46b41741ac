//! One pass: what is read is encrypted, named, framed, committed to and written, by all cores, in order, in bounded memory.
//!
//! ```text
//! read -> Seal -> (chunks that lie across leaves are joined) -> Name, several leaves at once -> frame, place in the CAR
//!      -> Commit -> write
//! ```
//!
//! The caller reads, joins, places and writes, and helps with the work in between; order is kept by two queues.

mod flow;

use std::collections::VecDeque;
use std::io::{Read, Seek, Write};
use std::mem::take;
use std::sync::Arc;

use cid::Cid;

use self::flow::place_block;
use super::Error;
use super::checkpoints::{Checkpoints, Note};
use super::journal::Begun;
use super::output::Output;
use super::pool::Pool;
use super::sealing::{Cutter, LEAF, Leaf, Plain, SMALL, Work};
use super::single::SealedFile;
use crate::car::{CarWriter, Layout, Link, MOST_LEAVES_AT_ONCE, Profile, leaves_at_once};
use crate::crypt::{Envelope, FileKey, MAX_WRAP, Recipient};
use crate::piece::{CommP, Part};

/// Buffers of whole leaves: those that are named (or verified) together, and some for what goes on meanwhile: a few in the hands of each thread
/// and before it. The fewer there are, the more of them stay in the CPU's caches.
pub(super) fn buffers(together: usize) -> usize {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    (together + A_FEW + 6 * threads).min(MOST_LEAVES_AT_ONCE + 10)
}
/// Bytes and number of small files under way.
const SMALL_BYTES: usize = 4 << 20;
const UNDER_WAY: usize = 512;
/// As many leaves take about as long a few by a few as all at once.
pub(super) const FEW: usize = 8;
/// So many of them make a job then.
pub(super) const A_FEW: usize = 4;

/// Something on its way into the CAR, in the order of the files.
enum Stage {
    /// Being encrypted.
    Sealing,
    /// Encrypted, with what belongs into the next leaf.
    Sealed(Leaf, Vec<u8>),
    /// Complete.
    Joined(Leaf),
    /// Being named.
    Naming,
    Named(Leaf, Cid),
    /// The leaves of a file are over; it is kept or not.
    End(bool),
    /// The files since the last one make a directory.
    Directory(fn(u64) -> String),
}

/// A part of the CAR, in the order of the CAR.
enum Item {
    /// Being committed to.
    Committing,
    Ready(Leaf, Option<Part>),
}

/// A CAR in the making. Dropped, it ends what is under way.
pub(super) struct Pipeline<W: Write> {
    car: CarWriter<Output<W>>,
    pool: Pool<Work>,
    recipients: Arc<[Recipient]>,
    buffers: Vec<Vec<u8>>,
    made: usize,
    most: usize,
    /// Leaves that are named together.
    together: usize,
    /// Bytes in buffers of other sizes.
    small: usize,
    stages: VecDeque<Stage>,
    /// Number of the first stage, of the first that was not joined, and of the first that was not given to be named.
    first: u64,
    unjoined: u64,
    unnamed: u64,
    /// What the last leaf has for the next one.
    head: Vec<u8>,
    /// Links of a node: fewer only for tests.
    pub(super) max_links: usize,
    /// The tree of the file at hand, once it has a leaf.
    layout: Option<Layout>,
    /// Files that are in no directory yet.
    files: Vec<Link>,
    directories: Vec<Link>,
    items: VecDeque<Item>,
    first_item: u64,
    /// Where a pass into a file notes how far it is.
    checkpoints: Option<Checkpoints>,
}

impl<W: Write + Seek> Pipeline<W> {
    /// Errors: what the output says.
    pub fn new(out: W, recipients: &[Recipient]) -> Result<Self, Error> {
        Ok(Pipeline::with(CarWriter::new(Output::new(out)?)?, recipients))
    }

    /// Goes on with a CAR that begins with the output and holds these blocks; the output stands at its end.
    ///
    /// Errors: [`Error::Unsupported`] for blocks of other hashes than sha2-256.
    pub fn resume<'a>(
        out: W,
        recipients: &[Recipient],
        comm_p: CommP,
        blocks: impl Iterator<Item = &'a Cid>,
    ) -> Result<Self, Error> {
        let size = comm_p.written();
        Ok(Pipeline::with(CarWriter::resume(Output::resume(out, comm_p), size, blocks)?, recipients))
    }

    fn with(car: CarWriter<Output<W>>, recipients: &[Recipient]) -> Self {
        let together = leaves_at_once();
        Pipeline {
            car,
            pool: Pool::new(),
            recipients: recipients.into(),
            buffers: Vec::new(),
            made: 0,
            most: buffers(together),
            together,
            small: 0,
            stages: VecDeque::new(),
            first: 0,
            unjoined: 0,
            unnamed: 0,
            head: Vec::new(),
            max_links: Profile::V1_2025.max_links,
            layout: None,
            files: Vec::new(),
            directories: Vec::new(),
            items: VecDeque::new(),
            first_item: 0,
            checkpoints: None,
        }
    }

    /// Lets checkpoints be written.
    pub fn note(&mut self, checkpoints: Checkpoints) {
        self.checkpoints = Some(checkpoints);
    }

    /// What notes how far it is.
    pub fn checkpoints(&mut self) -> Option<&mut Checkpoints> {
        self.checkpoints.as_mut()
    }

    /// Encrypts what a reader gives under a new key. When reading fails, what was read stays in the CAR, and nothing links to it.
    ///
    /// Errors: what the reader says; [`Error::Corrupt`] without a recipient, [`Error::TooLarge`] for more of them than a header holds; what the
    /// output says of anything added before, [`Error::TooLarge`] above 64 GiB (padded).
    pub fn add(&mut self, reader: impl Read, note: Option<Note>) -> Result<SealedFile, Error> {
        let key = FileKey::generate();
        let Envelope { wraps, header, body } = Envelope::new(&key, &self.recipients)?;
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.begin(note, &key, &header, &wraps);
        }
        let outcome = self.cut(reader, Cutter::new(header, body)?);
        self.stages.push_back(Stage::End(outcome.is_ok()));
        outcome.map(|()| SealedFile { key, wraps })
    }

    /// Takes back a file of an earlier run.
    pub fn restore(&mut self, file: Link) {
        self.files.push(file);
    }

    /// Goes on with a file of which these leaves are in the CAR already: as [`add`](Pipeline::add) with its rest.
    ///
    /// Errors: as there, but for the recipients.
    pub fn add_rest(
        &mut self,
        reader: impl Read,
        begun: &Begun,
        leaves: &[Cid],
        (cutter, head): (Cutter, Vec<u8>),
    ) -> Result<(), Error> {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.go_on(begun);
        }
        let (car, items, size) = (&mut self.car, &mut self.items, LEAF as u64);
        let layout = self.layout.insert(Layout::new(self.max_links));
        for cid in leaves {
            let leaf = Link { cid: *cid, size, tree_size: size };
            // A parent that is there already is not written again; one that was cut off is.
            layout.push(leaf, &mut |cid, block| place_block(car, items, cid, block))?;
        }
        self.head = head;
        let outcome = self.cut(reader, cutter);
        self.stages.push_back(Stage::End(outcome.is_ok()));
        outcome
    }

    /// Forgets the file just added: what is in the CAR of it stays there, and nothing links to it.
    pub fn forget(&mut self) {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.forget();
        }
        if let Some(Stage::End(kept)) = self.stages.back_mut() {
            *kept = false;
        }
    }

    /// As [`add`](Pipeline::add), all of it in one job if it is small.
    ///
    /// Errors: as there.
    pub fn add_bytes(&mut self, plain: Vec<u8>, note: Option<Note>) -> Result<FileKey, Error> {
        if plain.len() > SMALL || self.recipients.len() * MAX_WRAP > LEAF / 2 || self.recipients.is_empty() {
            return Ok(self.add(&plain[..], note)?.key);
        }
        while self.small > SMALL_BYTES || self.stages.len() + self.items.len() > UNDER_WAY {
            self.go_on(false)?;
        }
        let key = FileKey::generate();
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.begin(note, &key, &[], &[]);
        }
        let number = self.push(Stage::Sealing);
        self.small += plain.len();
        self.pool.submit(Work::Small(number, plain, key.clone(), self.recipients.clone()));
        self.stages.push_back(Stage::End(true));
        self.advance(false)?;
        Ok(key)
    }

    /// Makes a directory of the files since the last one, named by their numbers.
    ///
    /// Errors: as [`drain`](Pipeline::drain).
    pub fn close_directory(&mut self, name: fn(u64) -> String) -> Result<(), Error> {
        self.stages.push_back(Stage::Directory(name));
        self.advance(false)
    }

    /// Does all that is left to do. Gives the directories, and the files that are in none.
    ///
    /// Errors: what the output says; [`Error::TooLarge`] above 64 GiB (padded).
    pub fn drain(&mut self) -> Result<(Vec<Link>, Vec<Link>), Error> {
        loop {
            self.advance(true)?;
            if self.stages.is_empty() && self.items.is_empty() {
                return Ok((take(&mut self.directories), take(&mut self.files)));
            }
            self.go_on(true)?;
        }
    }

    /// The CAR, once it is drained.
    pub fn car(&mut self) -> &mut CarWriter<Output<W>> {
        &mut self.car
    }

    /// Gives the CAR, once it is drained.
    ///
    /// Errors: what the disk said when checkpoints were written.
    pub fn into_car(mut self) -> Result<CarWriter<Output<W>>, Error> {
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.finish()?;
        }
        Ok(self.car)
    }

    fn cut(&mut self, mut reader: impl Read, mut cutter: Cutter) -> Result<(), Error> {
        let mut before: Option<Plain> = None;
        while !cutter.is_done() {
            let buffer = self.buffer()?;
            let mut plain = cutter.next(&mut reader, buffer)?;
            if let Some(mut before) = before.take() {
                // Only now it is known whether a chunk follows.
                before.last = !plain.has_chunks();
                self.seal(before);
            }
            if plain.is_empty() {
                self.release(plain.into_leaf());
            } else if cutter.has_ended() {
                plain.last = true;
                self.seal(plain);
            } else {
                before = Some(plain);
            }
            self.advance(false)?;
        }
        Ok(())
    }

    fn seal(&mut self, plain: Plain) {
        let number = self.push(Stage::Sealing);
        self.pool.submit(Work::Seal(number, plain));
    }

    fn push(&mut self, stage: Stage) -> u64 {
        self.stages.push_back(stage);
        self.first + self.stages.len() as u64 - 1
    }

    /// Gives a buffer for a leaf, when there is one.
    fn buffer(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(buffer) = self.buffers.pop() {
                return Ok(buffer);
            }
            if self.made < self.most {
                self.made += 1;
                return Ok(Leaf::new_buffer());
            }
            self.go_on(false)?;
        }
    }

    /// Does a job or waits for one. Where nothing is under way, what waits to be many is named.
    fn go_on(&mut self, all: bool) -> Result<(), Error> {
        match self.pool.wait() {
            Some(worked) => {
                self.take(worked)?;
                self.advance(all)
            }
            None => self.advance(true),
        }
    }
}
