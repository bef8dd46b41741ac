//! Messages side by side, and parts hashed ahead, against the plain ways.

use std::iter::repeat_n;

use super::vectors::lcg;
use super::*;
use crate::chunk::{CHUNK, LANE};

fn digests(messages: &[&[u8]]) -> Vec<[u8; 32]> {
    messages.iter().map(|message| Sha256::digest(message).into()).collect()
}

#[test]
fn messages_side_by_side_have_the_same_digests() {
    let bytes: Vec<u8> = lcg(7).take(41 * 4099).collect();
    for size in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 500, 511, 512, 513, 1024, 1536, 4096] {
        for count in [0, 1, 2, 3, 4, 5, 7, 9, 15, 16, 17, 31, 32, 33, 40] {
            // Not aligned to anything, and not where one lane's neighbour ends.
            let messages: Vec<_> = (0..count).map(|i| &bytes[i * (size + 3)..][..size]).collect();
            assert_eq!(sha256_each(&messages), digests(&messages), "{count} of {size} bytes");
        }
    }
    let worth = [true, false].map(messages_worth_gathering);
    assert!(worth.iter().all(|worth| [2, 4, MESSAGES_AT_ONCE].contains(worth)) && worth.is_sorted(), "{worth:?}");
    // Lengths that change in between.
    let sizes = repeat_n(512, 33).chain([5, 0]).chain(repeat_n(1024, 20)).chain(repeat_n(512, 12));
    let messages: Vec<_> = sizes.enumerate().map(|(i, size)| &bytes[i..][..size]).collect();
    assert_eq!(sha256_each(&messages), digests(&messages));
}

/// The kernel by itself, whatever the measurement says of it.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_kernel_for_messages_agrees_on_every_lane() {
    let bytes: Vec<u8> = lcg(8).take(32 * 2048).collect();
    let messages: [&[u8]; 32] = std::array::from_fn(|i| &bytes[i * 2048..][..2048]);
    if let Some(found) = crate::backend::hash_streams(&messages) {
        assert_eq!(found[..], digests(&messages));
        let mut other = messages;
        other[3] = &bytes[..512];
        assert!(crate::backend::hash_streams(&other).is_none(), "lengths differ");
    }
}

/// The same of the kernel for two.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_kernel_for_two_messages_agrees() {
    let bytes: Vec<u8> = lcg(11).take(2 * 4099).collect();
    for size in [0, 64, 128, 192, 512, 4096] {
        let messages = [&bytes[1..][..size], &bytes[4099..][..size]];
        if let Some(found) = crate::backend::digest_pair(messages) {
            assert_eq!(found[..], digests(&messages), "{size} bytes");
        }
    }
    for [one, other] in [[64, 128], [63, 63], [0, 64], [1, 1]] {
        assert!(crate::backend::digest_pair([&bytes[..one], &bytes[..other]]).is_none(), "{one} and {other} bytes");
    }
}

/// The same of the kernel for four.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_kernel_for_four_messages_agrees() {
    let bytes: Vec<u8> = lcg(12).take(4 * 4099).collect();
    for size in [0, 64, 128, 192, 512, 4096] {
        let messages: [&[u8]; 4] = std::array::from_fn(|i| &bytes[i * 4097 + 1..][..size]);
        if let Some(found) = crate::backend::digest_four(messages) {
            assert_eq!(found[..], digests(&messages), "{size} bytes");
        }
    }
    for sizes in [[64, 64, 64, 128], [128, 64, 64, 64], [63; 4], [1; 4], [0, 0, 64, 0]] {
        assert!(crate::backend::digest_four(sizes.map(|size| &bytes[..size])).is_none(), "{sizes:?} bytes");
    }
}

fn in_parts(payload: &[u8], sizes: impl IntoIterator<Item = usize>, engine: Engine) -> Tree {
    let mut comm_p = engine.comm_p();
    let mut rest = payload;
    for size in sizes {
        let (bytes, more) = rest.split_at(size.min(rest.len()));
        let part = Engine::new().part(comm_p.written(), bytes);
        comm_p.update_part(bytes, &part).unwrap();
        rest = more;
    }
    comm_p.update(rest).unwrap();
    comm_p.finish_tree()
}

#[test]
fn parts_hashed_ahead_give_the_same_piece() {
    let payload: Vec<u8> = lcg(9).take(3 * CHUNK + 12_345).collect();
    let whole = Engine::new().tree_of(&payload).unwrap();
    for size in [1000, LANE, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 39, CHUNK, (1 << 20) + 39, payload.len()] {
        for first in [0, 59, BATCH, size] {
            let sizes = [first].into_iter().chain(repeat_n(size, payload.len() / size + 1));
            assert_eq!(in_parts(&payload, sizes.clone(), Engine::new()), whole, "{first}, then {size}");
            assert_eq!(in_parts(&payload, sizes, Engine::new().threads(2)), whole, "{first}, then {size}");
        }
    }
    for node in [1 << 10, 1 << 13, 1 << 15, 1 << 20, 1 << 30] {
        let keeping = Engine::new().keep(PaddedPieceSize(node)).unwrap();
        let tree = keeping.tree_of(&payload).unwrap();
        for size in [CHUNK, BATCH + 1, (1 << 20) + 39] {
            assert_eq!(in_parts(&payload, repeat_n(size, 4), keeping), tree, "nodes of {node}, parts of {size}");
        }
    }
}

#[test]
fn the_prefix_may_change_behind_parts() {
    let mut payload: Vec<u8> = lcg(10).take(2 * CHUNK).collect();
    let part = Engine::new().part(0, &payload);
    let mut comm_p = CommP::new();
    comm_p.update_part(&payload, &part).unwrap();
    payload[..59].fill(0xee);
    comm_p.patch_prefix(&[0xee; 59]).unwrap();
    assert_eq!(comm_p.finish(), Engine::new().piece_of(&payload).unwrap());
}

#[test]
fn a_part_of_another_place_is_refused() {
    let payload = vec![7; 3 * BATCH];
    let mut comm_p = CommP::new();
    let part = Engine::new().part(BATCH as u64, &payload);
    assert!(matches!(comm_p.update_part(&payload, &part), Err(Error::NotIncluded(_))));
    let part = Engine::new().part(0, &payload);
    assert!(matches!(comm_p.update_part(&payload[..BATCH], &part), Err(Error::NotIncluded(_))));
    comm_p.update_part(&payload, &part).unwrap();
    assert!(matches!(comm_p.update_part(&payload, &part), Err(Error::NotIncluded(_))));
}
