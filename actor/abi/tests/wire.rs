//! Numbers against published figures, events there and back, and the edges of small rules.

use std::collections::BTreeSet;

use bauta_abi::*;
use frc42_macros::method_hash;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;

#[path = "vectors/samples.rs"]
#[allow(dead_code)]
mod samples;
#[path = "vectors/tables.rs"]
#[allow(dead_code)]
mod tables;

/// `samples.rs` is shared with the vectors' test, which makes more of a subject than this one needs.
pub struct Subject;

impl Subject {
    #[allow(clippy::missing_const_for_fn)]
    fn new<T>(_name: &str, _good: Vec<T>, _bad: Vec<(&str, T)>) -> Self {
        Self
    }
}

/// `npm:@zondax/filecoin-solidity` 4.0.3 (`contracts/v0.8/types`), and FIP-0076 for the notification.
const PUBLISHED: [(u64, u64); 7] = [
    (Method::SectorContentChanged.number(), 2_034_386_435),
    (method_hash!("GetDealDataCommitment"), 1_157_985_802),
    (method_hash!("GetDealProvider"), 935_081_690),
    (method_hash!("GetDealActivation"), 2_567_238_399),
    (method_hash!("AddBalance"), 822_473_126),
    (method_hash!("AuthenticateMessage"), 2_643_134_072),
    (method_hash!("Receive"), 3_726_118_371),
];

#[test]
fn numbers_are_those_of_the_standard() {
    for (ours, published) in PUBLISHED {
        assert_eq!(ours, published);
    }
    let numbers: BTreeSet<_> = Method::ALL.iter().map(|method| method.number()).collect();
    assert_eq!(numbers.len(), Method::ALL.len());
    assert!(numbers.iter().all(|number| *number >= 1 << 24), "below are the built-in actors' own");
    for method in Method::ALL {
        assert_eq!(Method::from_number(method.number()), Some(*method));
        assert!(!(method.is_view() && method.is_payable()));
    }
    assert_eq!(Method::from_number(CONSTRUCTOR), None);
}

#[test]
fn events_come_back() {
    let all = tables::each_event();
    let kinds: BTreeSet<_> = all.iter().map(Event::kind).collect();
    assert_eq!(kinds.len(), 13);
    for event in all {
        let mut form = event.to_actor_event();
        assert_eq!(Event::from_entries(&form.entries).as_ref(), Some(&event));
        assert!(form.entries.iter().all(|entry| entry.key.len() <= 31), "the FVM's limit for keys");
        let sizes: usize = form.entries.iter().map(|entry| entry.value.len()).sum();
        assert!(sizes <= 8_192, "the FVM's limit for values");

        form.entries.reverse();
        assert_eq!(Event::from_entries(&form.entries).as_ref(), Some(&event), "in any order");
        for at in 0..form.entries.len() {
            let mut less = form.entries.clone();
            less.remove(at);
            assert_eq!(Event::from_entries(&less), None, "without {}", form.entries[at].key);
            let mut other = form.entries.clone();
            other[at].codec = fvm_ipld_encoding::IPLD_RAW;
            assert_eq!(Event::from_entries(&other), None, "another codec");
            let mut broken = form.entries.clone();
            broken[at].value = vec![0xff];
            assert_eq!(Event::from_entries(&broken), None, "a broken {}", form.entries[at].key);
        }
    }
    assert_eq!(Event::from_entries(&[]), None);
}

#[test]
fn exits_come_back() {
    for exit in Exit::ALL {
        assert_eq!(Exit::from_code(exit.code()), Some(*exit));
        assert!(!exit.sentence().is_empty() && !exit.sentence().ends_with('.'));
    }
    for unknown in [0, 1, 15, 23, 33, 50, u32::MAX] {
        assert_eq!(Exit::from_code(ExitCode::new(unknown)), None);
    }
}

#[test]
fn time_has_one_edge() {
    assert_eq!([is_expired(10, 9), is_expired(10, 10), is_expired(EPOCH_NEVER, i64::MAX - 1)], [false, true, false]);
    assert_eq!([is_past(10, 10), is_past(10, 11)], [false, true]);
    let state = |expiration, version| GrantState::of(expiration, version, 10, 2);
    assert_eq!(state(11, 2), GrantState::Active);
    assert_eq!(state(11, 1), GrantState::Stale);
    assert_eq!([state(10, 1), state(10, 2)], [GrantState::Expired; 2]);
}

#[test]
fn rights_are_sets() {
    assert_eq!([0, 8, 255].map(Rights::from_bits), [None; 3]);
    for bits in 1..=7 {
        let rights = Rights::from_bits(bits).expect("1 to 7");
        assert!(Rights::ALL.contains(rights) && rights.contains(rights));
        assert_eq!(rights.contains(Rights::WRITE), bits & 2 != 0);
        assert_eq!(rights.union(Rights::READ).bits(), bits | 1);
    }
    let with = |bits: u8| [&[0x84, 0x42, 0x00, 0x01, 0x41, 0x01][..], &[bits, 0x01]].concat();
    assert!(decode::<GrantSpec>(&with(7)).is_ok());
    for bits in [0, 8, 9, 0x17] {
        let refused = decode::<GrantSpec>(&with(bits));
        assert_eq!(refused, Err(WireError::OutOfBounds(OutOfBounds("rights"))), "{bits}");
    }
}

#[test]
fn rewards_add_up_to_the_atto() {
    for (reward, bps, duration) in
        [(1, 0, 1), (1, 10_000, 7), (7, 3_333, 3), (1_003, 333, 977), (10_i64.pow(18), 1, 518_400)]
    {
        let terms = Terms {
            piece_cid: samples::piece(1),
            padded_size: fvm_shared::piece::PaddedPieceSize(128),
            file_id: None,
            reward_per_replica: TokenAmount::from_atto(reward),
            activation_bps: bps,
            replicas: 3,
            min_duration: duration,
            claim_deadline: 1,
            providers: vec![],
            source: String::new(),
            note: String::new(),
        };
        assert_eq!(terms.check(), Ok(()));
        assert_eq!(terms.activation() + terms.earned(duration), terms.reward_per_replica);
        assert_eq!(terms.earned(duration + 1), terms.earned(duration));
        assert!(terms.earned(0).is_zero() && terms.earned(-1).is_zero());
        assert_eq!(terms.target(), &terms.reward_per_replica * 3);
        assert!((1..=duration.min(1_000)).all(|e| terms.earned(e) >= terms.earned(e - 1)));
    }
}

#[test]
fn a_payload_names_one_bounty_or_none() {
    let named = |payload: Vec<u8>| {
        PieceChange { data: samples::piece(1), size: fvm_shared::piece::PaddedPieceSize(128), payload: payload.into() }
            .bounty()
    };
    for id in [0, 1, 23, 24, 255, 256, 1 << 32, u64::MAX] {
        assert_eq!(named(notification_payload(id)), Some(id));
    }
    for garbage in [&[][..], &[0x20], &[0x01, 0x00], &[0x41, 0x01], &[0x81, 0x01], &[0xf6], &[0x1b, 0, 0], &[0; 10]] {
        assert_eq!(named(garbage.to_vec()), None, "{garbage:?}");
    }
}
