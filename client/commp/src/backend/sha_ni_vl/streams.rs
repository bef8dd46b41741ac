//! Plain SHA-256 of four messages of one length at once: as many as there are registers for their words.

use core::arch::asm;
use core::arch::x86_64::*;

use super::super::constants::ROUNDS;
use super::super::sha_ni::{digest_of, initial};
use super::rounds::{rounds, schedule};
use crate::streams::FOUR;

/// Reads the block of a message and swaps the bytes of its words.
macro_rules! load {
    ($message:literal, $w0:literal $w1:literal $w2:literal $w3:literal) => {
        concat!(
            "vmovdqu32 xmm", $w0, ", xmmword ptr [{m", $message, "} + {at}]\n",
            "vmovdqu32 xmm", $w1, ", xmmword ptr [{m", $message, "} + {at} + 16]\n",
            "vmovdqu32 xmm", $w2, ", xmmword ptr [{m", $message, "} + {at} + 32]\n",
            "vmovdqu32 xmm", $w3, ", xmmword ptr [{m", $message, "} + {at} + 48]\n",
            "vpshufb xmm", $w0, ", xmm", $w0, ", xmm13\n",
            "vpshufb xmm", $w1, ", xmm", $w1, ", xmm13\n",
            "vpshufb xmm", $w2, ", xmm", $w2, ", xmm13\n",
            "vpshufb xmm", $w3, ", xmm", $w3, ", xmm13\n",
        )
    };
}

/// Four rounds of all four, and the words that they need next.
macro_rules! four_rounds {
    (
        $step:literal,
        $w0:literal $w1:literal $w2:literal $w3:literal,
        $x0:literal $x1:literal $x2:literal $x3:literal,
        $y0:literal $y1:literal $y2:literal $y3:literal,
        $z0:literal $z1:literal $z2:literal $z3:literal
    ) => {
        concat!(
            rounds!($step, 1 2, $w0), schedule!($w0 $w1 $w2 $w3, 9 10),
            rounds!($step, 3 4, $x0), schedule!($x0 $x1 $x2 $x3, 11 12),
            rounds!($step, 5 6, $y0), schedule!($y0 $y1 $y2 $y3, 9 10),
            rounds!($step, 7 8, $z0), schedule!($z0 $z1 $z2 $z3, 11 12),
        )
    };
}

/// Four of the last sixteen rounds: the words are all there.
macro_rules! last_rounds {
    ($step:literal, $w:literal, $x:literal, $y:literal, $z:literal) => {
        concat!(rounds!($step, 1 2, $w), rounds!($step, 3 4, $x), rounds!($step, 5 6, $y), rounds!($step, 7 8, $z))
    };
}

/// Adds what a state was before, and keeps it.
macro_rules! feed_forward {
    ($i:literal, $abef:literal $cdgh:literal) => {
        concat!(
            "vpaddd xmm", $abef, ", xmm", $abef, ", xmmword ptr [{states} + 32 * ", $i, "]\n",
            "vpaddd xmm", $cdgh, ", xmm", $cdgh, ", xmmword ptr [{states} + 32 * ", $i, " + 16]\n",
            "vmovdqu xmmword ptr [{states} + 32 * ", $i, "], xmm", $abef, "\n",
            "vmovdqu xmmword ptr [{states} + 32 * ", $i, " + 16], xmm", $cdgh, "\n",
        )
    };
}

/// # Safety
///
/// The CPU has SHA, AVX2 and AVX-512 F, BW and VL; each message is good for `size` bytes, a multiple of 64.
#[target_feature(enable = "sha,avx2,avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn hash(messages: [*const u8; FOUR], size: usize, digests: &mut [[u8; 32]; FOUR]) {
    let mut states = [initial(); FOUR];
    compress(messages, size, &mut states);
    // The padding: one bit, zeros, the length in bits. It is the same for all.
    let mut last = [0; 64];
    last[0] = 0x80;
    last[56..].copy_from_slice(&((size as u64) << 3).to_be_bytes());
    compress([last.as_ptr(); FOUR], last.len(), &mut states);
    for ([abef, cdgh], digest) in states.into_iter().zip(digests) {
        let [low, high] = digest_of(abef, cdgh);
        let digest = digest.as_mut_ptr().cast::<__m128i>();
        _mm_storeu_si128(digest, low);
        _mm_storeu_si128(digest.add(1), high);
    }
}

/// Compresses all blocks of the messages.
///
/// # Safety
///
/// As for [`hash`].
#[target_feature(enable = "sha,avx2,avx512f,avx512bw,avx512vl")]
unsafe fn compress(messages: [*const u8; FOUR], size: usize, states: &mut [[__m128i; 2]; FOUR]) {
    if size == 0 {
        return;
    }
    let [[s0, s1], [s2, s3], [s4, s5], [s6, s7]] = *states;
    asm!(
        "2:",
        concat!(load!(0, 16 17 18 19), load!(1, 20 21 22 23), load!(2, 24 25 26 27), load!(3, 28 29 30 31)),
        "3:",
        concat!(
            four_rounds!(0, 16 17 18 19, 20 21 22 23, 24 25 26 27, 28 29 30 31),
            four_rounds!(1, 17 18 19 16, 21 22 23 20, 25 26 27 24, 29 30 31 28),
            four_rounds!(2, 18 19 16 17, 22 23 20 21, 26 27 24 25, 30 31 28 29),
            four_rounds!(3, 19 16 17 18, 23 20 21 22, 27 24 25 26, 31 28 29 30),
        ),
        "add {rounds}, 128",
        "cmp {rounds}, {last}",
        "jne 3b",
        concat!(
            last_rounds!(0, 16, 20, 24, 28),
            last_rounds!(1, 17, 21, 25, 29),
            last_rounds!(2, 18, 22, 26, 30),
            last_rounds!(3, 19, 23, 27, 31),
            feed_forward!(0, 1 2),
            feed_forward!(1, 3 4),
            feed_forward!(2, 5 6),
            feed_forward!(3, 7 8),
        ),
        "sub {rounds}, 384",
        "add {at}, 64",
        "cmp {at}, {size}",
        "jne 2b",
        rounds = inout(reg) ROUNDS.0.as_ptr() => _,
        last = in(reg) ROUNDS.0.as_ptr().add(12),
        at = inout(reg) 0_usize => _,
        size = in(reg) size,
        states = in(reg) states.as_mut_ptr(),
        m0 = in(reg) messages[0],
        m1 = in(reg) messages[1],
        m2 = in(reg) messages[2],
        m3 = in(reg) messages[3],
        inout("xmm1") s0 => _, inout("xmm2") s1 => _, inout("xmm3") s2 => _, inout("xmm4") s3 => _,
        inout("xmm5") s4 => _, inout("xmm6") s5 => _, inout("xmm7") s6 => _, inout("xmm8") s7 => _,
        in("xmm13") _mm_set_epi64x(0x0c0d0e0f_08090a0b, 0x04050607_00010203),
        out("xmm0") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _,
        out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _,
        out("zmm22") _, out("zmm23") _, out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
        out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
        options(nostack),
    );
}
