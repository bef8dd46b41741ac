//! Actors, addresses, balances, calls.

use std::collections::BTreeMap;
use std::time::Instant;

use bauta_client::address::Prefix;
use bauta_client::message::{self, Message};
use bauta_client::node::json::{
    ActorState, AddressJson, CidJson, GasCost, InvocResult, MessageJson, TipsetKey, TokenJson,
};
use fvm::machine::Manifest;
use fvm_ipld_encoding::CborStore;
use fvm_ipld_hamt::{BytesKey, Hamt};
use fvm_shared::address::{Address, Protocol};
use fvm_shared::econ::TokenAmount;
use fvm_shared::{ActorID, HAMT_BIT_WIDTH};

use super::args::answer;
use super::bounds::{LISTED, SEARCHED, not_gone_through, too_many};
use super::chain::{find, show_receipt};
use super::{Answer, Args, Method, RpcError, trace};
use crate::chain::Chain;
use crate::estimate;
use crate::genesis::Kind;
use crate::state::State;
use crate::vm::{BLOCK_GAS, Outcome, Vm};

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.WalletBalance", 1, balance),
    Method::read("Filecoin.StateGetActor", 2, get_actor),
    Method::read("Filecoin.StateLookupID", 2, lookup_id),
    Method::read("Filecoin.StateAccountKey", 2, account_key),
    Method::read("Filecoin.StateLookupRobustAddress", 2, lookup_robust),
    Method::read("Filecoin.StateListActors", 1, list),
    Method::read("Filecoin.StateListMiners", 1, list_miners),
    Method::read("Filecoin.StateActorCodeCIDs", 1, codes),
    Method::read("Filecoin.StateActorManifestCID", 1, manifest),
    Method::read("Filecoin.StateCall", 2, call),
];

/// The state that a tipset's readers see: that before its own messages.
pub(super) fn state_at(chain: &Chain, key: &TipsetKey) -> Result<State, RpcError> {
    Ok(State::at(chain.store(), &find(chain, key)?.parent_state)?)
}

/// An actor's entry in JSON.
pub(super) fn show(actor: &fvm_shared::state::ActorState) -> ActorState {
    ActorState {
        code: actor.code,
        head: actor.state,
        nonce: actor.sequence,
        balance: actor.balance.clone(),
        delegated_address: actor.delegated_address,
    }
}

fn balance(chain: &mut Chain, args: &Args) -> Answer {
    let actor = state_at(chain, &TipsetKey::HEAD)?.actor(&args.address(0)?)?;
    answer(TokenJson(actor.map(|a| a.balance).unwrap_or_default()))
}

fn get_actor(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    let actor = state_at(chain, &args.key(1)?)?.actor(&address)?;
    answer(show(&actor.ok_or_else(|| RpcError::unresolved(address))?))
}

fn lookup_id(chain: &mut Chain, args: &Args) -> Answer {
    let id = state_at(chain, &args.key(1)?)?.resolve(&args.address(0)?)?;
    answer(AddressJson(Address::new_id(id.ok_or_else(RpcError::actor_not_found)?)))
}

/// Addresses that are keys, or stand for one as f410 do, are not looked up; of an f2 Lotus does not want to know.
///
/// Source: lotus `chain/stmgr/stmgr.go`, `ResolveToDeterministicAddress`.
fn account_key(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    let tipset = find(chain, &args.key(1)?)?;
    match address.protocol() {
        Protocol::Secp256k1 | Protocol::BLS | Protocol::Delegated => return answer(AddressJson(address)),
        Protocol::Actor => return Err(RpcError::application("cannot resolve actor address to key address")),
        Protocol::ID => {}
    }
    // Whoever the tipset's own messages have made is known, too.
    let key = match key_in(chain, &State::at(chain.store(), &tipset.parent_state)?, &address) {
        Err(_) => key_in(chain, &State::at(chain.store(), &tipset.state)?, &address),
        key => key,
    };
    answer(AddressJson(key?))
}

fn key_in(chain: &Chain, state: &State, address: &Address) -> Result<Address, RpcError> {
    let missing = || RpcError::application(format!("failed to find actor: {}", Prefix::Testnet.show(address)));
    let actor = state.actor(address)?.ok_or_else(missing)?;
    if let Some(delegated) = actor.delegated_address {
        return Ok(delegated);
    }
    if actor.code != code(chain, Kind::Account)? {
        let shown = Prefix::Testnet.show(address);
        return Err(RpcError::application(format!(
            "failed to get account actor state for {shown}: not an account actor"
        )));
    }
    let (key,): (Address,) = state.object(address)?;
    Ok(key)
}

/// The code of a built-in actor.
pub(super) fn code(chain: &Chain, kind: Kind) -> Result<cid::Cid, RpcError> {
    let manifest = Manifest::load(chain.store(), &chain.network().manifest, 1)?;
    let code = manifest.code_by_id(kind as u32).copied();
    code.ok_or_else(|| RpcError::application(format!("the bundle lacks {kind:?}")))
}

/// The init actor, and its state: addresses, the next id, the network's name.
const INIT: Address = Address::new_id(1);
type InitState = (cid::Cid, ActorID, String);

/// The id that the next actor will have: nobody's is as high.
pub(super) fn next_id(state: &State) -> Result<ActorID, RpcError> {
    let (_, next, _): InitState = state.object(&INIT)?;
    Ok(next)
}

fn list(chain: &mut Chain, args: &Args) -> Answer {
    let ids = state_at(chain, &args.key(0)?)?.ids(LISTED)?;
    let ids = ids.ok_or_else(|| too_many("actors", "ask for each by StateGetActor"))?;
    answer(ids.into_iter().map(|id| AddressJson(Address::new_id(id))).collect::<Vec<_>>())
}

fn list_miners(chain: &mut Chain, args: &Args) -> Answer {
    let next = next_id(&state_at(chain, &args.key(0)?)?)?;
    // Miners come and stay, and ids are given out in order: those of an earlier state are those of now with an id of then.
    let miners = chain.miners()?;
    let found = &miners[..miners.partition_point(|id| *id < next)];
    if found.len() > LISTED {
        return Err(too_many("miners", "ask for each by StateMinerInfo"));
    }
    answer(found.iter().map(|id| AddressJson(Address::new_id(*id))).collect::<Vec<_>>())
}

/// The built-in actors by name. There is one network version here: asking for another is an error, as on nodes that do not
/// know it.
fn codes(chain: &mut Chain, args: &Args) -> Answer {
    check_version(chain, args)?;
    let manifest: Vec<(String, cid::Cid)> = chain
        .store()
        .get_cbor(&chain.network().manifest)?
        .ok_or_else(|| RpcError::application("the manifest is missing"))?;
    answer(manifest.into_iter().map(|(name, code)| (name, CidJson(code))).collect::<BTreeMap<_, _>>())
}

fn manifest(chain: &mut Chain, args: &Args) -> Answer {
    check_version(chain, args)?;
    answer(CidJson(chain.network().manifest))
}

fn check_version(chain: &Chain, args: &Args) -> Result<(), RpcError> {
    let (asked, version): (u32, u32) = (args.get(0)?, chain.network().version);
    if asked == version {
        return Ok(());
    }
    Err(RpcError::application(format!("network version {asked}: this network has version {version}, and no other")))
}

fn lookup_robust(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    let Ok(id) = address.id() else { return answer(AddressJson(address)) };
    let state = state_at(chain, &args.key(1)?)?;
    let actor = state.actor(&address)?.ok_or_else(|| RpcError::unresolved(address))?;
    if let Some(delegated) = actor.delegated_address {
        return answer(AddressJson(delegated));
    }
    if actor.code == code(chain, Kind::Account)?
        && let Ok((key,)) = state.object::<(Address,)>(&address)
        && key.protocol() != Protocol::ID
    {
        return answer(AddressJson(key));
    }
    let (map, _, _): InitState = state.object(&INIT)?;
    let map: Hamt<_, ActorID> = Hamt::load_with_bit_width(&map, chain.store().clone(), HAMT_BIT_WIDTH)
        .map_err(|e| RpcError::application(format!("the init actor's map: {e}")))?;
    let mut found = None;
    // Names of accounts stand in their states; of others one is found only by going through all.
    let (mut seen, mut is_done) = (0, false);
    let walked = map.for_each_cacheless(|key: &BytesKey, value| {
        seen += 1;
        found = if *value == id { Address::from_bytes(key).ok() } else { None };
        is_done = found.is_some() || seen == SEARCHED;
        anyhow::ensure!(!is_done, "enough");
        Ok(())
    });
    if !is_done {
        walked.map_err(|e| RpcError::application(format!("the init actor's map: {e}")))?;
    } else if found.is_none() {
        return Err(not_gone_through("addresses"));
    }
    let robust = found
        .ok_or_else(|| RpcError::application(format!("no robust address for {}", Prefix::Testnet.show(&address))))?;
    answer(AddressJson(robust))
}

/// Runs on the state before the tipset and those of its messages that have the same sender, by the very same address.
///
/// Source: lotus `chain/stmgr/call.go`, `execSameSenderMessages`.
fn call(chain: &mut Chain, args: &Args) -> Answer {
    let call: MessageJson = args.get(0)?;
    let tipset = find(chain, &args.key(1)?)?;
    let start = Instant::now();
    let mut run = call.message;
    if run.gas_limit == 0 {
        run.gas_limit = BLOCK_GAS;
    }
    if run.gas_limit > BLOCK_GAS {
        return Err(RpcError::application(format!("gas limit {} is more than a block's, {BLOCK_GAS}", run.gas_limit)));
    }
    let mut earlier = Vec::new();
    for cid in &tipset.messages {
        let (message, length) = chain.stored_message(cid)?;
        if message.from == run.from {
            earlier.push((message, length));
        }
    }
    let open = if run.gas_fee_cap.is_zero() { Vm::open_free_tracing } else { Vm::open_tracing };
    let (parent, epoch) = (tipset.parent_state, tipset.height);
    let outcome = estimate::after(chain, parent, epoch, earlier, |state| {
        let mut vm = open(chain.store(), &chain.rules, state, epoch)?;
        let Some(sender) = vm.actor(&run.from)? else {
            let from = Prefix::Testnet.show(&run.from);
            anyhow::bail!("sender {from} not found on chain: sender validation failed");
        };
        run.sequence = sender.sequence;
        vm.unpaid(run.clone())
    })?;
    answer(result(run, call.null_params, outcome, start))
}

/// What running a message came to.
pub(super) fn result(message: Message, null_params: bool, outcome: Outcome, start: Instant) -> InvocResult {
    let cid = message::cid(&message);
    let fees = &outcome.fees;
    InvocResult {
        msg_cid: cid,
        msg_rct: Some(show_receipt(&outcome.receipt())),
        gas_cost: GasCost {
            message: Some(cid),
            gas_used: TokenAmount::from_atto(outcome.gas),
            base_fee_burn: fees.base_fee_burn.clone(),
            over_estimation_burn: fees.over_estimation_burn.clone(),
            miner_penalty: fees.miner_penalty.clone(),
            miner_tip: fees.miner_tip.clone(),
            refund: fees.refund.clone(),
            total_cost: fees.total(),
        },
        execution_trace: trace::build(&message, &outcome),
        error: outcome.error(),
        duration: i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX),
        msg: MessageJson { message, null_params },
    }
}
