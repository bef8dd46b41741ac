//! The seam between the chain and those who live on it: storage providers with duties at certain epochs.
//!
//! The chain thread asks [`Duties`] when they must act and lets them act at the start of an epoch; they see the chain
//! through [`LedgerView`] and change it only by signed messages through [`Ledger::submit`], as everybody else. Work that
//! waits for the outside (HTTP, disks) belongs to other threads; they reach their duty object by channels of their own
//! and tell the chain by [`Waker::wake`] that it has become busy.

use anyhow::Result;
use bauta_client::wallet::Key;
use cid::Cid;
use fvm_ipld_encoding::{RawBytes, de::DeserializeOwned};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::receipt::Receipt;
use fvm_shared::state::ActorState;
use fvm_shared::{ActorID, MethodNum};
use serde_json::Value;

pub use crate::clock::Waker;
pub use crate::vm::{Outcome, Source};

/// A message's place on the chain: it is part of the tipset at `epoch`, and this came of it.
#[derive(Clone, Debug)]
pub struct Included {
    /// Epoch of the tipset that holds and executes the message.
    pub epoch: ChainEpoch,
    /// What came of it.
    pub receipt: Receipt,
}

/// What may be read of the chain. State is the newest there is: everything in the tipsets made so far has been executed.
pub trait LedgerView {
    /// While acting: the epoch being produced. Otherwise: the epoch of the head.
    fn epoch(&self) -> ChainEpoch;

    /// Calls a method without leaving a trace; a failing actor is an [`Outcome`], not an error.
    fn query(&self, from: &Address, to: &Address, method: MethodNum, params: RawBytes) -> Result<Outcome>;

    /// The id of an address, if it is on chain.
    fn resolve(&self, address: &Address) -> Result<Option<ActorID>>;

    /// Code, head, nonce and balance of an actor.
    fn actor(&self, address: &Address) -> Result<Option<ActorState>>;

    /// A block of state or of the chain, by its CID.
    fn object(&self, cid: &Cid) -> Result<Option<Vec<u8>>>;

    /// What came of a message (by the CID that `submit` or `MpoolPush` gave), `None` while it is not in a tipset.
    fn receipt(&self, message: &Cid) -> Result<Option<Included>>;

    /// True while a message waits in the mempool.
    fn is_pending(&self, message: &Cid) -> bool;

    /// The randomness that the VM gives to actors for an epoch.
    fn randomness(&self, source: Source, epoch: ChainEpoch) -> [u8; 32] {
        crate::vm::randomness(source, epoch)
    }
}

/// Decodes the state object of an actor.
pub fn state<T: DeserializeOwned>(view: &dyn LedgerView, address: &Address) -> Result<Option<T>> {
    let Some(actor) = view.actor(address)? else { return Ok(None) };
    let Some(block) = view.object(&actor.state)? else { return Ok(None) };
    Ok(Some(fvm_ipld_encoding::from_slice(&block)?))
}

/// What those with duties may do in the epoch being produced.
pub trait Ledger: LedgerView {
    /// Signs a message with the sender's next nonce and enough gas, and puts it in the mempool by the mempool's rules; it
    /// becomes part of the tipset being produced. Returns the CID of the signed message.
    ///
    /// Messages of one tipset run in the order of submission, those of BLS keys before those of secp256k1 keys.
    fn submit(
        &mut self,
        key: &Key,
        to: &Address,
        method: MethodNum,
        value: &TokenAmount,
        params: RawBytes,
    ) -> Result<Cid>;

    /// The view of the same chain.
    fn view(&self) -> &dyn LedgerView;
}

/// Somebody who must act at certain epochs. Called on the chain thread only, and never waits for anything outside.
pub trait Duties {
    /// The next epoch in which to act, whenever time comes there. An epoch that has passed means "the next one".
    fn next(&mut self, view: &dyn LedgerView) -> Option<ChainEpoch>;

    /// The epoch to which an on-demand clock shall run by itself because somebody outside waits for it (a deal being
    /// sealed), `None` if time may stand still. Window proofs of a quiet provider are no such reason.
    fn awaited(&mut self, _view: &dyn LedgerView) -> Option<ChainEpoch> {
        None
    }

    /// Acts at the start of an epoch, before the epoch's messages run. Called in every epoch that gets a tipset.
    fn act(&mut self, ledger: &mut dyn Ledger) -> Result<()>;

    /// Answers a `Devnet.*` method that the devnet itself does not know; `None` if this does not know it either.
    fn command(&mut self, _method: &str, _params: &[Value], _view: &dyn LedgerView) -> Option<Result<Value>> {
        None
    }

    /// Looks around on the chain; called once, before anything else.
    fn arrive(&mut self, _view: &dyn LedgerView) -> Result<()> {
        Ok(())
    }

    /// What has to be given to whom before they begin; asked once, when the devnet starts.
    fn lacking(&self, _view: &dyn LedgerView) -> Result<Vec<(Address, TokenAmount)>> {
        Ok(vec![])
    }

    /// What they know now, to be given back to [`Duties::revert`]. JSON.
    fn remember(&self) -> Value {
        Value::Null
    }

    /// The chain has gone back to the moment in which [`Duties::remember`] gave this memory.
    fn revert(&mut self, _memory: &Value, _view: &dyn LedgerView) -> Result<()> {
        Ok(())
    }

    /// What `Devnet.Info` says about them, under `Providers`.
    fn info(&self) -> Value {
        Value::Array(vec![])
    }
}
