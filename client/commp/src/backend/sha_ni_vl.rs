//! SHA-NI where AVX-512VL doubles the registers: then nothing that the two units for the SHA instructions of a Zen 4 have to do waits in memory.
#![allow(
    unsafe_code,
    reason = "the order of the instructions and their registers are the point; what each function needs is said at it"
)]
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each line would say the same: the CPU has the features, the pointers are good"
)]

// Text of instructions stands as it is meant to be read.
#[rustfmt::skip]
mod rounds;
mod spread;
#[rustfmt::skip]
mod steps;
#[rustfmt::skip]
mod streams;

use self::spread::spread_quads;
use self::steps::steps;
use super::sha_ni::lanes::{self, Way};
use super::{Kernel, sha_ni};
use crate::Commitment;
use crate::chunk::{Batch, LANES};
use crate::streams::FOUR;

/// Makes the kernel where the CPU has the instructions.
pub(super) fn kernel() -> Option<Kernel> {
    is_available().then_some(Kernel { lane_roots, hash_layer })
}

fn is_available() -> bool {
    sha_ni::is_available()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
}

/// Hashes four messages of one length, a multiple of 64. `None` where the CPU has not the instructions.
pub(crate) fn digest_four(messages: [&[u8]; FOUR]) -> Option<[[u8; 32]; FOUR]> {
    let size = messages[0].len();
    let fits = size.is_multiple_of(64) && messages.iter().all(|message| message.len() == size);
    if !fits || !is_available() {
        return None;
    }
    let mut digests = [[0; 32]; FOUR];
    // SAFETY: the features are there, and all messages are of this size.
    unsafe { streams::hash(messages.map(<[u8]>::as_ptr), size, &mut digests) };
    Some(digests)
}

fn lane_roots(batch: &Batch, roots: &mut [Commitment; LANES]) {
    // SAFETY: only `kernel` hands this function out, and it has seen the features.
    unsafe { lanes::lane_roots(Way { spread_quads, steps }, batch, roots) }
}

/// Layers are above the lanes, where little is left to do.
fn hash_layer(nodes: &mut [Commitment]) {
    let done = sha_ni::try_hash_layer_from(nodes, 0);
    debug_assert!(done, "whoever has this backend's instructions has that one's");
}
