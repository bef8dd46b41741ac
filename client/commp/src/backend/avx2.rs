//! AVX2, for CPUs with neither SHA instructions nor AVX-512: eight nodes at once, one in each 32-bit lane, a layer at a time.
#![allow(
    unsafe_code,
    reason = "vectors over raw memory; what each function needs is said at it, and checked in this file"
)]

use core::arch::x86_64::*;

use super::Kernel;
use super::constants::{IV, K, PADDING};
use super::portable::{hash_layer_from, lane_roots_by_layers};
use crate::Commitment;
use crate::chunk::{Batch, LANES};

type V = __m256i;

/// Nodes hashed at once.
const WIDTH: usize = 8;

/// Makes the kernel where the CPU has the instructions.
pub(super) fn kernel() -> Option<Kernel> {
    is_x86_feature_detected!("avx2").then_some(Kernel { lane_roots, hash_layer })
}

fn lane_roots(batch: &Batch, roots: &mut [Commitment; LANES]) {
    lane_roots_by_layers(batch, roots, hash_layer);
}

fn hash_layer(nodes: &mut [Commitment]) {
    let (mut i, pairs) = (0, nodes.len() / 2);
    let base = nodes.as_mut_ptr();
    while pairs - i >= WIDTH {
        // SAFETY: only `kernel` hands this function out, and it has seen the feature. Nodes 2i to 2i + 16 are read, all
        // before nodes i to i + 8 are written, and 2i + 16 <= 2 * pairs <= len.
        unsafe { hash(base.add(2 * i).cast(), base.add(i)) }
        i += WIDTH;
    }
    hash_layer_from(nodes, i);
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const RIGHT: i32, const LEFT: i32>(v: V) -> V {
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(v), _mm256_slli_epi32::<LEFT>(v))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: V, b: V, c: V) -> V {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

/// Round `r`: instead of moving the eight words along, their names move.
#[inline]
#[target_feature(enable = "avx2")]
fn round(s: &mut [V; 8], r: usize, kw: V) {
    let [a, b, c, d, e, f, g, h]: [usize; 8] = core::array::from_fn(|k| (k + 64 - r) % 8);
    let choice = _mm256_xor_si256(s[g], _mm256_and_si256(s[e], _mm256_xor_si256(s[f], s[g])));
    let sum1 = xor3(rotate::<6, 26>(s[e]), rotate::<11, 21>(s[e]), rotate::<25, 7>(s[e]));
    let sum0 = xor3(rotate::<2, 30>(s[a]), rotate::<13, 19>(s[a]), rotate::<22, 10>(s[a]));
    let majority = _mm256_or_si256(_mm256_and_si256(s[a], s[b]), _mm256_and_si256(s[c], _mm256_or_si256(s[a], s[b])));
    let t = _mm256_add_epi32(_mm256_add_epi32(_mm256_add_epi32(s[h], kw), choice), sum1);
    s[d] = _mm256_add_epi32(s[d], t);
    s[h] = _mm256_add_epi32(_mm256_add_epi32(sum0, majority), t);
}

/// Replaces word i of the schedule by word i + 16.
#[inline]
#[target_feature(enable = "avx2")]
fn advance(w: &mut [V; 16], i: usize) {
    let (w1, w14) = (w[(i + 1) % 16], w[(i + 14) % 16]);
    let s0 = xor3(rotate::<7, 25>(w1), rotate::<18, 14>(w1), _mm256_srli_epi32::<3>(w1));
    let s1 = xor3(rotate::<17, 15>(w14), rotate::<19, 13>(w14), _mm256_srli_epi32::<10>(w14));
    w[i] = _mm256_add_epi32(_mm256_add_epi32(w[i], s0), _mm256_add_epi32(w[(i + 9) % 16], s1));
}

/// Turns eight vectors of eight words: what was vector i, word k becomes vector k, word i. Swaps the bytes of each word.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_swapped(rows: [V; 8]) -> [V; 8] {
    let swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f_08090a0b, 0x04050607_00010203));
    let (mut t, mut u) = (rows, rows);
    for i in 0..4 {
        t[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..2 {
        u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for i in 0..4 {
        t[i] = _mm256_shuffle_epi8(_mm256_permute2x128_si256::<0x20>(u[i], u[4 + i]), swap);
        t[4 + i] = _mm256_shuffle_epi8(_mm256_permute2x128_si256::<0x31>(u[i], u[4 + i]), swap);
    }
    t
}

/// Hashes eight messages into eight nodes.
///
/// # Safety
///
/// The CPU has AVX2; the pointers are good for eight messages and eight nodes (which may overlap: all is read first).
#[target_feature(enable = "avx2")]
unsafe fn hash(messages: *const [u8; 64], nodes: *mut Commitment) {
    let splat = |word: u32| _mm256_set1_epi32(word as i32);
    // SAFETY: the caller's pointer is good for eight messages of two halves.
    let half = |h: usize| {
        transpose_swapped(core::array::from_fn(|l| unsafe { _mm256_loadu_si256(messages.add(l).cast::<V>().add(h)) }))
    };
    let [low, high] = [half(0), half(1)];
    let mut w: [V; 16] = core::array::from_fn(|k| if k < 8 { low[k] } else { high[k - 8] });
    let mut s: [V; 8] = core::array::from_fn(|k| splat(IV[k]));
    for k in K.as_chunks::<16>().0 {
        macro_rules! step {
            ($i:literal) => {
                round(&mut s, $i, _mm256_add_epi32(w[$i], splat(k[$i])));
                // After the last round in vain, which costs less than another copy of the loop.
                advance(&mut w, $i);
            };
        }
        sixteen!(step);
    }
    let middle: [V; 8] = core::array::from_fn(|k| _mm256_add_epi32(s[k], splat(IV[k])));
    s = middle;
    for kw in PADDING.as_chunks::<16>().0 {
        macro_rules! step {
            ($i:literal) => {
                round(&mut s, $i, splat(kw[$i]));
            };
        }
        sixteen!(step);
    }
    for k in 0..8 {
        s[k] = _mm256_add_epi32(s[k], middle[k]);
    }
    s[7] = _mm256_and_si256(s[7], splat(0xffff_ff3f));
    for (l, node) in transpose_swapped(s).into_iter().enumerate() {
        // SAFETY: the caller's pointer is good for eight nodes.
        unsafe { _mm256_storeu_si256(nodes.add(l).cast(), node) }
    }
}
