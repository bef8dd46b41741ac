//! The chain on one thread: genesis, messages, restarts, time.

use std::path::Path;

use bauta_client::message::{self, SignedMessage};
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::chain::Chain;
use bauta_devnet::estimate;
use bauta_devnet::genesis::{ACCOUNT_FIL, Genesis, account_key};
use bauta_devnet::on_large_stack;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;

fn genesis() -> Genesis {
    Genesis { bundle: Bundle::from_environment(), accounts: 3, ..Genesis::default() }
}

fn chain() -> Chain {
    Chain::in_memory(&genesis()).unwrap()
}

fn fil(n: i64) -> TokenAmount {
    TokenAmount::from_whole(n)
}

/// A transfer with estimated gas, signed.
fn transfer(chain: &Chain, key: &Key, to: &Address, amount: &TokenAmount) -> SignedMessage {
    let mut draft = message::draft(key.address(), *to, amount.clone(), 0, RawBytes::default());
    draft.sequence = chain.next_nonce(&key.address()).unwrap().unwrap();
    estimate::fill(chain, chain.head().state, chain.epoch() + 1, &mut draft).unwrap();
    key.sign(draft).unwrap()
}

fn balance(chain: &Chain, address: &Address) -> TokenAmount {
    chain.actor(address).unwrap().map(|a| a.balance).unwrap_or_default()
}

fn assert_sound(chain: &Chain) {
    assert_eq!(chain.violations().unwrap(), Vec::<String>::new());
}

#[test]
fn genesis_is_the_same_every_time_and_sound() {
    on_large_stack(|| {
        let (one, two) = (chain(), chain());
        assert_eq!(one.head(), two.head());
        assert_eq!(one.epoch(), 0);
        for index in 0..3 {
            assert_eq!(balance(&one, &account_key(index).address()), fil(ACCOUNT_FIL));
        }
        assert_eq!(one.state().unwrap().total_balance().unwrap(), fil(2_000_000_000));
        assert_sound(&one);
    });
}

#[test]
fn transfers_by_both_kinds_of_key_arrive_and_fees_are_burnt() {
    on_large_stack(|| {
        let mut chain = chain();
        let (secp, bls) = (account_key(0), Key::from_seed(KeyKind::Bls, b"test bls"));
        let first = chain.push(transfer(&chain, &secp, &bls.address(), &fil(10))).unwrap();
        chain.mine_one().unwrap();
        let included = chain.included(&first).unwrap().expect("in a tipset");
        assert!(included.receipt.exit_code.is_success());
        assert_eq!((included.epoch, balance(&chain, &bls.address())), (1, fil(10)));
        let gas = included.receipt.gas_used;
        let fee = fil(ACCOUNT_FIL - 10) - balance(&chain, &secp.address());
        assert!(fee >= TokenAmount::from_atto(gas) * 100u64, "{fee} for {gas} gas");

        let back = chain.push(transfer(&chain, &bls, &secp.address(), &fil(4))).unwrap();
        let other = chain.push(transfer(&chain, &secp, &account_key(1).address(), &fil(1))).unwrap();
        chain.mine_one().unwrap();
        // BLS messages run before the others.
        assert_eq!(chain.head().messages, vec![back, other]);
        assert_eq!(chain.actor(&bls.address()).unwrap().unwrap().sequence, 1);
        assert_eq!(balance(&chain, &account_key(1).address()), fil(ACCOUNT_FIL + 1));
        assert_sound(&chain);
    });
}

#[test]
fn refused_messages_leave_no_trace() {
    on_large_stack(|| {
        let mut chain = chain();
        let (key, to) = (account_key(0), account_key(1).address());
        let before = chain.head().clone();
        let refused = |chain: &mut Chain, signed: SignedMessage, sentence: &str| {
            let error = format!("{:#}", chain.push(signed).expect_err(sentence));
            assert!(error.contains(sentence), "`{error}` does not say `{sentence}`");
        };
        let good = transfer(&chain, &key, &to, &fil(1));
        let changed = |change: &dyn Fn(&mut message::Message)| {
            let mut m = good.message.clone();
            change(&mut m);
            key.sign(m).unwrap()
        };

        let mut forged = good.clone();
        forged.message.value = fil(2);
        refused(&mut chain, forged, "signature verification failed");
        let stranger = account_key(2).sign_bytes(&message::cid(&good.message).to_bytes());
        let not_theirs = SignedMessage { message: good.message.clone(), signature: stranger };
        refused(&mut chain, not_theirs, "signature verification failed");
        refused(&mut chain, changed(&|m| m.gas_fee_cap = fil(1)), "not enough funds");
        refused(&mut chain, changed(&|m| m.value = TokenAmount::from_atto(-1)), "not valid for block inclusion");
        refused(&mut chain, changed(&|m| m.sequence = 1000), "unfulfilled nonce gap");
        refused(&mut chain, changed(&|m| m.gas_limit = 1000), "'GasLimit' field cannot be less than");
        refused(&mut chain, changed(&|m| m.gas_limit = 10_000_000_001), "'GasLimit' field cannot be greater than");
        refused(&mut chain, changed(&|m| (m.gas_fee_cap, m.gas_premium) = Default::default()), "gas fee cap too low");
        refused(&mut chain, changed(&|m| m.params = RawBytes::new(vec![0; 65 << 10])), "message too big");
        let nobody = Key::from_seed(KeyKind::Secp256k1, b"nobody");
        let mut from_nobody = good.message.clone();
        from_nobody.from = nobody.address();
        refused(&mut chain, nobody.sign(from_nobody).unwrap(), "actor not found");
        assert_eq!(chain.head(), &before);
        assert!(!chain.has_runnable().unwrap());

        chain.push(good.clone()).unwrap();
        refused(&mut chain, good.clone(), "message with nonce already exists");
        refused(&mut chain, changed(&|m| m.value = fil(3)), "replace by fee has too low GasPremium");
        chain.mine_one().unwrap();
        refused(&mut chain, good, "minimum expected nonce is 1, got 0: message nonce too low");
        assert_sound(&chain);
    });
}

#[test]
fn a_value_that_is_not_there_fails_on_the_chain() {
    on_large_stack(|| {
        let mut chain = chain();
        let key = account_key(0);
        let mut message = transfer(&chain, &key, &account_key(1).address(), &fil(1)).message;
        message.value = fil(ACCOUNT_FIL + 1);
        let cid = chain.push(key.sign(message).unwrap()).unwrap();
        chain.mine_one().unwrap();
        assert_eq!(chain.included(&cid).unwrap().unwrap().receipt.exit_code.value(), 6);
        assert_eq!(balance(&chain, &account_key(1).address()), fil(ACCOUNT_FIL));
        assert_sound(&chain);
    });
}

#[test]
fn a_replacement_that_pays_more_takes_the_place() {
    on_large_stack(|| {
        let mut chain = chain();
        let key = account_key(0);
        let first = transfer(&chain, &key, &account_key(1).address(), &fil(1));
        let mut second = first.message.clone();
        second.value = fil(2);
        second.gas_premium *= 2u64;
        second.gas_fee_cap *= 2u64;
        let first = chain.push(first).unwrap();
        let second = chain.push(key.sign(second).unwrap()).unwrap();
        chain.mine_one().unwrap();
        assert!(chain.included(&first).unwrap().is_none());
        assert!(chain.included(&second).unwrap().is_some());
        assert_eq!(balance(&chain, &account_key(1).address()), fil(ACCOUNT_FIL + 2));
    });
}

#[test]
fn a_gap_in_the_nonces_waits_until_it_is_filled() {
    on_large_stack(|| {
        let mut chain = chain();
        let key = account_key(0);
        let mut later = transfer(&chain, &key, &account_key(1).address(), &fil(1)).message;
        later.sequence = 1;
        let later = chain.push(key.sign(later).unwrap()).unwrap();
        chain.mine_one().unwrap();
        assert!(chain.included(&later).unwrap().is_none());
        let filling = transfer(&chain, &key, &account_key(2).address(), &fil(1));
        assert_eq!(filling.message.sequence, 0);
        chain.push(filling).unwrap();
        chain.mine_one().unwrap();
        assert!(chain.included(&later).unwrap().is_some());
        assert_eq!(chain.actor(&key.address()).unwrap().unwrap().sequence, 2);
    });
}

#[test]
fn a_restart_finds_everything_as_it_was() {
    on_large_stack(|| {
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &Path| Chain::open(path, &genesis()).unwrap();
        let key = account_key(0);
        let (head, waiting, done) = {
            let mut chain = open(folder.path());
            let done = chain.push(transfer(&chain, &key, &account_key(1).address(), &fil(7))).unwrap();
            chain.mine_one().unwrap();
            chain.mine(50).unwrap();
            let waiting = chain.push(transfer(&chain, &key, &account_key(2).address(), &fil(5))).unwrap();
            (chain.head().clone(), waiting, done)
            // Dropped without any goodbye.
        };
        let mut chain = open(folder.path());
        assert_eq!(chain.head(), &head);
        assert_eq!(chain.included(&done).unwrap().unwrap().epoch, 1);
        assert_eq!(balance(&chain, &account_key(1).address()), fil(ACCOUNT_FIL + 7));
        assert!(chain.has_runnable().unwrap(), "the mempool was lost");
        chain.mine_one().unwrap();
        assert!(chain.included(&waiting).unwrap().is_some());
        assert_sound(&chain);
    });
}

#[test]
fn a_second_opener_is_refused() {
    on_large_stack(|| {
        let folder = tempfile::tempdir().unwrap();
        let _first = Chain::open(folder.path(), &genesis()).unwrap();
        let refused = Chain::open(folder.path(), &genesis()).err().expect("refused");
        assert!(refused.to_string().contains("in use by another devnet"), "{refused:#}");
    });
}

#[test]
fn half_a_year_passes_in_null_rounds() {
    on_large_stack(|| {
        let mut chain = chain();
        let start = std::time::Instant::now();
        chain.mine(180 * 2880).unwrap();
        assert_eq!(chain.epoch(), 518_400);
        assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
        // Only the last epoch has a tipset.
        let before = chain.store().tipset_at_or_before(518_399).unwrap().unwrap();
        assert_eq!(before.height, 0);
        let key = account_key(0);
        chain.push(transfer(&chain, &key, &account_key(1).address(), &fil(1))).unwrap();
        chain.mine_one().unwrap();
        assert_sound(&chain);
    });
}

#[test]
fn queries_and_estimates_leave_no_trace() {
    on_large_stack(|| {
        let chain = chain();
        let before = chain.head().clone();
        let (from, to) = (account_key(0).address(), account_key(1).address());
        let draft = message::draft(from, to, fil(3), 0, RawBytes::default());
        let once = estimate::simulate(&chain, before.state, 1, &draft).unwrap();
        let again = estimate::simulate(&chain, before.state, 1, &draft).unwrap();
        assert_eq!((once.gas, once.exit), (again.gas, again.exit));
        assert!(once.exit.is_success());
        assert_eq!(balance(&chain, &to), fil(ACCOUNT_FIL));
        let too_much = message::draft(from, to, fil(ACCOUNT_FIL * 2), 0, RawBytes::default());
        assert!(!estimate::simulate(&chain, before.state, 1, &too_much).unwrap().exit.is_success());
        assert_eq!(chain.head(), &before);
    });
}

#[test]
fn what_is_not_an_actor_is_not_installed() {
    on_large_stack(|| {
        let mut chain = chain();
        let before = chain.head().clone();
        for junk in [&b"not wasm"[..], b"\0asm\x01\0\0\0", b""] {
            assert!(chain.install(junk).is_err());
        }
        assert_eq!(chain.head(), &before);
        chain.mine_one().unwrap();
        assert_sound(&chain);
    });
}

#[test]
fn a_state_that_was_put_there_is_kept() {
    on_large_stack(|| {
        use fvm_ipld_encoding::CborStore;
        let folder = tempfile::tempdir().unwrap();
        let code = bauta_devnet::bundle::BAUTA_ACTOR;
        let (id, root, leaf) = {
            let mut chain = Chain::open(folder.path(), &genesis()).unwrap();
            let id = chain.install(code).unwrap().address.id().unwrap();
            assert_eq!(chain.install(code).unwrap().address.id().unwrap(), id, "installed twice");
            let leaf = chain.store().put_cbor(&vec![7u8; 40], multihash_codetable::Code::Blake2b256).unwrap();
            let root = chain.store().put_cbor(&(leaf, "made by hand"), multihash_codetable::Code::Blake2b256).unwrap();
            chain.replace_state(id, root).unwrap();
            (id, root, leaf)
        };
        let chain = Chain::open(folder.path(), &genesis()).unwrap();
        assert_eq!(chain.actor(&Address::new_id(id)).unwrap().unwrap().state, root);
        let kept: Option<Vec<u8>> = chain.store().get_cbor(&leaf).unwrap();
        assert_eq!(kept, Some(vec![7; 40]));
        assert_sound(&chain);
    });
}

#[test]
fn what_is_not_a_bundle_is_refused() {
    on_large_stack(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle.car");
        let genesis = || Genesis { bundle: Bundle::Car(file.clone()), ..genesis() };
        let missing = Chain::in_memory(&genesis()).err().expect("there is no file");
        assert!(format!("{missing:#}").contains("is not a bundle of built-in actors"), "{missing:#}");
        std::fs::write(&file, b"\x0aneither a CAR").unwrap();
        let junk = Chain::in_memory(&genesis()).err().expect("refused");
        assert!(format!("{junk:#}").contains("is not a bundle of built-in actors"), "{junk:#}");
    });
}
