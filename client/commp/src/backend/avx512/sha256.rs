//! SHA-256 of 64-byte messages, sixteen to a set, in lanes: word k of all sixteen is one vector.
//!
//! A set alone waits for its own results (100 cycles a node), so several are interleaved: two while the message is scheduled,
//! three in the padding block, which has a constant schedule; more would not fit the 32 registers. The loops stay rolled at
//! sixteen rounds, which fit the instruction cache. The schedule is advanced between the rounds that use it. Its words lie in
//! memory, where only [`word!`] and [`put_word!`] reach them: else the compiler keeps some in registers for later, for which it
//! has none left, and moves them to the stack and back (a fifth of the time on a Zen 5).

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

/// Reads a word of a message just here.
macro_rules! word {
    ($message:expr, $i:expr) => {{
        let word: V;
        asm!(
            "vmovdqa64 {0}, zmmword ptr [{1} + {2}]",
            out(zmm_reg) word,
            in(reg) $message,
            const 64 * (($i) % 16),
            options(readonly, nostack, preserves_flags)
        );
        word
    }};
}

/// Writes a word of a message just here.
macro_rules! put_word {
    ($message:expr, $i:expr, $word:expr) => {
        asm!(
            "vmovdqa64 zmmword ptr [{1} + {2}], {0}",
            in(zmm_reg) $word,
            in(reg) $message,
            const 64 * (($i) % 16),
            options(nostack, preserves_flags)
        )
    };
}

/// Says what word i + 16 of the schedule is.
///
/// # Safety
///
/// The CPU has AVX-512 F.
#[inline(always)]
unsafe fn scheduled(w0: V, w1: V, w9: V, w14: V) -> V {
    let s0 = xor3(_mm512_ror_epi32::<7>(w1), _mm512_ror_epi32::<18>(w1), _mm512_srli_epi32::<3>(w1));
    let s1 = xor3(_mm512_ror_epi32::<17>(w14), _mm512_ror_epi32::<19>(w14), _mm512_srli_epi32::<10>(w14));
    add(add(w0, s0), add(w9, s1))
}

/// Compresses a message block of N sets: the first of each message, or one that goes on from the states. Destroys the messages.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; the pointers are good for N states and N messages, which may overlap where it is the first: all messages
/// are read before.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn compress<const N: usize, const FIRST: bool>(states: *mut State, messages: *mut Message) {
    let before = |l: usize, k: usize| if FIRST { splat(IV[k]) } else { (*states.add(l))[k] };
    let w: [*mut Message; N] = core::array::from_fn(|l| messages.add(l));
    let mut s: [State; N] = core::array::from_fn(|l| core::array::from_fn(|k| before(l, k)));
    // The two newest words are needed soonest; they have registers.
    let mut newest: [[V; 2]; N] = core::array::from_fn(|l| [word!(w[l], 14), word!(w[l], 15)]);
    let mut k = K.as_ptr();
    let last = k.add(48);
    while k != last {
        macro_rules! step {
            ($i:literal) => {
                let now: [V; N] = core::array::from_fn(|l| word!(w[l], $i));
                let kw = core::array::from_fn(|l| add(now[l], splat(*k.add($i))));
                round::<N>(&mut s, $i, kw);
                for l in 0..N {
                    let new = scheduled(now[l], word!(w[l], $i + 1), word!(w[l], $i + 9), newest[l][$i % 2]);
                    newest[l][$i % 2] = new;
                    put_word!(w[l], $i, new);
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
            let kw = core::array::from_fn(|l| add(word!(w[l], $i), splat(*k.add($i))));
            round::<N>(&mut s, $i, kw);
        };
    }
    sixteen!(step);
    for l in 0..N {
        for k in 0..8 {
            (*states.add(l))[k] = add(s[l][k], before(l, k));
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
            compress::<2, true>(states.add(two), messages.add(two));
        }
        padding_phase::<3>(states.add(i));
        padding_phase::<3>(states.add(i + 3));
        i += SETS;
    }
    while sets - i >= 2 {
        compress::<2, true>(states.add(i), messages.add(i));
        padding_phase::<2>(states.add(i));
        i += 2;
    }
    if sets > i {
        compress::<1, true>(states.add(i), messages.add(i));
        padding_phase::<1>(states.add(i));
    }
}
