//! SHA-NI: one instruction does two rounds, but takes four cycles and is issued every second one, or every one; so several independent
//! nodes are interleaved: in a batch six, three of them in their second block (`lanes`), in single layers four.
#![allow(
    unsafe_code,
    reason = "SHA instructions have no safe form; what each function needs is said at it, and checked in this file"
)]

pub(super) mod lanes;
mod spread;
mod steps;
mod streams;

use core::arch::x86_64::*;

use self::lanes::Way;
use self::spread::spread_quads;
use self::steps::steps;
use super::Kernel;
use super::constants::{IV, K, PADDING};
use crate::Commitment;
use crate::chunk::{Batch, LANES};

/// Makes the kernel where the CPU has the instructions. (Small CPUs have SHA without AVX; there the portable backend's crate
/// uses it. With AVX the compiler needs no moves between instructions, and spreads Fr32 in vectors.)
pub(super) fn kernel() -> Option<Kernel> {
    is_available().then_some(Kernel { lane_roots, hash_layer })
}

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("avx2")
}

fn lane_roots(batch: &Batch, roots: &mut [Commitment; LANES]) {
    // SAFETY: only `kernel` hands this function out, and it has seen the features.
    unsafe { lanes::lane_roots(Way { spread_quads, steps }, batch, roots) }
}

fn hash_layer(nodes: &mut [Commitment]) {
    // SAFETY: as above.
    unsafe { hash_layer_from(nodes, 0) }
}

/// Hashes the pairs of a layer from this one on, if the CPU has the instructions; says whether.
pub(super) fn try_hash_layer_from(nodes: &mut [Commitment], from: usize) -> bool {
    let available = is_available();
    if available {
        // SAFETY: the features are there.
        unsafe { hash_layer_from(nodes, from) }
    }
    available
}

/// Hashes two messages of one length, a multiple of 64. `None` where the CPU has not the instructions.
pub(crate) fn digest_pair(messages: [&[u8]; 2]) -> Option<[[u8; 32]; 2]> {
    let fits = messages[0].len() == messages[1].len() && messages[0].len().is_multiple_of(64);
    if !fits || !is_available() {
        return None;
    }
    let mut digests = [[0; 32]; 2];
    // SAFETY: the features are there, and both messages are of this size.
    unsafe { streams::hash(messages.map(<[u8]>::as_ptr), messages[0].len(), &mut digests) };
    Some(digests)
}

#[target_feature(enable = "sha,avx2")]
fn hash_layer_from(nodes: &mut [Commitment], from: usize) {
    let (mut i, pairs) = (from, nodes.len() / 2);
    let base = nodes.as_mut_ptr();
    while i < pairs {
        let n = if pairs - i >= 4 { 4 } else { 1 };
        // SAFETY: nodes 2i to 2(i + n) are read, all before nodes i to i + n are written, and 2(i + n) <= 2 * pairs <= len.
        unsafe {
            match n {
                4 => hash::<4>(base.add(2 * i).cast(), base.add(i)),
                _ => hash::<1>(base.add(2 * i).cast(), base.add(i)),
            }
        }
        i += n;
    }
}

/// Hashes N messages of 64 bytes into N nodes.
///
/// # Safety
///
/// The CPU has SHA and AVX2; the pointers are good for N messages and N nodes (which may overlap: all is read first).
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
unsafe fn hash<const N: usize>(messages: *const [u8; 64], nodes: *mut Commitment) {
    let iv = initial();
    let mut w: [[__m128i; 4]; N] = core::array::from_fn(|l| load(messages.add(l).cast()));
    let (mut abef, mut cdgh) = ([iv[0]; N], [iv[1]; N]);
    rounds(&mut abef, &mut cdgh, &mut w);
    for l in 0..N {
        abef[l] = _mm_add_epi32(abef[l], iv[0]);
        cdgh[l] = _mm_add_epi32(cdgh[l], iv[1]);
    }
    let (middle_abef, middle_cdgh) = (abef, cdgh);
    for g in 0..16 {
        let kw = _mm_loadu_si128(PADDING.as_ptr().add(4 * g).cast());
        for l in 0..N {
            cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], kw);
            abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(kw, 0x0e));
        }
    }
    // Clears the two top bits of the last byte.
    let field = _mm_set_epi32(0x3fff_ffff, -1, -1, -1);
    for l in 0..N {
        let [low, high] = digest_of(_mm_add_epi32(abef[l], middle_abef[l]), _mm_add_epi32(cdgh[l], middle_cdgh[l]));
        let node = nodes.add(l).cast::<__m128i>();
        _mm_storeu_si128(node, low);
        _mm_storeu_si128(node.add(1), _mm_and_si128(high, field));
    }
}

/// Swaps the bytes of each word: SHA-256 is big-endian.
///
/// # Safety
///
/// The CPU has SHA and AVX2.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
unsafe fn swap(v: __m128i) -> __m128i {
    _mm_shuffle_epi8(v, _mm_set_epi64x(0x0c0d0e0f_08090a0b, 0x04050607_00010203))
}

/// The initial state as the instructions want it: ABEF and CDGH.
///
/// # Safety
///
/// The CPU has SHA and AVX2.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
pub(super) unsafe fn initial() -> [__m128i; 2] {
    let dcba = _mm_loadu_si128(IV.as_ptr().cast());
    let hgfe = _mm_loadu_si128(IV.as_ptr().add(4).cast());
    let (cdab, efgh) = (_mm_shuffle_epi32(dcba, 0xb1), _mm_shuffle_epi32(hgfe, 0x1b));
    [_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)]
}

/// Gives a state as the bytes of a digest.
///
/// # Safety
///
/// The CPU has SHA and AVX2.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
pub(super) unsafe fn digest_of(abef: __m128i, cdgh: __m128i) -> [__m128i; 2] {
    let [low, high] = words_of(abef, cdgh);
    [swap(low), swap(high)]
}

/// Gives a state as eight words.
///
/// # Safety
///
/// The CPU has SHA and AVX2.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
unsafe fn words_of(abef: __m128i, cdgh: __m128i) -> [__m128i; 2] {
    let (feba, dchg) = (_mm_shuffle_epi32(abef, 0x1b), _mm_shuffle_epi32(cdgh, 0xb1));
    [_mm_blend_epi16(feba, dchg, 0xf0), _mm_alignr_epi8(dchg, feba, 8)]
}

/// Reads the words of a block of 64 bytes.
///
/// # Safety
///
/// The CPU has SHA and AVX2; `block` is good for 64 bytes, at any address.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
unsafe fn load(block: *const __m128i) -> [__m128i; 4] {
    core::array::from_fn(|j| swap(_mm_loadu_si128(block.add(j))))
}

/// The rounds of N blocks. Destroys the blocks.
///
/// # Safety
///
/// The CPU has SHA and AVX2.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
unsafe fn rounds<const N: usize>(abef: &mut [__m128i; N], cdgh: &mut [__m128i; N], w: &mut [[__m128i; 4]; N]) {
    for g in 0..16 {
        for l in 0..N {
            let kw = _mm_add_epi32(w[l][g % 4], _mm_loadu_si128(K.as_ptr().add(4 * g).cast()));
            cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], kw);
            abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(kw, 0x0e));
            if g < 12 {
                advance(&mut w[l], g);
            }
        }
    }
}

/// Replaces the words of four rounds by those of sixteen rounds on.
///
/// # Safety
///
/// The CPU has SHA and AVX2.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]
unsafe fn advance(w: &mut [__m128i; 4], g: usize) {
    let next = _mm_sha256msg1_epu32(w[g % 4], w[(g + 1) % 4]);
    let next = _mm_add_epi32(next, _mm_alignr_epi8(w[(g + 3) % 4], w[(g + 2) % 4], 4));
    w[g % 4] = _mm_sha256msg2_epu32(next, w[(g + 3) % 4]);
}
