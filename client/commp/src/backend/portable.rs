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

/// Nodes of a lane with which a kernel is still busy: what is above is hashed for all lanes together.
const TOPS: usize = 16;

/// Spreads a lane (its leaves fit the innermost cache) and hashes it up, then the next.
#[inline(always)]
pub(super) fn lane_roots_by_layers(
    batch: &Batch,
    roots: &mut [Commitment; LANES],
    hash_layer: impl Fn(&mut [Commitment]),
) {
    let mut leaves = [[0; 32]; 4 * LANE_QUADS];
    let mut tops = [[0; 32]; LANES * TOPS];
    for (lane, tops) in batch.as_chunks::<LANE>().0.iter().zip(tops.as_chunks_mut::<TOPS>().0) {
        spread(lane, &mut leaves);
        climb(&mut leaves, &hash_layer, TOPS);
        tops.copy_from_slice(&leaves[..TOPS]);
    }
    climb(&mut tops, &hash_layer, LANES);
    roots.copy_from_slice(&tops[..LANES]);
}

#[inline(always)]
fn climb(nodes: &mut [Commitment], hash_layer: impl Fn(&mut [Commitment]), stop: usize) {
    let mut len = nodes.len();
    while len > stop {
        hash_layer(&mut nodes[..len]);
        len /= 2;
    }
}
