//! The tree over the leaves. `hash_layer` is the one place that hashes many nodes: a faster kernel replaces its body.

use std::sync::LazyLock;

use fvm_shared::piece::PaddedPieceSize;
use sha2::{Digest, Sha256};

use super::{Commitment, Error, height_of};

/// Height of the largest tree: 2^31 leaves of 32 bytes are 64 GiB.
const MAX_HEIGHT: usize = 31;

/// Height of the subtree of one quad: four leaves.
pub(super) const QUAD_HEIGHT: u8 = 2;

/// Roots of trees of zeros by height.
static ZEROS: LazyLock<[Commitment; MAX_HEIGHT + 1]> = LazyLock::new(|| {
    let mut zeros = [[0; 32]; MAX_HEIGHT + 1];
    for height in 1..zeros.len() {
        zeros[height] = node(&zeros[height - 1], &zeros[height - 1]);
    }
    zeros
});

/// Gives the parent of two nodes: their SHA-256 with the two top bits cleared.
pub(super) fn node(left: &Commitment, right: &Commitment) -> Commitment {
    let mut hash: Commitment = Sha256::new().chain_update(left).chain_update(right).finalize().into();
    hash[31] &= 0x3f;
    hash
}

/// Replaces the front half of `nodes` by the parents of all its pairs.
pub(super) fn hash_layer(nodes: &mut [Commitment]) {
    for i in 0..nodes.len() / 2 {
        nodes[i] = node(&nodes[2 * i], &nodes[2 * i + 1]);
    }
}

/// Gives the root of a tree of zeros of the given height (0 is a leaf).
pub(super) fn zero(height: u8) -> Commitment {
    ZEROS[height as usize]
}

/// Gives the commitment of a piece that is all zeros.
///
/// Errors: [`Error::BadSize`].
pub fn zero_piece(size: PaddedPieceSize) -> Result<Commitment, Error> {
    Ok(zero(height_of(size)?))
}
