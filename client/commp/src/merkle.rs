//! The tree over the leaves, node by node, and its trees of zeros.

use std::sync::LazyLock;

use fvm_shared::piece::PaddedPieceSize;
use sha2::{Digest, Sha256};

use crate::{Commitment, Error, height_of};

/// Height of the largest tree: 2^31 leaves of 32 bytes are 64 GiB.
pub(crate) const MAX_HEIGHT: u8 = 31;

/// Roots of trees of zeros by height.
static ZEROS: LazyLock<[Commitment; MAX_HEIGHT as usize + 1]> = LazyLock::new(|| {
    let mut zeros = [[0; 32]; MAX_HEIGHT as usize + 1];
    for height in 1..zeros.len() {
        zeros[height] = node(&zeros[height - 1], &zeros[height - 1]);
    }
    zeros
});

/// Gives the parent of two nodes: their SHA-256 with the two top bits cleared.
pub(crate) fn node(left: &Commitment, right: &Commitment) -> Commitment {
    let mut hash: Commitment = Sha256::new().chain_update(left).chain_update(right).finalize().into();
    hash[31] &= 0x3f;
    hash
}

/// Gives the root of a tree of zeros of the given height (0 is a leaf).
pub(crate) fn zero(height: u8) -> Commitment {
    ZEROS[usize::from(height)]
}

/// Gives the commitment of a piece that is all zeros.
///
/// Errors: [`Error::BadSize`].
pub fn zero_piece(size: PaddedPieceSize) -> Result<Commitment, Error> {
    Ok(zero(height_of(size)?))
}
