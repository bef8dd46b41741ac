//! Fr32, from bytes to words.

use core::arch::x86_64::*;

use super::super::sha_ni::lanes::Words;
use crate::chunk::{Batch, LANE, LANE_QUADS};
use crate::fr32::QUAD;

/// Swaps the bytes of each word: SHA-256 is big-endian.
///
/// # Safety
///
/// The CPU has AVX-512 F, BW and VL.
#[inline(always)]
unsafe fn swap(v: __m256i) -> __m256i {
    _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f_08090a0b, 0x04050607_00010203)))
}

/// Spreads the quads of a lane over its leaves.
///
/// # Safety
///
/// The CPU has AVX-512 F, BW and VL; the batch has this lane; `leaves` is good for a lane's.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn spread_quads(batch: &Batch, lane: usize, leaves: *mut Words) {
    for q in 0..LANE_QUADS {
        let quad = batch.as_ptr().add(lane * LANE + q * QUAD);
        let put = |k: usize, leaf: __m256i| _mm256_store_si256(leaves.add(4 * q + k).cast(), swap(leaf));
        put(0, field(_mm256_loadu_si256(quad.cast()), _mm256_setzero_si256()));
        put(1, leaf::<2, 62>(quad, 1, u32::MAX));
        put(2, leaf::<4, 60>(quad, 2, u32::MAX));
        // The quad ends a byte before the leaf does.
        put(3, leaf::<6, 58>(quad, 3, u32::MAX >> 1));
    }
}

/// Leaf k: the input shifted by 2k bits. Reads the bytes of it that the mask has.
///
/// # Safety
///
/// The CPU has AVX-512 F, BW and VL; `quad` is good for the bytes of the mask from 32k on, and for the 32 bytes from 32k - 8 on.
#[inline(always)]
unsafe fn leaf<const BITS: i32, const REST: i32>(quad: *const u8, k: usize, mask: u32) -> __m256i {
    let words = _mm256_maskz_loadu_epi8(mask, quad.add(32 * k).cast());
    let before = _mm256_loadu_si256(quad.add(32 * k - 8).cast());
    field(_mm256_slli_epi64::<BITS>(words), _mm256_srli_epi64::<REST>(before))
}

/// Joins the parts of a leaf and clears its two top bits.
///
/// # Safety
///
/// The CPU has AVX-512 F, BW and VL.
#[inline(always)]
unsafe fn field(words: __m256i, carried: __m256i) -> __m256i {
    let mask = _mm256_set_epi64x(i64::MAX >> 1, -1, -1, -1);
    // (words | carried) & mask
    _mm256_ternarylogic_epi64::<0xa8>(words, carried, mask)
}
