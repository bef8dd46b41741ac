//! What differs between operating systems: names, modes, links.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

#[cfg(unix)]
mod system {
    use std::ffi::{OsStr, OsString};
    use std::fs::{Metadata, Permissions};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    pub fn name_bytes(name: &OsStr) -> Option<Vec<u8>> {
        Some(name.as_bytes().to_vec())
    }

    pub fn name_of(bytes: &[u8]) -> Option<OsString> {
        Some(OsString::from_vec(bytes.to_vec()))
    }

    pub fn mode_of(about: &Metadata) -> u32 {
        about.mode() & 0o7777
    }

    pub fn permissions(mode: u32) -> Option<Permissions> {
        Some(Permissions::from_mode(mode))
    }

    pub fn identity_of(about: &Metadata) -> Option<(u64, u64, bool)> {
        Some((about.dev(), about.ino(), about.nlink() > 1))
    }

    pub fn seen(about: &Metadata) -> Vec<u64> {
        let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()].map(|part| part as u64);
        [&[about.size()][..], &times, &[about.dev(), about.ino()]].concat()
    }

    pub use std::os::unix::fs::symlink;
}

#[cfg(not(unix))]
mod system {
    use std::ffi::{OsStr, OsString};
    use std::fs::{Metadata, Permissions};
    use std::path::Path;

    pub fn name_bytes(name: &OsStr) -> Option<Vec<u8>> {
        Some(name.to_str()?.as_bytes().to_vec())
    }

    /// A name that would mean more than a name here is none.
    pub fn name_of(bytes: &[u8]) -> Option<OsString> {
        let name = std::str::from_utf8(bytes).ok()?;
        let plain = !name.contains(['\\', ':', '<', '>', '"', '|', '?', '*']) && !name.ends_with(['.', ' ']);
        plain.then(|| name.into())
    }

    pub fn mode_of(about: &Metadata) -> u32 {
        if about.is_dir() { 0o755 } else { 0o644 }
    }

    pub fn permissions(_: u32) -> Option<Permissions> {
        None
    }

    pub fn identity_of(_: &Metadata) -> Option<(u64, u64, bool)> {
        None
    }

    /// Nothing here that could be relied on.
    pub fn seen(_: &Metadata) -> Vec<u64> {
        Vec::new()
    }

    pub fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

pub(super) use system::{identity_of, mode_of, name_bytes, permissions, seen, symlink};

/// Opens a file that was looked at before. Should something else have taken its place, a link is not followed, and nobody waits for the other
/// end of a pipe.
pub(super) fn open_plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::OFlags;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.cast_signed());
    }
    options.open(path)
}

/// Makes a file that is removed unless it is renamed. Its mode is a usual file's.
pub(super) fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    temporary(0o666).tempfile_in(folder)
}

/// Makes a folder that is removed with all that is in it, and that nobody else gets into.
pub(super) fn private_folder(inside: &Path) -> io::Result<TempDir> {
    temporary(0o700).tempdir_in(inside)
}

fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bauta-");
    let mode = permissions(mode);
    if let Some(mode) = mode {
        builder.permissions(mode);
    }
    builder
}

/// Makes a folder that nobody else gets into.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Joins the names of a path in a manifest. `None` when this system has no such name.
pub(super) fn join(folder: &Path, path: &[u8]) -> Option<PathBuf> {
    path.split(|byte| *byte == b'/').try_fold(folder.to_path_buf(), |at, name| Some(at.join(system::name_of(name)?)))
}

/// The target of a link, as a path of this system.
pub(super) fn target_of(bytes: &[u8]) -> Option<PathBuf> {
    system::name_of(bytes).map(PathBuf::from)
}

/// Tells the system that what a file holds on the disk needs no place in memory any more. What is written once and long would
/// push out everything else, and new pages cost more than those that are used again: on a virtual machine several times the
/// writing itself.
#[cfg(target_os = "linux")]
pub(super) fn forget_written(file: &File) {
    use rustix::fs::{Advice, fadvise};
    // Advice only: without it all is as it was.
    let _ = fadvise(file, 0, None, Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn forget_written(_: &File) {}
