//! Checkpoints: while a CAR is written, what of it is on the disk for good, and what has to be known to go on from there.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use serde_bytes::{ByteArray, ByteBuf};

use super::journal::{Begun, Checkpoint, Finished, Journal, Secret, Seen};
use super::twins::Digest;
use crate::car::Link;
use crate::crypt::{FileKey, Wrap};
use crate::piece::{CommP, Commitment, Saved};

/// Files after which a checkpoint is due, whatever their size: what is known of them waits in memory.
const MANY: usize = 4_000;

/// What the journal notes of a file that is packed.
pub(super) struct Note {
    /// Path inside the folder; empty where the file is all there is.
    pub path: Vec<u8>,
    pub seen: Seen,
    pub digest: Option<Digest>,
}

/// A file on its way.
struct UnderWay {
    note: Option<Note>,
    key: FileKey,
    /// Empty for a small file, which is not worth going on with.
    header: Vec<u8>,
    wraps: Vec<Vec<u8>>,
    /// Where its first block begins in the CAR, once that has its place.
    start: Option<u64>,
    /// Where the CAR stood behind its last one, and its root if it was kept.
    end: Option<(u64, Option<Link>)>,
}

/// The files on their way, and the thread that writes checkpoints.
pub(super) struct Checkpoints {
    files: VecDeque<UnderWay>,
    /// The one that is given its places.
    placing: usize,
    every: u64,
    last: u64,
    /// Kept nodes of the tree that the journal has.
    nodes: usize,
    told: Told,
    sender: Option<SyncSender<Checkpoint>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// What the thread tells.
#[derive(Clone, Default)]
struct Told {
    busy: Arc<AtomicBool>,
    /// The journal cannot be written any more: packing goes on without.
    over: Arc<AtomicBool>,
    any: Arc<AtomicBool>,
}

impl Checkpoints {
    /// Writes a checkpoint about every so many bytes of the CAR; the journal has what this commitment covers.
    ///
    /// Errors: the system starts no thread.
    pub fn new(part: File, journal: Journal, every: u64, comm_p: Option<&CommP>) -> io::Result<Self> {
        let told = Told::default();
        let (sender, received) = sync_channel::<Checkpoint>(1);
        let work = {
            let (told, mut journal) = (told.clone(), journal);
            move || {
                received.iter().try_for_each(|checkpoint| {
                    // What the journal says is on the disk has to be there first.
                    part.sync_data()?;
                    match journal.append(&checkpoint) {
                        Ok(()) => told.any.store(true, Ordering::Relaxed),
                        Err(_) => told.over.store(true, Ordering::Relaxed),
                    }
                    told.busy.store(false, Ordering::Release);
                    Ok(())
                })
            }
        };
        let thread = thread::Builder::new().name("journal".into()).spawn(work)?;
        let (sender, thread) = (Some(sender), Some(thread));
        let (last, nodes) = comm_p.map_or((0, 0), |comm_p| (comm_p.written(), comm_p.kept().len()));
        Ok(Checkpoints { files: VecDeque::new(), placing: 0, every, last, nodes, told, sender, thread })
    }

    /// A file begins; without a note nobody will go on with it.
    pub fn begin(&mut self, note: Option<Note>, key: &FileKey, header: &[u8], wraps: &[Wrap]) {
        if self.told.over.load(Ordering::Relaxed) {
            return;
        }
        let wraps = wraps.iter().map(|wrap| wrap.as_bytes().to_vec()).collect();
        let (key, header) = (key.clone(), header.to_vec());
        self.files.push_back(UnderWay { note, key, header, wraps, start: None, end: None });
    }

    /// A file that was begun before goes on.
    pub fn go_on(&mut self, begun: &Begun) {
        let note = Note {
            path: begun.path.to_vec(),
            seen: begun.seen.clone(),
            digest: begun.digest.map(ByteArray::into_array),
        };
        self.files.push_back(UnderWay {
            note: Some(note),
            key: begun.key.0.clone(),
            header: begun.header.to_vec(),
            wraps: begun.wraps.iter().map(|wrap| wrap.to_vec()).collect(),
            start: Some(begun.start),
            end: None,
        });
    }

    /// Of the file begun last nothing is kept.
    pub fn forget(&mut self) {
        if let Some(file) = self.files.back_mut() {
            file.note = None;
        }
    }

    /// The next block of the file at hand gets its place here.
    pub fn placed(&mut self, at: u64) {
        if let Some(file) = self.files.get_mut(self.placing) {
            file.start.get_or_insert(at);
        }
    }

    /// The file at hand has all its places.
    pub fn ended(&mut self, at: u64, root: Option<&Link>) {
        if let Some(file) = self.files.get_mut(self.placing) {
            file.end = Some((at, root.cloned()));
            self.placing += 1;
        }
    }

    /// Says whether it is time for a checkpoint, and the one before is written. Should too much wait for it, packing does, too.
    pub fn is_due(&self, size: u64) -> bool {
        let due = size - self.last >= self.every || self.placing >= MANY;
        let free = !self.told.busy.load(Ordering::Acquire) || self.placing >= 4 * MANY;
        due && free && !self.told.over.load(Ordering::Relaxed)
    }

    /// Lets a checkpoint be written: so many bytes have been handed to the system.
    pub fn take(&mut self, size: u64, comm_p: &Saved, kept: &[Commitment]) {
        let (comm_p, nodes) = (comm_p.to_bytes().into(), kept[self.nodes..].concat().into());
        self.nodes = kept.len();
        let mut checkpoint = Checkpoint { size, comm_p, nodes, ..Checkpoint::default() };
        while self.files.front().is_some_and(|file| file.is_over(size)) {
            self.placing -= 1;
            checkpoint.finished.extend(self.files.pop_front().and_then(UnderWay::finished));
        }
        checkpoint.begun = self.files.front().filter(|file| file.stands_across(size)).and_then(UnderWay::begun);
        self.last = size;
        self.told.busy.store(true, Ordering::Relaxed);
        if self.sender.as_ref().is_none_or(|sender| sender.send(checkpoint).is_err()) {
            // The thread has failed, which is told in the end.
            self.told.over.store(true, Ordering::Relaxed);
        }
    }

    /// Will say whether there is a checkpoint to go on from.
    pub fn any(&self) -> Arc<AtomicBool> {
        self.told.any.clone()
    }

    /// Waits for the thread. Errors: what the disk said of the CAR; it says each thing once.
    pub fn finish(&mut self) -> io::Result<()> {
        self.sender = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Checkpoints {
    /// After an error, which has been told.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl UnderWay {
    /// Says whether all of it stands within so many bytes. A file that is all there is stays open to the end.
    fn is_over(&self, size: u64) -> bool {
        let single = self.note.as_ref().is_some_and(|note| note.path.is_empty());
        !single && self.end.as_ref().is_some_and(|(end, _)| *end <= size)
    }

    fn stands_across(&self, size: u64) -> bool {
        !self.header.is_empty() && self.start.is_some_and(|start| start < size)
    }

    fn finished(self) -> Option<Finished> {
        let (note, (end, root)) = (self.note?, self.end?);
        let root = root?;
        Some(Finished {
            path: note.path.into(),
            seen: note.seen,
            key: Secret(self.key),
            root: (root.cid.to_bytes().into(), root.size, root.tree_size),
            end,
            digest: note.digest.map(ByteArray::new),
        })
    }

    fn begun(&self) -> Option<Begun> {
        let (note, start) = (self.note.as_ref()?, self.start?);
        Some(Begun {
            path: note.path.clone().into(),
            seen: note.seen.clone(),
            key: Secret(self.key.clone()),
            header: self.header.clone().into(),
            wraps: self.wraps.iter().map(|wrap| ByteBuf::from(wrap.clone())).collect(),
            start,
            digest: note.digest.map(ByteArray::new),
        })
    }
}
