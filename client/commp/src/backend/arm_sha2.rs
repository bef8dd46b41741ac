//! The SHA-256 instructions of ARMv8: one does four rounds of half the state, and waits for the one before it; so four independent
//! nodes are interleaved.
#![allow(
    unsafe_code,
    reason = "SHA instructions have no safe form; every pointer comes from a slice whose length is checked beside it"
)]

use core::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::Kernel;
use super::constants::{IV, K, PADDING};
use super::portable::lane_roots_by_layers;
use crate::Commitment;
use crate::chunk::{Batch, LANES};

/// Makes the kernel where the CPU has the instructions: nearly everywhere but on a Raspberry Pi 4 and older.
pub(super) fn kernel() -> Option<Kernel> {
    is_available().then_some(Kernel { lane_roots, hash_layer })
}

fn is_available() -> bool {
    is_aarch64_feature_detected!("sha2")
}

fn lane_roots(batch: &Batch, roots: &mut [Commitment; LANES]) {
    // SAFETY: only `kernel` hands this function out, and it has seen the feature.
    unsafe { lane_roots_here(batch, roots) }
}

fn hash_layer(nodes: &mut [Commitment]) {
    // SAFETY: as above.
    unsafe { hash_layer_here(nodes) }
}

/// Hashes a message of any length, if the CPU has the instructions: the `sha2` crate does not use them here.
pub(crate) fn digest(message: &[u8]) -> Option<[u8; 32]> {
    // SAFETY: the feature is there.
    is_available().then(|| unsafe { digest_here(message) })
}

#[target_feature(enable = "sha2")]
fn lane_roots_here(batch: &Batch, roots: &mut [Commitment; LANES]) {
    lane_roots_by_layers(batch, roots, |nodes| hash_layer_here(nodes));
}

#[target_feature(enable = "sha2")]
fn hash_layer_here(nodes: &mut [Commitment]) {
    let (mut i, pairs) = (0, nodes.len() / 2);
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

#[target_feature(enable = "sha2")]
fn digest_here(message: &[u8]) -> [u8; 32] {
    let mut state = initial::<1>();
    let (blocks, rest) = message.as_chunks::<64>();
    blocks.iter().for_each(|block| compress(&mut state, [load(block)]));
    // A one, zeros, and the number of bits: in a block or two.
    let mut last = [[0; 64]; 2];
    let bytes = last.as_flattened_mut();
    bytes[..rest.len()].copy_from_slice(rest);
    bytes[rest.len()] = 0x80;
    let count = if rest.len() < 56 { 1 } else { 2 };
    bytes[64 * count - 8..64 * count].copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
    last[..count].iter().for_each(|block| compress(&mut state, [load(block)]));
    store(state[0])
}

/// Halves of the state, `a` to `d` and `e` to `h`, of N messages.
type State<const N: usize> = [[uint32x4_t; 2]; N];
/// The words of a block.
type Words = [uint32x4_t; 4];

#[inline]
#[target_feature(enable = "sha2")]
fn initial<const N: usize>() -> State<N> {
    // SAFETY: there are eight words.
    let iv = unsafe { [vld1q_u32(IV.as_ptr()), vld1q_u32(IV.as_ptr().add(4))] };
    [iv; N]
}

/// Loads a block; SHA-256 is big-endian.
#[inline]
#[target_feature(enable = "sha2")]
fn load(block: &[u8; 64]) -> Words {
    // SAFETY: a block has four times sixteen bytes.
    core::array::from_fn(|j| unsafe { vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(block.as_ptr().add(16 * j)))) })
}

#[inline]
#[target_feature(enable = "sha2")]
fn store([abcd, efgh]: [uint32x4_t; 2]) -> [u8; 32] {
    let mut bytes = [0; 32];
    // SAFETY: the two halves of 32 bytes.
    unsafe {
        vst1q_u8(bytes.as_mut_ptr(), vrev32q_u8(vreinterpretq_u8_u32(abcd)));
        vst1q_u8(bytes.as_mut_ptr().add(16), vrev32q_u8(vreinterpretq_u8_u32(efgh)));
    }
    bytes
}

/// Four rounds, with the words and their constants added.
#[inline]
#[target_feature(enable = "sha2")]
fn rounds(state: &mut [uint32x4_t; 2], words: uint32x4_t) {
    let [abcd, efgh] = *state;
    *state = [vsha256hq_u32(abcd, efgh, words), vsha256h2q_u32(efgh, abcd, words)];
}

/// Takes a block into each state.
#[inline]
#[target_feature(enable = "sha2")]
fn compress<const N: usize>(state: &mut State<N>, mut w: [Words; N]) {
    let before = *state;
    for g in 0..16 {
        // SAFETY: there are 64 constants.
        let k = unsafe { vld1q_u32(K.as_ptr().add(4 * g)) };
        for l in 0..N {
            rounds(&mut state[l], vaddq_u32(w[l][g % 4], k));
            if g < 12 {
                let next = vsha256su0q_u32(w[l][g % 4], w[l][(g + 1) % 4]);
                w[l][g % 4] = vsha256su1q_u32(next, w[l][(g + 2) % 4], w[l][(g + 3) % 4]);
            }
        }
    }
    add(state, &before);
}

#[inline]
#[target_feature(enable = "sha2")]
fn add<const N: usize>(state: &mut State<N>, before: &State<N>) {
    for (state, before) in state.iter_mut().zip(before) {
        *state = [vaddq_u32(state[0], before[0]), vaddq_u32(state[1], before[1])];
    }
}

/// Hashes N messages of 64 bytes into N nodes.
///
/// # Safety
///
/// The pointers are good for N messages and N nodes (which may overlap: all is read first).
#[inline]
#[target_feature(enable = "sha2")]
unsafe fn hash<const N: usize>(messages: *const [u8; 64], nodes: *mut Commitment) {
    // SAFETY: the caller's.
    let words = core::array::from_fn(|l| load(unsafe { &*messages.add(l) }));
    let mut state = initial::<N>();
    compress(&mut state, words);
    // The block of padding behind 64 bytes is always the same.
    let middle = state;
    for g in 0..16 {
        // SAFETY: there are 64 words.
        let kw = unsafe { vld1q_u32(PADDING.as_ptr().add(4 * g)) };
        state.iter_mut().for_each(|state| rounds(state, kw));
    }
    add(&mut state, &middle);
    for (l, state) in state.into_iter().enumerate() {
        let mut node = store(state);
        node[31] &= 0x3f;
        // SAFETY: the caller's.
        unsafe { *nodes.add(l) = node };
    }
}
