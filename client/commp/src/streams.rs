//! Plain SHA-256 of many messages at once: the leaves of a content graph.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

#[cfg(target_arch = "x86_64")]
use crate::backend::{digest_four, digest_pair, hash_streams};

/// Messages that the kernel takes at once.
pub(crate) const STREAMS: usize = 32;
/// Their lengths are a multiple of this.
pub(crate) const STAGE: usize = 512;

/// Messages that the SHA instructions take at once where there are registers for them.
#[cfg(target_arch = "x86_64")]
pub(crate) const FOUR: usize = 4;

/// Bytes of each message in the measurement.
const SAMPLE: usize = 4 * STAGE;

/// How many messages of one length are best handed over together.
pub const MESSAGES_AT_ONCE: usize = STREAMS;

/// How many messages of one length are worth waiting for: [`MESSAGES_AT_ONCE`] if so many side by side take less time than a few at a time, at
/// most two thirds of it where other threads do nothing meanwhile; else as many as those few, four or two.
pub fn messages_worth_gathering(others_wait: bool) -> usize {
    let ways = ways();
    let most = if others_wait { STREAMS * 2 / 3 } else { STREAMS };
    if ways.enough <= most { STREAMS } else { ways.few.max(2) }
}

/// Hashes each message with SHA-256. Runs of messages of one length, a multiple of 512 bytes, go through the vector unit side by
/// side where that is faster here: up to three times as fast as one by one when there are [`MESSAGES_AT_ONCE`]. Two or four of one length,
/// a multiple of 64, share the CPU's SHA instructions.
///
/// Which way is faster is measured once, in less than a millisecond.
pub fn sha256_each(messages: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut digests = Vec::with_capacity(messages.len());
    while digests.len() < messages.len() {
        let rest = &messages[digests.len()..];
        let size = rest[0].len();
        let run = rest.iter().take(STREAMS).take_while(|message| message.len() == size).count();
        let fits = size > 0 && size.is_multiple_of(STAGE);
        match (fits && run > 1 && run >= ways().enough).then(|| side_by_side(&rest[..run])).flatten() {
            Some(found) => digests.extend_from_slice(&found[..run]),
            None => few_at_once(ways().few, &rest[..run], &mut digests),
        }
    }
    digests
}

/// Hashes messages of one length, so many at once; fewer where the CPU has no way for so many.
fn few_at_once(few: usize, messages: &[&[u8]], digests: &mut Vec<[u8; 32]>) {
    for messages in messages.chunks(few) {
        match four(messages) {
            Some(found) => digests.extend_from_slice(&found[..messages.len()]),
            None => {
                for messages in messages.chunks(few.min(2)) {
                    match pair(messages) {
                        Some(both) => digests.extend(both),
                        None => digests.extend(messages.iter().map(|message| one(message))),
                    }
                }
            }
        }
    }
}

/// Hashes four messages at once, or three, where the CPU has a way. (A fourth that is another once more costs less than two and one.)
#[cfg(target_arch = "x86_64")]
fn four(messages: &[&[u8]]) -> Option<[[u8; 32]; FOUR]> {
    match *messages {
        [a, b, c, d] => digest_four([a, b, c, d]),
        [a, b, c] => digest_four([a, b, c, c]),
        _ => None,
    }
}

/// Hashes two messages at once, where the CPU has a way.
#[cfg(target_arch = "x86_64")]
fn pair(messages: &[&[u8]]) -> Option<[[u8; 32]; 2]> {
    if let [first, second] = *messages { digest_pair([first, second]) } else { None }
}

/// Hashes up to 32 messages of one length; lanes without a message repeat the first.
#[cfg(target_arch = "x86_64")]
fn side_by_side(messages: &[&[u8]]) -> Option<[[u8; 32]; STREAMS]> {
    let lanes = std::array::from_fn(|lane| *messages.get(lane).unwrap_or(&messages[0]));
    hash_streams(&lanes)
}

#[cfg(not(target_arch = "x86_64"))]
fn four(_: &[&[u8]]) -> Option<[[u8; 32]; 4]> {
    None
}

#[cfg(not(target_arch = "x86_64"))]
fn pair(_: &[&[u8]]) -> Option<[[u8; 32]; 2]> {
    None
}

#[cfg(not(target_arch = "x86_64"))]
fn side_by_side(_: &[&[u8]]) -> Option<[[u8; 32]; STREAMS]> {
    None
}

fn one(message: &[u8]) -> [u8; 32] {
    #[cfg(target_arch = "aarch64")]
    if let Some(digest) = crate::backend::digest(message) {
        return digest;
    }
    Sha256::digest(message).into()
}

/// Which ways are the fastest here.
struct Ways {
    /// How many messages make it worth hashing them side by side.
    enough: usize,
    /// How many are hashed at once where they are fewer.
    few: usize,
}

fn ways() -> &'static Ways {
    static WAYS: OnceLock<Ways> = OnceLock::new();
    WAYS.get_or_init(|| {
        let sample = &[0x5a; SAMPLE][..];
        // Where there is no choice there may be no clock either: WebAssembly.
        if pair(&[sample; 2]).is_none() && side_by_side(&[sample]).is_none() {
            return Ways { enough: usize::MAX, few: 1 };
        }
        let each = |few: usize| {
            let messages = &[sample; 4][..few];
            shortest(|| few_at_once(few, black_box(messages), &mut Vec::with_capacity(few))) / few as u32
        };
        let (few, each) =
            [4, 2, 1].map(|few| (few, each(few))).into_iter().min_by_key(|(_, each)| *each).expect("three");
        let enough = match side_by_side(&[sample]) {
            Some(_) => {
                let all = shortest(|| _ = black_box(side_by_side(black_box(&[sample]))));
                (all.as_nanos() / each.as_nanos().max(1) + 1).try_into().unwrap_or(usize::MAX)
            }
            None => usize::MAX,
        };
        Ways { enough, few }
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
