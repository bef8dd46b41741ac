//! What every method has in common: numbers, values, params, the constructor; and that each error has its exit.

mod samples;

use std::collections::BTreeSet;

use bauta_abi::*;
use bauta_actor::error::Error;
use bauta_actor::runtime::fake::Chain;
use cid::Cid;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{DAG_CBOR, IPLD_RAW};
use fvm_shared::EMPTY_ARR_CID;
use samples::*;

/// A chain on which every method has something to work on, and good params for each.
fn scene() -> (Chain, u64, Vec<(Method, Vec<u8>)>) {
    let mut chain = Chain::new();
    let (alice, bob, miner) = (chain.create_account(), chain.create_account(), chain.create_miner());
    let file_id = register(&mut chain, alice, 1);
    grant(&mut chain, alice, file_id, grant_spec(bob, Rights::READ, 900)).expect("granted");
    let bounty = create(&mut chain, alice, terms(1), 1_000).expect("created");
    seal(&mut chain, miner, 7, 5_000);
    notify(&mut chain, miner, vec![change(7, 5_000, piece(1), bounty)]).expect("notified");
    let page = (None, 1);
    let encoded = vec![
        (Method::PublishKey, bytes(&PublishKeyParams { recipient: "age1abc".into() })),
        (Method::GetKey, bytes(&GetKeyParams { address: id(alice) })),
        (Method::RegisterFile, bytes(&RegisterFileParams { files: vec![file(2)] })),
        (Method::UpdateFile, bytes(&UpdateFileParams { id: file_id, expected_version: 1, file: file(3) })),
        (Method::TransferFile, bytes(&TransferFileParams { id: file_id, to: id(bob), wrap: vec![1] })),
        (Method::RemoveFile, bytes(&RemoveFileParams { id: file_id })),
        (Method::GetFile, bytes(&GetFileParams { id: file_id })),
        (Method::ListFiles, bytes(&ListFilesParams { owner: id(alice), cursor: page.0, limit: page.1 })),
        (
            Method::GrantAccess,
            bytes(&GrantAccessParams { id: file_id, grants: vec![grant_spec(bob, Rights::ALL, 200)] }),
        ),
        (Method::RevokeAccess, bytes(&RevokeAccessParams { id: file_id, addresses: vec![id(bob)] })),
        (Method::GetGrant, bytes(&GetGrantParams { id: file_id, address: id(bob) })),
        (Method::ListGrants, bytes(&ListGrantsParams { id: file_id, cursor: page.0, limit: page.1 })),
        (Method::ListShared, bytes(&ListSharedParams { address: id(bob), cursor: page.0, limit: page.1 })),
        (Method::CreateBounty, bytes(&CreateBountyParams { terms: terms(2) })),
        (Method::FundBounty, bytes(&FundBountyParams { id: bounty })),
        (Method::SettleBounty, {
            let aux = LOCATION.to_vec();
            bytes(&SettleBountyParams { id: bounty, claims: vec![Settlement { claim: 0, aux }] })
        }),
        (Method::GetBounty, bytes(&GetBountyParams { id: bounty })),
        (Method::ListBounties, bytes(&ListBountiesParams { cursor: page.0, limit: page.1 })),
        (Method::ListBountyClaims, bytes(&ListBountyClaimsParams { id: bounty, cursor: page.0, limit: page.1 })),
        // Refused in this scene, but not for their form.
        (Method::ClaimBounty, bytes(&ClaimBountyParams { id: bounty, deal_id: 1 })),
        (Method::CancelBounty, bytes(&CancelBountyParams { id: bounty })),
        (Method::RefundBounty, bytes(&RefundBountyParams { id: bounty })),
    ];
    (chain, alice, encoded)
}

fn bytes(params: &impl Wire) -> Vec<u8> {
    encode(params).expect("in bounds")
}

/// What the scene's messages end in; nothing for those that succeed.
fn outcome(method: Method) -> Option<Exit> {
    match method {
        Method::ClaimBounty => Some(Exit::NotFound),
        Method::CancelBounty => Some(Exit::BountyHasClaims),
        Method::RefundBounty => Some(Exit::BountyNotEnded),
        _ => None,
    }
}

fn value_for(method: Method) -> u128 {
    method.is_payable().into()
}

#[test]
fn every_method_is_in_the_table() {
    let (_, _, encoded) = scene();
    let met: BTreeSet<_> = encoded.iter().map(|(method, _)| *method).chain([Method::SectorContentChanged]).collect();
    assert_eq!(met, Method::ALL.iter().copied().collect());
    for (method, params) in encoded {
        let (mut chain, alice, _) = scene();
        let answer = chain.message(alice, method.number(), Some(params.clone()), value_for(method));
        assert_eq!(answer.map_err(|e| e.exit()).err(), outcome(method), "{method:?}");
        assert_eq!(chain.check(), Vec::<String>::new(), "{method:?}");
        let (mut chain, alice, _) = scene();
        let block = IpldBlock { codec: DAG_CBOR, data: params };
        let answer = chain.message_with(alice, method.number(), Some(block), value_for(method));
        assert_eq!(answer.map_err(|e| e.exit()).err(), outcome(method), "{method:?} in DAG-CBOR");
    }
}

#[test]
fn params_that_do_not_decode_are_refused() {
    let (mut chain, alice, encoded) = scene();
    for (method, params) in encoded {
        let mut refused = |params: Option<Vec<u8>>, what: &str| {
            let root = chain.state_root();
            let answer = chain.message(alice, method.number(), params, value_for(method));
            assert_eq!(answer.map_err(|e| e.exit()), Err(Exit::Serialization), "{method:?} with {what}");
            assert_eq!(chain.state_root(), root);
        };
        refused(None, "none");
        refused(Some(vec![]), "nothing");
        refused(Some(vec![0xf6]), "null");
        refused(Some(vec![0xa0]), "a map");
        refused(Some(b"garbage".to_vec()), "a text");
        refused(Some([&params[..], &[0]].concat()), "a byte too many");
        refused(Some(vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), "an endless list");
        for len in 0..params.len() {
            refused(Some(params[..len].to_vec()), "a cut");
        }
        let mut longer = params.clone();
        longer[0] += 1;
        longer.push(0);
        refused(Some(longer), "one element too many");
        let raw = IpldBlock { codec: IPLD_RAW, data: params };
        let answer = chain.message_with(alice, method.number(), Some(raw), value_for(method));
        assert_eq!(answer.map_err(|e| e.exit()), Err(Exit::Serialization), "{method:?} in another codec");
    }
}

#[test]
fn flipped_bits_never_break_the_state() {
    for (method, params) in scene().2 {
        for at in 0..params.len().min(120) {
            for bit in 0..8 {
                let mut chain = scene_cached();
                let mut flipped = params.clone();
                flipped[at] ^= 1 << bit;
                let _ = chain.message(ALICE, method.number(), Some(flipped), value_for(method));
                assert_eq!(chain.check(), Vec::<String>::new(), "{method:?}, bit {bit} of byte {at}");
            }
        }
    }
}

const ALICE: u64 = 1_003;

fn scene_cached() -> Chain {
    thread_local!(static SCENE: Chain = scene().0);
    SCENE.with(Clone::clone)
}

#[test]
fn money_is_taken_where_it_belongs_only() {
    let (mut chain, alice, encoded) = scene();
    for (method, params) in encoded.into_iter().filter(|(method, _)| !method.is_payable()) {
        let answer = chain.message(alice, method.number(), Some(params), 1);
        assert_eq!(answer.map_err(|e| e.exit()), Err(Exit::WrongValue), "{method:?}");
    }
    let miner = chain.create_miner();
    let answer = chain.message(miner, Method::SectorContentChanged.number(), Some(vec![0x80]), 1);
    assert_eq!(answer.map_err(|e| e.exit()), Err(Exit::WrongValue));
}

#[test]
fn other_numbers_are_unknown() {
    let (mut chain, alice, _) = scene();
    for number in [0, 2, 3, (1 << 24) - 1, 1 << 24, 3_726_118_371, u64::MAX, Method::GetFile.number() + 1] {
        let answer = chain.message(alice, number, Some(vec![0x80]), 0);
        assert_eq!(answer, Err(Error::UnknownMethod(number)));
    }
}

#[test]
fn the_constructor_runs_once() {
    let mut chain = Chain::unconstructed();
    let alice = chain.create_account();
    let params = bytes(&RegisterFileParams { files: vec![file(1)] });
    let early = chain.message(alice, Method::RegisterFile.number(), Some(params), 0);
    assert_eq!(early.map_err(|e| e.exit()), Err(Exit::IllegalState));
    assert_eq!(chain.state_root(), EMPTY_ARR_CID);
    assert_eq!(chain.message(1, CONSTRUCTOR, None, 0), Ok(None));
    let root = chain.state_root();
    for who in [1, alice] {
        assert_eq!(chain.message(who, CONSTRUCTOR, None, 0).map_err(|e| e.exit()), Err(Exit::Forbidden));
    }
    assert_eq!(chain.state_root(), root);
}

#[test]
fn a_lost_block_is_reported_not_met_with_a_panic() {
    let (chain, alice, encoded) = scene();
    let blocks = chain.blocks().all();
    for (lost, _) in &blocks {
        let mut chain = chain.without_block(lost);
        for (method, params) in &encoded {
            let answer = chain.message(alice, method.number(), Some(params.clone()), value_for(*method));
            let exit = answer.map_err(|e| e.exit()).err();
            let after_others = [Exit::NotFound, Exit::Forbidden, Exit::VersionConflict, Exit::ClaimClosed];
            let expected = exit == outcome(*method) || exit.is_some_and(|exit| after_others.contains(&exit));
            assert!(expected || exit == Some(Exit::IllegalState), "{method:?}: {exit:?}");
        }
    }
    let nowhere = chain.without_block(&chain.state_root());
    assert_eq!(nowhere.check().len(), 1);
}

#[test]
fn each_error_has_its_exit_and_sentence() {
    let cid = Cid::default();
    let errors = [
        (Error::Malformed("x".into()), 21),
        (Error::OutOfBounds("x"), 16),
        (Error::UnknownMethod(5), 22),
        (Error::NotFound("file"), 17),
        (Error::UnknownAddress(id(5)), 17),
        (Error::Forbidden("x"), 18),
        (Error::WrongValue, 19),
        (Error::BrokenState(cid.to_string()), 20),
        (Error::VersionConflict { expected: 1, actual: 2 }, 40),
        (Error::BountyClosed("x"), 41),
        (Error::BountyHasClaims, 42),
        (Error::BountyNotEnded, 43),
        (Error::Overfunded, 44),
        (Error::NothingToRefund, 45),
        (Error::DealDoesNotFit("x"), 46),
        (Error::ClaimClosed(1), 47),
        (Error::StaleLocation(1), 48),
        (Error::TransferFailed { to: 5, exit: None }, 49),
    ];
    for (error, code) in &errors {
        assert_eq!(error.exit().code().value(), *code, "{error}");
        assert!(sentence(error).starts_with(error.exit().sentence()), "{error}");
    }
    let met: BTreeSet<_> = errors.iter().map(|(error, _)| error.exit().code().value()).collect();
    let all: BTreeSet<_> = Exit::ALL.iter().map(|exit| exit.code().value()).collect();
    assert_eq!(met, all);
    assert!(!all.contains(&33), "33 is what a reverting EVM contract exits with");
}
