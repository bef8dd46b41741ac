use super::vectors::lcg;
use crate::chunk::{BATCH, CHUNK, LANE};
use crate::*;

#[test]
fn what_was_put_down_goes_on_as_if_it_had_not_been() {
    let payload: Vec<u8> = lcg(11).take(3 * CHUNK + 2 * BATCH + 5_000).collect();
    let ends = [BATCH, CHUNK, 2 * CHUNK + BATCH, payload.len()];
    let cuts = [0, 1, 126, 127, 128, LANE, BATCH - 1, BATCH, BATCH + 1, 7 * BATCH, CHUNK - 1, CHUNK, CHUNK + 1];
    let cuts = cuts.into_iter().chain([CHUNK + 3 * BATCH + 9, 2 * CHUNK, 3 * CHUNK - 1, 3 * CHUNK + BATCH]);
    for cut in cuts {
        for end in ends.into_iter().filter(|end| cut <= *end) {
            let payload = &payload[..end];
            let expected = super::portable().piece_of(payload).unwrap();
            let mut begun = CommP::new();
            begun.update(&payload[..cut]).unwrap();
            let bytes = begun.save().unwrap().to_bytes();
            assert!(bytes.len() <= 6 << 10, "{} bytes", bytes.len());
            let saved = Saved::from_bytes(&bytes).unwrap();
            let covered = saved.covered() as usize;
            assert!(covered <= cut && cut - covered < BATCH, "{covered} of {cut}");
            let mut resumed = CommP::resume(&saved);
            assert_eq!(resumed.written(), saved.covered());
            resumed.update(&payload[covered..]).unwrap();
            // The leftmost path stays open over it.
            let first = payload.len().min(59);
            resumed.patch_prefix(&vec![0xcc; first]).unwrap();
            resumed.patch_prefix(&payload[..first]).unwrap();
            assert_eq!(resumed.finish(), expected, "{cut} of {end} bytes");
        }
    }
}

#[test]
fn parts_hashed_ahead_go_on_too() {
    let payload: Vec<u8> = lcg(12).take(4 * CHUNK).collect();
    let mut comm_p = CommP::new();
    let mut at = 0;
    for size in [59, 700_000, 1, 1_048_616, 500_000, CHUNK] {
        let bytes = &payload[at..at + size];
        let part = Engine::new().part(at as u64, bytes);
        comm_p.update_part(bytes, &part).unwrap();
        at += size;
        let saved = Saved::from_bytes(&comm_p.save().unwrap().to_bytes()).unwrap();
        let mut resumed = CommP::resume(&saved);
        resumed.update(&payload[saved.covered() as usize..]).unwrap();
        assert_eq!(resumed.finish(), CommP::of(&payload).unwrap());
    }
}

#[test]
fn what_was_not_put_down_is_not_taken_up() {
    let payload: Vec<u8> = lcg(13).take(2 * CHUNK + 3 * BATCH).collect();
    for size in [0, BATCH, payload.len()] {
        let mut comm_p = CommP::new();
        comm_p.update(&payload[..size]).unwrap();
        let bytes = comm_p.save().unwrap().to_bytes();
        for keep in 0..bytes.len() {
            assert!(Saved::from_bytes(&bytes[..keep]).is_err(), "{keep} bytes");
        }
        assert!(Saved::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        // Form, length covered, and the numbers of siblings, trees and lanes.
        for at in (0..9).chain(9 + 127..9 + 130) {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(Saved::from_bytes(&changed).is_err(), "bit {bit} of byte {at}, {size} bytes");
            }
        }
        if let Some(height) = bytes.get(9 + 130 + 32 * usize::from(bytes[9 + 127])).filter(|_| bytes[9 + 128] > 0) {
            for wrong in (0..=255).filter(|wrong| wrong != height) {
                let mut changed = bytes.clone();
                changed[9 + 130 + 32 * usize::from(bytes[9 + 127])] = wrong;
                assert!(Saved::from_bytes(&changed).is_err(), "height {wrong}");
            }
        }
    }
}

#[test]
fn only_what_can_be_taken_up_is_put_down() {
    assert!(Engine::new().threads(2).comm_p().save().is_err());
    assert!(Engine::new().keep(PaddedPieceSize(1 << 19)).unwrap().comm_p().save().is_err());
    let saved = CommP::new().save().unwrap();
    assert!(CommP::resume_keeping(&saved, PaddedPieceSize(1 << 19), Vec::new()).is_err());
    assert!(CommP::resume_keeping(&saved, PaddedPieceSize(3), Vec::new()).is_err());
}

#[test]
fn kept_nodes_go_on_being_kept() {
    let payload: Vec<u8> = lcg(14).take(5 * CHUNK + BATCH + 99).collect();
    for node in [1 << 20, 1 << 21, 1 << 22, 1 << 30] {
        let engine = Engine::new().keep(PaddedPieceSize(node)).unwrap();
        let expected = engine.tree_of(&payload).unwrap();
        for cut in [0, 100, BATCH, CHUNK - 1, CHUNK, 2 * CHUNK + 5, 4 * CHUNK, payload.len()] {
            let mut begun = engine.comm_p();
            begun.update(&payload[..cut]).unwrap();
            let saved = Saved::from_bytes(&begun.save().unwrap().to_bytes()).unwrap();
            let mut kept = begun.kept().to_vec();
            if !kept.is_empty() {
                assert!(CommP::resume_keeping(&saved, PaddedPieceSize(node), kept[1..].to_vec()).is_err());
            }
            // What was kept later does not matter.
            kept.push([7; 32]);
            let mut resumed = CommP::resume_keeping(&saved, PaddedPieceSize(node), kept).unwrap();
            resumed.update(&payload[saved.covered() as usize..]).unwrap();
            assert_eq!(resumed.finish_tree(), expected, "nodes of {node}, {cut} bytes");
        }
    }
}
