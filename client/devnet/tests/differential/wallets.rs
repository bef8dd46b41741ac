//! Multisigs and payment channels from their making to their end.

use bauta_devnet::vm::blake2b;
use fvm_ipld_encoding::{BytesSer, RawBytes, from_slice, to_vec};
use fvm_shared::METHOD_SEND;
use fvm_shared::address::Address;
use fvm_shared::crypto::signature::Signature;
use fvm_shared::econ::TokenAmount;
use serde::Serialize;

use super::Script;
use crate::world::{MARKET, fil};

pub const KNOWN: &[(&str, &str)] = &[];

const SYSTEM: Address = Address::new_id(0);
const INIT: Address = Address::new_id(1);
const MULTISIG: u32 = 9;
const CHANNEL: u32 = 8;
const ADD_BALANCE: u64 = 822473126;
const RECEIVE: u64 = 3726118371;

pub fn story(s: &mut Script) {
    making(s);
    multisig(s);
    channel(s);
}

/// Makes an actor. Messages here have no nonces, from which a new actor's address would come: so another sender for each.
fn exec(s: &mut Script, what: &str, from: &Address, value: i64, kind: u32, params: &impl Serialize) -> Option<Address> {
    let code = s.w.code(kind);
    let constructor = RawBytes::serialize(params).unwrap();
    let done = s.pay(what, from, &INIT, 2, &fil(value), &(code, constructor));
    let made: Option<(Address, Address)> = from_slice(done.value.bytes()).ok();
    made.map(|(id, _)| id)
}

fn making(s: &mut Script) {
    let (a, b, by) = (s.w.client, s.w.owner, s.w.worker);
    let none: Vec<Address> = vec![];
    for (what, signers, threshold, duration) in [
        ("nobody", none, 1u64, 0i64),
        ("twice the same", vec![a, a], 1, 0),
        ("more approvals than signers", vec![a, b], 3, 0),
        ("no approvals", vec![a, b], 0, 0),
        ("negative", vec![a, b], 1, -1),
        ("an id that is nobody's", vec![a, Address::new_id(99_999)], 1, 0),
        ("somebody new", vec![a, Address::new_secp256k1(&[4; 65]).unwrap()], 1, 0),
    ] {
        exec(s, &format!("multisig of {what}"), &by, 0, MULTISIG, &(signers, threshold, duration, 0i64));
    }
    exec(s, "multisig without params", &by, 0, MULTISIG, &());
    for kind in [1, 4, 5, 6, 14] {
        exec(s, &format!("exec of type {kind}"), &by, 0, kind, &(a, b));
    }
    exec(s, "channel to nobody", &by, 0, CHANNEL, &(a, Address::new_id(99_999)));
}

/// A wallet and who tells it something.
struct Wallet<'a> {
    s: &'a mut Script,
    wallet: Address,
    signers: (Address, Address),
    /// Number of the last proposal.
    last: i64,
}

impl Wallet<'_> {
    fn propose(&mut self, what: &str, from: &Address, to: &Address, value: i64, method: u64, params: &impl Serialize) {
        let params = RawBytes::serialize(params).unwrap();
        let params = if method == METHOD_SEND { RawBytes::default() } else { params };
        let done = self.s.say(what, from, &self.wallet, 2, &(to, fil(value), method, params));
        if let Ok((number, ..)) = from_slice::<(i64, bool, u32, RawBytes)>(done.value.bytes()) {
            self.last = number;
        }
    }

    fn approve(&mut self, what: &str, from: &Address, number: i64, hash: &[u8]) {
        self.s.say(what, from, &self.wallet, 3, &(number, BytesSer(hash)));
    }

    fn cancel(&mut self, what: &str, from: &Address, number: i64, hash: &[u8]) {
        self.s.say(what, from, &self.wallet, 4, &(number, BytesSer(hash)));
    }

    /// Both signers let the wallet change itself.
    fn itself(&mut self, what: &str, method: u64, params: &impl Serialize) {
        let (a, b) = self.signers;
        let wallet = self.wallet;
        self.propose(&format!("propose {what}"), &a, &wallet, 0, method, params);
        self.approve(&format!("approve {what}"), &b, self.last, &[]);
    }
}

fn multisig(s: &mut Script) {
    let (a, b, c) = (s.w.client, s.w.owner, s.w.worker);
    let own_id = Address::new_id(s.w.resolve(&a));
    let wallet = exec(s, "wallet", &a, 100, MULTISIG, &(vec![a, b], 2u64, 0i64, 0i64)).unwrap();
    let mut w = Wallet { s, wallet, signers: (a, b), last: 0 };

    w.propose("a stranger proposes", &c, &c, 1, METHOD_SEND, &());
    w.propose("a negative proposal", &a, &c, -1, METHOD_SEND, &());
    w.propose("propose 0", &a, &c, 10, METHOD_SEND, &());
    w.approve("approve 0 twice", &a, 0, &[]);
    w.approve("approve 0 as a stranger", &c, 0, &[]);
    w.approve("approve 7", &b, 7, &[]);
    w.approve("approve 0 by a wrong hash", &b, 0, &[1; 32]);
    let hash = blake2b(&to_vec(&(own_id, c, fil(10), METHOD_SEND, RawBytes::default())).unwrap());
    w.approve("approve 0 by its hash", &b, 0, &hash);
    w.approve("approve 0 again", &b, 0, &[]);
    w.propose("propose 1, too dear", &a, &c, 1000, METHOD_SEND, &());
    w.approve("approve 1", &b, 1, &[]);
    w.cancel("cancel 1 by another", &b, 1, &[]);
    w.cancel("cancel 1 by a wrong hash", &a, 1, &[9; 32]);
    w.cancel("cancel 1", &a, 1, &[]);
    w.cancel("cancel 1 again", &a, 1, &[]);
    w.propose("propose 2, which fails inside", &a, &MARKET, 0, 77, &());
    w.approve("approve 2", &b, 2, &[]);
    w.propose("propose 3, escrow", &a, &MARKET, 5, ADD_BALANCE, &a);
    w.approve("approve 3", &b, 3, &[]);

    w.s.say("add a signer from outside", &a, &wallet, 5, &(c, true));
    w.itself("a third signer", 5, &(c, false));
    w.itself("a third signer again", 5, &(c, false));
    w.itself("a threshold of 4", 8, &(4u64,));
    w.itself("a threshold of 0", 8, &(0u64,));
    w.propose("propose by the third", &c, &b, 1, METHOD_SEND, &());
    let by_the_third = w.last;
    w.itself("swap for a signer", 7, &(c, a));
    w.itself("swap a stranger", 7, &(MARKET, a));
    w.itself("remove a stranger", 6, &(MARKET, false));
    w.itself("remove the third", 6, &(c, false));
    w.approve("approve what only the third had signed", &b, by_the_third, &[]);
    w.itself("remove too many", 6, &(b, false));
    w.itself("lock for no time", 9, &(0i64, 0i64, fil(1)));
    w.itself("lock a debt", 9, &(0i64, 10i64, fil(-1)));
    let start = w.s.w.now();
    w.itself("lock", 9, &(start, 1000i64, fil(80)));
    w.itself("lock again", 9, &(start, 1000i64, fil(80)));
    w.itself("one signature", 8, &(1u64,));
    w.propose("spend what is locked", &a, &c, 30, METHOD_SEND, &());
    w.s.w.leap(start + 500);
    w.propose("spend half of what was locked", &a, &c, 40, METHOD_SEND, &());
    w.propose("spend more", &a, &c, 10, METHOD_SEND, &());
    s.say("any exported method", &c, &wallet, 1 << 30, &());
    s.say("no such method", &c, &wallet, 77, &());
    s.say("received", &c, &wallet, RECEIVE, &(7u32, RawBytes::default()));
    s.say("received nonsense", &c, &wallet, RECEIVE, &7u32);
    let left = s.w.balance(&wallet);
    s.note("left in the wallet", left);
}

fn channel(s: &mut Script) {
    let (from, to) = (s.w.client, s.w.owner);
    let channel = exec(s, "channel", &SYSTEM, 50, CHANNEL, &(from, to)).unwrap();
    let key = s.w.key.clone();
    let voucher = |lane: u64, nonce: u64, amount: TokenAmount, change: &dyn Fn(&mut Voucher)| {
        let mut voucher: Voucher = (channel, 0, 0, vec![], None, lane, nonce, amount, 0, vec![], None);
        change(&mut voucher);
        let signature = key.sign_bytes(&to_vec(&wire(&voucher)).unwrap());
        voucher.10 = Some(Signature::new_secp256k1(signature.data().to_vec()));
        voucher
    };
    let update = |s: &mut Script, what: &str, by: &Address, voucher: &Voucher, secret: &[u8]| {
        s.say(what, by, &channel, 2, &(wire(voucher), BytesSer(secret)));
    };
    let plain = &|_: &mut Voucher| {};
    let good = voucher(0, 1, fil(5), plain);
    let stranger = s.w.worker;
    update(s, "voucher by a stranger", &stranger, &good, b"");
    update(s, "voucher by who signed it", &from, &good, b"");
    let mut unsigned = good.clone();
    unsigned.10 = None;
    update(s, "voucher unsigned", &to, &unsigned, b"");
    let mut changed = good.clone();
    changed.7 = fil(6);
    update(s, "voucher changed", &to, &changed, b"");
    for (what, amount, change) in [
        ("of a debt", -1, plain as &dyn Fn(&mut Voucher)),
        ("of too much", 51, plain),
        ("for another channel", 5, &|v: &mut Voucher| v.0 = Address::new_id(5)),
        ("too early", 5, &|v: &mut Voucher| v.1 = 1_000_000),
        ("too late", 5, &|v: &mut Voucher| v.2 = 1),
        ("with a secret", 5, &|v: &mut Voucher| v.3 = vec![1; 32]),
        ("into its own lane", 5, &|v: &mut Voucher| v.9 = vec![(0, 2)]),
        ("of no lane", 5, &|v: &mut Voucher| v.9 = vec![(3, 2)]),
        ("with a lane too high", 5, &|v: &mut Voucher| v.5 = u64::MAX),
        ("with a call that fails", 5, &|v: &mut Voucher| v.4 = Some((Address::new_id(5), 77, RawBytes::default()))),
    ] {
        let voucher = voucher(0, 1, fil(amount), change);
        update(s, &format!("voucher {what}"), &to, &voucher, b"");
    }
    update(s, "voucher", &to, &good, b"");
    update(s, "voucher again", &to, &good, b"");
    let hashed = voucher(1, 1, fil(7), &|v| v.3 = blake2b(b"secret").to_vec());
    update(s, "voucher with its secret", &to, &hashed, b"secret");
    update(s, "voucher with a long secret", &to, &voucher(1, 2, fil(8), plain), &[0; 257]);
    let merged = voucher(0, 2, fil(20), &|v| (v.9, v.8) = (vec![(1, 2)], 5_000));
    update(s, "voucher that merges", &to, &merged, b"");
    update(s, "voucher of less", &to, &voucher(0, 3, fil(1), plain), b"");
    s.say("collect at once", &to, &channel, 4, &());
    s.say("settle by a stranger", &stranger, &channel, 3, &());
    s.blank("settle", &to, &channel, 3);
    s.blank("settle again", &to, &channel, 3);
    update(s, "voucher while settling", &to, &voucher(0, 4, fil(2), plain), b"");
    s.blank("collect too early", &to, &channel, 4);
    s.w.leap(6_000);
    update(s, "voucher after settling", &to, &voucher(0, 5, fil(3), plain), b"");
    let before = (s.w.balance(&from), s.w.balance(&to));
    s.blank("collect", &from, &channel, 4);
    let after = (s.w.balance(&from) - before.0, s.w.balance(&to) - before.1);
    s.note("collected", after);
    s.blank("collect again", &from, &channel, 4);
}

type Voucher = (
    Address,
    i64,
    i64,
    Vec<u8>,
    Option<(Address, u64, RawBytes)>,
    u64,
    u64,
    TokenAmount,
    i64,
    Vec<(u64, u64)>,
    Option<Signature>,
);

/// Its form in CBOR: the hash of the secret is bytes.
fn wire(v: &Voucher) -> impl Serialize + '_ {
    (&v.0, v.1, v.2, BytesSer(&v.3), &v.4, v.5, v.6, &v.7, v.8, &v.9, &v.10)
}
