//! Three nodes begun, the three before them finished.

use core::arch::asm;
use core::arch::x86_64::*;
use core::mem::swap;

use super::super::constants::ROUNDS;
use super::super::sha_ni::initial;
use super::super::sha_ni::lanes::{AT_ONCE, FETCHED, Layer, Nodes};
use super::rounds::{rounds, schedule};

/// The first two rounds of four of the second block of all three; constants and schedule are one here.
macro_rules! second_block {
    ($step:literal) => {
        concat!(
            "vmovdqa xmm0, xmmword ptr [{rounds} + 32 * ", $step, " + 16]\n",
            "sha256rnds2 xmm8, xmm7\n",
            "sha256rnds2 xmm10, xmm9\n",
            "sha256rnds2 xmm12, xmm11\n",
        )
    };
}

/// The other two.
macro_rules! second_block_on {
    ($step:literal) => {
        concat!(
            "vmovq xmm0, qword ptr [{rounds} + 32 * ", $step, " + 24]\n",
            "sha256rnds2 xmm7, xmm8\n",
            "sha256rnds2 xmm9, xmm10\n",
            "sha256rnds2 xmm11, xmm12\n",
        )
    };
}

/// Four rounds of everything.
macro_rules! four_rounds {
    (
        $step:literal,
        $w0:literal $w1:literal $w2:literal $w3:literal,
        $x0:literal $x1:literal $x2:literal $x3:literal,
        $y0:literal $y1:literal $y2:literal $y3:literal
    ) => {
        concat!(
            second_block!($step),
            rounds!($step, 1 2, $w0), schedule!($w0 $w1 $w2 $w3, 13 14),
            rounds!($step, 3 4, $x0), schedule!($x0 $x1 $x2 $x3, 15 13),
            rounds!($step, 5 6, $y0), schedule!($y0 $y1 $y2 $y3, 14 15),
            second_block_on!($step),
        )
    };
}

/// Sixteen rounds of everything, after which the words are where they were.
macro_rules! sixteen_rounds {
    ($first:literal $second:literal $third:literal $fourth:literal) => {
        concat!(
            four_rounds!($first, 16 17 18 19, 20 21 22 23, 24 25 26 27),
            four_rounds!($second, 17 18 19 16, 21 22 23 20, 25 26 27 24),
            four_rounds!($third, 18 19 16 17, 22 23 20 21, 26 27 24 25),
            four_rounds!($fourth, 19 16 17 18, 23 20 21 22, 27 24 25 26),
        )
    };
}

/// Four of the last sixteen rounds of everything: the words are all there.
macro_rules! last_rounds {
    ($step:literal, $w:literal, $x:literal, $y:literal) => {
        concat!(
            second_block!($step),
            rounds!($step, 1 2, $w), rounds!($step, 3 4, $x), rounds!($step, 5 6, $y),
            second_block_on!($step),
        )
    };
}

/// Finishes a node, and puts the one just begun in its place.
macro_rules! finish {
    ($i:literal, $abef:literal $cdgh:literal, $next_abef:literal $next_cdgh:literal) => {
        concat!(
            "vpaddd xmm13, xmm", $abef, ", xmmword ptr [{states} + 32 * ", $i, "]\n",
            "vpaddd xmm14, xmm", $cdgh, ", xmmword ptr [{states} + 32 * ", $i, " + 16]\n",
            "vpaddd xmm", $abef, ", xmm", $next_abef, ", xmm28\n",
            "vpaddd xmm", $cdgh, ", xmm", $next_cdgh, ", xmm29\n",
            "vmovdqu xmmword ptr [{states} + 32 * ", $i, "], xmm", $abef, "\n",
            "vmovdqu xmmword ptr [{states} + 32 * ", $i, " + 16], xmm", $cdgh, "\n",
            "vpshufd xmm13, xmm13, 0x1b\n",
            "vpshufd xmm14, xmm14, 0xb1\n",
            "vpblendw xmm0, xmm13, xmm14, 0xf0\n",
            "vmovdqu xmmword ptr [{parents} + 32 * ", $i, "], xmm0\n",
            "vpalignr xmm0, xmm14, xmm13, 8\n",
            "vpandd xmm0, xmm0, xmm30\n",
            "vmovdqu xmmword ptr [{parents} + 32 * ", $i, " + 16], xmm0\n",
        )
    };
}

/// As [`Way::steps`](super::super::sha_ni::lanes::Way) says.
///
/// # Safety
///
/// As there; the CPU has SHA, AVX2 and AVX-512 F, BW and VL.
#[target_feature(enable = "sha,avx2,avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn steps(nodes: &mut Nodes, count: usize, mut layer: Layer, mut other: Layer, mut next: *const u8) {
    let [iv_abef, iv_cdgh] = initial();
    // The second block's states: three times ABEF, CDGH.
    let [[mut s0, mut s1], [mut s2, mut s3], [mut s4, mut s5]] = nodes.states;
    for _ in 0..count {
        _mm_prefetch::<_MM_HINT_T0>(next.cast());
        _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(FETCHED / 2).cast());
        next = next.wrapping_add(FETCHED);
        asm!(
            "vmovdqu32 xmm16, xmmword ptr [{pairs}]",
            "vmovdqu32 xmm17, xmmword ptr [{pairs} + 16]",
            "vmovdqu32 xmm18, xmmword ptr [{pairs} + 32]",
            "vmovdqu32 xmm19, xmmword ptr [{pairs} + 48]",
            "vmovdqu32 xmm20, xmmword ptr [{pairs} + 64]",
            "vmovdqu32 xmm21, xmmword ptr [{pairs} + 80]",
            "vmovdqu32 xmm22, xmmword ptr [{pairs} + 96]",
            "vmovdqu32 xmm23, xmmword ptr [{pairs} + 112]",
            "vmovdqu32 xmm24, xmmword ptr [{pairs} + 128]",
            "vmovdqu32 xmm25, xmmword ptr [{pairs} + 144]",
            "vmovdqu32 xmm26, xmmword ptr [{pairs} + 160]",
            "vmovdqu32 xmm27, xmmword ptr [{pairs} + 176]",
            concat!(
                sixteen_rounds!(0 1 2 3),
                sixteen_rounds!(4 5 6 7),
                sixteen_rounds!(8 9 10 11),
                last_rounds!(12, 16, 20, 24),
                last_rounds!(13, 17, 21, 25),
                last_rounds!(14, 18, 22, 26),
                last_rounds!(15, 19, 23, 27),
                finish!(0, 7 8, 1 2),
                finish!(1, 9 10, 3 4),
                finish!(2, 11 12, 5 6),
            ),
            rounds = in(reg) ROUNDS.0.as_ptr(),
            pairs = in(reg) layer.pairs,
            states = in(reg) nodes.states.as_mut_ptr(),
            parents = in(reg) nodes.parents,
            inout("xmm1") iv_abef => _, inout("xmm2") iv_cdgh => _, inout("xmm3") iv_abef => _,
            inout("xmm4") iv_cdgh => _, inout("xmm5") iv_abef => _, inout("xmm6") iv_cdgh => _,
            inout("xmm7") s0 => s0, inout("xmm8") s1 => s1, inout("xmm9") s2 => s2,
            inout("xmm10") s3 => s3, inout("xmm11") s4 => s4, inout("xmm12") s5 => s5,
            in("zmm28") iv_abef, in("zmm29") iv_cdgh,
            // The two top bits of a node's last byte are cleared.
            in("zmm30") _mm_set_epi32(0xffff_ff3f_u32.cast_signed(), -1, -1, -1),
            out("xmm0") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _,
            out("zmm22") _, out("zmm23") _, out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
            options(nostack),
        );
        nodes.parents = layer.parents;
        layer.pairs = layer.pairs.add(2 * AT_ONCE);
        layer.parents = layer.parents.add(AT_ONCE);
        swap(&mut layer, &mut other);
    }
}
