//! Steps with sixteen registers: the words of the schedule wait in memory.
#![allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]

use core::arch::x86_64::*;
use core::mem::swap;

use super::super::constants::ROUNDS;
use super::lanes::{AT_ONCE, FETCHED, Layer, Nodes};
use super::{advance, initial, words_of};

/// As [`Way::steps`](super::lanes::Way) says.
///
/// # Safety
///
/// As there; the CPU has SHA and AVX2.
#[target_feature(enable = "sha,avx2")]
pub(super) unsafe fn steps(nodes: &mut Nodes, count: usize, mut layer: Layer, mut other: Layer, mut next: *const u8) {
    for _ in 0..count {
        _mm_prefetch::<_MM_HINT_T0>(next.cast());
        _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(FETCHED / 2).cast());
        next = next.wrapping_add(FETCHED);
        step(nodes, layer.pairs.cast());
        nodes.parents = layer.parents;
        layer.pairs = layer.pairs.add(2 * AT_ONCE);
        layer.parents = layer.parents.add(AT_ONCE);
        swap(&mut layer, &mut other);
    }
}

/// Begins three nodes, and finishes three others.
///
/// # Safety
///
/// The CPU has SHA and AVX2; `messages` is good for six nodes, `nodes.parents` for three.
#[inline(always)]
unsafe fn step(nodes: &mut Nodes, messages: *const __m128i) {
    let iv = initial();
    let mut w: [[__m128i; 4]; AT_ONCE] =
        core::array::from_fn(|l| core::array::from_fn(|j| _mm_loadu_si128(messages.add(4 * l + j))));
    let (mut abef, mut cdgh) = ([iv[0]; AT_ONCE], [iv[1]; AT_ONCE]);
    let mut second = nodes.states;
    for g in 0..16 {
        let rounds = ROUNDS.0.as_ptr().cast::<__m128i>().add(2 * g);
        let kw = _mm_loadu_si128(rounds.add(1));
        for [abef, cdgh] in &mut second {
            *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, kw);
        }
        for l in 0..AT_ONCE {
            let kw = _mm_add_epi32(w[l][g % 4], _mm_loadu_si128(rounds));
            cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], kw);
            abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(kw, 0x0e));
            if g < 12 {
                advance(&mut w[l], g);
            }
        }
        let kw = _mm_loadl_epi64(rounds.add(1).byte_add(8));
        for [abef, cdgh] in &mut second {
            *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, kw);
        }
    }
    // Clears the two top bits of the last byte.
    let field = _mm_set_epi32(0xffff_ff3f_u32.cast_signed(), -1, -1, -1);
    for l in 0..AT_ONCE {
        let [low, high] =
            words_of(_mm_add_epi32(second[l][0], nodes.states[l][0]), _mm_add_epi32(second[l][1], nodes.states[l][1]));
        let parent = nodes.parents.add(l).cast::<__m128i>();
        _mm_storeu_si128(parent, low);
        _mm_storeu_si128(parent.add(1), _mm_and_si128(high, field));
        nodes.states[l] = [_mm_add_epi32(abef[l], iv[0]), _mm_add_epi32(cdgh[l], iv[1])];
    }
}
