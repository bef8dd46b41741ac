//! SHA-256 of 64-byte messages, sixteen to a set, in lanes: word k of all sixteen is one vector.
//!
//! A set alone waits for its own results (100 cycles a node), so several are interleaved: two while the message is scheduled,
//! three in the padding block, which has a constant schedule; more would not fit the 32 registers. The loops stay rolled at
//! sixteen rounds, which fit the instruction cache. The schedule is advanced between the rounds that use it.

use core::arch::asm;
use core::arch::x86_64::*;

use super::super::constants::{IV, K, PADDING};

/// Word k of sixteen messages, states or leaves.
pub(super) type V = __m512i;
/// A set of states: nodes once they are done.
pub(super) type State = [V; 8];
/// A set of messages: two nodes each.
pub(super) type Message = [V; 16];

/// Sets hashed in one go: the smallest number that two and three both divide.
pub(super) const SETS: usize = 6;

/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
pub(super) unsafe fn splat(word: u32) -> V {
    _mm512_set1_epi32(word as i32)
}

/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
pub(super) unsafe fn add(a: V, b: V) -> V {
    _mm512_add_epi32(a, b)
}

/// Adds just here: the compiler may not regroup sums, which would lengthen the chain from one round to the next.
///
/// # Safety
///
/// The CPU has AVX-512 F.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn add_here(a: V, b: V) -> V {
    let sum;
    asm!(
        "vpaddd {0}, {1}, {2}",
        out(zmm_reg) sum,
        in(zmm_reg) a,
        in(zmm_reg) b,
        options(pure, nomem, nostack, preserves_flags)
    );
    sum
}

/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
unsafe fn xor3(a: V, b: V, c: V) -> V {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

/// Round `r` of N sets: instead of moving the eight words along, their names move.
///
/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
pub(super) unsafe fn round<const N: usize>(states: &mut [State; N], r: usize, kw: [V; N]) {
    let [a, b, c, d, e, f, g, h]: [usize; 8] = core::array::from_fn(|k| (k + 64 - r) % 8);
    for l in 0..N {
        let s = &mut states[l];
        let t = add(s[h], kw[l]);
        let choice = _mm512_ternarylogic_epi32::<0xca>(s[e], s[f], s[g]);
        let sum1 = xor3(_mm512_ror_epi32::<6>(s[e]), _mm512_ror_epi32::<11>(s[e]), _mm512_ror_epi32::<25>(s[e]));
        let sum0 = xor3(_mm512_ror_epi32::<2>(s[a]), _mm512_ror_epi32::<13>(s[a]), _mm512_ror_epi32::<22>(s[a]));
        let majority = _mm512_ternarylogic_epi32::<0xe8>(s[a], s[b], s[c]);
        let t = add_here(add_here(t, choice), sum1);
        s[d] = add_here(s[d], t);
        s[h] = add_here(add_here(sum0, majority), t);
    }
}

/// Replaces word i of the schedule by word i + 16.
///
/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
pub(super) unsafe fn advance(w: &mut Message, i: usize) {
    let (w1, w14) = (w[(i + 1) % 16], w[(i + 14) % 16]);
    let s0 = xor3(_mm512_ror_epi32::<7>(w1), _mm512_ror_epi32::<18>(w1), _mm512_srli_epi32::<3>(w1));
    let s1 = xor3(_mm512_ror_epi32::<17>(w14), _mm512_ror_epi32::<19>(w14), _mm512_srli_epi32::<10>(w14));
    w[i] = add(add(w[i], s0), add(w[(i + 9) % 16], s1));
}

/// Compresses the message block of N sets. Destroys the messages.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; the pointers are good for N states and N messages, which may overlap: all messages are read first.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn message_phase<const N: usize>(states: *mut State, messages: *mut [Message; N]) {
    let w = &mut *messages;
    let mut s: [State; N] = [core::array::from_fn(|k| splat(IV[k])); N];
    let mut k = K.as_ptr();
    let last = k.add(48);
    while k != last {
        macro_rules! step {
            ($i:literal) => {
                let kw = core::array::from_fn(|l| add(w[l][$i], splat(*k.add($i))));
                round::<N>(&mut s, $i, kw);
                for l in 0..N {
                    advance(&mut w[l], $i);
                }
            };
        }
        sixteen!(step);
        k = k.add(16);
        // Keeps the loop rolled.
        core::hint::black_box(());
    }
    macro_rules! step {
        ($i:literal) => {
            let kw = core::array::from_fn(|l| add(w[l][$i], splat(*k.add($i))));
            round::<N>(&mut s, $i, kw);
        };
    }
    sixteen!(step);
    for l in 0..N {
        let state = &mut *states.add(l);
        for k in 0..8 {
            state[k] = add(s[l][k], splat(IV[k]));
        }
    }
}

/// Compresses the padding block of N sets and clears the two top bits of each node's last byte.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; the pointer is good for N states.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn padding_phase<const N: usize>(states: *mut State) {
    let mut s: [State; N] = core::array::from_fn(|l| *states.add(l));
    let mut kw = PADDING.as_ptr();
    let end = kw.add(64);
    while kw != end {
        macro_rules! step {
            ($i:literal) => {
                round::<N>(&mut s, $i, [splat(*kw.add($i)); N]);
            };
        }
        sixteen!(step);
        kw = kw.add(16);
    }
    for l in 0..N {
        let state = &mut *states.add(l);
        for k in 0..8 {
            state[k] = add(s[l][k], state[k]);
        }
        state[7] = _mm512_and_si512(state[7], splat(0xffff_ff3f));
    }
}

/// Hashes `sets` sets of messages and destroys them. The states may lie where the messages do, from the same place on: set i
/// is written after the messages up to 2i + 1 have been read.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; the pointers are good for `sets` states and `sets` messages.
#[inline(always)]
pub(super) unsafe fn hash(states: *mut State, messages: *mut Message, sets: usize) {
    let mut i = 0;
    while sets - i >= SETS {
        for two in [i, i + 2, i + 4] {
            message_phase::<2>(states.add(two), messages.add(two).cast());
        }
        padding_phase::<3>(states.add(i));
        padding_phase::<3>(states.add(i + 3));
        i += SETS;
    }
    while sets - i >= 2 {
        message_phase::<2>(states.add(i), messages.add(i).cast());
        padding_phase::<2>(states.add(i));
        i += 2;
    }
    if sets > i {
        message_phase::<1>(states.add(i), messages.add(i).cast());
        padding_phase::<1>(states.add(i));
    }
}
