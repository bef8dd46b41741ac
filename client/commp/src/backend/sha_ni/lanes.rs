//! A batch by the SHA instructions: where its nodes stand, and in which order they are hashed.
//!
//! A message block keeps other units busy, too (its schedule), a padding block none; so three nodes are begun while the three before them are
//! finished. That is a step, and there is more than one way to take it.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each line would say the same: the CPU has the features, the pointers are good"
)]

use core::arch::x86_64::__m128i;

use super::initial;
use crate::Commitment;
use crate::chunk::{Batch, LANE, LANE_QUADS, LANES};

/// Nodes of a step.
pub(in super::super) const AT_ONCE: usize = 3;

/// Bytes that a step fetches ahead: two lines of the cache.
pub(in super::super) const FETCHED: usize = 128;

/// A node as the eight words that SHA-256 reckons with, in the order of its bytes.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(in super::super) struct Words(pub [u32; 8]);

impl Words {
    const ZERO: Words = Words([0; 8]);
}

/// Pairs one after the other, and where their parents stand.
#[derive(Clone, Copy)]
pub(in super::super) struct Layer {
    pub pairs: *const Words,
    pub parents: *mut Words,
}

/// The three nodes whose first block is done (ABEF and CDGH), and where they will stand.
pub(in super::super) struct Nodes {
    pub states: [[__m128i; 2]; AT_ONCE],
    pub parents: *mut Words,
}

/// A way to hash batches.
#[derive(Clone, Copy)]
pub(in super::super) struct Way {
    /// Spreads the quads of a lane of the batch over its leaves.
    ///
    /// Safety: the CPU has what it is compiled for; the batch has this lane; the pointer is good for a lane's leaves.
    pub spread_quads: unsafe fn(&Batch, usize, *mut Words),
    /// Takes so many steps, each in the other of two layers. A step begins the parents of three pairs, and writes those that the one before
    /// began; so these are not to be among its pairs. Meanwhile so many bytes a step come nearer from the last pointer, wherever that is.
    ///
    /// Safety: the CPU has what it is compiled for; `pairs` are good for six nodes and `parents` for three for each step in this layer, the last
    /// of them until the next step, and so are the parents that the step before left in the first argument.
    pub steps: unsafe fn(&mut Nodes, usize, Layer, Layer, *const u8),
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

/// Gives the roots of a batch's subtrees.
///
/// # Safety
///
/// The CPU has what the way's functions want. (Memory: of a subtree, STEPS times six nodes are read, and three of each step but the last are
/// written behind the leaves; those of the last go to the tops, two of them to stay. Of the tops all are read, and half as many found.)
pub(in super::super) unsafe fn lane_roots(way: Way, batch: &Batch, roots: &mut [Commitment; LANES]) {
    let mut subtrees = [[Words::ZERO; SUBTREE]; 2];
    let mut tops = [Words::ZERO; 2 * ROOTS];
    let mut found = [Words::ZERO; ROOTS];
    let mut nowhere = [Words::ZERO; AT_ONCE];
    let sides = subtrees.each_mut().map(|subtree| subtree.as_mut_ptr());
    let (tops, roots_found) = (tops.as_mut_ptr(), found.as_mut_ptr());
    let mut nodes = Nodes { states: [initial(); AT_ONCE], parents: nowhere.as_mut_ptr() };
    let Way { spread_quads, steps } = way;
    // What a step writes is there after the next one; so two lanes take turns, and none of a lane's steps reads what the one before it writes.
    for pair in 0..LANES / 2 {
        for (side, subtree) in sides.into_iter().enumerate() {
            spread_quads(batch, 2 * pair + side, subtree);
        }
        // What the next two are spread from may lie behind the batch.
        let next = batch.as_ptr().wrapping_add(2 * (pair + 1) * LANE);
        let [layer, other] = sides.map(|subtree| Layer { pairs: subtree, parents: subtree.add(LEAVES) });
        steps(&mut nodes, 2 * (STEPS - 1), layer, other, next);
        let last = |side: usize| Layer {
            pairs: sides[side].add((STEPS - 1) * 2 * AT_ONCE),
            parents: tops.add(2 * (2 * pair + side)),
        };
        steps(&mut nodes, 2, last(0), last(1), next.wrapping_add(2 * (STEPS - 1) * FETCHED));
    }
    let half = |from: usize| Layer { pairs: tops.add(2 * from), parents: roots_found.add(from) };
    steps(&mut nodes, 2 * ROOT_STEPS, half(0), half(ROOTS / 2), batch.as_ptr());
    // Finishes the last three; what is begun with it is nobody's.
    let nobodys = Layer { pairs: tops, parents: nowhere.as_mut_ptr() };
    steps(&mut nodes, 1, nobodys, nobodys, batch.as_ptr());
    for (node, root) in found.iter().zip(roots) {
        for (word, bytes) in node.0.iter().zip(root.as_chunks_mut().0) {
            *bytes = word.to_be_bytes();
        }
    }
}
