//! What only the rules on the chain in memory can show: blocks, codecs, the constructor, transfers that fail; and that each error
//! has its exit. Everything else is told to every body: `actor/scenarios`.

use std::collections::BTreeSet;

use bauta_abi::*;
use bauta_actor::error::Error;
use bauta_actor::runtime::fake::Chain;
use bauta_scenarios::bounties::{cancel, claimed_by, refund};
use bauta_scenarios::dispatch::{Call, furnish, outcome, value_for};
use bauta_scenarios::files::update;
use bauta_scenarios::samples::*;
use cid::Cid;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{DAG_CBOR, IPLD_RAW};
use fvm_shared::EMPTY_ARR_CID;
use fvm_shared::error::ExitCode;

fn bytes(params: &impl Wire) -> Vec<u8> {
    encode(params).expect("in bounds")
}

/// A chain on which every method has something to work on, who owns it, and good params for each.
fn scene() -> (Chain, u64, Vec<Call>) {
    let mut chain = Chain::new();
    let (alice, calls) = furnish(&mut chain);
    (chain, alice, calls)
}

#[test]
fn params_come_in_cbor_or_dag_cbor() {
    for (method, params) in scene().2 {
        let (mut chain, alice, _) = scene();
        let block = IpldBlock { codec: DAG_CBOR, data: params.clone() };
        let answer = chain.message_with(alice, method.number(), Some(block), value_for(method));
        assert_eq!(answer.map_err(|e| e.exit()).err(), outcome(method), "{method:?} in DAG-CBOR");
        let raw = IpldBlock { codec: IPLD_RAW, data: params };
        let answer = chain.message_with(alice, method.number(), Some(raw), value_for(method));
        assert_eq!(answer.map_err(|e| e.exit()), Err(Exit::Serialization), "{method:?} in another codec");
    }
    let mut chain = Chain::new();
    let miner = chain.create_miner();
    let raw = IpldBlock { codec: IPLD_RAW, data: vec![0x80] };
    let answer = chain.message_with(miner, Method::SectorContentChanged.number(), Some(raw), 0);
    assert_eq!(answer, Ok(Some(vec![0x80])), "a miner is never refused");
}

#[test]
fn whoever_is_gone_is_given_nothing() {
    let mut chain = Chain::new();
    let (alice, gone) = (chain.create_account(), chain.create_multisig());
    let (file, robust) = (register(&mut chain, alice, 1), chain.robust(gone));
    let bob = chain.create_account();
    let give = |chain: &mut Chain, to| {
        let params = bytes(&TransferFileParams { id: file, to, wrap: vec![7; 98] });
        chain.message(alice, Method::TransferFile.number(), Some(params), 0).map_err(|e| e.exit())
    };
    chain.delete(gone);
    for address in [robust, id(gone)] {
        assert_eq!(give(&mut chain, address), Err(Exit::NotFound), "{address}");
    }
    give(&mut chain, id(bob)).unwrap();
}

#[test]
fn numbers_below_the_exported_ones_are_unknown() {
    let (mut chain, alice, _) = scene();
    for number in [0, 2, 3] {
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
fn versions_are_a_chain_of_blocks() {
    let mut chain = Chain::new();
    let alice = chain.create_account();
    let id = register(&mut chain, alice, 1);
    chain.epoch = 150;
    assert_eq!(update(&mut chain, alice, id, 1, 2), Ok(UpdateFileReturn { version: 2 }));
    chain.epoch = 160;
    assert_eq!(update(&mut chain, alice, id, 2, 3), Ok(UpdateFileReturn { version: 3 }));
    assert_eq!(exit(update(&mut chain, alice, id, 2, 4)), Exit::VersionConflict);

    let mut record = get_file(&mut chain, id).unwrap();
    assert_eq!((record.registered, record.updated, record.version), (100, 160, 3));
    for (version, seed, updated) in [(2, 2, 150), (1, 1, 100)] {
        let bytes = fvm_ipld_blockstore::Blockstore::get(chain.blocks(), &record.previous.unwrap()).unwrap().unwrap();
        record = decode::<FileBlock>(&bytes).unwrap().into_record().unwrap();
        assert_eq!((record.version, &record.file, record.updated), (version, &file(seed), updated));
    }
    assert_eq!(record.previous, None);
}

#[test]
fn all_or_nothing_when_a_transfer_fails() {
    let mut chain = Chain::new();
    let alice = chain.create_account();
    let (one, two) = (chain.create_miner(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 2_000).unwrap();
    claimed_by(&mut chain, one, bounty);
    claimed_by(&mut chain, two, bounty);
    chain.epoch = 600;
    chain.refuse_money(two, Some(ExitCode::USR_FORBIDDEN));
    let (root, before) = (chain.state_root(), chain.balance(one));
    assert_eq!(exit(settle(&mut chain, bounty, &[0, 1])), Exit::TransferFailed);
    assert_eq!((chain.state_root(), chain.balance(one)), (root, before));
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![550]));
    chain.refuse_money(two, None);
    assert_eq!(settle(&mut chain, bounty, &[1]), Ok(vec![550]));

    let other = create(&mut chain, alice, Terms { claim_deadline: 700, ..terms(2) }, 5).unwrap();
    cancel(&mut chain, alice, other).unwrap();
    chain.refuse_money(alice, Some(ExitCode::USR_FORBIDDEN));
    assert_eq!(exit(refund(&mut chain, alice, other)), Exit::TransferFailed);
    chain.refuse_money(alice, None);
    assert_eq!(refund(&mut chain, alice, other), Ok(5));
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
        assert!(error.to_string().starts_with(error.exit().sentence()), "{error}");
    }
    let met: BTreeSet<_> = errors.iter().map(|(error, _)| error.exit().code().value()).collect();
    let all: BTreeSet<_> = Exit::ALL.iter().map(|exit| exit.code().value()).collect();
    assert_eq!(met, all);
    assert!(!all.contains(&33), "33 is what a reverting EVM contract exits with");
}
