//! Every backend against an oracle that works bit by bit, and against the portable one at sizes too large for that.

mod backends;
mod proofs;
mod saved;
mod streams;
#[path = "../../src/vectors.rs"]
#[allow(dead_code, reason = "the walker is the client's; some of it is for other subjects")]
mod vectors;

use std::io::Write;

use cid::Cid;
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};

use self::vectors::{Case, lcg};
use super::chunk::{BATCH, CHUNK};
use super::*;

#[test]
fn vectors_hold() {
    let files = vectors::walk("piece", &["cids.json", "comm_d.json", "commp.json", "zero.json"]);
    for case in &files["commp.json"] {
        for backend in backends::available() {
            let piece = Engine::new().backend(backend).unwrap().piece_of(&payload(case)).unwrap();
            let mut found = json!({"piece_cid": piece.piece_cid.to_string(), "padded_size": piece.padded_size.0});
            if case.value["expect"].get("piece_cid_v2").is_some() {
                found["piece_cid_v2"] = piece_cid_v2(&piece).to_string().into();
            }
            case.check(Ok::<_, Error>(found));
            assert_eq!(parse_piece_cid_v2(&piece_cid_v2(&piece)), Ok(piece), "{}", case.name);
        }
    }
    for case in &files["zero.json"] {
        let size = PaddedPieceSize(case.number("padded_size"));
        case.check(zero_piece(size).map(|root| piece_cid(&root).to_string().into()));
    }
    for case in &files["cids.json"] {
        if case.value.get("piece_cid").is_some() {
            let found = parse_piece_cid(&case.text("piece_cid").parse().unwrap());
            case.check(found.map(|root| hex::encode(root).into()));
        } else {
            let cid: Cid = case.text("piece_cid_v2").parse().unwrap();
            let found = parse_piece_cid_v2(&cid);
            assert!(found.iter().all(|piece| piece_cid_v2(piece) == cid), "{}", case.name);
            case.check(found.map(|piece| {
                json!({
                    "piece_cid": piece.piece_cid.to_string(),
                    "padded_size": piece.padded_size.0,
                    "payload_size": piece.payload_size,
                })
            }));
        }
    }
    for case in &files["comm_d.json"] {
        let pieces: Vec<(String, u64)> = serde_json::from_value(case.value["pieces"].clone()).unwrap();
        let pieces: Vec<_> = pieces.iter().map(|(c, size)| (c.parse().unwrap(), PaddedPieceSize(*size))).collect();
        let found = comm_d(&pieces, PaddedPieceSize(case.number("sector_size")));
        case.check(found.map(|cid| cid.to_string().into()));
    }
}

/// Runs of `run` bytes, each of the next byte in `fill`, cut at `size`; the last byte goes on.
fn payload(case: &Case) -> Vec<u8> {
    let fill: Vec<String> = serde_json::from_value(case.value["fill"].clone()).unwrap();
    let fill: Vec<u8> = fill.iter().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let (run, size) = (case.number("run").max(1) as usize, case.number("size") as usize);
    (0..size).map(|i| fill[(i / run).min(fill.len() - 1)]).collect()
}

/// Bit by bit and layer by layer, all in memory.
fn oracle(payload: &[u8]) -> Commitment {
    let quads = payload.len().div_ceil(127).max(1).next_power_of_two();
    let mut payload = payload.to_vec();
    payload.resize(quads * 127, 0);
    let mut layer: Vec<Commitment> = vec![[0; 32]; quads * 4];
    for (leaf, out) in layer.iter_mut().enumerate() {
        for bit in 0..254 {
            let at = leaf * 254 + bit;
            out[bit / 8] |= (payload[at / 8] >> (at % 8) & 1) << (bit % 8);
        }
    }
    while layer.len() > 1 {
        layer = layer
            .chunks(2)
            .map(|pair| {
                let mut hash: Commitment = Sha256::digest(pair.concat()).into();
                hash[31] &= 0b0011_1111;
                hash
            })
            .collect();
    }
    layer[0]
}

fn portable() -> Engine {
    Engine::new().backend(Backend::Portable).unwrap()
}

#[test]
fn sizes_around_every_edge_agree_with_the_oracle() {
    for edge in [0, 127, 254, 508, 1016, 2032, 4064, BATCH, 2 * BATCH, 3 * BATCH, CHUNK] {
        for size in edge.max(2) - 2..edge + 3 {
            let payload: Vec<u8> = lcg(size as u32).take(size).collect();
            let piece = portable().piece_of(&payload).unwrap();
            assert_eq!(parse_piece_cid(&piece.piece_cid), Ok(oracle(&payload)), "{size} bytes");
            assert_eq!(padded_size_of(size as u64), Ok(piece.padded_size));
        }
    }
}

#[test]
fn a_prefix_is_patched_at_every_size() {
    let small = [1, 58, 59, 60, 126, 127, 128, 254, 255, 1017, 8127, 8128, 8129];
    let large =
        [BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 3 * BATCH + 5, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 9];
    for size in small.into_iter().chain(large) {
        for threads in [1, 2] {
            let mut payload: Vec<u8> = lcg(7).take(size).collect();
            let mut comm_p = Engine::new().threads(threads).comm_p();
            comm_p.update(&payload).unwrap();
            let prefix: Vec<u8> = lcg(8).take(size.min(127)).collect();
            comm_p.patch_prefix(&prefix).unwrap();
            payload[..prefix.len()].copy_from_slice(&prefix);
            assert_eq!(comm_p.finish(), portable().piece_of(&payload).unwrap(), "{size} bytes");
        }
    }
    let mut short = CommP::new();
    short.update(&[1; 58]).unwrap();
    assert_eq!(short.patch_prefix(&[0; 59]), Err(Error::BadPrefix));
    short.update(&[1; 1000]).unwrap();
    assert_eq!(short.patch_prefix(&[0; 128]), Err(Error::BadPrefix));
}

#[test]
fn more_than_a_sector_is_refused() {
    let most = MAX_PADDED_SIZE.unpadded().0;
    assert_eq!(padded_size_of(most), Ok(MAX_PADDED_SIZE));
    assert_eq!(padded_size_of(most + 1), Err(Error::TooLarge));
    assert_eq!(padded_size_of(u64::MAX), Err(Error::TooLarge));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        rng_seed: proptest::test_runner::RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn writes_may_be_cut_anywhere(
        cuts in prop::collection::vec(0usize..40_000, 1..10),
        seed: u32,
        prefix in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        let size = cuts.iter().sum();
        let mut payload: Vec<u8> = lcg(seed).take(size).collect();
        let mut comm_p = CommP::new();
        let mut rest = &payload[..];
        for cut in cuts {
            comm_p.write_all(&rest[..cut]).unwrap();
            rest = &rest[cut..];
        }
        let prefix = &prefix[..prefix.len().min(size)];
        comm_p.patch_prefix(prefix).unwrap();
        payload[..prefix.len()].copy_from_slice(prefix);
        prop_assert_eq!(parse_piece_cid(&comm_p.finish().piece_cid), Ok(oracle(&payload)));
    }
}
