//! Nonces, replacements, limits.

use bauta_client::message::RawBytes;
use bauta_client::message::eth::INVOKE_CONTRACT;
use bauta_client::wallet::{Key, KeyKind};

use super::*;

fn signed(nonce: u64, premium: u64, value: i64) -> SignedMessage {
    let key = Key::from_seed(KeyKind::Secp256k1, b"pool");
    let value = TokenAmount::from_whole(value);
    let mut draft = message::draft(key.address(), Address::new_id(7), value, 0, RawBytes::default());
    draft.sequence = nonce;
    draft.gas_limit = 1_000_000;
    draft.gas_fee_cap = TokenAmount::from_atto(10_000_000u64);
    draft.gas_premium = TokenAmount::from_atto(premium);
    key.sign(draft).unwrap()
}

/// Has gas for `messages` of them.
fn sender(messages: u64) -> Sender {
    Sender { nonce: 5, balance: TokenAmount::from_atto(10_000_000_000_000u64) * messages }
}

#[test]
fn nonces_may_leave_gaps_which_hold_up_what_is_behind_them() {
    let mut pool = Mempool::default();
    let rich = sender(100);
    for (nonce, limits) in [(8, Limits::TRUSTED), (5, Limits::UNTRUSTED), (6, Limits::UNTRUSTED)] {
        pool.push(signed(nonce, 100, 0), &rich, limits).unwrap();
    }
    let from = signed(0, 0, 0).message.from;
    assert_eq!(pool.next_nonce(&from, 5), 7);
    let ready: Vec<u64> = pool.select(|_| 5).iter().map(|p| p.signed.message.sequence).collect();
    assert_eq!(ready, [5, 6]);
    pool.push(signed(7, 100, 0), &rich, Limits::UNTRUSTED).unwrap();
    assert_eq!((pool.next_nonce(&from, 5), pool.select(|_| 5).len()), (9, 4));

    let too_low = pool.push(signed(4, 100, 0), &rich, Limits::TRUSTED).unwrap_err();
    assert_eq!(too_low.to_string(), "minimum expected nonce is 5, got 4: message nonce too low");
    for (nonce, limits) in [(10, Limits::UNTRUSTED), (1010, Limits::TRUSTED), (u64::MAX, Limits::TRUSTED)] {
        let gap = pool.push(signed(nonce, 100, 0), &rich, limits).unwrap_err();
        assert!(gap.to_string().ends_with("nextNonce: 9): unfulfilled nonce gap"), "{gap}");
    }
}

#[test]
fn a_replacement_costs_more_and_what_it_replaced_is_remembered() {
    let mut pool = Mempool::default();
    let first = signed(5, 100, 0);
    pool.push(first.clone(), &sender(1), Limits::TRUSTED).unwrap();
    let again = pool.push(first.clone(), &sender(1), Limits::TRUSTED).unwrap_err();
    assert!(again.to_string().ends_with("with nonce 5 already in mpool: message with nonce already exists"));
    let cheap = pool.push(signed(5, 125, 0), &sender(1), Limits::TRUSTED).unwrap_err();
    assert!(cheap.to_string().contains("increase GasPremium to 126 from 125"), "{cheap}");
    assert!(cheap.to_string().ends_with("replace by fee has too low GasPremium"));
    // It takes the other's place, so it needs no money beside it.
    let second = signed(5, 126, 0);
    let admitted = pool.push(second.clone(), &sender(1), Limits::TRUSTED).unwrap();
    assert_eq!(admitted.replaced, Some(first.cid()));
    assert!(pool.find(&first.cid()).is_none());
    assert_eq!(pool.replaced(&first.cid()), Some(&first.message));
    assert_eq!(pool.replaced(&message::cid(&first.message)), Some(&first.message));
    let found = pool.find(&message::cid(&second.message)).unwrap().clone();
    assert_eq!(found.cid, second.cid());
    pool.remove(&found);
    assert!(pool.find(&second.cid()).is_none() && pool.all().is_empty());
}

#[test]
fn gas_has_to_be_there_for_all_that_wait() {
    let mut pool = Mempool::default();
    let poor = pool.push(signed(5, 100, 0), &sender(0), Limits::TRUSTED).unwrap_err();
    assert!(poor.to_string().ends_with("balance: 0.0 FIL): not enough funds to execute transaction"), "{poor}");
    // The value is not there, which is the chain's business.
    pool.push(signed(5, 100, 1_000_000), &sender(1), Limits::TRUSTED).unwrap();
    let poor = pool.push(signed(6, 100, 0), &sender(1), Limits::TRUSTED).unwrap_err();
    assert!(poor.to_string().contains("not enough funds including pending messages"), "{poor}");
    assert!(poor.to_string().ends_with(": validation failure"));
    pool.push(signed(6, 100, 0), &sender(2), Limits::TRUSTED).unwrap();
}

#[test]
fn so_many_may_wait_and_no_more() {
    let mut pool = Mempool::default();
    let rich = sender(10_000);
    for nonce in 5..105 {
        pool.push(signed(nonce, 100, 0), &rich, Limits::UNTRUSTED).unwrap();
    }
    let many = pool.push(signed(105, 100, 0), &rich, Limits::UNTRUSTED).unwrap_err();
    assert!(many.to_string().ends_with("too many pending messages for actor"), "{many}");
    // A replacement is no more than before.
    pool.push(signed(7, 200, 0), &rich, Limits::UNTRUSTED).unwrap();
    pool.push(signed(105, 100, 0), &rich, Limits::TRUSTED).unwrap();
}

/// From an f410 account: a good signature over a transaction, and then another message under it.
#[test]
fn an_f410_account_says_only_what_a_transaction_says() {
    const CHAIN: u64 = 31_415_926;
    let key = Key::from_seed(KeyKind::Delegated, b"pool");
    let params = |bytes: &[u8]| RawBytes::serialize(fvm_ipld_encoding::BytesSer(bytes)).unwrap();
    let mut draft = message::draft(
        key.address(),
        Address::new_id(1_000),
        TokenAmount::from_whole(1),
        INVOKE_CONTRACT,
        params(&[7]),
    );
    (draft.gas_limit, draft.gas_fee_cap) = (1_000_000, TokenAmount::from_atto(10_000));
    let good = key.sign_on(draft, CHAIN).unwrap();
    Mempool::check(&good, 0, CHAIN).unwrap();
    let refusal = |change: &dyn Fn(&mut SignedMessage), chain: u64| {
        let mut bad = good.clone();
        change(&mut bad);
        Mempool::check(&bad, 0, chain).expect_err("no transaction, or no signature of it").to_string()
    };
    let manager = Address::new_id(10);
    for (what, said) in [
        (refusal(&|m| m.message.method_num = 0, CHAIN), "invalid methodnum 0: only allowed method is InvokeContract"),
        (refusal(&|m| m.message.method_num = 2, CHAIN), "invalid methodnum 2"),
        (refusal(&|m| m.message.method_num = 4, CHAIN), "invalid methodnum 4"),
        (refusal(&|m| (m.message.to, m.message.method_num) = (manager, 3), CHAIN), "unsupported EAM method"),
        (refusal(&|m| m.message.params = RawBytes::new(vec![0x80]), CHAIN), "failed to read params byte array"),
        (refusal(&|m| m.message.params = RawBytes::new(vec![0x58, 1, 7]), CHAIN), "failed to read params byte array"),
        (refusal(&|m| m.message.to = Key::from_seed(KeyKind::Bls, b"x").address(), CHAIN), "resolve it first"),
        // Possible, but signed by somebody else, or for another chain.
        (refusal(&|m| m.message.value = TokenAmount::from_whole(2), CHAIN), "signature"),
        (refusal(&|m| m.message.from = Address::new_delegated(10, &[1; 20]).unwrap(), CHAIN), "signature"),
        (refusal(&|_| (), 1), "signature"),
        (refusal(&|m| m.message.from = Address::new_delegated(11, &[1; 20]).unwrap(), CHAIN), "not an eth account"),
    ] {
        assert!(what.contains(said), "{what}: {said}");
    }
    // And what an f1 account says is no transaction.
    let mut other = signed(0, 0, 0);
    other.message.from = key.address();
    assert!(Mempool::check(&other, 0, CHAIN).is_err());
}
