//! Node by node with the `sha2` crate, and the frame of the backends that hash a layer at a time.

use crate::Commitment;
use crate::chunk::{Batch, LANE, LANE_QUADS, LANES};
use crate::fr32::spread;
use crate::merkle::node;

pub(super) fn lane_roots(batch: &Batch, roots: &mut [Commitment; LANES]) {
    lane_roots_by_layers(batch, roots, hash_layer);
}

pub(super) fn hash_layer(nodes: &mut [Commitment]) {
    hash_layer_from(nodes, 0);
}

/// Hashes the pairs of a layer from this one on.
pub(super) fn hash_layer_from(nodes: &mut [Commitment], from: usize) {
    for i in from..nodes.len() / 2 {
        nodes[i] = node(&nodes[2 * i], &nodes[2 * i + 1]);
    }
}

/// Spreads a lane (its leaves fit the innermost cache) and hashes it up, then the next.
#[inline(always)]
pub(super) fn lane_roots_by_layers(
    batch: &Batch,
    roots: &mut [Commitment; LANES],
    hash_layer: impl Fn(&mut [Commitment]),
) {
    let mut leaves = [[0; 32]; 4 * LANE_QUADS];
    for (lane, root) in batch.as_chunks::<LANE>().0.iter().zip(roots) {
        spread(lane, &mut leaves);
        let mut len = leaves.len();
        while len > 1 {
            hash_layer(&mut leaves[..len]);
            len /= 2;
        }
        *root = leaves[0];
    }
}
