//! Encryption: age v1 files, whose 16-byte file key is what an owner shares.
//!
//! X25519 is the `age` crate's. The header and the 64 KiB chunks of the body are read and written here, for three reasons:
//! a file key can be given (a grant carries it), errors are told apart, and the chunk cipher is one place ([`seal`] and
//! [`open`] both go through it) that can be made faster. Whatever comes out is an ordinary age file.
//!
//! ```
//! use std::io::Read;
//! use bauta_client::crypt::{self, Identity};
//!
//! let (owner, friend) = (Identity::generate(), Identity::generate());
//! let mut sealed = crypt::seal(&b"a letter"[..], &[owner.recipient()])?;
//! let mut file = Vec::new();
//! sealed.read_to_end(&mut file)?; // `age -d` opens this
//!
//! // The owner shares the file key; its commitment tells a wrong key before anything is fetched.
//! let wrap = crypt::wrap(sealed.file_key(), &friend.recipient())?;
//! let key = crypt::unwrap(&wrap, &friend)?;
//! sealed.file_key().commitment().check(&key)?;
//!
//! let mut letter = String::new();
//! crypt::open_with_key(&file[..], &key)?.read_to_string(&mut letter)?;
//! assert_eq!(letter, "a letter");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Source: C2SP age (<https://c2sp.org/age>).

mod header;
mod keys;
mod metadata;
mod opened;
mod sealed;
mod stream;
mod wrap;

#[cfg(test)]
mod tests;

use std::io;

pub use keys::{FileKey, Identity, Recipient};
pub use metadata::{ContentKind, MAX_METADATA, Metadata};
pub use opened::{Opened, open, open_with_key, reheader};
pub use sealed::{Sealed, seal, seal_with_key};
pub use wrap::{Commitment, MAX_WRAP, Wrap, unwrap, wrap};

pub(crate) use opened::plain_size;
pub(crate) use sealed::Envelope;
pub(crate) use stream::{BodyKey, CHUNK, SEALED_CHUNK, TAG};

/// Why something cannot be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No stanza is for this identity.
    #[error("it is not encrypted to this identity")]
    NoMatch,
    /// The file key belongs to another file.
    #[error("the file key is not the one of this file")]
    WrongKey,
    /// Text or bytes that are not what they should be.
    #[error("{0}")]
    Malformed(&'static str),
    /// A kind of key, file or version that is not known here.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The stanzas of a header changed after it was written.
    #[error("the header does not match its authentication code")]
    HeaderChanged,
    /// An age file ends too early.
    #[error("the age file is cut short")]
    Truncated,
    /// A chunk of the body does not authenticate: it changed or, if it is the last one, was cut short.
    #[error("chunk {0} of the age file is damaged")]
    Chunk(u64),
    /// Bytes follow the last chunk.
    #[error("data follows the end of the age file")]
    TrailingData,
    /// More than its limit.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its limit in bytes.
        limit: usize,
    },
    /// Reading what is underneath failed.
    #[error(transparent)]
    Io(io::Error),
}

/// Gives back the error that a reader of this module had to hand through `std::io`.
impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        match e.downcast::<Error>() {
            Ok(e) => e,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Error::Truncated,
            Err(e) => Error::Io(e),
        }
    }
}

impl From<Error> for io::Error {
    fn from(e: Error) -> Self {
        match e {
            Error::Io(e) => e,
            e => io::Error::new(io::ErrorKind::InvalidData, e),
        }
    }
}
