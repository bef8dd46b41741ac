//! Files that are whole or not there: written beside their place, synced, renamed. Secret ones are 0600, and refused when others may read them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

/// How the names of files begin that are not in their place yet.
const UNFINISHED: &str = ".bauta-";
/// No secret of ours is longer.
pub const MAX_PRIVATE: u64 = 1 << 20;

/// What went wrong with a file.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system's own error.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is no such file.
    #[error("{0}: there is no such file")]
    Missing(PathBuf),
    /// There is one, and it must not be overwritten.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// Group or others may read or write a secret file.
    #[error("{path} holds a secret, but its mode is {mode:04o}: others can get at it. Run `chmod 600 {path}`")]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A private file is longer than any of its kind.
    #[error("{0} is too long to be what it should be")]
    TooLong(PathBuf),
    /// What it says is not understood: it was damaged, or another build wrote it.
    #[error(
        "{0} is damaged, or of another build: what it says was begun cannot be known. Use the build that wrote it; or move the file away, \
         and what it was about begins anew"
    )]
    Damaged(PathBuf),
    /// Not a regular file.
    #[error("{0} is not a regular file")]
    NotAFile(PathBuf),
    /// Another process holds the lock.
    #[error("another bauta process is using {0}")]
    Busy(PathBuf),
}

impl FileError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.to_path_buf()),
            _ => Self::Io { path: path.to_path_buf(), source },
        }
    }
}

/// Makes a folder and the missing ones above it; new ones are 0700.
///
/// Errors: Io.
pub fn create_private_folder(folder: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| FileError::Io { path: folder.to_path_buf(), source })
}

/// Writes a new secret file, 0600.
///
/// Errors: Exists: there is one already; it is left alone.
pub fn create_private(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    write(path, contents, Mode::Private, Place::New)
}

/// Writes a secret file, 0600, over the old one if there is one.
///
/// Errors: Io: its folder or the file cannot be written.
pub fn replace_private(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    write(path, contents, Mode::Private, Place::Replace)
}

/// Writes a file with the usual permissions; `replace` allows an old one to be overwritten.
///
/// Errors: Exists: there is one and `replace` is false; Missing: there is no such folder.
pub fn write_public(path: &Path, contents: &[u8], replace: bool) -> Result<(), FileError> {
    write(path, contents, Mode::Public, if replace { Place::Replace } else { Place::New })
}

/// Reads a secret file.
///
/// Errors: TooOpen: group or others have any permission on it; Missing; TooLong: over 1 MiB; NotAFile.
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    read_private_up_to(path, MAX_PRIVATE)
}

/// Reads a file that nobody else is to read, and that may be longer than a secret.
///
/// Errors: as [`read_private`]; TooLong: over so many bytes.
pub fn read_private_up_to(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let mut file = File::open(path).map_err(|source| FileError::io(path, source))?;
    // Asked of the open file: the one that is read is the one that was checked.
    let about = file.metadata().map_err(|source| FileError::io(path, source))?;
    if !about.is_file() {
        return Err(FileError::NotAFile(path.to_path_buf()));
    }
    check_mode(path, &about)?;
    if about.len() > most {
        return Err(FileError::TooLong(path.to_path_buf()));
    }
    let length = usize::try_from(about.len()).map_err(|_| FileError::TooLong(path.to_path_buf()))?;
    let mut contents = Zeroizing::new(Vec::with_capacity(length + 1));
    // A file that grows under our hands must neither be read without end nor make the buffer move, leaving a copy of the secret behind.
    (&mut file).take(about.len()).read_to_end(&mut contents).map_err(|source| FileError::io(path, source))?;
    Ok(contents)
}

/// Reads a note of ours that `parse` understands, of at most so many bytes; none where there is no such file.
///
/// Errors: as [`read_private`] but for Missing; Damaged: a note that is not understood is none that says nothing.
pub fn read_note<T>(path: &Path, most: u64, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, FileError> {
    match read_private_up_to(path, most) {
        Ok(text) => parse(&text).map(Some).ok_or_else(|| FileError::Damaged(path.to_path_buf())),
        Err(FileError::Missing(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Removes files of ours in a folder that processes which were killed have left: those that `chosen` chooses by name, older than this, and held by nobody.
pub fn sweep(folder: &Path, older_than: Duration, chosen: impl Fn(&str) -> bool) {
    // All of this is tidiness: what cannot be looked at or removed stays.
    let Ok(listing) = fs::read_dir(folder) else { return };
    for entry in listing.flatten() {
        let old = entry.metadata().ok().and_then(|about| about.modified().ok()).and_then(|time| time.elapsed().ok());
        if entry.file_name().to_str().is_some_and(&chosen)
            && old.is_some_and(|age| age > older_than)
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Says whether a name is that of a file not yet renamed into its place.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}

/// Removes a file; one that is not there is fine.
///
/// Errors: Io: it cannot be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FileError::io(path, source)),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn check_mode(path: &Path, about: &fs::Metadata) -> Result<(), FileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(FileError::TooOpen { path: path.to_path_buf(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _about: &fs::Metadata) -> Result<(), FileError> {
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Private,
    Public,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    New,
    Replace,
}

fn write(path: &Path, contents: &[u8], mode: Mode, place: Place) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if mode == Mode::Private {
        create_private_folder(folder)?;
    }
    let in_folder = |source| FileError::io(folder, source);
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // tempfile's own default is 0600; the umask still applies to what is asked for here.
    #[cfg(unix)]
    if mode == Mode::Public {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(in_folder)?;
    // Says that somebody is at it: see `sweep`. Where there are no locks, age has to do.
    let _ = file.as_file().try_lock();
    file.write_all(contents).and_then(|()| file.as_file().sync_all()).map_err(in_folder)?;
    let kept = match place {
        Place::New => file.persist_noclobber(path),
        Place::Replace => file.persist(path),
    };
    kept.map_err(|failed| match failed.error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_path_buf()),
        _ => FileError::io(path, failed.error),
    })?;
    // The rename itself has to survive a power cut, too.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(in_folder)?;
    Ok(())
}
