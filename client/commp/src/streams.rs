//! Plain SHA-256 of many messages at once: the leaves of a content graph.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

#[cfg(target_arch = "x86_64")]
use crate::backend::hash_streams;

/// Messages that the kernel takes at once.
pub(crate) const STREAMS: usize = 32;
/// Their lengths are a multiple of this.
pub(crate) const STAGE: usize = 512;

/// Bytes of each message in the measurement.
const SAMPLE: usize = 4 * STAGE;

/// How many messages of one length are best handed over together.
pub const MESSAGES_AT_ONCE: usize = STREAMS;

/// How many messages of one length a thread should wait for where other threads wait for it: [`MESSAGES_AT_ONCE`] if so many side by side take
/// at most two thirds of the time that they take two by two; else two.
pub fn messages_worth_gathering() -> usize {
    if enough() <= STREAMS * 2 / 3 { STREAMS } else { 2 }
}

/// Hashes each message with SHA-256. Runs of messages of one length, a multiple of 512 bytes, go through the vector unit side by
/// side where that is faster here: up to three times as fast as one by one when there are [`MESSAGES_AT_ONCE`]. Two of one length, a
/// multiple of 64, share the CPU's SHA instructions.
///
/// Which way is faster is measured once, in less than a millisecond.
pub fn sha256_each(messages: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut digests = Vec::with_capacity(messages.len());
    while digests.len() < messages.len() {
        let rest = &messages[digests.len()..];
        let size = rest[0].len();
        let run = rest.iter().take(STREAMS).take_while(|message| message.len() == size).count();
        let fits = size > 0 && size.is_multiple_of(STAGE);
        match (fits && run > 1 && run >= enough()).then(|| side_by_side(&rest[..run])).flatten() {
            Some(found) => digests.extend_from_slice(&found[..run]),
            None => {
                for messages in rest[..run].chunks(2) {
                    match pair(messages) {
                        Some(both) => digests.extend(both),
                        None => digests.extend(messages.iter().map(|message| one(message))),
                    }
                }
            }
        }
    }
    digests
}

/// Hashes two messages at once, where the CPU has a way.
fn pair(messages: &[&[u8]]) -> Option<[[u8; 32]; 2]> {
    #[cfg(target_arch = "x86_64")]
    if let [first, second] = messages {
        return crate::backend::digest_pair([first, second]);
    }
    _ = messages;
    None
}

fn one(message: &[u8]) -> [u8; 32] {
    #[cfg(target_arch = "aarch64")]
    if let Some(digest) = crate::backend::digest(message) {
        return digest;
    }
    Sha256::digest(message).into()
}

/// Hashes up to 32 messages of one length; lanes without a message repeat the first.
#[cfg(target_arch = "x86_64")]
fn side_by_side(messages: &[&[u8]]) -> Option<[[u8; 32]; STREAMS]> {
    let lanes = std::array::from_fn(|lane| *messages.get(lane).unwrap_or(&messages[0]));
    hash_streams(&lanes)
}

#[cfg(not(target_arch = "x86_64"))]
fn side_by_side(_: &[&[u8]]) -> Option<[[u8; 32]; STREAMS]> {
    None
}

/// How many messages make it worth hashing them side by side.
fn enough() -> usize {
    static ENOUGH: OnceLock<usize> = OnceLock::new();
    *ENOUGH.get_or_init(|| {
        let sample = [0x5a; SAMPLE];
        if side_by_side(&[&sample]).is_none() {
            return usize::MAX;
        }
        let all = shortest(|| _ = black_box(side_by_side(black_box(&[&sample]))));
        // One of two, where they go together.
        let each = match pair(&[&sample, &sample]) {
            Some(_) => shortest(|| _ = black_box(pair(black_box(&[&sample, &sample])))) / 2,
            None => shortest(|| _ = black_box(one(black_box(&sample)))),
        };
        (all.as_nanos() / each.as_nanos().max(1) + 1).try_into().unwrap_or(usize::MAX)
    })
}

fn shortest(work: impl Fn()) -> Duration {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    times.min().expect("five times")
}
