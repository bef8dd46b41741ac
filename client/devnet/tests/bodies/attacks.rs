//! The contract against those who know how it is made. Each test belongs to a line of the security review in `actor/DESIGN.md`.

use std::rc::Rc;

use bauta_abi::*;
use bauta_client::actor::contract;
use bauta_client::message::eth::INVOKE_CONTRACT;
use bauta_devnet::vm::{Outcome, SYSTEM};
use bauta_scenarios::samples::*;
use bauta_scenarios::{Body, dispatch};
use fvm_ipld_encoding::{BytesDe, BytesSer, RawBytes, from_slice};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::ActorState;
use fvm_shared::{ActorID, METHOD_SEND};

use crate::chain::Chain;
use crate::ground::{self, Ground};

const HANDLE: [u8; 4] = [0x86, 0x8e, 0x10, 0xc4];
const QUERY: [u8; 4] = [0xc7, 0xd0, 0x4b, 0x65];
const REVERTED: u32 = 33;

/// A contract that hands the rest of its calldata on to the address in the first word, and remembers in its state when it is called
/// without calldata.
const GO_BETWEEN: &str = "6034600c60003960346000f3\
    36600a57600160005500\
    5b6020360380602060003760006000826000346000355af13d600060003e602f573d6000fd5b3d6000f3";

fn on_the_contract(test: fn(&Rc<Ground>, Chain)) {
    ground::run(move |ground| match ground.contract {
        Some(contract) => test(ground, Chain::new(ground, contract)),
        None => eprintln!("skipped: this bundle has no EVM"),
    });
}

fn word(number: u64) -> [u8; 32] {
    std::array::from_fn(|at| if at < 24 { 0 } else { number.to_be_bytes()[at - 24] })
}

/// What the EVM actor makes of a native call.
fn handled(method: u64, codec: u64, params: &[u8]) -> Vec<u8> {
    let mut data = HANDLE.to_vec();
    [method, codec, 96, params.len() as u64].iter().for_each(|head| data.extend(word(*head)));
    data.extend(params);
    data.resize(4 + 4 * 32 + params.len().next_multiple_of(32), 0);
    data
}

fn invoke(chain: &mut Chain, from: &Address, data: &[u8], attofil: u128) -> Outcome {
    let params = RawBytes::serialize(BytesSer(data)).expect("CBOR");
    chain.call(from, INVOKE_CONTRACT, &TokenAmount::from_atto(attofil), params)
}

fn output(done: &Outcome) -> Vec<u8> {
    from_slice::<BytesDe>(done.value.bytes()).expect("a byte string").0
}

/// Everything that a call could have changed.
fn whole(chain: &Chain, people: &[ActorID]) -> (cid::Cid, TokenAmount, Vec<TokenAmount>) {
    (chain.state(), chain.own_balance(), people.iter().map(|id| chain.balance(*id)).collect())
}

/// An account with an Ethereum address and 1,000 FIL; where it is, and its ID.
fn ethereum_account(chain: &mut Chain, seed: u8) -> (Address, ActorID) {
    let address = Address::new_delegated(10, &[seed; 20]).expect("20 bytes");
    let id = chain.with(|vm| {
        let money = TokenAmount::from_whole(1_000);
        vm.implicit(&SYSTEM, &address, METHOD_SEND, &money, RawBytes::default()).and_then(Outcome::ok).expect("paid");
        vm.resolve(&address).expect("readable").expect("made")
    });
    (address, id)
}

/// Native calls that come by InvokeEVM are successful calls, whatever they answer: nothing may have happened, and no money stays.
#[test]
fn a_refusal_by_the_back_door_changes_nothing_and_keeps_nothing() {
    on_the_contract(|_, mut chain| {
        let alice = chain.create_account();
        let bounty = create(&mut chain, alice, terms(1), 1_500).expect("created");
        register(&mut chain, alice, 1);
        let me = Address::new_id(alice);
        let fund = encode(&FundBountyParams { id: bounty }).expect("in bounds");
        let nothing = encode(&FundBountyParams { id: 99 }).expect("in bounds");
        let dear = encode(&CreateBountyParams { terms: terms(1) }).expect("in bounds");
        let get = encode(&GetFileParams { id: 1 }).expect("in bounds");
        for (method, params, attofil, exit) in [
            (Method::FundBounty, &fund, 501, Exit::Overfunded),
            (Method::FundBounty, &nothing, 7, Exit::NotFound),
            (Method::FundBounty, &get[..0].to_vec(), 7, Exit::Serialization),
            (Method::CreateBounty, &dear, 2_001, Exit::Overfunded),
            (Method::GetFile, &get, 7, Exit::WrongValue),
            (Method::CancelBounty, &nothing, 0, Exit::NotFound),
            (Method::RefundBounty, &fund, 0, Exit::BountyNotEnded),
        ] {
            let before = whole(&chain, &[alice]);
            let done = invoke(&mut chain, &me, &handled(method.number(), 0x51, params), attofil);
            assert!(done.exit.is_success(), "{method:?}: {}", done.failure);
            assert_eq!(output(&done)[..32], word(exit.code().value().into()), "{method:?}");
            assert_eq!(whole(&chain, &[alice]), before, "{method:?}");
        }
    });
}

#[test]
fn calldata_of_any_form_is_answered_or_reverts() {
    on_the_contract(|_, mut chain| {
        let alice = chain.create_account();
        let me = Address::new_id(alice);
        let good = handled(Method::GetFile.number(), 0x51, &[0x81, 1]);
        let mut offset = good.clone();
        offset[4 + 64..4 + 96].fill(0xff);
        let mut length = good.clone();
        length[4 + 96..4 + 128].fill(0xff);
        let mut method = good.clone();
        method[4] = 1;
        let before = whole(&chain, &[alice]);
        for data in [&good[..3], &good[..4], &good[..100], &offset, &length, &method, &[1, 2, 3, 4], &[]] {
            let done = invoke(&mut chain, &me, data, 0);
            assert_eq!(done.exit.value(), REVERTED, "{data:02x?}");
        }
        // The chain's own payments of this kind have nowhere to go.
        let paid = invoke(&mut chain, &me, &[], 5);
        assert_eq!(paid.exit.value(), REVERTED);
        assert_eq!(output(&invoke(&mut chain, &me, &good, 0))[..32], word(0));
        for codec in [0, 0x55, u64::MAX] {
            let data = handled(Method::GetFile.number(), codec, &[0x81, 1]);
            assert_eq!(output(&invoke(&mut chain, &me, &data, 0))[..32], word(21), "codec {codec:#x}");
        }
        assert_eq!(whole(&chain, &[alice]), before);
    });
}

#[test]
fn an_f410_account_does_everything_by_invoke() {
    on_the_contract(|_, mut chain| {
        let bob = chain.create_account();
        let (carol, id) = ethereum_account(&mut chain, 0xca);
        let mut sent = |method: Method, params: Vec<u8>, attofil: u128| -> Result<Vec<u8>, u32> {
            let done = invoke(&mut chain, &carol, &contract::invocation(method.number(), &params), attofil);
            match done.exit.value() {
                0 => Ok(contract::returned(&output(&done)).expect("wrapped").to_vec()),
                REVERTED => Err(contract::rejection(&output(&done)).expect("Rejected(uint32)")),
                other => panic!("exit {other}: {}", done.failure),
            }
        };
        let params = encode(&RegisterFileParams { files: vec![file(1)] }).expect("in bounds");
        let ids: RegisterFileReturn = decode(&sent(Method::RegisterFile, params, 0).expect("registered")).expect("ids");
        assert_eq!(ids.ids, [1]);
        let spec = GrantSpec { address: Address::new_id(bob), ..grant_spec(bob, Rights::READ, 200) };
        let params = encode(&GrantAccessParams { id: 1, grants: vec![spec] }).expect("in bounds");
        assert_eq!(sent(Method::GrantAccess, params, 0), Ok(vec![]));
        let params = encode(&CreateBountyParams { terms: terms(1) }).expect("in bounds");
        assert_eq!(sent(Method::CreateBounty, params.clone(), 2_000), Ok(vec![0x81, 1]));
        assert_eq!(sent(Method::CreateBounty, params, 2_001), Err(44));
        assert_eq!(sent(Method::FundBounty, vec![0x81, 1], 1), Err(44));
        assert_eq!(sent(Method::RemoveFile, vec![0x81, 9], 0), Err(17));
        assert_eq!(sent(Method::RemoveFile, vec![0x81], 0), Err(21));
        assert_eq!(sent(Method::RemoveFile, vec![0x81, 1], 5), Err(19));
        assert_eq!(sent(Method::CancelBounty, vec![0x81, 1], 0), Ok(vec![]));
        let before = chain.balance(id);
        let done = invoke(&mut chain, &carol, &contract::invocation(Method::RefundBounty.number(), &[0x81, 1]), 0);
        assert!(done.exit.is_success(), "{}", done.failure);
        assert_eq!(chain.balance(id) - before, TokenAmount::from_atto(2_000));
        assert_eq!(get_file(&mut chain, 1).expect("there").owner, id, "the state knows IDs only");
        assert_eq!(get_grant(&mut chain, 1, bob).expect("there").rights, Rights::READ);
        let params = ListFilesParams { owner: carol, cursor: None, limit: 9 };
        let listed: ListFilesReturn = call(&mut chain, bob, Method::ListFiles, &params, 0).expect("listed");
        assert_eq!(listed.files.len(), 1);
    });
}

#[test]
fn reads_are_views() {
    on_the_contract(|_, mut chain| {
        let alice = chain.create_account();
        register(&mut chain, alice, 1);
        let me = Address::new_id(alice);
        let query = |method: Method, params: &[u8]| {
            let mut data = contract::invocation(method.number(), params);
            data[..4].copy_from_slice(&QUERY);
            data
        };
        let plain: GetFileReturn = Some(get_file(&mut chain, 1).expect("there"));
        let done = invoke(&mut chain, &me, &query(Method::GetFile, &[0x81, 1]), 0);
        let wrapped = output(&done);
        let read: GetFileReturn = decode(contract::returned(&wrapped).expect("wrapped")).expect("a record");
        assert_eq!(read, plain);
        for method in [Method::RegisterFile, Method::FundBounty, Method::SectorContentChanged] {
            let done = invoke(&mut chain, &me, &query(method, &[0x80]), 0);
            assert_eq!((done.exit.value(), contract::rejection(&output(&done))), (REVERTED, Some(22)), "{method:?}");
        }
    });
}

/// Money is sent without running the receiver's code, so nobody can call back in the middle of a refund, or refuse it.
#[test]
fn a_contract_that_is_paid_is_not_run() {
    on_the_contract(|ground, mut chain| {
        let (alice, body) = (chain.create_account(), ground.contract.expect("there is one"));
        let me = Address::new_id(alice);
        let between = chain.with(|vm| crate::ground::deploy_code(vm, &hex(GO_BETWEEN)).expect("deployed"));
        let masked = |id: u64| {
            let mut address = word(id);
            address[12] = 0xff;
            address
        };
        let through = |method: Method, params: &[u8]| {
            [&masked(body)[..], &contract::invocation(method.number(), params)].concat()
        };
        let bounty = create(&mut chain, alice, terms(1), 0).expect("created");
        let fund = encode(&FundBountyParams { id: bounty }).expect("in bounds");
        let at = Address::new_id(between);
        let send = |chain: &mut Chain, data: &[u8], attofil: u128| {
            let params = RawBytes::serialize(BytesSer(data)).expect("CBOR");
            chain.with(|vm| {
                vm.implicit(&me, &at, INVOKE_CONTRACT, &TokenAmount::from_atto(attofil), params).expect("runs")
            })
        };
        let done = send(&mut chain, &through(Method::FundBounty, &fund), 600);
        assert!(done.exit.is_success(), "{}", done.failure);
        assert_eq!(get_bounty(&mut chain, bounty).escrowed, TokenAmount::from_atto(600));
        send_ok(&mut chain, alice, Method::CancelBounty, &CancelBountyParams { id: bounty });

        let before = chain.of(between);
        let done = send(&mut chain, &through(Method::RefundBounty, &fund), 0);
        assert!(done.exit.is_success(), "{}", done.failure);
        let after = chain.of(between);
        assert_eq!(after.balance.clone() - before.balance, TokenAmount::from_atto(600));
        assert_eq!(after.state, before.state, "its code for payments has not run");
        let again = send(&mut chain, &through(Method::RefundBounty, &fund), 0);
        assert_eq!((again.exit.value(), contract::rejection(&output(&again))), (REVERTED, Some(45)));
        // By a call with no calldata it does run: the test would notice.
        let done = send(&mut chain, &[], 0);
        assert!(done.exit.is_success());
        assert_ne!(chain.of(between).state, before.state);
    });
}

fn send_ok(chain: &mut Chain, from: ActorID, method: Method, params: &impl Wire) {
    send(chain, from, method, params, 0).expect("accepted");
}

/// State before money, and no state without it: a transfer that cannot be made undoes the settlement, whichever way it was called.
#[test]
fn a_transfer_that_fails_undoes_everything() {
    on_the_contract(|ground, mut chain| {
        let (alice, miner) = (chain.create_account(), chain.create_miner());
        let bounty = create(&mut chain, alice, terms(1), 2_000).expect("created");
        seal(&mut chain, miner, 7, 5_000);
        notify(&mut chain, miner, vec![change(7, 5_000, piece(1), bounty)]).expect("notified");
        chain.set_epoch(600);
        let body = ground.contract.expect("there is one");
        let poor = ActorState { balance: TokenAmount::from_atto(3), ..chain.of(body) };
        chain.with(|vm| vm.place(body, poor));
        let before = whole(&chain, &[alice, miner]);
        let claims = vec![Settlement { claim: 0, aux: LOCATION.to_vec() }];
        let params = encode(&SettleBountyParams { id: bounty, claims }).expect("in bounds");
        let me = Address::new_id(alice);
        let number = Method::SettleBounty.number();
        let native = chain.call(&me, number, &TokenAmount::default(), RawBytes::new(params.clone()));
        let back_door = invoke(&mut chain, &me, &handled(number, 0x51, &params), 0);
        let invoked = invoke(&mut chain, &me, &contract::invocation(number, &params), 0);
        for done in [native, back_door, invoked] {
            assert_eq!((done.exit.value(), contract::rejection(&output(&done))), (REVERTED, Some(49)));
        }
        assert_eq!(whole(&chain, &[alice, miner]), before);
    });
}

/// The power actor is asked who calls: a contract, an account, another built-in actor are no miners.
#[test]
fn nobody_but_a_miner_notifies_by_any_entry() {
    on_the_contract(|_, mut chain| {
        let (alice, miner) = (chain.create_account(), chain.create_miner());
        let (carol, _) = ethereum_account(&mut chain, 0xca);
        let bounty = create(&mut chain, alice, terms(1), 2_000).expect("created");
        let sectors = vec![change(7, 5_000, piece(1), bounty)];
        let params = encode(&SectorContentChangedParams { sectors }).expect("in bounds");
        let number = Method::SectorContentChanged.number();
        for who in [Address::new_id(alice), carol, Address::new_id(5), Address::new_id(0)] {
            let done = invoke(&mut chain, &who, &contract::invocation(number, &params), 0);
            assert_eq!((done.exit.value(), contract::rejection(&output(&done))), (REVERTED, Some(18)), "{who}");
            let done = invoke(&mut chain, &who, &handled(number, 0x51, &params), 0);
            assert_eq!(output(&done)[..32], word(18), "{who}");
        }
        assert_eq!(claims(&mut chain, bounty), []);
        notify(&mut chain, miner, vec![change(7, 5_000, piece(1), bounty)]).expect("a miner may");
        assert_eq!(claims(&mut chain, bounty).len(), 1);
    });
}

/// What a notification costs its miner is bounded, whatever is in it.
#[test]
fn notifications_cost_no_more_than_their_bounds() {
    on_the_contract(|_, mut chain| {
        let (alice, miner) = (chain.create_account(), chain.create_miner());
        let many: Vec<BountyId> =
            (0..40).map(|_| create(&mut chain, alice, terms(2), 2_000).expect("created")).collect();
        let of = |bounty| change(7, 5_000, piece(1), bounty).added.remove(0);
        let gas = |chain: &mut Chain, added: Vec<PieceChange>| {
            let sectors = vec![SectorChanges { sector: 7, minimum_commitment_epoch: 5_000, added }];
            let params = RawBytes::new(encode(&SectorContentChangedParams { sectors }).expect("in bounds"));
            let from = Address::new_id(miner);
            let done = chain.call(&from, Method::SectorContentChanged.number(), &TokenAmount::default(), params);
            assert!(done.exit.is_success(), "{}", done.failure);
            done.gas
        };
        let one = gas(&mut chain, vec![of(many[0])]);
        let looked_at = gas(&mut chain, many.iter().cycle().take(256).map(|id| of(*id)).collect());
        let beyond = gas(&mut chain, many.iter().cycle().take(512).map(|id| of(*id)).collect());
        eprintln!("a notification of 1, 256, 512 pieces: {one}, {looked_at}, {beyond} gas");
        assert!(one < 13_000_000, "{one}");
        assert!((looked_at - one) / 255 < 4_000_000, "{looked_at} for 256 pieces");
        assert!((beyond - looked_at) / 256 < 1_300_000, "{beyond} for 512 pieces");
    });
}

/// Every method meets every cut of its params by every entry: 21 each time.
#[test]
fn hostile_bytes_are_malformed_by_every_entry() {
    on_the_contract(|_, mut chain| {
        let alice = chain.create_account();
        let me = Address::new_id(alice);
        let (_, calls) = dispatch::furnish(&mut bauta_actor::runtime::fake::Chain::new());
        for (method, params) in calls {
            for len in (0..params.len()).step_by(29) {
                let done = invoke(&mut chain, &me, &contract::invocation(method.number(), &params[..len]), 0);
                let found = (done.exit.value(), contract::rejection(&output(&done)));
                assert_eq!(found, (REVERTED, Some(21)), "{method:?} cut at {len}");
            }
        }
        // Lists and strings that claim to be longer than all memory.
        for head in [0x9b, 0x5b, 0x7b] {
            let params = [&[0x81, head][..], &[0xff; 8], &[0; 64]].concat();
            for method in Method::ALL.iter().filter(|method| **method != Method::SectorContentChanged) {
                let done = invoke(&mut chain, &me, &contract::invocation(method.number(), &params), 0);
                assert_eq!(contract::rejection(&output(&done)), Some(21), "{method:?} with {head:#x}");
            }
        }
    });
}

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex")).collect()
}
