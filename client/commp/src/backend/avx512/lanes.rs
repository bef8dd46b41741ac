//! Between bytes in memory and words in lanes.

use core::arch::x86_64::*;

use super::sha256::{Message, State, V};
use crate::chunk::LANE;
use crate::fr32::QUAD;

/// Turns sixteen vectors of sixteen words: what was vector i, word k becomes vector k, word i.
///
/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
unsafe fn transpose(rows: [V; 16]) -> [V; 16] {
    let (mut t, mut u) = (rows, rows);
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..4 {
        u[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for i in 0..4 {
        t[i] = _mm512_shuffle_i32x4::<0x88>(u[i], u[4 + i]);
        t[4 + i] = _mm512_shuffle_i32x4::<0xdd>(u[i], u[4 + i]);
        t[8 + i] = _mm512_shuffle_i32x4::<0x88>(u[8 + i], u[12 + i]);
        t[12 + i] = _mm512_shuffle_i32x4::<0xdd>(u[8 + i], u[12 + i]);
    }
    for i in 0..4 {
        u[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[8 + i]);
        u[8 + i] = _mm512_shuffle_i32x4::<0xdd>(t[i], t[8 + i]);
        u[4 + i] = _mm512_shuffle_i32x4::<0x88>(t[4 + i], t[12 + i]);
        u[12 + i] = _mm512_shuffle_i32x4::<0xdd>(t[4 + i], t[12 + i]);
    }
    u
}

/// Swaps the bytes of each word: SHA-256 is big-endian.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW.
#[inline(always)]
unsafe fn swap(v: V) -> V {
    _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f_08090a0b, 0x04050607_00010203)))
}

/// Takes the words that begin `32 - BITS` bits before the end of `low` and go on in `high`.
///
/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
unsafe fn across<const BITS: u32, const REST: u32>(low: V, high: V) -> V {
    _mm512_or_si512(_mm512_srli_epi32::<BITS>(low), _mm512_slli_epi32::<REST>(high))
}

/// Reads sixteen messages of 64 bytes that follow one another.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; `messages` is good for 1,024 bytes at any address, `w` for a message.
#[inline(always)]
pub(super) unsafe fn load(messages: *const u8, w: *mut Message) {
    load_from(messages, 64, w);
}

/// Reads sixteen messages of 64 bytes, each `stride` bytes behind the one before.
///
/// # Safety
///
/// As for [`load`], but `messages` is good for 64 bytes at each of sixteen places, `stride` apart.
#[inline(always)]
pub(super) unsafe fn load_from(messages: *const u8, stride: usize, w: *mut Message) {
    let rows = transpose(core::array::from_fn(|l| _mm512_loadu_si512(messages.add(stride * l).cast())));
    for (k, row) in rows.into_iter().enumerate() {
        (*w)[k] = swap(row);
    }
}

/// Writes sixteen nodes one after the other.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; `state` is good for a state, `nodes` for 512 bytes at any address.
#[inline(always)]
pub(super) unsafe fn store(state: *const State, nodes: *mut u8) {
    let rows = core::array::from_fn(|k| if k < 8 { swap((*state)[k]) } else { _mm512_setzero_si512() });
    for (l, row) in transpose(rows).into_iter().enumerate() {
        _mm256_storeu_si256(nodes.add(32 * l).cast(), _mm512_castsi512_si256(row));
    }
}

/// Reads quad `q` of each lane and spreads it (Fr32) over four leaves: two messages.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; `batch` is good for a batch, `q` is one of a lane's quads, the last one only if `LAST`, and `w` is good for two
/// messages.
#[inline(always)]
pub(super) unsafe fn load_quad<const LAST: bool>(batch: *const u8, q: usize, w: *mut Message) {
    let quad = |l: usize| batch.add(l * LANE + q * QUAD);
    let clear = |v| _mm512_and_si512(v, _mm512_set1_epi32(0x3fff_ffff));
    let (first, second) = (&mut *w, &mut *w.add(1));

    // Leaf 0: bits 0 to 253.
    let low = transpose(core::array::from_fn(|l| _mm512_loadu_si512(quad(l).cast())));
    for k in 0..7 {
        first[k] = swap(low[k]);
    }
    first[7] = swap(clear(low[7]));
    // Leaf 1: from bit 254 on, two before the end of word 7.
    for k in 0..7 {
        first[8 + k] = swap(across::<30, 2>(low[7 + k], low[8 + k]));
    }
    first[15] = swap(clear(across::<30, 2>(low[14], low[15])));

    // The other half is one byte shorter than a vector. That byte is the next quad's, and does no harm; behind the last quad
    // the payload may end, and it must not be read.
    let high = transpose(core::array::from_fn(|l| {
        let half = quad(l).add(64);
        if LAST { _mm512_maskz_loadu_epi8(!(1 << 63), half.cast()) } else { _mm512_loadu_si512(half.cast()) }
    }));
    // Leaf 2: from bit 508 on, four before the end of word 15.
    second[0] = swap(across::<28, 4>(low[15], high[0]));
    for k in 1..7 {
        second[k] = swap(across::<28, 4>(high[k - 1], high[k]));
    }
    second[7] = swap(clear(across::<28, 4>(high[6], high[7])));
    // Leaf 3: from bit 762 on, six before the end of word 23.
    for k in 0..7 {
        second[8 + k] = swap(across::<26, 6>(high[7 + k], high[8 + k]));
    }
    second[15] = swap(clear(across::<26, 6>(high[14], high[15])));
}
