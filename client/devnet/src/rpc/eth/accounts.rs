//! What stands at an address.

use bauta_client::address::{EthAddress, Prefix};
use bauta_client::node::json::AddressJson;
use bauta_system_actors::method::evm;
use cid::Cid;
use fvm::machine::Manifest;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::{BytesDe, BytesSer, RawBytes};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::state::ActorState;
use serde::de::IgnoredAny;

use super::forms::{self, Data};
use super::{Answer, Args, RpcError, answer, block_param};
use crate::chain::Chain;
use crate::genesis::Kind;
use crate::records::TipsetRecord;
use crate::state::State;
use crate::vm::{Outcome, SYSTEM};

/// The Filecoin address in a param.
pub(super) fn address(args: &Args, index: usize) -> Result<Address, RpcError> {
    Ok(args.get::<forms::Address>(index)?.0.to_filecoin())
}

/// An actor in the state after the block of the second param.
fn actor(chain: &Chain, args: &Args, block: usize) -> Result<(Address, TipsetRecord, Option<ActorState>), RpcError> {
    let address = address(args, 0)?;
    let record = block_param::find(chain, args, block, false)?;
    let actor = State::at(chain.store(), &record.state)?.actor(&address)?;
    Ok((address, record, actor))
}

pub(super) fn balance(chain: &mut Chain, args: &Args) -> Answer {
    let (_, _, actor) = actor(chain, args, 1)?;
    answer(forms::amount(&actor.map(|a| a.balance).unwrap_or_default()))
}

/// A contract's own count of what it has created, or an account's of its messages, waiting ones included in `pending`.
pub(super) fn transaction_count(chain: &mut Chain, args: &Args) -> Answer {
    if args.get::<serde_json::Value>(1)? == "pending" {
        let address = address(args, 0)?;
        let nonce = chain.next_nonce(&address)?;
        let unknown = || RpcError::unresolved(address).within("failed to get nonce from mpool");
        return answer(forms::quantity(nonce.ok_or_else(unknown)?));
    }
    let (address, record, actor) = actor(chain, args, 1)?;
    let Some(actor) = actor else { return answer(forms::quantity(0)) };
    if !is_contract(chain, &actor)? {
        return answer(forms::quantity(actor.sequence));
    }
    let state = State::at(chain.store(), &record.state)?;
    // Code, its hash, storage, transient storage, nonce, tombstone.
    let (_, _, _, _, nonce, dead): (Cid, BytesDe, Cid, IgnoredAny, u64, Option<IgnoredAny>) = state.object(&address)?;
    answer(forms::quantity(if dead.is_some() { 0 } else { nonce }))
}

/// True if the actor is a contract.
pub(super) fn is_contract(chain: &Chain, actor: &ActorState) -> Result<bool, RpcError> {
    let manifest = Manifest::load(chain.store(), &chain.network().manifest, 1)?;
    Ok(manifest.code_by_id(Kind::Evm as u32) == Some(&actor.code))
}

/// Asks a contract something as the system actor, which may ask everything; `failed` is how Lotus calls its not answering.
fn ask(
    chain: &Chain,
    record: &TipsetRecord,
    to: &Address,
    (method, failed): (u64, &str),
    params: RawBytes,
) -> Result<Outcome, RpcError> {
    let outcome = chain.query_at(record.state, record.height, &SYSTEM, to, method, params)?;
    if !outcome.exit.is_success() {
        return Err(RpcError::application(format!("{failed}: {}", outcome.error())));
    }
    Ok(outcome)
}

pub(super) fn code(chain: &mut Chain, args: &Args) -> Answer {
    let (address, record, actor) = actor(chain, args, 1)?;
    match actor {
        Some(actor) if is_contract(chain, &actor)? => {}
        _ => return answer(forms::bytes(&[])),
    }
    let asked = (evm::GET_BYTECODE, "GetBytecode failed");
    let code: Option<Cid> = ask(chain, &record, &address, asked, RawBytes::default())?.decode()?;
    let Some(code) = code else { return answer(forms::bytes(&[])) };
    let missing = || RpcError::application("failed to get EVM bytecode: ipld: could not find it");
    answer(forms::bytes(&chain.store().get(&code)?.ok_or_else(missing)?))
}

pub(super) fn storage(chain: &mut Chain, args: &Args) -> Answer {
    let Data(position) = args.get(1)?;
    if position.len() > 32 {
        return Err(RpcError::application("supplied storage key is too long"));
    }
    let (address, record, actor) = actor(chain, args, 2)?;
    let mut word = [0; 32];
    match actor {
        Some(actor) if is_contract(chain, &actor)? => {}
        _ => return answer(forms::bytes(&word)),
    }
    let mut key = [0; 32];
    key[32 - position.len()..].copy_from_slice(&position);
    let params = RawBytes::serialize((BytesSer(&key),)).map_err(anyhow::Error::from)?;
    let asked = (evm::GET_STORAGE_AT, "failed to lookup storage slot");
    let BytesDe(value) = ask(chain, &record, &address, asked, params)?.decode()?;
    let start = word.len().checked_sub(value.len()).ok_or_else(|| RpcError::application("a slot has 32 bytes"))?;
    word[start..].copy_from_slice(&value);
    answer(forms::bytes(&word))
}

pub(super) fn to_filecoin(_: &mut Chain, args: &Args) -> Answer {
    answer(AddressJson(address(args, 0)?))
}

/// f0 and f410 are converted; f1, f2 and f3 are looked up.
pub(super) fn to_eth(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    if let Some(eth) = EthAddress::of(&address) {
        return answer(forms::address(&eth));
    }
    let tag = args.get::<Option<String>>(1)?.unwrap_or_else(|| "latest".into());
    let record = block_param::by_number(chain, &tag, false).ok_or_else(|| args.refuse(1, "no such block"))??;
    let id = State::at(chain.store(), &record.state)?.resolve(&address)?;
    let id = id.ok_or_else(|| {
        RpcError::application(format!(
            "failed to lookup ID address for given Filecoin address {}: actor not found",
            Prefix::Testnet.show(&address)
        ))
    })?;
    answer(forms::address(&EthAddress::from_id(id)))
}

/// How Ethereum's tools know the actor behind an address: its own f410 address, else its id in disguise. `None` if there is none.
pub(super) fn shown(state: &State, address: &Address) -> Result<Option<EthAddress>, RpcError> {
    if let Some(eth) = EthAddress::of(address).filter(|eth| eth.as_id().is_none()) {
        return Ok(Some(eth));
    }
    Ok(state.resolve(address)?.map(|id| of_id(state, id)).transpose()?)
}

/// The same for an id, even of an actor that is gone.
pub(super) fn of_id(state: &State, id: ActorID) -> anyhow::Result<EthAddress> {
    let delegated = state.actor(&Address::new_id(id))?.and_then(|actor| actor.delegated_address);
    let eth = delegated.and_then(|address| EthAddress::of(&address));
    Ok(eth.unwrap_or_else(|| EthAddress::from_id(id)))
}
