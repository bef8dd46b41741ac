//! Going on with a pack that was interrupted: what of its CAR stands, and from where the rest is made.
//!
//! What counts is the last checkpoint that the disk has, and of it what still is as it was: a file that has changed since is packed anew, and all
//! behind it. So no two versions of a file are ever encrypted under one key in what leaves this machine.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use cid::Cid;
use serde_bytes::ByteBuf;
use tempfile::{NamedTempFile, TempPath};

use super::Error;
use super::folder::{Payload, Payloads};
use super::journal::{self, Begun, Checkpoint, Finished, Head, Journal, Seen};
use super::output::comm_p;
use super::platform::{identity_of, join, open_plain, seen, target_of};
use super::sealing::{Cutter, LEAF, sealed_size};
use crate::car::{self, BEFORE_ROOT, HEADER, Link, Placed, is_leaf};
use crate::crypt::{BodyKey, Identity, Recipient};
use crate::piece::{CommP, Commitment, KEPT_NODE, Saved};

/// How a pass into a file can be continued when it was interrupted.
#[derive(Debug, Clone, Copy)]
pub struct Resume<'a> {
    /// Where the journal is kept: in a folder that nobody else can write to. It is sealed to the first identity, and holds no secret that
    /// it does not open.
    pub journal: &'a Path,
    /// The owner's identities, the newest first. Without one there is no journal.
    pub identities: &'a [Identity],
    /// Bytes of the CAR between two checkpoints: [`Resume::EVERY`] unless for a test.
    pub every: u64,
}

impl Resume<'_> {
    /// Less than this is sooner made again than looked for.
    pub const EVERY: u64 = 32 << 20;

    /// Begins a journal, if it can be had; packing goes without.
    pub(super) fn begin(&self, head: &Head, state: Option<&Checkpoint>) -> Option<Journal> {
        Journal::create(self.journal, &self.identities.first()?.recipient(), head, state).ok()
    }

    /// Removes the journal, once the CAR is in its place.
    ///
    /// Errors: those of the system, but for a journal that is not there.
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_file(self.journal) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Looks for an earlier pass. One for something else is removed: there is one CAR for one journal.
    ///
    /// Errors: [`Error::Busy`].
    pub(super) fn find(&self, source: &Path, recipients: &[Recipient]) -> Result<Option<Earlier>, Error> {
        let Some((head, checkpoints)) = journal::read(self.journal, self.identities) else { return Ok(None) };
        let Some(part) = adopt(&head) else { return Ok(None) };
        if let Err(TryLockError::WouldBlock) = part.as_file().try_lock() {
            let (_, path) = part.keep().map_err(|e| Error::from(e.error))?;
            return Err(Error::Busy(path));
        }
        // Whoever had it may have put it into its place since it was opened: then it is whole, and not ours.
        let is_there = fs::symlink_metadata(part.path()).ok().and_then(|about| identity_of(&about));
        if is_there.map(|id| (id.0, id.1)) != Some(head.part_id) {
            let _ = part.keep();
            return Ok(None);
        }
        // What is dropped here is removed.
        let fits = head.is_for(source, recipients) && !checkpoints.is_empty();
        Ok(fits.then_some(Earlier { head, checkpoints, part }))
    }
}

/// Opens the CAR of an earlier pass, if it is the file that the journal speaks of.
fn adopt(head: &Head) -> Option<NamedTempFile> {
    let path = target_of(&head.part)?;
    let file = open_plain(File::options().read(true).write(true), &path).ok()?;
    let about = file.metadata().ok()?;
    let id = identity_of(&about).map(|id| (id.0, id.1))?;
    (about.is_file() && id == head.part_id && is_ours(&file)?).then_some(())?;
    Some(NamedTempFile::from_parts(file, TempPath::try_from_path(path).ok()?))
}

/// Says whether a file begins as a CAR of ours does, whatever its root. A removed file's number is soon given to another one, which is not ours to touch.
fn is_ours(file: &File) -> Option<bool> {
    let mut start = Vec::new();
    file.take(BEFORE_ROOT.len() as u64).read_to_end(&mut start).ok()?;
    Some(BEFORE_ROOT.starts_with(&start))
}

/// An earlier pass over the same for the same.
pub(super) struct Earlier {
    pub head: Head,
    checkpoints: Vec<Checkpoint>,
    pub part: NamedTempFile,
}

/// From where the rest is made.
pub(super) struct Plan {
    /// The blocks that stay, and the commitment to them.
    pub blocks: Vec<Placed>,
    pub comm_p: CommP,
    pub left: Left,
}

/// What an earlier pass has left of the files.
#[derive(Default)]
pub(super) struct Left {
    /// Files that are in the blocks, in the order of their payloads.
    pub finished: Vec<Finished>,
    /// The file that stands across their end.
    pub begun: Option<Rest>,
}

/// The rest of a file.
pub(super) struct Rest {
    pub begun: Begun,
    /// The file, standing where reading goes on.
    pub file: File,
    pub leaves: Vec<Cid>,
    pub cutter: (Cutter, Vec<u8>),
}

impl Earlier {
    /// Finds out what stands; `inside` tells where a path of the journal lies. `None` where nothing does.
    pub fn plan(&mut self, inside: impl Fn(&[u8]) -> Option<PathBuf>) -> Option<Plan> {
        let part = self.part.as_file_mut();
        let most = self.checkpoints.iter().map(|checkpoint| checkpoint.size).max()?;
        let mut blocks = car::walk(&mut *part, most).ok()?;
        let is_end = |blocks: &[Placed], at: u64| {
            at == HEADER as u64 || blocks.binary_search_by_key(&at, |block| block.end).is_ok()
        };
        // A disk that lost something in spite of its word: what is before that counts.
        let stands = self.checkpoints.iter().take_while(|checkpoint| is_end(&blocks, checkpoint.size)).count();
        let checkpoints = &self.checkpoints[..stands];
        let last = checkpoints.last()?;

        let all = checkpoints.iter().flat_map(|checkpoint| &checkpoint.finished);
        let is_as_it_was = |file: &&Finished| {
            is_end(&blocks, file.end)
                && file.link().is_some()
                && inside(&file.path).is_some_and(|at| is(&at, &file.seen))
        };
        let finished: Vec<Finished> = all.clone().take_while(is_as_it_was).cloned().collect();
        let begun = last.begun.as_ref().filter(|_| finished.len() == all.count());
        let begun = begun.and_then(|begun| rest_of(begun, &inside(&begun.path)?, &blocks, last.size, part));
        let end = match (&begun, finished.last()) {
            (Some((_, end)), _) => *end,
            (None, Some(file)) => file.end,
            (None, None) => return None,
        };
        blocks.truncate(blocks.partition_point(|block| block.end <= end));
        let mut nodes = Vec::new();
        let mut saved = None;
        for checkpoint in checkpoints {
            nodes.extend_from_slice(checkpoint.nodes.as_chunks().0);
            let found = Saved::from_bytes(&checkpoint.comm_p).ok().filter(|found| found.covered() <= end);
            saved = found.or(saved);
        }
        let comm_p = commit(part, saved, nodes, end).ok()?;
        Some(Plan { blocks, comm_p, left: Left { finished, begun: begun.map(|(rest, _)| rest) } })
    }

    /// Cuts off what does not stand, and writes a journal that says what does. `None` where it cannot be written: then all begins anew.
    pub fn cut(&mut self, plan: &Plan, resume: &Resume<'_>) -> Option<Journal> {
        let size = plan.comm_p.written();
        let comm_p = ByteBuf::from(plan.comm_p.save().ok()?.to_bytes());
        let begun = plan.left.begun.as_ref().map(|rest| rest.begun.clone());
        let nodes = ByteBuf::from(plan.comm_p.kept().concat());
        let state = Checkpoint { size, comm_p, nodes, finished: plan.left.finished.clone(), begun };
        let journal = resume.begin(&self.head, Some(&state))?;
        let part = self.part.as_file_mut();
        part.set_len(size).and_then(|()| part.seek(SeekFrom::Start(size))).ok()?;
        Some(journal)
    }
}

fn is(path: &Path, expected: &Seen) -> bool {
    // An empty one tells nothing: this system cannot say.
    fs::symlink_metadata(path).is_ok_and(|about| !expected.0.is_empty() && seen(&about) == expected.0)
}

/// Finds out which leaves of a file are in the CAR and what follows them. Gives also where the last of them ends.
fn rest_of(begun: &Begun, at: &Path, blocks: &[Placed], size: u64, mut part: &File) -> Option<(Rest, u64)> {
    let mut file = open_plain(File::options().read(true), at).ok()?;
    let about = file.metadata().ok()?;
    if begun.seen.0.is_empty() || seen(&about) != begun.seen.0 {
        return None;
    }
    let its_own = blocks.iter().filter(|block| block.start >= begun.start && block.end <= size && is_leaf(&block.cid));
    let whole: Vec<&Placed> = its_own.take_while(|block| block.size == LEAF as u64).collect();
    // The last chunk is sealed in another way: it is never among those that are made again.
    let most = (begun.header.len() as u64 + sealed_size(about.len())) / LEAF as u64;
    let count = whole.len().min(usize::try_from(most.checked_sub(1)?).ok()?);
    let end = whole[..count].last()?.end;
    let mut last = vec![0; LEAF];
    part.seek(SeekFrom::Start(end - LEAF as u64)).ok()?;
    part.read_exact(&mut last).ok()?;
    let nonce = begun.header.last_chunk::<16>()?;
    let body = BodyKey::new(&begun.key.0, nonce);
    let cutter = Cutter::resume(begun.header.len(), body, count as u64, &last, &mut file).ok()??;
    let leaves = whole[..count].iter().map(|block| block.cid).collect();
    Some((Rest { begun: begun.clone(), file, leaves, cutter }, end))
}

/// Commits to the first `size` bytes of the CAR; what was committed to before is not read again.
fn commit(mut part: &File, saved: Option<Saved>, nodes: Vec<Commitment>, size: u64) -> io::Result<CommP> {
    let mut comm_p = match saved {
        Some(saved) => CommP::resume_keeping(&saved, KEPT_NODE, nodes).map_err(io::Error::other)?,
        None => comm_p(),
    };
    part.seek(SeekFrom::Start(comm_p.written()))?;
    let mut left = part.take(size - comm_p.written());
    io::copy(&mut left, &mut comm_p)?;
    if comm_p.written() < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(comm_p)
}

/// What a folder takes back of an earlier pass.
#[derive(Default)]
pub(super) struct Restored {
    /// Sizes and payloads by path.
    pub files: HashMap<Vec<u8>, (u64, Payload)>,
    pub links: Vec<Link>,
    pub rest: Option<Rest>,
}

impl Restored {
    /// Takes what is left; payloads learn of what is there, so that identical files still share it.
    pub fn of(left: Left, root: &Path, payloads: &mut Payloads) -> Restored {
        let mut restored = Restored { rest: left.begun, ..Restored::default() };
        for (number, file) in left.finished.into_iter().enumerate() {
            let payload = (number as u64, file.key.0.clone());
            let about = join(root, &file.path).and_then(|at| fs::symlink_metadata(at).ok());
            let size = file.seen.0.first().copied().unwrap_or_default();
            payloads.learn(about.as_ref().and_then(identity_of), size, file.digest(), &payload);
            restored.links.extend(file.link());
            restored.files.insert(file.path.into_vec(), (size, payload));
        }
        restored
    }
}
