//! Batches, which a kernel takes at once, and chunks, which a thread takes at once.

use crate::Commitment;
use crate::backend::Kernel;
use crate::fr32::{QUAD, QUAD_HEIGHT, spread};

/// Lanes of the widest kernel.
pub(crate) const LANES: usize = 16;

/// Quads of a lane: a subtree of its own, small enough that all lanes stay in the cache.
pub(crate) const LANE_QUADS: usize = 64;

/// Payload bytes of a lane.
pub(crate) const LANE: usize = LANE_QUADS * QUAD;

/// Height of a lane's subtree.
pub(crate) const LANE_HEIGHT: u8 = QUAD_HEIGHT + LANE_QUADS.ilog2() as u8;

/// Payload bytes of a batch: 128 KiB of the tree.
pub(crate) const BATCH: usize = LANES * LANE;

/// The payload of sixteen subtrees of 64 quads, one after the other.
pub(crate) type Batch = [u8; BATCH];

/// Payload bytes of a chunk: 1 MiB of the tree.
pub(crate) const CHUNK: usize = 8 * BATCH;

/// Height of a chunk's subtree.
pub(crate) const CHUNK_HEIGHT: u8 = LANE_HEIGHT + (CHUNK / LANE).ilog2() as u8;

/// Gives a whole chunk's nodes of height `level`, or its root when `level` is higher.
pub(crate) fn chunk_nodes(kernel: Kernel, chunk: &[u8], level: u8) -> Vec<Commitment> {
    let mut nodes;
    let mut height = 0;
    if level < LANE_HEIGHT {
        nodes = vec![[0; 32]; chunk.len() / QUAD * 4];
        spread(chunk, &mut nodes);
    } else {
        nodes = vec![[0; 32]; CHUNK / LANE];
        for (batch, roots) in chunk.as_chunks().0.iter().zip(nodes.as_chunks_mut().0) {
            kernel.lane_roots(batch, roots);
        }
        height = LANE_HEIGHT;
    }
    while height < level.min(CHUNK_HEIGHT) {
        kernel.hash_layer(&mut nodes);
        nodes.truncate(nodes.len() / 2);
        height += 1;
    }
    nodes
}
