//! Unpacking into the file system. Everything is built beside the destination and renamed at the end.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::manifest::{Content, Entry};
use super::output::{folder_of, write_beside};
use super::platform::{join, permissions, symlink, target_of};
use super::{Error, Options, Package, Phase};
use crate::crypt::ContentKind;

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

impl<R: Read + Seek> Package<R> {
    /// Decrypts to `destination`: a file, or a folder that must not be there or be empty. Restores modes (without set-user
    /// and the like) and times, keeps links as links.
    ///
    /// Errors: [`Error::Exists`], [`Error::Corrupt`] with the path, [`Error::Io`]; [`Error::Unsupported`] for a name that this system
    /// cannot have.
    pub fn unpack(&mut self, destination: &Path, mut options: Options<'_>) -> Result<Unpacked, Error> {
        match self.kind() {
            ContentKind::File => {
                let overwrite = options.overwrite;
                let bytes = write_beside(destination, overwrite, |file, _| {
                    let mut opened = self.open_file()?;
                    let total = opened.size()?;
                    let report = |done| options.report(Phase::Unpack, done, Some(total));
                    copy(&mut opened, file, destination, report)
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
        let beside = tempfile::Builder::new().prefix(".bauta-").tempdir_in(folder_of(destination)).map_err(io)?;
        let root = beside.path().join("folder");
        fs::create_dir(&root).map_err(io)?;
        let outcome = self.fill(&root, options).and_then(|unpacked| {
            fs::rename(&root, destination).map_err(io)?;
            Ok(unpacked)
        });
        if outcome.is_err() {
            self.make_removable(&root);
        }
        outcome
    }

    /// Writes all entries into a new folder that nobody else can reach.
    fn fill(&mut self, root: &Path, options: &mut Options<'_>) -> Result<Unpacked, Error> {
        let entries = self.entries().to_vec();
        let size = |entry: &Entry| if let Content::File { size, .. } = entry.content { size } else { 0 };
        let total = entries.iter().map(size).fold(0u64, u64::saturating_add);
        let mut bytes = 0;
        let places = entries.iter().map(|entry| place(root, entry)).collect::<Result<Vec<_>, _>>()?;
        for (entry, at) in entries.iter().zip(&places) {
            let io = |e| Error::io(at, e);
            match &entry.content {
                Content::Directory => fs::create_dir(at).map_err(io)?,
                Content::File { .. } => {
                    let mut file = File::create_new(at).map_err(io)?;
                    let mut opened = self.open_path(&entry.path)?;
                    let report = |done| options.report(Phase::Unpack, bytes + done, Some(total));
                    let copied = copy(&mut opened, &mut file, at, report);
                    bytes += copied.map_err(|e| e.inside(&entry.path))?;
                    restore(&file, entry).map_err(io)?;
                }
                Content::Symlink(_) => {}
            }
        }
        // Links come when nothing is written through a path any more, modes of folders when nothing is written into them.
        for (entry, at) in entries.iter().zip(&places) {
            if let Content::Symlink(target) = &entry.content {
                let target = target_of(target).ok_or_else(|| no_name(entry))?;
                symlink(&target, at).map_err(|e| Error::io(at, e))?;
            }
        }
        for (entry, at) in entries.iter().zip(&places).rev() {
            if matches!(entry.content, Content::Directory) {
                File::open(at).and_then(|folder| restore(&folder, entry)).map_err(|e| Error::io(at, e))?;
            }
        }
        Ok(Unpacked { kind: ContentKind::Folder, entries: entries.len() as u64, bytes })
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

/// Copies and reports; errors of the package are told from those of the file.
fn copy(from: &mut impl Read, to: &mut File, at: &Path, mut report: impl FnMut(u64)) -> Result<u64, Error> {
    let mut buffer = vec![0; 256 << 10];
    let mut done = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            outcome => outcome?,
        };
        if n == 0 {
            return Ok(done);
        }
        to.write_all(&buffer[..n]).map_err(|e| Error::io(at, e))?;
        done += n as u64;
        report(done);
    }
}

/// Restores time and mode. The bits that lend other people's rights are not restored.
fn restore(file: &File, entry: &Entry) -> io::Result<()> {
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
