//! AVX-512: sixteen subtrees of 64 quads at once, one in each 32-bit lane. The payload is turned into lanes once; Fr32 and all
//! layers of the subtrees are done there, without going back to bytes in between.
#![allow(
    unsafe_code,
    reason = "vectors over raw memory; what each function needs is said at it, and checked in this file"
)]
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "each line would say the same: the CPU has the features, the pointers are good"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "with iterators the compiler moves twice as much between registers and memory"
)]

mod lanes;
mod sha256;
mod streams;

use core::arch::x86_64::_mm512_setzero_si512;
use core::mem::MaybeUninit;

use self::lanes::{load, load_quad, store};
use self::sha256::{Message, SETS, State, hash};
use super::{Kernel, portable, sha_ni};
use crate::Commitment;
use crate::chunk::{Batch, LANE_QUADS, LANES};
use crate::streams::{STAGE, STREAMS};

/// Quads whose four leaves make a full run of sets.
const QUADS: usize = SETS / 2;

/// Makes the kernel where the CPU has the instructions.
pub(super) fn kernel() -> Option<Kernel> {
    let available = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
    available.then_some(Kernel { lane_roots, hash_layer })
}

/// Hashes messages of one length, a multiple of the stage. `None` where the CPU has not the instructions.
pub(crate) fn hash_streams(messages: &[&[u8]; STREAMS]) -> Option<[[u8; 32]; STREAMS]> {
    let size = messages[0].len();
    let fits = size.is_multiple_of(STAGE) && messages.iter().all(|message| message.len() == size);
    if !fits || kernel().is_none() {
        return None;
    }
    let mut digests = [[0; 32]; STREAMS];
    // SAFETY: the features were just seen, and all messages are of this size.
    unsafe { streams::hash(&messages.map(<[u8]>::as_ptr), size, &mut digests) };
    Some(digests)
}

fn lane_roots(batch: &Batch, roots: &mut [Commitment; LANES]) {
    // SAFETY: only `kernel` hands this function out, and it has seen the features.
    unsafe { lane_roots_here(batch, roots) }
}

fn hash_layer(nodes: &mut [Commitment]) {
    // SAFETY: as above.
    let done = unsafe { hash_sets(nodes) };
    if !sha_ni::try_hash_layer_from(nodes, done) {
        portable::hash_layer_from(nodes, done);
    }
}

/// Separate from its caller, so that the registers of the turning do not press on those of the hashing.
///
/// # Safety
///
/// The CPU has AVX-512 F and BW; `batch` is good for a batch, `q` and the next two are quads of a lane but not its last, `messages` is good for a run of sets.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn load_quads(batch: *const u8, q: usize, messages: *mut Message) {
    for i in 0..QUADS {
        load_quad::<false>(batch, q + i, messages.add(2 * i));
    }
}

/// # Safety
///
/// The CPU has AVX-512 F and BW; `batch` is good for a batch, `messages` for two.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn load_last_quad(batch: *const u8, messages: *mut Message) {
    load_quad::<true>(batch, LANE_QUADS - 1, messages);
}

/// # Safety
///
/// The CPU has the features. (Memory: what is read is the batch; `nodes` holds two for each quad of a lane; `messages` holds
/// what is loaded each time; both are written before they are read.)
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn lane_roots_here(batch: &Batch, roots: &mut [Commitment; LANES]) {
    let mut nodes = MaybeUninit::<[State; 2 * LANE_QUADS]>::uninit();
    let mut messages = MaybeUninit::<[Message; SETS]>::uninit();
    let (nodes, messages) = (nodes.as_mut_ptr().cast::<State>(), messages.as_mut_ptr().cast::<Message>());
    let mut q = 0;
    const { assert!(LANE_QUADS % QUADS == 1, "one quad is left, the last") };
    while q < LANE_QUADS - 1 {
        load_quads(batch.as_ptr(), q, messages);
        hash(nodes.add(2 * q), messages, SETS);
        q += QUADS;
    }
    load_last_quad(batch.as_ptr(), messages);
    hash(nodes.add(2 * q), messages, 2);
    // Two neighbouring nodes are the message of their parent as they lie.
    let mut layer = 2 * LANE_QUADS;
    while layer > 1 {
        layer /= 2;
        hash(nodes, nodes.cast(), layer);
    }
    store(nodes, roots.as_mut_ptr().cast());
}

/// Hashes pairs, sixteen at a time, as long as there are so many. Says how many pairs are done.
///
/// # Safety
///
/// The CPU has the features. (Memory: pair i is 64 bytes from 64i on, its parent 32 bytes from 32i on; of each run all pairs
/// are loaded before any parent is stored, and no parent lies behind the pairs of its own run.)
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn hash_sets(nodes: &mut [Commitment]) -> usize {
    let sets = nodes.len() / 2 / LANES;
    let bytes = nodes.as_mut_ptr().cast::<u8>();
    let mut states = [[_mm512_setzero_si512(); 8]; SETS];
    let mut messages = [[_mm512_setzero_si512(); 16]; SETS];
    let (states, messages) = (states.as_mut_ptr(), messages.as_mut_ptr());
    let mut done = 0;
    while done < sets {
        let run = (sets - done).min(SETS);
        for i in 0..run {
            load(bytes.add((done + i) * LANES * 64), messages.add(i));
        }
        hash(states, messages, run);
        for i in 0..run {
            store(states.add(i), bytes.add((done + i) * LANES * 32));
        }
        done += run;
    }
    sets * LANES
}
