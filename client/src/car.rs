//! Content as IPFS has it: a UnixFS graph of blocks in a CARv1 archive.
//!
//! Written with the profile unixfs-v1-2025: CIDv1, sha2-256, raw leaves of 1 MiB, 1,024 links a node, balanced. Read from
//! anybody: every block is hashed before it is used, and nothing a CAR claims makes the reader allocate more than 2 MiB at once.
//!
//! ```
//! use std::io::{Cursor, Read};
//! use bauta_client::car::{Blocks, CarFile, CarWriter, Profile, add_file};
//!
//! let mut car = CarWriter::new(Vec::new())?;
//! let link = add_file(&b"hello"[..], &Profile::V1_2025, &mut car)?;
//! let (mut bytes, header) = car.finish(&link.cid)?;
//! bytes[..header.len()].copy_from_slice(&header); // the root is known only now
//!
//! let mut car = CarFile::open(Cursor::new(bytes), Some(&link.cid))?;
//! let mut text = String::new();
//! car.file(&link.cid)?.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: CARv1 and dag-pb of ipld.io, UnixFS of specs.ipfs.tech.

mod block;
mod blocks;
mod build;
mod dag_pb;
mod file;
mod layout;
mod leaves;
mod place;
mod reader;
mod shape;
mod store;
mod stream;
mod unixfs;
mod varint;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::io;

use cid::Cid;

pub use block::{Block, MAX_BLOCK};
pub use blocks::{Blocks, Entry};
pub use build::{add_directory, add_file};
pub use file::FileReader;
pub use layout::{Link, Profile};
pub use place::Place;
pub use reader::CarReader;
pub use shape::{Shape, shape};
pub use store::CarFile;
pub use stream::FileStream;
pub use writer::{CarWriter, HEADER, header};

#[cfg(test)]
pub(crate) use block::TOGETHER;
pub(crate) use block::{MOST_LEAVES_AT_ONCE, is_leaf, leaf_cids, leaves_at_once, verify, verify_each};
pub(crate) use build::directory_block;
pub(crate) use layout::Layout;
pub(crate) use leaves::{Leaf, Leaves, check_leaf};
pub(crate) use place::{Child, Extent, MAX_FILE, Wrong, children_of, find_ending, frame_size};
pub(crate) use varint::{read_uvarint, write_uvarint};
pub(crate) use walk::{Placed, walk};
pub(crate) use writer::{BEFORE_ROOT, MAX_FRAME};

/// Why a CAR or its content cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A block does not hash to its CID.
    #[error("block {0} is forged: its bytes have another hash")]
    Forged(Cid),
    /// A block that is linked is not in the CAR.
    #[error("block {0} is missing")]
    Missing(Cid),
    /// A block that is linked comes later than it could be used; a seekable copy of the CAR can be read.
    #[error("block {0} comes out of order")]
    Order(Cid),
    /// The CAR is one of something else.
    #[error("the CAR has the root {found}, not {expected}")]
    WrongRoot {
        /// Whose content was asked for.
        expected: Box<Cid>,
        /// What the CAR says or holds.
        found: Box<Cid>,
    },
    /// A block that is no proper node of a UnixFS graph.
    #[error("node {cid} is malformed: {why}")]
    BadNode {
        /// The node.
        cid: Cid,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The CAR's own framing is broken.
    #[error("the CAR is malformed at byte {at}: {why}")]
    Malformed {
        /// Where, counted from the start of the CAR.
        at: u64,
        /// What is wrong there.
        why: &'static str,
    },
    /// The CAR ends too early.
    #[error("the CAR is cut short at byte {0}")]
    Truncated(u64),
    /// More than its limit.
    #[error("{what}: more than {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its limit.
        limit: u64,
    },
    /// A format that is not known here.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// No such name in a directory.
    #[error("{0:?} is not in the folder")]
    NotFound(String),
    /// Reading or writing what is underneath failed.
    #[error(transparent)]
    Io(io::Error),
}

/// Gives back the error that a reader of this module had to hand through `std::io`.
impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        e.downcast::<Error>().unwrap_or_else(Error::Io)
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

fn wrong_root(expected: &Cid, found: &Cid) -> Error {
    Error::WrongRoot { expected: Box::new(*expected), found: Box::new(*found) }
}
