//! What the CPU allows at most: loops that only touch registers, whose results nobody waits for.
#![allow(unsafe_code, reason = "loops over instructions have to be written as such")]

/// Payload bytes that one node of a piece commitment stands for: a quad of 127 bytes has four, one of them in the layers above.
#[cfg(target_arch = "x86_64")]
const PAYLOAD_OF_A_NODE: f64 = 127.0 / 4.0;

/// What a backend of CommP could reach if its instructions waited for nothing, in GB/s of payload on one core; none where nothing is known.
///
/// AVX-512, sixteen nodes: a round is 17 instructions (16 in the padding block), a word of the schedule 11, and 17 add the initial state and
/// clear two bits: 2,657. SHA-NI: 64 of `sha256rnds2`.
pub fn comm_p(backend: &str) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    match backend {
        "avx512" if is_x86_feature_detected!("avx512f") => {
            return Some(PAYLOAD_OF_A_NODE / (2657.0 / 16.0 * x86::nanoseconds(16, x86::mix)));
        }
        "sha-ni" if is_x86_feature_detected!("sha") => {
            return Some(PAYLOAD_OF_A_NODE / (64.0 * x86::nanoseconds(8, x86::rounds)));
        }
        _ => {}
    }
    _ = backend;
    None
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;
    use std::time::Instant;

    const TURNS: u64 = 200_000;

    /// Nanoseconds of one instruction, the best of many short loops.
    pub fn nanoseconds(in_a_turn: u64, run: fn(u64)) -> f64 {
        let one = || {
            let start = Instant::now();
            run(TURNS);
            start.elapsed().as_secs_f64() * 1e9
        };
        (0..200).map(|_| one()).fold(f64::MAX, f64::min) / (TURNS * in_a_turn) as f64
    }

    /// Six rotations, three logic functions and seven sums, as in a round.
    pub fn mix(turns: u64) {
        // SAFETY: called only where AVX-512 is there; nothing but registers is touched.
        unsafe {
            asm!(
                ".p2align 5",
                "2:",
                "vprord zmm16, zmm0, 6", "vpaddd zmm17, zmm0, zmm1", "vprord zmm18, zmm0, 11", "vpaddd zmm19, zmm0, zmm1",
                "vprord zmm20, zmm0, 25", "vpaddd zmm21, zmm0, zmm1", "vpternlogd zmm2, zmm0, zmm1, 0x96", "vpaddd zmm22, zmm0, zmm1",
                "vprord zmm23, zmm0, 2", "vpaddd zmm24, zmm0, zmm1", "vprord zmm25, zmm0, 13", "vpternlogd zmm3, zmm0, zmm1, 0xca",
                "vprord zmm26, zmm0, 22", "vpaddd zmm27, zmm0, zmm1", "vpternlogd zmm4, zmm0, zmm1, 0xe8", "vpaddd zmm28, zmm0, zmm1",
                "dec {turns}",
                "jnz 2b",
                turns = inout(reg) turns => _,
                out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _,
                out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _,
                out("zmm23") _, out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _,
                options(nomem, nostack)
            );
        }
    }

    /// Eight independent chains of the instruction that does two rounds.
    pub fn rounds(turns: u64) {
        // SAFETY: called only where the SHA extensions are there; nothing but registers is touched.
        unsafe {
            asm!(
                ".p2align 5",
                "2:",
                "sha256rnds2 xmm1, xmm9, xmm0", "sha256rnds2 xmm2, xmm9, xmm0", "sha256rnds2 xmm3, xmm9, xmm0", "sha256rnds2 xmm4, xmm9, xmm0",
                "sha256rnds2 xmm5, xmm9, xmm0", "sha256rnds2 xmm6, xmm9, xmm0", "sha256rnds2 xmm7, xmm9, xmm0", "sha256rnds2 xmm8, xmm9, xmm0",
                "dec {turns}",
                "jnz 2b",
                turns = inout(reg) turns => _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _,
                options(nomem, nostack)
            );
        }
    }
}
