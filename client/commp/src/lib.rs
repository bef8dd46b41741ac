//! CommP: the commitment of a Filecoin piece, at the speed of the hardware.
//!
//! A piece is any byte string, spread by Fr32 (254 data bits in every 256) and zero-padded to a power of two of at least 128
//! bytes. Its commitment, CommP, is the root of a binary tree of SHA-256 over 32-byte leaves, the two top bits of each node cleared.
//!
//! ```
//! use std::io::Write;
//! use bauta_commp::{CommP, piece_cid_v2};
//!
//! let mut comm_p = CommP::new();
//! comm_p.write_all(&[0; 96])?;
//! comm_p.patch_prefix(&[0xcc; 59])?; // what is known only at the end, as the header of a CAR
//! comm_p.patch_prefix(&[0; 59])?;
//! let piece = comm_p.finish();
//! assert_eq!(piece.piece_cid.to_string(), "baga6ea4seaqdomn3tgwgrh3g532zopskstnbrd2n3sxfqbze7rxt7vqn7veigmy");
//! assert_eq!((piece.padded_size.0, piece.payload_size), (128, 96));
//! assert_eq!(piece_cid_v2(&piece).to_string(), "bafkzcibcd4bdomn3tgwgrh3g532zopskstnbrd2n3sxfqbze7rxt7vqn7veigmy");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Engine`] chooses threads, [`Backend`] and whether a [`Tree`] is kept, with which parts of the piece can be checked later:
//!
//! ```
//! use bauta_commp::{Engine, PaddedPieceSize};
//!
//! let payload = vec![7; 3_000_000];
//! let mut comm_p = Engine::new().threads(2).keep(PaddedPieceSize(1 << 20))?.comm_p();
//! comm_p.update(&payload)?;
//! let tree = comm_p.finish_tree();
//! let read = tree.cover(1_500_000..1_500_100); // whole nodes: what has to be fetched to check these bytes
//! tree.verify(read.start, &payload[read.start as usize..read.end as usize])?;
//! tree.proof(1)?.verify(&tree.nodes()[1], tree.node_size(), tree.piece())?;
//! # Ok::<(), bauta_commp::Error>(())
//! ```

/// The examples in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod backend;
mod chunk;
mod cids;
mod comm_d;
mod comm_p;
mod engine;
mod fr32;
mod frontier;
mod merkle;
mod part;
mod proof;
mod saved;
mod streams;
mod tree;
mod workers;

#[cfg(test)]
mod tests;

use cid::Cid;

pub use backend::{Backend, UnknownBackend};
pub use cids::{parse_piece_cid, parse_piece_cid_v2, piece_cid, piece_cid_v2};
pub use comm_d::comm_d;
pub use comm_p::CommP;
pub use engine::Engine;
pub use fr32::padded_size_of;
pub use fvm_shared::piece::PaddedPieceSize;
pub use merkle::zero_piece;
pub use part::Part;
pub use proof::InclusionProof;
pub use saved::Saved;
pub use streams::{MESSAGES_AT_ONCE, messages_worth_gathering, sha256_each};
pub use tree::Tree;

/// Root of a piece's tree: 32 bytes, the two top bits of the last one clear.
pub type Commitment = [u8; 32];

/// Smallest piece, in padded bytes.
pub const MIN_PADDED_SIZE: PaddedPieceSize = PaddedPieceSize(128);

/// Largest piece, in padded bytes: what the largest sector holds.
pub const MAX_PADDED_SIZE: PaddedPieceSize = PaddedPieceSize(64 << 30);

/// What is known of a piece once its bytes went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceInfo {
    /// CommP as the chain writes it (v1: codec 0xf101, multihash 0x1012).
    pub piece_cid: Cid,
    /// Size of the tree: a power of two, 128 bytes to 64 GiB.
    pub padded_size: PaddedPieceSize,
    /// Bytes before Fr32 and padding; for a CAR its size.
    pub payload_size: u64,
}

/// Why something is no piece, or no part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A CID of something else, or one that is not written as the standard says.
    #[error("{cid} is not a piece CID: {why}")]
    NotAPiece {
        /// The CID.
        cid: Cid,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than fits the largest sector.
    #[error("a piece holds at most 64 GiB (padded)")]
    TooLarge,
    /// A padded size that is no power of two between 128 bytes and 64 GiB.
    #[error("{0} is not the padded size of a piece")]
    BadSize(u64),
    /// Pieces that, each aligned to its own size, need more than the sector.
    #[error("the pieces do not fit a sector of {0} bytes")]
    SectorTooSmall(u64),
    /// A prefix longer than 127 bytes or than what was written.
    #[error("only the first 127 bytes of what was written can be replaced")]
    BadPrefix,
    /// A backend that this CPU cannot run.
    #[error("this CPU cannot run the backend {0}")]
    Unavailable(Backend),
    /// A commitment that cannot be put down, or what is none that was.
    #[error("no commitment that was put down: {0}")]
    NotSaved(&'static str),
    /// Nodes or bytes that are not part of the piece they are said to be part of.
    #[error("not part of the piece: {0}")]
    NotIncluded(&'static str),
}

/// Checks that a size is one a piece can have: a power of two, 128 bytes to 64 GiB. Gives the height of its tree.
fn height_of(size: PaddedPieceSize) -> Result<u8, Error> {
    let fits = size.0.is_power_of_two() && (MIN_PADDED_SIZE.0..=MAX_PADDED_SIZE.0).contains(&size.0);
    if fits { Ok((size.0 / 32).ilog2() as u8) } else { Err(Error::BadSize(size.0)) }
}
