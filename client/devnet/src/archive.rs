//! A chain as one file, to be kept, given away and gone on with: `bauta devnet --export` and `--import`.
//!
//! A CARv1 with two roots: the head's block, and a description `[format, version, network, state and receipts of the
//! head, genesis]` in DAG-CBOR. In it are the headers of the last 900 tipsets (a finality) and of genesis, their messages,
//! receipts and events, and the head's states with all that hangs on them, code included. Whoever imports believes its
//! maker about what happened before, as with any snapshot of a chain, but nothing about its bytes: every block is hashed, all
//! that is linked must be there, all money together must be what the network has, and the head is run again.

mod export;
mod import;

use std::path::PathBuf;

use cid::Cid;
use fvm_ipld_encoding::tuple::{Deserialize_tuple, Serialize_tuple, serde_tuple};
use fvm_ipld_encoding::{CBOR, DAG_CBOR, IPLD_RAW};
use fvm_shared::clock::ChainEpoch;

use crate::records::NetworkRecord;
use crate::store::StoreError;

pub(crate) use export::Export;
pub use export::export;
pub use import::import;

/// Tipsets whose messages are in a file.
const FINALITY: u64 = 900;
const FORMAT: &str = "bauta devnet snapshot";
const VERSION: u64 = 1;

/// What the headers do not say.
#[derive(Serialize_tuple, Deserialize_tuple)]
struct Description {
    format: String,
    version: u64,
    network: NetworkRecord,
    /// The state after the head.
    state: Cid,
    /// Receipts of the head's messages.
    receipts: Cid,
    /// The first block.
    genesis: Cid,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Name of the network.
    pub network: String,
    /// Epoch of the head.
    pub epoch: ChainEpoch,
    /// The head's block.
    pub head: Cid,
    /// The state after the head.
    pub state: Cid,
    /// How many tipsets.
    pub tipsets: u64,
    /// How many blocks.
    pub blocks: u64,
}

/// Why a file is not taken, or not made.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes are no CAR.
    #[error("this is not a CAR file: {0}")]
    NotACar(String),
    /// A CAR of something else.
    #[error("this CAR is not the snapshot of a devnet that this version of Bauta knows")]
    NotASnapshot,
    /// Cut off, changed or made up.
    #[error("the snapshot is damaged or forged: {0}")]
    Damaged(String),
    /// A snapshot of another chain than the one that is to run.
    #[error("the snapshot is of network {found}, and this devnet is {wanted}")]
    OtherNetwork {
        /// Name and chain id in the file.
        found: String,
        /// Those that are wanted.
        wanted: String,
    },
    /// Made with another bundle.
    #[error("the snapshot was made with other built-in actors than those in --bundle")]
    OtherBundle,
    /// The folder is in use.
    #[error("{0} holds a chain already: choose another state folder, or remove it")]
    Occupied(PathBuf),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file or the folder.
    #[error("{0}")]
    Disk(#[from] std::io::Error),
    /// The node itself.
    #[error("{0:#}")]
    Node(#[from] anyhow::Error),
}

/// Whether a link names a block that must be there: commitments of pieces and sectors name none.
fn is_block(cid: &Cid) -> bool {
    matches!(cid.codec(), DAG_CBOR | CBOR | IPLD_RAW)
}
