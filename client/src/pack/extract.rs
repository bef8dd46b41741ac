//! Unpacking into the file system. Everything is built beside the destination and renamed at the end.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cid::Cid;

use super::disk::Disk;
use super::error::corrupt;
use super::manifest::{Content, Entry};
use super::opening::{SmallFile, WRONG_SIZE};
use super::output::{folder_of, write_beside};
use super::platform::{create_folder, join, permissions, private_folder, symlink, target_of};
use super::unpacker::Unpacker;
use super::{Error, Options, Package, Phase};
use crate::car::{Blocks, is_leaf};
use crate::crypt::{ContentKind, FileKey};

/// Largest payload that one job unpacks as a whole.
const SMALL_BLOCK: u64 = 512 << 10;

/// Entries that are announced before they are read.
const AHEAD: usize = 512;

/// What unpacking made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// A file or a folder.
    pub kind: ContentKind,
    /// Files, folders and links; 1 for a single file.
    pub entries: u64,
    /// Plaintext bytes.
    pub bytes: u64,
}

impl<B: Blocks> Package<B> {
    /// Decrypts to `destination`: a file, or a folder that must not be there or be empty. Restores modes (without set-user
    /// and the like) and times, keeps links as links.
    ///
    /// Errors: [`Error::Exists`], of a file unless `options.overwrite`; [`Error::Corrupt`], in a folder with the path; [`Error::Io`],
    /// [`Error::NoRoom`]; [`Error::Unsupported`] for a name that this system cannot have.
    pub fn unpack(&mut self, destination: &Path, mut options: Options<'_>) -> Result<Unpacked, Error> {
        match self.kind() {
            ContentKind::File => {
                let overwrite = options.overwrite;
                let bytes = write_beside(destination, overwrite, |file, _| {
                    self.copy(None, None, file, options).map_err(|e| match e {
                        Error::Output(e) => Error::io(destination, e),
                        e => e,
                    })
                })?;
                Ok(Unpacked { kind: ContentKind::File, entries: 1, bytes })
            }
            ContentKind::Folder => self.unpack_folder(destination, &mut options),
        }
    }

    fn unpack_folder(&mut self, destination: &Path, options: &mut Options<'_>) -> Result<Unpacked, Error> {
        let io = |e| Error::io(destination, e);
        if destination.symlink_metadata().is_ok() && !is_empty_folder(destination) {
            return Err(Error::Exists(destination.into()));
        }
        // Until all modes are restored, nobody else gets in. The folder itself stays its owner's alone, as nothing tells its mode, unless it was
        // there: then as it was.
        let was = destination.metadata().ok().map(|about| about.permissions());
        let beside = private_folder(folder_of(destination)).map_err(io)?;
        let root = beside.path().join("folder");
        create_folder(&root).map_err(io)?;
        let outcome = self.fill(&root, options).and_then(|unpacked| {
            fs::rename(&root, destination).map_err(io)?;
            if let Some(was) = was {
                fs::set_permissions(destination, was).map_err(io)?;
            }
            Ok(unpacked)
        });
        if outcome.is_err() {
            self.make_removable(&root);
        }
        outcome
    }

    /// Writes all entries into a new folder that nobody else can reach.
    fn fill(&mut self, root: &Path, options: &mut Options<'_>) -> Result<Unpacked, Error> {
        let entries = self.entries.take().unwrap_or_default();
        let outcome = self.fill_with(&entries, root, options);
        self.entries = Some(entries);
        outcome
    }

    fn fill_with(&mut self, entries: &[Entry], root: &Path, options: &mut Options<'_>) -> Result<Unpacked, Error> {
        let size = |entry: &Entry| if let Content::File { size, .. } = entry.content { size } else { 0 };
        let total = entries.iter().map(size).fold(0u64, u64::saturating_add);
        let mut unpacker = Unpacker::new();
        let filled = self.fill_files(entries, root, &mut unpacker, total, options);
        // What is wrong with an entry before is told first.
        let last = unpacker.finish_small();
        let bytes = match (last, filled) {
            (Err(e), _) | (_, Err(e)) => return Err(e),
            (Ok(last), Ok(bytes)) => bytes + last,
        };
        options.report(Phase::Unpack, bytes, Some(total));
        finish_folders(entries, root)?;
        Ok(Unpacked { kind: ContentKind::Folder, entries: entries.len() as u64, bytes })
    }

    /// Makes the folders and writes the files; small ones may be under way afterwards. Gives the bytes written.
    fn fill_files(
        &mut self,
        entries: &[Entry],
        root: &Path,
        unpacker: &mut Unpacker,
        total: u64,
        options: &mut Options<'_>,
    ) -> Result<u64, Error> {
        let (mut bytes, mut announced) = (0, 0);
        for (index, entry) in entries.iter().enumerate() {
            if announced < index + AHEAD / 2 {
                announced = self.announce_entries(entries, announced, index + AHEAD)?;
            }
            let at = place(root, entry)?;
            match &entry.content {
                Content::Directory => create_folder(&at).map_err(|e| Error::io(&at, e))?,
                Content::File { size, payload, key } => {
                    let cid = self.payload_cid(*payload).map_err(|e| e.inside(&entry.path))?;
                    if let Some(block) = self.small_block(&cid).map_err(|e| e.inside(&entry.path))? {
                        bytes += unpacker.small(SmallFile { cid, block, entry: entry.clone(), at })?;
                        options.report(Phase::Unpack, bytes, Some(total));
                    } else {
                        bytes += unpacker.finish_small()?;
                        let report = |done| options.report(Phase::Unpack, bytes + done, Some(total));
                        self.unpack_large(&cid, key, *size, unpacker, entry, &at, report)?;
                        bytes += size;
                    }
                }
                Content::Symlink(_) => {}
            }
        }
        Ok(bytes)
    }

    /// Announces the payloads of entries up to an index.
    fn announce_entries(&mut self, entries: &[Entry], from: usize, to: usize) -> Result<usize, Error> {
        let to = to.min(entries.len());
        for entry in entries.get(from..to).unwrap_or_default() {
            if let Content::File { payload, .. } = &entry.content {
                self.announce(*payload).map_err(|e| e.inside(&entry.path))?;
            }
        }
        Ok(to.max(from))
    }

    /// Reads a payload if it is a single block of moderate size. The block need not be verified yet.
    fn small_block(&mut self, cid: &Cid) -> Result<Option<Vec<u8>>, Error> {
        if !is_leaf(cid) || self.car.size_of(cid).is_none_or(|size| size > SMALL_BLOCK) {
            return Ok(None);
        }
        let mut block = Vec::new();
        self.car.read(cid, &mut block)?;
        Ok(Some(block))
    }

    /// Unpacks a payload of any size to a new file.
    #[allow(clippy::too_many_arguments, reason = "one caller, which has it all at hand")]
    fn unpack_large(
        &mut self,
        cid: &Cid,
        key: &FileKey,
        size: u64,
        unpacker: &mut Unpacker,
        entry: &Entry,
        at: &Path,
        mut report: impl FnMut(u64),
    ) -> Result<(), Error> {
        let io = |e| Error::io(at, e);
        let mut file = File::create_new(at).map_err(io)?;
        let mut done = 0;
        let mut disk = Disk::new(&mut file).map_err(io)?;
        let opened = self.open_unread(cid, key).and_then(|unread| {
            if unread.size != size {
                return Err(corrupt(WRONG_SIZE));
            }
            unpacker.large(unread, 0..size, &mut |plain| {
                disk.write_all(plain).map_err(io)?;
                done += plain.len() as u64;
                report(done);
                Ok(())
            })
        });
        opened.map_err(|e| e.inside(&entry.path))?;
        disk.finish().map_err(io)?;
        drop(disk);
        restore(&file, entry).map_err(io)
    }

    /// Lets the folder be removed even if restored modes would forbid it. What fails here is found by the removal.
    fn make_removable(&self, root: &Path) {
        for entry in self.entries().iter().filter(|entry| matches!(entry.content, Content::Directory)) {
            if let (Ok(at), Some(usual)) = (place(root, entry), permissions(0o700)) {
                let _ = fs::set_permissions(at, usual);
            }
        }
    }
}

/// Links come when nothing is written through a path any more, modes of folders when nothing is written into them.
fn finish_folders(entries: &[Entry], root: &Path) -> Result<(), Error> {
    for entry in entries {
        if let Content::Symlink(target) = &entry.content {
            let at = place(root, entry)?;
            let target = target_of(target).ok_or_else(|| no_name(entry))?;
            symlink(&target, &at).map_err(|e| Error::io(&at, e))?;
        }
    }
    for entry in entries.iter().rev() {
        if matches!(entry.content, Content::Directory) {
            let at = place(root, entry)?;
            File::open(&at).and_then(|folder| restore(&folder, entry)).map_err(|e| Error::io(&at, e))?;
        }
    }
    Ok(())
}

fn place(root: &Path, entry: &Entry) -> Result<PathBuf, Error> {
    join(root, &entry.path).ok_or_else(|| no_name(entry))
}

fn no_name(entry: &Entry) -> Error {
    Error::Unsupported(format!("{}: this system has no such name", String::from_utf8_lossy(&entry.path)))
}

fn is_empty_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_dir())
        && fs::read_dir(path).is_ok_and(|mut listing| listing.next().is_none())
}

/// Restores time and mode. The bits that lend other people's rights are not restored.
pub(super) fn restore(file: &File, entry: &Entry) -> io::Result<()> {
    if let Some(time) = time_of(entry.mtime_ms) {
        file.set_modified(time)?;
    }
    match permissions(entry.mode & 0o777) {
        Some(mode) => file.set_permissions(mode),
        None => Ok(()),
    }
}

fn time_of(ms: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(ms.unsigned_abs());
    if ms < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}
