//! Pieces: what a storage provider proves it holds. The work is done by [`bauta_commp`], a crate that others may use alone.
//!
//! ```
//! use std::io::Write;
//! use bauta_client::piece::{CommP, piece_cid_v2};
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

pub use bauta_commp::{
    CommP, Commitment, Engine, Error, InclusionProof, MAX_PADDED_SIZE, MIN_PADDED_SIZE, PaddedPieceSize, Part,
    PieceInfo, Saved, Tree, comm_d, padded_size_of, parse_piece_cid, parse_piece_cid_v2, piece_cid, piece_cid_v2,
    zero_piece,
};

/// Padded size of the nodes that are kept of the tree of a piece that is packed: 32 bytes for each MiB.
pub const KEPT_NODE: PaddedPieceSize = PaddedPieceSize(1 << 20);
