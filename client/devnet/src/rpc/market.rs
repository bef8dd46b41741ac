//! The built-in storage market.
//!
//! Deals hang on the first two fields of its state, escrow and what is locked of it on the fourth and fifth: on official
//! bundles as maps by address, on ours as arrays by actor id.
//!
//! Source: builtin-actors `actors/market/src/{state,balance_table}.rs`, lotus `node/impl/full/state.go`.

use std::collections::BTreeMap;

use bauta_client::deal::market::{DealProposal as Proposal, Label};
use bauta_client::node::json::{DealProposal, DealState, MarketBalance, MarketDeal, TokenJson};
use bauta_system_actors::method::market::GET_BALANCE;
use cid::Cid;
use fvm_ipld_amt::Amt;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_hamt::Hamt;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde_json::json;

use super::args::answer;
use super::bounds::{LISTED, SEARCHED, not_gone_through, too_many};
use super::chain::find;
use super::fields::Leading;
use super::miner::call;
use super::{Answer, Args, Method, RpcError, actors};
use crate::chain::Chain;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateMarketBalance", 2, balance),
    Method::read("Filecoin.StateMarketParticipants", 1, participants),
    Method::read("Filecoin.StateMarketDeals", 1, deals),
    Method::read("Filecoin.StateMarketStorageDeal", 2, deal),
    Method::read("Filecoin.StateDealProviderCollateralBounds", 3, collateral_bounds),
];

const MARKET: Address = Address::new_id(5);
/// Bit width of official balance tables.
const BALANCES_BIT_WIDTH: u32 = 6;

/// Sector, activation, last payment, termination.
type Activated = (u64, ChainEpoch, ChainEpoch, ChainEpoch);

fn balance(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    let params = RawBytes::serialize(address).map_err(anyhow::Error::from)?;
    let failure = || RpcError::unresolved(address);
    let (escrow, locked): (TokenAmount, TokenAmount) =
        call(chain, &args.key(1)?, &MARKET, GET_BALANCE, params, failure)?;
    answer(MarketBalance { escrow, locked })
}

fn state(chain: &Chain, args: &Args, key: usize) -> Result<[Cid; 5], RpcError> {
    let Leading(fields) = actors::state_at(chain, &args.key(key)?)?.object(&MARKET)?;
    Ok(fields)
}

fn broken(error: impl std::fmt::Display) -> RpcError {
    RpcError::application(format!("the market's state: {error}"))
}

/// Everybody's amount in a table; `None` if it has more than `limit`.
fn table(chain: &Chain, root: &Cid, limit: usize) -> Result<Option<BTreeMap<Address, TokenAmount>>, RpcError> {
    let mut found = BTreeMap::new();
    if let Ok(array) = Amt::<TokenAmount, _>::load(root, chain.store()) {
        if array.count() > limit as u64 {
            return Ok(None);
        }
        let each = array.for_each(|id, amount| {
            found.insert(Address::new_id(id), amount.clone());
            Ok(())
        });
        each.map_err(broken)?;
        return Ok(Some(found));
    }
    let map: Hamt<_, TokenAmount> =
        Hamt::load_with_bit_width(root, chain.store(), BALANCES_BIT_WIDTH).map_err(broken)?;
    let mut are_more = false;
    let each = map.for_each_cacheless(|key, amount| {
        are_more = found.len() == limit;
        anyhow::ensure!(!are_more, "there are more");
        found.insert(Address::from_bytes(key)?, amount.clone());
        Ok(())
    });
    if are_more {
        return Ok(None);
    }
    each.map_err(broken)?;
    Ok(Some(found))
}

/// What deals lock of everybody's money.
pub(super) fn locked(chain: &Chain, args: &Args, key: usize) -> Result<TokenAmount, RpcError> {
    let [_, _, _, _, locked] = state(chain, args, key)?;
    let table =
        table(chain, &locked, SEARCHED as usize)?.ok_or_else(|| not_gone_through("participants of the market"))?;
    Ok(table.into_values().sum())
}

fn participants(chain: &mut Chain, args: &Args) -> Answer {
    let [_, _, _, escrow, locked] = state(chain, args, 0)?;
    let too_many = || too_many("participants", "ask for each by StateMarketBalance");
    let escrow = table(chain, &escrow, LISTED)?.ok_or_else(too_many)?;
    let mut locked = table(chain, &locked, LISTED)?.ok_or_else(too_many)?;
    let all = escrow.into_iter().map(|(address, escrow)| {
        let locked = locked.remove(&address).unwrap_or_default();
        (bauta_client::address::Prefix::Testnet.show(&address), MarketBalance { escrow, locked })
    });
    answer(all.collect::<BTreeMap<_, _>>())
}

fn show(proposal: &Proposal, activated: Option<&Activated>) -> MarketDeal {
    let &(sector_number, sector_start_epoch, last_updated_epoch, slash_epoch) = activated.unwrap_or(&(0, -1, -1, -1));
    MarketDeal {
        proposal: DealProposal {
            piece_cid: proposal.piece_cid,
            piece_size: proposal.piece_size.0,
            verified_deal: proposal.verified_deal,
            client: proposal.client,
            provider: proposal.provider,
            label: match &proposal.label {
                Label::Text(text) => text.clone(),
                // A label of bytes is not text and prints as none, as on Lotus.
                Label::Bytes(_) => String::new(),
            },
            start_epoch: proposal.start_epoch,
            end_epoch: proposal.end_epoch,
            storage_price_per_epoch: proposal.storage_price_per_epoch.clone(),
            provider_collateral: proposal.provider_collateral.clone(),
            client_collateral: proposal.client_collateral.clone(),
        },
        state: DealState { sector_number, sector_start_epoch, last_updated_epoch, slash_epoch },
    }
}

fn deals(chain: &mut Chain, args: &Args) -> Answer {
    let [proposals, states, ..] = state(chain, args, 0)?;
    let states = Amt::<Activated, _>::load(&states, chain.store()).map_err(broken)?;
    let mut found = BTreeMap::new();
    let proposals = Amt::<Proposal, _>::load(&proposals, chain.store()).map_err(broken)?;
    if proposals.count() > LISTED as u64 {
        return Err(too_many("deals", "ask for each by StateMarketStorageDeal"));
    }
    let each = proposals.for_each(|id, proposal| {
        found.insert(id.to_string(), show(proposal, states.get(id)?));
        Ok(())
    });
    each.map_err(broken)?;
    answer(found)
}

fn deal(chain: &mut Chain, args: &Args) -> Answer {
    let id: u64 = args.get(0)?;
    let [proposals, states, ..] = state(chain, args, 1)?;
    let proposals = Amt::<Proposal, _>::load(&proposals, chain.store()).map_err(broken)?;
    let states = Amt::<Activated, _>::load(&states, chain.store()).map_err(broken)?;
    // Ids above what an array can hold are nobody's.
    let proposal = proposals.get(id).ok().flatten().ok_or_else(|| {
        RpcError::application(format!(
            "deal {id} not found - deal may not have completed sealing before deal proposal start epoch, or deal may have \
             been slashed"
        ))
    })?;
    answer(show(proposal, states.get(id).map_err(broken)?))
}

/// The `testing-fake-proofs` actors, and ours, ask no collateral of providers; more than there is nobody can have.
fn collateral_bounds(chain: &mut Chain, args: &Args) -> Answer {
    let size: u64 = args.get(0)?;
    args.get::<bool>(1)?;
    find(chain, &args.key(2)?)?;
    if !size.is_power_of_two() || size < 128 {
        return Err(args.refuse(0, format!("{size} is no padded piece size")));
    }
    let (min, max) = (TokenAmount::default(), chain.network().supply.clone());
    answer(json!({ "Min": TokenJson(min), "Max": TokenJson(max) }))
}
