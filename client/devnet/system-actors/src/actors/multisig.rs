//! A wallet of several: who may sign, what waits for signatures, and money that is freed over time. State and hash are as in
//! built-in actors, so that wallets that read them find their way.

use cid::Cid;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_encoding::{RawBytes, strict_bytes, to_vec};
use fvm_ipld_hamt::{BytesKey, Hamt};
use fvm_sdk::message;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, HAMT_BIT_WIDTH, MethodNum};
use num_traits::Zero;

use crate::failure::{
    Result, ensure, failure, forbidden, illegal_argument, illegal_state, insufficient_funds, not_found,
};
use crate::method::{CONSTRUCTOR, FIRST_EXPORTED, multisig};
use crate::runtime::{
    Answer, INIT, Params, Store, balance, blake2b, caller_is, done, load, now, received, reply, resolve_or_create,
    save, try_send, unhandled,
};

/// Signers of one wallet.
const MAX_SIGNERS: usize = 256;

#[derive(Serialize_tuple, Deserialize_tuple)]
struct State {
    signers: Vec<Address>,
    threshold: u64,
    next: i64,
    /// What is locked at first.
    initial_balance: TokenAmount,
    start: ChainEpoch,
    duration: ChainEpoch,
    /// HAMT of what waits.
    pending: Cid,
}

/// What waits for signatures; the first of them is the proposer's.
#[derive(Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct Transaction {
    to: Address,
    value: TokenAmount,
    method: MethodNum,
    params: RawBytes,
    approved: Vec<Address>,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct NewWallet {
    signers: Vec<Address>,
    threshold: u64,
    duration: ChainEpoch,
    start: ChainEpoch,
}

#[derive(Deserialize_tuple)]
struct Proposal {
    to: Address,
    value: TokenAmount,
    method: MethodNum,
    params: RawBytes,
}

#[derive(Deserialize_tuple)]
struct Named {
    id: i64,
    #[serde(with = "strict_bytes")]
    hash: Vec<u8>,
}

/// What became of a transaction: whether it ran, its exit code and its return value.
type Ran = (bool, ExitCode, RawBytes);
type Pending = Hamt<Store, Transaction>;

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => construct(params.get()?),
        multisig::PROPOSE => propose(params.get()?),
        multisig::APPROVE => approve(params.get()?),
        multisig::CANCEL => cancel(params.get()?),
        multisig::ADD_SIGNER => own(params.get()?, add_signer),
        multisig::REMOVE_SIGNER => own(params.get()?, remove_signer),
        multisig::SWAP_SIGNER => own(params.get()?, swap_signer),
        multisig::CHANGE_NUM_APPROVALS_THRESHOLD => own(params.get()?, change_threshold),
        multisig::LOCK_BALANCE => own(params.get()?, lock_balance),
        multisig::UNIVERSAL_RECEIVER_HOOK => {
            let _: (u32, RawBytes) = params.get()?;
            done()
        }
        // A wallet takes every message for it as delivered.
        FIRST_EXPORTED.. => done(),
        _ => unhandled(),
    }
}

fn construct(NewWallet { signers, threshold, duration, start }: NewWallet) -> Answer {
    caller_is(&[INIT])?;
    ensure(!signers.is_empty(), || illegal_argument("must have at least one signer"))?;
    ensure(signers.len() <= MAX_SIGNERS, || illegal_argument("too many signers"))?;
    let mut resolved: Vec<Address> = Vec::with_capacity(signers.len());
    for signer in &signers {
        let id = Address::new_id(resolve_or_create(signer, true)?);
        ensure(!resolved.contains(&id), || illegal_argument("duplicate signer not allowed"))?;
        resolved.push(id);
    }
    ensure(threshold <= signers.len() as u64, || illegal_argument("must not require more approvals than signers"))?;
    ensure(threshold >= 1, || illegal_argument("must require at least one approval"))?;
    ensure(duration >= 0, || illegal_argument("negative unlock duration disallowed"))?;
    let pending = Pending::new_with_bit_width(Store, HAMT_BIT_WIDTH).flush()?;
    let mut state = State {
        signers: resolved,
        threshold,
        next: 0,
        initial_balance: TokenAmount::zero(),
        start: 0,
        duration: 0,
        pending,
    };
    if duration != 0 {
        (state.start, state.duration, state.initial_balance) = (start, duration, message::value_received());
    }
    save(&state)?;
    done()
}

fn propose(Proposal { to, value, method, params }: Proposal) -> Answer {
    ensure(!value.is_negative(), || illegal_argument("proposed value must be non-negative"))?;
    let mut state = signers_state()?;
    let id = state.next;
    state.next += 1;
    let transaction = Transaction { to, value, method, params, approved: vec![] };
    let (applied, code, value) = sign(state, id, transaction)?;
    reply(&(id, applied, code, value))
}

fn approve(Named { id, hash }: Named) -> Answer {
    let state = signers_state()?;
    let transaction = state.pending()?.get(&key(id))?.cloned().ok_or_else(|| not_found("no such transaction"))?;
    if !hash.is_empty() && hash != transaction.hash()? {
        return Err(illegal_argument("hash does not match proposal params"));
    }
    // The threshold may have been lowered since the last signature.
    let ran = if transaction.approved.len() as u64 >= state.threshold {
        state.run(id, &transaction)?
    } else {
        sign(state, id, transaction)?
    };
    reply(&ran)
}

fn cancel(Named { id, hash }: Named) -> Answer {
    let mut state = signers_state()?;
    let mut pending = state.pending()?;
    let (_, transaction) = pending.delete(&key(id))?.ok_or_else(|| not_found("no such transaction to cancel"))?;
    let own = transaction.approved.first() == Some(&Address::new_id(message::caller()));
    ensure(own, || forbidden("cannot cancel another signer's transaction"))?;
    if !hash.is_empty() && hash != transaction.hash()? {
        return Err(illegal_state("hash does not match proposal params"));
    }
    state.pending = pending.flush()?;
    save(&state)?;
    done()
}

/// The state, for a signer.
fn signers_state() -> Result<State> {
    let state: State = load()?;
    ensure(state.is_signer(message::caller()), || forbidden("caller is not a signer"))?;
    Ok(state)
}

/// Adds the caller's signature, and runs what has enough of them.
fn sign(mut state: State, id: i64, mut transaction: Transaction) -> Result<Ran> {
    let caller = Address::new_id(message::caller());
    ensure(!transaction.approved.contains(&caller), || forbidden("already approved by the caller"))?;
    transaction.approved.push(caller);
    let mut pending = state.pending()?;
    pending.set(key(id), transaction.clone())?;
    state.pending = pending.flush()?;
    save(&state)?;
    if (transaction.approved.len() as u64) < state.threshold {
        return Ok((false, ExitCode::OK, RawBytes::default()));
    }
    state.run(id, &transaction)
}

impl State {
    fn is_signer(&self, id: ActorID) -> bool {
        self.signers.contains(&Address::new_id(id))
    }

    fn pending(&self) -> Result<Pending> {
        Ok(Hamt::load_with_bit_width(&self.pending, Store, HAMT_BIT_WIDTH)?)
    }

    /// Runs a transaction; that it fails is no failure of the wallet.
    fn run(mut self, id: i64, transaction: &Transaction) -> Result<Ran> {
        self.check_available(&transaction.value)?;
        let mut pending = self.pending()?;
        pending.delete(&key(id))?;
        self.pending = pending.flush()?;
        save(&self)?;
        let params: Option<IpldBlock> = transaction.params.clone().into();
        let Transaction { to, method, value, .. } = transaction;
        let (code, data) = received(try_send(to, *method, params, value.clone(), SendFlags::default()));
        Ok((true, code, data.map(|block| RawBytes::new(block.data)).unwrap_or_default()))
    }

    fn check_available(&self, value: &TokenAmount) -> Result<()> {
        ensure(!value.is_negative(), || illegal_argument("amount to spend less than zero"))?;
        let balance = balance();
        ensure(balance >= *value, || insufficient_funds("balance less than amount to spend"))?;
        if value.is_zero() || balance - value >= self.locked(now() - self.start) {
            return Ok(());
        }
        Err(insufficient_funds("balance would be less than the locked amount"))
    }

    /// What is still locked after so many epochs: it is freed linearly.
    fn locked(&self, elapsed: ChainEpoch) -> TokenAmount {
        if elapsed >= self.duration {
            return TokenAmount::zero();
        }
        if elapsed <= 0 {
            return self.initial_balance.clone();
        }
        (self.initial_balance.clone() * (self.duration - elapsed)).div_ceil(self.duration)
    }

    /// Takes back all signatures of somebody; what nobody has signed is gone.
    fn purge(&mut self, signer: &Address) -> Result<()> {
        let mut pending = self.pending()?;
        let mut signed = Vec::new();
        pending.for_each(|key, transaction| {
            if transaction.approved.contains(signer) {
                signed.push((key.clone(), transaction.clone()));
            }
            Ok(())
        })?;
        for (key, mut transaction) in signed {
            transaction.approved.retain(|approver| approver != signer);
            if transaction.approved.is_empty() {
                pending.delete(&key)?;
            } else {
                pending.set(key, transaction)?;
            }
        }
        self.pending = pending.flush()?;
        Ok(())
    }
}

impl Transaction {
    /// blake2b-256 of `[proposer, to, value, method, params]`.
    fn hash(&self) -> Result<[u8; 32]> {
        Ok(blake2b(&to_vec(&(self.approved.first(), &self.to, &self.value, self.method, &self.params))?))
    }
}

/// A transaction's key: its number as a zigzag varint.
fn key(id: i64) -> BytesKey {
    let mut rest = ((id << 1) ^ (id >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes.into()
}

// --- what only the wallet itself may do, by a transaction of its own --------------------------------------------------

fn own<P>(params: P, change: fn(&mut State, P) -> Result<()>) -> Answer {
    caller_is(&[message::receiver()])?;
    let mut state: State = load()?;
    change(&mut state, params)?;
    save(&state)?;
    done()
}

fn add_signer(state: &mut State, (signer, increase): (Address, bool)) -> Result<()> {
    let id = resolve_or_create(&signer, true)?;
    ensure(state.signers.len() < MAX_SIGNERS, || forbidden("too many signers"))?;
    ensure(!state.is_signer(id), || forbidden("already a signer"))?;
    state.signers.push(Address::new_id(id));
    state.threshold += u64::from(increase);
    Ok(())
}

fn remove_signer(state: &mut State, (signer, decrease): (Address, bool)) -> Result<()> {
    let id = resolve_or_create(&signer, false)?;
    ensure(state.is_signer(id), || forbidden("not a signer"))?;
    ensure(state.signers.len() > 1, || forbidden("cannot remove the only signer"))?;
    let left = state.signers.len() as u64 - 1;
    ensure(decrease || left >= state.threshold, || illegal_argument("fewer signers than approvals"))?;
    if decrease {
        ensure(state.threshold >= 2, || illegal_argument("cannot decrease approvals"))?;
        state.threshold -= 1;
    }
    let signer = Address::new_id(id);
    state.purge(&signer)?;
    state.signers.retain(|s| *s != signer);
    Ok(())
}

fn swap_signer(state: &mut State, (from, to): (Address, Address)) -> Result<()> {
    let (from, to) = (resolve_or_create(&from, false)?, resolve_or_create(&to, true)?);
    ensure(state.is_signer(from), || forbidden("not a signer"))?;
    ensure(!state.is_signer(to), || illegal_argument("already a signer"))?;
    let from = Address::new_id(from);
    state.signers.retain(|s| *s != from);
    state.signers.push(Address::new_id(to));
    state.purge(&from)
}

fn change_threshold(state: &mut State, (threshold,): (u64,)) -> Result<()> {
    let fits = threshold != 0 && threshold <= state.signers.len() as u64;
    ensure(fits, || illegal_argument("new threshold value not supported"))?;
    state.threshold = threshold;
    Ok(())
}

fn lock_balance(state: &mut State, (start, duration, amount): (ChainEpoch, ChainEpoch, TokenAmount)) -> Result<()> {
    ensure(duration > 0, || illegal_argument("unlock duration must be positive"))?;
    ensure(!amount.is_negative(), || illegal_argument("amount to lock must be positive"))?;
    ensure(state.duration == 0, || failure(ExitCode::USR_FORBIDDEN, "modification of unlock disallowed"))?;
    (state.start, state.duration, state.initial_balance) = (start, duration, amount);
    Ok(())
}
