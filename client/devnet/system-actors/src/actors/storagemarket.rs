//! f05: deals between clients and providers, with escrow.

use std::collections::BTreeMap;

use cid::Cid;
use cid::multihash::Multihash;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::{BytesSer, DAG_CBOR, from_slice, to_vec};
use fvm_sdk::{crypto, message};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, MethodNum};
use serde::Serialize;

use crate::abi::{AuthenticateMessageParams, BatchReturn, ControlAddresses, SectorChanges, SectorsTerminateParams};
use crate::failure::{Result, ensure, failure, forbidden, illegal_argument, not_found};
use crate::market::deal::{EXPIRED, NEVER, NOT_ACTIVATED};
use crate::market::{ClientDeal, Proposal, PublishedDeal, State};
use crate::method::{CONSTRUCTOR, account, market as m, miner};
use crate::runtime::{
    Answer, CRON, Event, Params, SYSTEM, Store, ask, block, burn, caller_is, caller_is_miner, decode, done, exists,
    kind, kind_of, load, now, outcome, pay, reply, resolve, save, send, try_send, unhandled,
};

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            params.none()?;
            caller_is(&[SYSTEM])?;
            save(&State::new(&Store)?)?;
            done()
        }
        m::ADD_BALANCE | m::ADD_BALANCE_EXPORTED => add_balance(params.get()?),
        m::WITHDRAW_BALANCE | m::WITHDRAW_BALANCE_EXPORTED => withdraw_balance(params.get()?),
        m::GET_BALANCE => {
            let who: Address = params.get()?;
            let who = resolve(&who).ok_or_else(|| illegal_argument("failed to resolve address"))?;
            reply(&load::<State>()?.balance(&Store, who)?)
        }
        m::PUBLISH_STORAGE_DEALS | m::PUBLISH_STORAGE_DEALS_EXPORTED => publish(params.get()?),
        miner::SECTOR_CONTENT_CHANGED => sector_content_changed(params.get()?),
        m::ON_MINER_SECTORS_TERMINATE => sectors_terminate(params.get()?),
        m::CRON_TICK => {
            params.none()?;
            cron_tick()
        }
        m::SETTLE_DEAL_PAYMENTS => settle(params.get()?),
        m::GET_DEAL_DATA_COMMITMENT => of_deal(params, |p| (p.piece_cid, p.piece_size)),
        m::GET_DEAL_CLIENT => of_deal(params, |p| p.client.id().unwrap_or_default()),
        m::GET_DEAL_PROVIDER => of_deal(params, |p| p.provider.id().unwrap_or_default()),
        m::GET_DEAL_LABEL => of_deal(params, |p| p.label),
        m::GET_DEAL_TERM => of_deal(params, |p| (p.start, p.duration())),
        m::GET_DEAL_TOTAL_PRICE => of_deal(params, |p| p.total_price()),
        m::GET_DEAL_CLIENT_COLLATERAL => of_deal(params, |p| p.client_collateral),
        m::GET_DEAL_PROVIDER_COLLATERAL => of_deal(params, |p| p.provider_collateral),
        m::GET_DEAL_VERIFIED => of_deal(params, |p| p.verified),
        m::GET_DEAL_ACTIVATION => match load::<State>()?.deal(&Store, params.get()?)? {
            PublishedDeal::Active(_, state) => reply(&(state.activated, state.slashed)),
            PublishedDeal::Published(_) => reply(&(NEVER, NEVER)),
        },
        m::GET_DEAL_SECTOR => match load::<State>()?.deal(&Store, params.get()?)? {
            PublishedDeal::Active(_, state) => reply(&state.sector),
            PublishedDeal::Published(_) => Err(failure(NOT_ACTIVATED, "deal is not yet activated")),
        },
        _ => unhandled(),
    }
}

fn of_deal<T: Serialize>(params: &Params, read: fn(Proposal) -> T) -> Answer {
    reply(&read(load::<State>()?.proposal(&Store, params.get()?)?))
}

// --- escrow ----------------------------------------------------------------------------------------------------------

#[inline(never)]
fn add_balance(who: Address) -> Answer {
    let value = message::value_received();
    ensure(value.is_positive(), || illegal_argument("balance to add must be greater than zero"))?;
    let (holder, ..) = escrow_of(&who)?;
    let mut state: State = load()?;
    state.deposit(&Store, holder, &value)?;
    save(&state)?;
    done()
}

#[inline(never)]
fn withdraw_balance((who, amount): (Address, TokenAmount)) -> Answer {
    ensure(!amount.is_negative(), || illegal_argument("negative amount"))?;
    let (holder, recipient, allowed) = escrow_of(&who)?;
    caller_is(&allowed)?;
    let mut state: State = load()?;
    let taken = state.withdraw(&Store, holder, &amount)?;
    save(&state)?;
    pay(recipient, taken.clone())?;
    reply(&taken)
}

/// Whose balance it is, who gets what is withdrawn, and who may: of a miner, its owner, and its owner or worker.
fn escrow_of(address: &Address) -> Result<(ActorID, ActorID, Vec<ActorID>)> {
    let holder = resolve(address).ok_or_else(|| illegal_argument("failed to resolve address"))?;
    ensure(exists(holder), || illegal_argument("no code for address"))?;
    match kind_of(holder) {
        Some(kind::MINER) => {
            let of: ControlAddresses = ask(holder, miner::CONTROL_ADDRESSES, None)?;
            let [owner, worker] = [of.owner, of.worker].map(|a| a.id().unwrap_or_default());
            Ok((holder, owner, vec![owner, worker]))
        }
        _ => Ok((holder, holder, vec![holder])),
    }
}

// --- publishing ------------------------------------------------------------------------------------------------------

#[inline(never)]
fn publish((deals,): (Vec<ClientDeal>,)) -> Answer {
    let first = deals.first().ok_or_else(|| illegal_argument("empty deals parameter"))?;
    let given = first.proposal.provider;
    let provider = resolve(&given).ok_or_else(|| not_found("failed to resolve provider"))?;
    ensure(kind_of(provider) == Some(kind::MINER), || illegal_argument("deal provider is not a miner"))?;
    let caller = Address::new_id(message::caller());
    let controls: bool = ask(provider, miner::IS_CONTROLLING_ADDRESS, block(&caller)?)?;
    ensure(controls, || forbidden("caller does not control the provider"))?;

    // Before the state is loaded: clients are called, and may call back.
    let valid: Vec<bool> = deals.iter().map(|deal| is_valid(deal).is_ok()).collect();

    let mut state: State = load()?;
    let (mut accepted, mut published) = (BitField::new(), vec![]);
    for (index, (deal, _)) in deals.into_iter().zip(valid).enumerate().filter(|(_, (_, valid))| *valid) {
        let mut proposal = deal.proposal;
        if proposal.provider != Address::new_id(provider) && proposal.provider != given {
            continue;
        }
        let Some(client) = resolve(&proposal.client) else { continue };
        let covered = state.covers(&Store, client, &proposal.client_lockup())?
            && state.covers(&Store, provider, &proposal.provider_collateral)?;
        proposal.provider = Address::new_id(provider);
        proposal.client = Address::new_id(client);
        let cid = proposal_cid(&proposal)?;
        // No client has datacap.
        if !covered || proposal.verified || state.is_pending(&Store, &cid)? {
            continue;
        }
        let bytes = to_vec(&proposal)?;
        let id = state.publish(&Store, proposal, &cid)?;
        accepted.set(index as u64);
        published.push((id, client, bytes));
    }
    ensure(!published.is_empty(), || illegal_argument("all deal proposals invalid"))?;
    save(&state)?;

    for (id, client, proposal) in &published {
        let params = block(&(BytesSer(proposal), id))?;
        // A client that cannot be told spoils the message, whatever its own exit code.
        send(*client, m::MARKET_NOTIFY_DEAL, params, TokenAmount::default())
            .map_err(|_| illegal_argument("failed to notify deal"))?;
        event("deal-published", *id, *client, provider)?;
    }
    let ids: Vec<u64> = published.iter().map(|p| p.0).collect();
    reply(&(ids, accepted))
}

/// Whether the terms are allowed and the client says it agreed.
fn is_valid(ClientDeal { proposal, signature }: &ClientDeal) -> Result<()> {
    let params = AuthenticateMessageParams { signature: signature.bytes.clone(), message: to_vec(proposal)? };
    let answer = try_send(
        &proposal.client,
        account::AUTHENTICATE_MESSAGE,
        block(&params)?,
        TokenAmount::default(),
        SendFlags::READ_ONLY,
    );
    let agreed: bool = decode(outcome(answer)?)?;
    ensure(agreed, || illegal_argument("proposal authentication failed"))?;
    proposal.check(now())
}

fn proposal_cid(proposal: &Proposal) -> Result<Cid> {
    const BLAKE2B_256: u64 = 0xb220;
    let digest = crypto::hash_blake2b(&to_vec(proposal)?);
    let hash = Multihash::wrap(BLAKE2B_256, &digest).map_err(|_| illegal_argument("failed to take CID"))?;
    Ok(Cid::new_v1(DAG_CBOR, hash))
}

fn event(kind: &str, id: u64, client: ActorID, provider: ActorID) -> Result<()> {
    Event::of(kind)?.indexed("id", &id)?.indexed("client", &client)?.indexed("provider", &provider)?.emit()
}

fn event_of(kind: &str, id: u64, proposal: &Proposal) -> Result<()> {
    let [client, provider] = [&proposal.client, &proposal.provider].map(|a| a.id().unwrap_or_default());
    event(kind, id, client, provider)
}

// --- life of a deal --------------------------------------------------------------------------------------------------

#[inline(never)]
fn sector_content_changed(changes: Vec<SectorChanges>) -> Answer {
    let provider = caller_is_miner()?;
    let mut state: State = load()?;
    let mut answer: Vec<Vec<bool>> = vec![];
    for change in &changes {
        let mut accepted = vec![];
        for piece in &change.added {
            let activated = (|| {
                let id: u64 = from_slice(piece.payload.bytes()).ok()?;
                let PublishedDeal::Published(proposal) = state.deal(&Store, id).ok()? else { return None };
                proposal.check_activation(provider, change.minimum_commitment_epoch, now()).ok()?;
                (piece.data == proposal.piece_cid && piece.size == proposal.piece_size).then_some((id, proposal))
            })();
            if let Some((id, proposal)) = &activated {
                state.activate(&Store, *id, provider, change.sector, now())?;
                event_of("deal-activated", *id, proposal)?;
            }
            accepted.push(activated.is_some());
        }
        answer.push(accepted);
    }
    save(&state)?;
    reply(&answer)
}

#[inline(never)]
fn sectors_terminate(SectorsTerminateParams { epoch, sectors }: SectorsTerminateParams) -> Answer {
    let provider = caller_is_miner()?;
    let mut state: State = load()?;
    let mut slashed = TokenAmount::default();
    for sector in sectors.iter() {
        for id in state.take_sector_deals(&Store, provider, sector)? {
            let Ok(PublishedDeal::Active(proposal, deal)) = state.deal(&Store, id) else { continue };
            // A deal that is over only waits for its settlement.
            if proposal.end > epoch {
                slashed += state.terminate(&Store, id, (&proposal, &deal), &proposal_cid(&proposal)?, epoch)?;
                event_of("deal-terminated", id, &proposal)?;
            }
        }
    }
    save(&state)?;
    burn(slashed)?;
    done()
}

#[inline(never)]
fn cron_tick() -> Answer {
    caller_is(&[CRON])?;
    let mut state: State = load()?;
    let mut slashed = TokenAmount::default();
    for id in state.take_scheduled(&Store, now())? {
        match state.deal(&Store, id) {
            Ok(PublishedDeal::Published(_)) => {
                slashed += state.settle(&Store, id, proposal_cid, now())?.missed.unwrap_or_default();
            }
            // Active deals are settled by whoever wants to be paid.
            Ok(PublishedDeal::Active(proposal, deal)) if deal.last_updated == NEVER => {
                state.no_longer_pending(&Store, &proposal_cid(&proposal)?)?;
            }
            _ => {}
        }
    }
    save(&state)?;
    burn(slashed)?;
    done()
}

#[inline(never)]
fn settle(deals: BitField) -> Answer {
    let mut state: State = load()?;
    let mut results = BatchReturn::default();
    let mut settlements: Vec<(TokenAmount, bool)> = vec![];
    let mut slashed = TokenAmount::default();
    let mut completed = BTreeMap::new();
    for id in deals.iter() {
        let Ok(proposal) = state.proposal(&Store, id) else {
            results.push(EXPIRED);
            continue;
        };
        let settled = state.settle(&Store, id, proposal_cid, now())?;
        if let Some(missed) = settled.missed {
            slashed += missed;
            results.push(EXPIRED);
            continue;
        }
        if settled.completed {
            completed.insert(id, proposal);
        }
        settlements.push((settled.payment, settled.completed));
        results.push(ExitCode::OK);
    }
    save(&state)?;
    for (id, proposal) in &completed {
        event_of("deal-completed", *id, proposal)?;
    }
    burn(slashed)?;
    reply(&(results, settlements))
}
