//! What can go wrong with a package, as its user meets it.

use std::io;
use std::path::{Path, PathBuf};

use crate::{car, crypt, piece};

/// Why packing or unpacking failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is not one that opens this.
    #[error("no access: {0}")]
    NoAccess(String),
    /// Data that is not what it was: forged, damaged or cut short.
    #[error("{at} is corrupt: {what}")]
    Corrupt {
        /// What is wrong.
        what: String,
        /// With what: the CAR, or a path inside it.
        at: String,
    },
    /// A file changed while it was read.
    #[error("{} changed while it was read", .0.display())]
    Changed(PathBuf),
    /// Another process packs into the same place.
    #[error("another process is packing into {}", .0.display())]
    Busy(PathBuf),
    /// The destination is there already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// No such path in the package.
    #[error("{0} is not in the package")]
    NotFound(String),
    /// A range that begins where the file has ended.
    #[error("the file has {size} bytes; the range begins at {from}")]
    BeyondEnd {
        /// Bytes of the file.
        size: u64,
        /// First byte of the range.
        from: u64,
    },
    /// What was read could not be handed on.
    #[error(transparent)]
    Output(io::Error),
    /// More than its limit.
    #[error("too large: {0}")]
    TooLarge(String),
    /// Something that is not known here.
    #[error("{0}")]
    Unsupported(String),
    /// The disk is full, or a limit on space or on the size of files is reached.
    #[error("{}: there is no room for more on the disk, or a limit is reached ({error})", path.display())]
    NoRoom {
        /// What was written.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Reading or writing failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
}

impl Error {
    /// Tells the errors of our own readers from those of the file at `path`.
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        let error = match error.downcast::<crypt::Error>() {
            Ok(e) => return e.into(),
            Err(e) => e,
        };
        let error = match error.downcast::<car::Error>() {
            Ok(e) => return e.into(),
            Err(e) => e,
        };
        match error.downcast::<piece::Error>() {
            Ok(e) => Error::TooLarge(e.to_string()),
            Err(error) if is_full(&error) => Error::NoRoom { path: path.into(), error },
            Err(error) => Error::Io { path: path.into(), error },
        }
    }

    /// Says whether the same again may succeed, and go on with what was done: reading or writing failed, or was interrupted. Where the disk is full,
    /// what was done is part of the trouble.
    pub fn may_pass(&self) -> bool {
        matches!(self, Error::Io { .. })
    }

    /// Names the path inside the package that is corrupt. A wrong key is corruption there: it stood in the manifest.
    pub(super) fn inside(self, path: &[u8]) -> Self {
        let at = String::from_utf8_lossy(path).into_owned();
        match self {
            Error::Corrupt { what, .. } | Error::NoAccess(what) => Error::Corrupt { what, at },
            other => other,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

pub(super) fn corrupt(what: impl ToString) -> Error {
    Error::Corrupt { what: what.to_string(), at: "the CAR".into() }
}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        Error::io(Path::new("the CAR"), e)
    }
}

impl From<crypt::Error> for Error {
    fn from(e: crypt::Error) -> Self {
        use crypt::Error as E;
        match e {
            E::NoMatch | E::WrongKey => Error::NoAccess(e.to_string()),
            E::Unsupported(_) => Error::Unsupported(e.to_string()),
            E::TooLarge { .. } => Error::TooLarge(e.to_string()),
            E::Io(e) => e.into(),
            E::Malformed(_) | E::HeaderChanged | E::Truncated | E::Chunk(_) | E::TrailingData => corrupt(e),
        }
    }
}

impl From<car::Error> for Error {
    fn from(e: car::Error) -> Self {
        use car::Error as E;
        match e {
            E::NotFound(path) => Error::NotFound(path),
            E::TooLarge { .. } => Error::TooLarge(e.to_string()),
            E::Unsupported(_) => Error::Unsupported(e.to_string()),
            E::Io(e) => e.into(),
            E::Forged(_)
            | E::Missing(_)
            | E::Order(_)
            | E::WrongRoot { .. }
            | E::BadNode { .. }
            | E::Malformed { .. }
            | E::Truncated(_) => corrupt(e),
        }
    }
}
