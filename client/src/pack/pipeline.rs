//! One pass: what is read is encrypted, named, framed, committed to and written, by all cores, in order, in bounded memory.
//!
//! ```text
//! read -> Seal -> (chunks that lie across leaves are joined) -> Name, 32 leaves at once -> frame, place in the CAR
//!      -> Commit -> write
//! ```
//!
//! The caller reads, joins, places and writes, and helps with the work in between; order is kept by two queues.

use std::collections::VecDeque;
use std::io::{Read, Seek, Write};
use std::mem::take;
use std::sync::Arc;

use cid::Cid;

use super::Error;
use super::checkpoints::{Checkpoints, Note};
use super::journal::Begun;
use super::output::Output;
use super::pool::Pool;
use super::sealing::{Cutter, LEAF, Leaf, Plain, SMALL, Work, Worked};
use super::single::SealedFile;
use crate::car::{CarWriter, LEAVES_AT_ONCE, Layout, Link, Profile, directory_block};
use crate::crypt::{Envelope, FileKey, MAX_WRAP, Recipient};
use crate::piece::{CommP, Part};

/// Buffers of whole leaves: those that are named together, and some for what goes on meanwhile.
const BUFFERS: usize = LEAVES_AT_ONCE + 10;
/// Bytes and number of small files under way.
const SMALL_BYTES: usize = 4 << 20;
const UNDER_WAY: usize = 512;
/// As many leaves take about as long one by one as all at once.
pub(super) const FEW: usize = 8;
/// Smaller leaves are not worth a job to commit to.
const WORTH_A_JOB: usize = 256 << 10;

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
    pub fn new(out: W, recipients: &[Recipient]) -> Result<Self, Error> {
        Ok(Pipeline::with(CarWriter::new(Output::new(out)?)?, recipients))
    }

    /// Goes on with a CAR that begins with the output and holds these blocks; the output stands at its end.
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
        Pipeline {
            car,
            pool: Pool::new(),
            recipients: recipients.into(),
            buffers: Vec::new(),
            made: 0,
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
    pub fn close_directory(&mut self, name: fn(u64) -> String) -> Result<(), Error> {
        self.stages.push_back(Stage::Directory(name));
        self.advance(false)
    }

    /// Does all that is left to do. Gives the directories, and the files that are in none.
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
            if self.made < BUFFERS {
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

    fn take(&mut self, worked: Worked) -> Result<(), Error> {
        match worked {
            Worked::Sealed(number, leaf, head) => *self.stage(number) = Stage::Sealed(leaf, head),
            Worked::Small(number, sealed) => {
                let (leaf, cid) = sealed?;
                *self.stage(number) = Stage::Named(leaf, cid);
            }
            Worked::Named(leaves) => {
                for (number, leaf, cid) in leaves {
                    *self.stage(number) = Stage::Named(leaf, cid);
                }
            }
            Worked::Committed(number, leaf, part) => {
                self.items[(number - self.first_item) as usize] = Item::Ready(leaf, Some(part));
            }
        }
        Ok(())
    }

    fn stage(&mut self, number: u64) -> &mut Stage {
        &mut self.stages[(number - self.first) as usize]
    }

    /// Moves everything on as far as it goes; names also less than the best number of leaves if `all`.
    fn advance(&mut self, all: bool) -> Result<(), Error> {
        while let Some(worked) = self.pool.take() {
            self.take(worked)?;
        }
        self.join();
        self.name(all);
        self.place()?;
        self.write()
    }

    /// Gives leaves what the one before has for them.
    fn join(&mut self) {
        while let Some(stage) = self.stages.get_mut((self.unjoined - self.first) as usize) {
            match std::mem::replace(stage, Stage::Naming) {
                Stage::Sealing => {
                    *stage = Stage::Sealing;
                    return;
                }
                Stage::Sealed(mut leaf, head) => {
                    leaf.set_head(&self.head);
                    self.head = head;
                    *stage = Stage::Joined(leaf);
                }
                other => {
                    if matches!(other, Stage::End(_)) {
                        self.head.clear();
                    }
                    *stage = other;
                }
            }
            self.unjoined += 1;
        }
    }

    /// Hands out leaves to be named.
    fn name(&mut self, all: bool) {
        loop {
            while self.unnamed < self.unjoined && !matches!(self.stage(self.unnamed), Stage::Joined(_)) {
                self.unnamed += 1;
            }
            let waiting = (self.unnamed - self.first) as usize..(self.unjoined - self.first) as usize;
            let joined = |stage: &&Stage| matches!(stage, Stage::Joined(_));
            let count = self.stages.range(waiting).filter(joined).take(LEAVES_AT_ONCE).count();
            if count == 0 || (count < LEAVES_AT_ONCE && !all) {
                return;
            }
            let mut leaves = Vec::with_capacity(count);
            while leaves.len() < count {
                let number = self.unnamed;
                let stage = self.stage(number);
                if matches!(stage, Stage::Joined(_))
                    && let Stage::Joined(leaf) = std::mem::replace(stage, Stage::Naming)
                {
                    leaves.push((number, leaf));
                }
                self.unnamed += 1;
            }
            if count <= FEW {
                leaves.into_iter().for_each(|leaf| self.pool.submit(Work::Name(vec![leaf])));
            } else {
                self.pool.submit(Work::Name(leaves));
            }
        }
    }

    /// Gives what is named its place in the CAR.
    fn place(&mut self) -> Result<(), Error> {
        while self.unnamed > self.first {
            match self.stages.front() {
                Some(Stage::Named(..) | Stage::End(_) | Stage::Directory(_)) => {}
                _ => break,
            }
            self.first += 1;
            match self.stages.pop_front() {
                Some(Stage::Named(leaf, cid)) => self.place_leaf(leaf, cid)?,
                Some(Stage::End(kept)) => self.end_file(kept)?,
                Some(Stage::Directory(name)) => {
                    let files = take(&mut self.files).into_iter().enumerate();
                    let (link, block) = directory_block(files.map(|(i, link)| (name(i as u64), link)).collect());
                    place_block(&mut self.car, &mut self.items, &link.cid, &block)?;
                    self.directories.push(link);
                }
                _ => unreachable!("the front was looked at"),
            }
        }
        Ok(())
    }

    fn place_leaf(&mut self, mut leaf: Leaf, cid: Cid) -> Result<(), Error> {
        let size = leaf.bytes().len() as u64;
        let offset = self.car.size();
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.placed(offset);
        }
        if let Some(frame) = self.car.admit(&cid, size as usize)? {
            leaf.set_frame(frame.as_bytes());
            if leaf.bytes().len() >= WORTH_A_JOB {
                let number = self.first_item + self.items.len() as u64;
                self.items.push_back(Item::Committing);
                self.pool.submit(Work::Commit(number, offset, leaf));
            } else {
                self.items.push_back(Item::Ready(leaf, None));
            }
        } else {
            self.release(leaf);
        }
        let (car, items) = (&mut self.car, &mut self.items);
        let layout = self.layout.get_or_insert_with(|| Layout::new(self.max_links));
        layout.push(Link { cid, size, tree_size: size }, &mut |cid, block| place_block(car, items, cid, block))?;
        Ok(())
    }

    fn end_file(&mut self, kept: bool) -> Result<(), Error> {
        let layout = self.layout.take();
        let mut root = None;
        if let Some(layout) = layout.filter(|_| kept) {
            let (car, items) = (&mut self.car, &mut self.items);
            root = layout.finish(&mut |cid, block| place_block(car, items, cid, block))?;
        }
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.ended(self.car.size(), root.as_ref());
        }
        if kept {
            self.files.push(root.expect("an age file is never empty"));
        }
        Ok(())
    }

    /// Writes what has its place, in order.
    fn write(&mut self) -> Result<(), Error> {
        while matches!(self.items.front(), Some(Item::Ready(..))) {
            self.first_item += 1;
            if let Some(Item::Ready(leaf, part)) = self.items.pop_front() {
                self.car.out().write_part(leaf.bytes(), part.as_ref())?;
                self.release(leaf);
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    /// Notes how far it is, if it is time to. What was written ends with a block.
    fn checkpoint(&mut self) -> Result<(), Error> {
        let Some(checkpoints) = &mut self.checkpoints else { return Ok(()) };
        let size = self.car.out().written();
        if checkpoints.is_due(size) {
            let (saved, kept) = self.car.out().save()?;
            checkpoints.take(size, &saved, kept);
        }
        Ok(())
    }

    fn release(&mut self, leaf: Leaf) {
        match leaf.into_buffer() {
            Ok(buffer) => self.buffers.push(buffer),
            Err(counted) => self.small -= counted,
        }
    }
}

/// Gives a block that is there already its place.
fn place_block<W: Write>(
    car: &mut CarWriter<Output<W>>,
    items: &mut VecDeque<Item>,
    cid: &Cid,
    block: &[u8],
) -> Result<(), crate::car::Error> {
    if let Some(frame) = car.admit(cid, block.len())? {
        items.push_back(Item::Ready(Leaf::framed([frame.as_bytes(), block].concat()), None));
    }
    Ok(())
}
