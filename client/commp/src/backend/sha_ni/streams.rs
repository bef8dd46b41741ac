//! Plain SHA-256 of two messages of one length at once: one alone waits for its own rounds.
#![allow(unsafe_op_in_unsafe_fn, reason = "each line would say the same")]

use core::arch::x86_64::*;

use super::{digest_of, initial, load, rounds};

/// Messages that are interleaved: with their blocks they fill the sixteen registers.
const SETS: usize = 2;

/// # Safety
///
/// The CPU has SHA and AVX2; each message is good for `size` bytes, a multiple of 64.
#[target_feature(enable = "sha,avx2")]
pub(super) unsafe fn hash(messages: [*const u8; SETS], size: usize, digests: &mut [[u8; 32]; SETS]) {
    let iv = initial();
    let (mut abef, mut cdgh) = ([iv[0]; SETS], [iv[1]; SETS]);
    let mut at = 0;
    while at < size {
        let mut blocks = messages.map(|message| load(message.add(at).cast()));
        compress(&mut abef, &mut cdgh, &mut blocks);
        at += 64;
    }
    // The padding: one bit, zeros, the length in bits. It is the same for both.
    let mut last = [0; 64];
    last[0] = 0x80;
    last[56..].copy_from_slice(&((size as u64) << 3).to_be_bytes());
    compress(&mut abef, &mut cdgh, &mut [load(last.as_ptr().cast()); SETS]);
    for l in 0..SETS {
        let [low, high] = digest_of(abef[l], cdgh[l]);
        let digest = digests[l].as_mut_ptr().cast::<__m128i>();
        _mm_storeu_si128(digest, low);
        _mm_storeu_si128(digest.add(1), high);
    }
}

/// Compresses one block of each message. Destroys the blocks.
///
/// # Safety
///
/// The CPU has SHA and AVX2.
#[inline(always)]
unsafe fn compress(abef: &mut [__m128i; SETS], cdgh: &mut [__m128i; SETS], blocks: &mut [[__m128i; 4]; SETS]) {
    let before = (*abef, *cdgh);
    rounds(abef, cdgh, blocks);
    for l in 0..SETS {
        abef[l] = _mm_add_epi32(abef[l], before.0[l]);
        cdgh[l] = _mm_add_epi32(cdgh[l], before.1[l]);
    }
}
