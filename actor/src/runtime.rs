//! What the actor needs of the chain, and the order in which it may use it: state first, money after.

#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
#[cfg(target_arch = "wasm32")]
pub mod fvm;

use bauta_abi::Event;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::{ActorID, METHOD_SEND};

use crate::error::{Error, Result};
use crate::state::{State, Transfer};

/// What another actor answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code.
    pub exit: ExitCode,
    /// Its return value.
    pub data: Option<IpldBlock>,
}

/// The chain, as one message sees it.
pub trait Runtime {
    /// Where the state's blocks are.
    type Store: Blockstore;

    /// Who sent the message: always an ID.
    fn caller(&self) -> ActorID;

    /// What came with it.
    fn value_received(&self) -> TokenAmount;

    /// Now.
    fn epoch(&self) -> ChainEpoch;

    /// Finds the ID of an address; an ID address is its own answer, whether or not there is such an actor.
    fn resolve(&self, address: &Address) -> Option<ActorID>;

    /// Tells whether there is such an actor.
    fn exists(&self, id: ActorID) -> bool;

    /// Finds the built-in type of an actor, `None` for any other; see [`crate::ext::MINER_TYPE`].
    fn builtin_type(&self, id: ActorID) -> Option<i32>;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// The root of the state.
    fn root(&self) -> Result<Cid>;

    /// Replaces the root of the state.
    fn set_root(&mut self, root: &Cid) -> Result<()>;

    /// Asks another actor without letting it change anything; `None` if the chain did not deliver.
    fn ask(&self, to: ActorID, method: u64, params: Option<IpldBlock>) -> Option<Answer>;

    /// Sends another actor money with a method and no params; `None` if the chain did not deliver.
    fn send(&mut self, to: ActorID, method: u64, value: &TokenAmount) -> Option<Answer>;

    /// Emits an event.
    fn emit(&mut self, event: &Event) -> Result<()>;
}

/// Reads the state.
pub fn view<R: Runtime, T>(rt: &R, read: impl FnOnce(&State<'_, R::Store>) -> Result<T>) -> Result<T> {
    read(&State::load(rt.store(), &rt.root()?)?)
}

/// Changes the state: all of it, or nothing if the change fails.
///
/// The change sees the state and nothing else of the chain: it cannot send, because the runtime is lent to this function alone.
pub fn transaction<R: Runtime, T>(rt: &mut R, change: impl FnOnce(&mut State<'_, R::Store>) -> Result<T>) -> Result<T> {
    let before = rt.root()?;
    let mut state = State::load(rt.store(), &before)?;
    let out = change(&mut state)?;
    let after = state.save()?;
    if after != before {
        rt.set_root(&after)?;
    }
    Ok(out)
}

/// Spends a transfer that a transaction has made. Zero is not sent.
pub fn pay<R: Runtime>(rt: &mut R, transfer: Transfer) -> Result<()> {
    let Transfer { to, amount } = transfer;
    if amount.is_zero() {
        return Ok(());
    }
    match rt.send(to, METHOD_SEND, &amount) {
        Some(answer) if answer.exit.is_success() => Ok(()),
        answer => Err(Error::TransferFailed { to, exit: answer.map(|a| a.exit) }),
    }
}

/// Resolves an address that somebody must be behind.
pub fn resolve<R: Runtime>(rt: &R, address: &Address) -> Result<ActorID> {
    rt.resolve(address).ok_or(Error::UnknownAddress(*address))
}

/// Resolves an address of an actor that exists.
pub fn resolve_existing<R: Runtime>(rt: &R, address: &Address) -> Result<ActorID> {
    let id = resolve(rt, address)?;
    // An ID is its own answer, and f2 addresses outlive their actors (a payment channel that was collected). Accounts stay.
    let may_be_gone = matches!(address.protocol(), Protocol::ID | Protocol::Actor);
    if may_be_gone && !rt.exists(id) { Err(Error::UnknownAddress(*address)) } else { Ok(id) }
}
