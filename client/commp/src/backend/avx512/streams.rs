//! Plain SHA-256 of thirty-two messages of one length at once: two sets, a message in each lane.

use core::arch::x86_64::*;

use super::super::constants::IV;
use super::lanes::{load_from, store};
use super::sha256::{Message, State, V, compress, splat};
use crate::streams::{STAGE, STREAMS};

/// Sets that are interleaved.
const SETS: usize = STREAMS / 16;

/// Bytes between two lanes of the stage. Messages lie a power of two apart, and thirty-two such streams would fight for the same
/// lines of the cache; a part of each is copied to where they do not.
const STRIDE: usize = STAGE + 64;

/// # Safety
///
/// The CPU has AVX-512 F and BW; each message is good for `size` bytes, a multiple of the stage.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn hash(messages: &[*const u8; STREAMS], size: usize, digests: &mut [[u8; 32]; STREAMS]) {
    let zero: V = _mm512_setzero_si512();
    let mut states: [State; SETS] = [core::array::from_fn(|k| splat(IV[k])); SETS];
    let mut blocks: [Message; SETS] = [[zero; 16]; SETS];
    let mut stage = [[zero; STRIDE / 64]; STREAMS];
    let stage = stage.as_mut_ptr().cast::<u8>();
    let mut at = 0;
    while at < size {
        for (lane, message) in messages.iter().enumerate() {
            for i in 0..STAGE / 64 {
                let part = _mm512_loadu_si512(message.add(at + 64 * i).cast());
                _mm512_store_si512(stage.add(lane * STRIDE + 64 * i).cast(), part);
            }
        }
        for i in 0..STAGE / 64 {
            for l in 0..SETS {
                load_from(stage.add(16 * l * STRIDE + 64 * i), STRIDE, &mut blocks[l]);
            }
            compress::<SETS, false>(states.as_mut_ptr(), blocks.as_mut_ptr());
        }
        at += STAGE;
    }
    // The padding: one bit, zeros, the length in bits. It is the same for all.
    let bits = (size as u64) << 3;
    let word = |k| match k {
        0 => 0x8000_0000,
        14 => (bits >> 32) as u32,
        15 => bits as u32,
        _ => 0,
    };
    blocks = [core::array::from_fn(|k| splat(word(k))); SETS];
    compress::<SETS, false>(states.as_mut_ptr(), blocks.as_mut_ptr());
    for l in 0..SETS {
        store(&states[l], digests.as_mut_ptr().add(16 * l).cast());
    }
}
