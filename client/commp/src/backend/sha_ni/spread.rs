//! Fr32, from bytes to words.

use super::lanes::Words;
use crate::chunk::{Batch, LANE, LANE_QUADS};
use crate::fr32::{QUAD, spread_quad};

/// Spreads the quads of a lane over its leaves.
///
/// # Safety
///
/// The CPU has AVX2; the batch has this lane; `leaves` is good for a lane's.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn spread_quads(batch: &Batch, lane: usize, leaves: *mut Words) {
    let quads = &batch[lane * LANE..(lane + 1) * LANE];
    // SAFETY: as said above, and nobody else has them now.
    let leaves = unsafe { core::slice::from_raw_parts_mut(leaves.cast::<[Words; 4]>(), LANE_QUADS) };
    for (quad, leaves) in quads.as_chunks::<QUAD>().0.iter().zip(leaves) {
        let mut bytes = [[0; 32]; 4];
        spread_quad(quad, &mut bytes);
        for (leaf, bytes) in leaves.iter_mut().zip(&bytes) {
            for (word, bytes) in leaf.0.iter_mut().zip(bytes.as_chunks().0) {
                *word = u32::from_be_bytes(*bytes);
            }
        }
    }
}
