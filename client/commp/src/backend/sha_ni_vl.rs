//! SHA-NI where AVX-512VL doubles the registers: then nothing that two units of the SHA instructions (Zen 4) have to do waits in memory.
//! The first block of three nodes (rounds and message schedule) is hashed beside the second of three others (rounds alone), so that the
//! other units are as busy all the time.
#![allow(
    unsafe_code,
    reason = "the order of the instructions and their registers are the point; what each function needs is said at it"
)]
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each line would say the same: the CPU has the features, the pointers are good"
)]

mod rounds;
mod spread;
mod step;
mod streams;

use self::spread::{spread_quads, to_bytes};
use self::step::{AT_ONCE, FETCHED, Layer, Nodes, Words};
use super::{Kernel, sha_ni};
use crate::Commitment;
use crate::chunk::{Batch, LANE, LANE_QUADS, LANES};
use crate::streams::FOUR;

/// Makes the kernel where the CPU has the instructions.
pub(super) fn kernel() -> Option<Kernel> {
    is_available().then_some(Kernel { lane_roots, hash_layer })
}

fn is_available() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("avx2")
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
    unsafe { lane_roots_here(batch, roots) }
}

/// Layers are above the lanes, where little is left to do.
fn hash_layer(nodes: &mut [Commitment]) {
    let done = sha_ni::try_hash_layer_from(nodes, 0);
    debug_assert!(done, "whoever has this backend's instructions has that one's");
}

/// Leaves of a lane, and all nodes of its subtree as they follow one another: the parents of 2i and 2i + 1 at LEAVES + i.
const LEAVES: usize = 4 * LANE_QUADS;
const SUBTREE: usize = 2 * LEAVES;

/// Steps that hash a lane up to two nodes: its root is a third in the last step, too early and of no use.
const STEPS: usize = (LEAVES - 2).div_ceil(AT_ONCE);
const _: () = assert!(STEPS * AT_ONCE == LEAVES - 1, "the last step has two nodes and the root");
const _: () = assert!(2 * STEPS * FETCHED >= 2 * LANE, "all that comes next is fetched");

/// Steps that hash half of the roots, and the roots they make: two more than there are, of nothing.
const ROOT_STEPS: usize = (LANES / 2).div_ceil(AT_ONCE);
const ROOTS: usize = 2 * ROOT_STEPS * AT_ONCE;

/// # Safety
///
/// The CPU has the features. (Memory: of a subtree, STEPS times six nodes are read, and all but three times as many written behind the leaves; the
/// last three go to the tops, two of them to stay. Of the tops all are read, and half as many found.)
#[target_feature(enable = "sha,avx2,avx512f,avx512bw,avx512vl")]
unsafe fn lane_roots_here(batch: &Batch, roots: &mut [Commitment; LANES]) {
    let mut subtrees = [[Words::ZERO; SUBTREE]; 2];
    let mut tops = [Words::ZERO; 2 * ROOTS];
    let mut found = [Words::ZERO; ROOTS];
    let mut nowhere = [Words::ZERO; AT_ONCE];
    let sides = subtrees.each_mut().map(|subtree| subtree.as_mut_ptr());
    let (tops, roots_found) = (tops.as_mut_ptr(), found.as_mut_ptr());
    let mut nodes = Nodes::new(nowhere.as_mut_ptr());
    // What a step writes is there after the next one; so two lanes take turns, and none of a lane's steps reads what the one before it writes.
    for pair in 0..LANES / 2 {
        for (side, subtree) in sides.into_iter().enumerate() {
            spread_quads(batch.as_ptr(), 2 * pair + side, subtree);
        }
        // What the next two are spread from may lie behind the batch.
        let next = batch.as_ptr().wrapping_add(2 * (pair + 1) * LANE);
        let [layer, other] = sides.map(|subtree| Layer { pairs: subtree, parents: subtree.add(LEAVES) });
        nodes.steps(2 * (STEPS - 1), layer, other, next);
        let last = |side: usize| Layer {
            pairs: sides[side].add((STEPS - 1) * 2 * AT_ONCE),
            parents: tops.add(2 * (2 * pair + side)),
        };
        nodes.steps(2, last(0), last(1), next.wrapping_add(2 * (STEPS - 1) * FETCHED));
    }
    let half = |from: usize| Layer { pairs: tops.add(2 * from), parents: roots_found.add(from) };
    nodes.steps(2 * ROOT_STEPS, half(0), half(ROOTS / 2), batch.as_ptr());
    // Finishes the last three; what is begun with it is nobody's.
    let nobodys = Layer { pairs: tops, parents: nowhere.as_mut_ptr() };
    nodes.steps(1, nobodys, nobodys, batch.as_ptr());
    to_bytes(&found, roots);
}
