//! Handlers of bounties.

use bauta_abi::{
    CancelBountyParams, ClaimBountyParams, ClaimBountyReturn, CreateBountyParams, CreateBountyReturn, Event,
    FundBountyParams, GetBountyParams, GetBountyReturn, ListBountiesParams, ListBountiesReturn, ListBountyClaimsParams,
    ListBountyClaimsReturn, MAX_NOTIFIED_PIECES, RefundBountyParams, RefundBountyReturn, SectorChanges,
    SectorContentChangedParams, SectorContentChangedReturn, SettleBountyParams, SettleBountyReturn, Settlement,
};
use fvm_shared::ActorID;
use fvm_shared::address::Address;

use crate::error::{Error, Result};
use crate::events;
use crate::ext;
use crate::runtime::{Runtime, pay, resolve, transaction, view};
use crate::state::{Observation, Proof};

pub fn create_bounty<R: Runtime>(rt: &mut R, params: CreateBountyParams) -> Result<CreateBountyReturn> {
    let (creator, value, now) = (rt.caller(), rt.value_received(), rt.epoch());
    let mut terms = params.terms;
    let providers: Vec<ActorID> = terms.providers.iter().map(|p| resolve(rt, p)).collect::<Result<_>>()?;
    terms.providers = providers.into_iter().map(Address::new_id).collect();
    terms.providers.sort_unstable();
    terms.providers.dedup();
    let piece_cid = terms.piece_cid;
    let id = transaction(rt, |state| state.create_bounty(creator, terms, &value, now))?;
    rt.emit(&Event::BountyCreated { id, creator, piece_cid })?;
    if value.is_positive() {
        rt.emit(&Event::BountyFunded { id, funder: creator, amount: value })?;
    }
    Ok(CreateBountyReturn { id })
}

pub fn fund_bounty<R: Runtime>(rt: &mut R, params: FundBountyParams) -> Result<()> {
    let (funder, amount, now) = (rt.caller(), rt.value_received(), rt.epoch());
    if !amount.is_positive() {
        return Err(Error::WrongValue);
    }
    transaction(rt, |state| state.fund_bounty(funder, params.id, &amount, now))?;
    rt.emit(&Event::BountyFunded { id: params.id, funder, amount })
}

/// Total for a miner, whose whole batch would fail with us: what is not understood, not fitting or not possible is passed over.
pub fn sector_content_changed<R: Runtime>(
    rt: &mut R,
    params: Result<SectorContentChangedParams>,
) -> Result<SectorContentChangedReturn> {
    let (provider, now) = (rt.caller(), rt.epoch());
    if rt.builtin_type(provider) != Some(ext::MINER_TYPE) {
        return Err(Error::Forbidden("only a miner actor notifies"));
    }
    let Ok(SectorContentChangedParams { sectors }) = params else {
        return Ok(SectorContentChangedReturn { sectors: vec![] });
    };
    let looked_at = sectors.iter().flat_map(|sector| sector.added.iter().map(move |piece| (sector, piece)));
    let proofs: Vec<_> = looked_at
        .take(MAX_NOTIFIED_PIECES)
        .filter_map(|(sector, piece)| {
            let SectorChanges { sector, minimum_commitment_epoch: expiration, .. } = *sector;
            let (piece_cid, size) = (piece.data, piece.size);
            Some((piece.bounty()?, Proof { provider, sector, deal: None, piece: piece_cid, size, expiration }))
        })
        .collect();
    let claims = if proofs.is_empty() { Ok(vec![]) } else { transaction(rt, |state| state.notified(&proofs, now)) };
    for (id, claim, sector) in claims.unwrap_or_default() {
        // A claim without its event is still a claim.
        let _ = rt.emit(&Event::BountyClaimed { id, claim, provider, sector, deal: None });
    }
    Ok(SectorContentChangedReturn { sectors: sectors.iter().map(|s| vec![true; s.added.len()]).collect() })
}

pub fn claim_bounty<R: Runtime>(rt: &mut R, params: ClaimBountyParams) -> Result<ClaimBountyReturn> {
    let now = rt.epoch();
    let ClaimBountyParams { id, deal_id } = params;
    view(rt, |state| state.bounty(id, now))?.ok_or(Error::NotFound("bounty"))?;
    let proof = ext::proof_of_deal(rt, deal_id)?;
    let claim = transaction(rt, |state| state.claim_bounty(id, &proof, now))?;
    let Proof { provider, sector, deal, .. } = proof;
    rt.emit(&Event::BountyClaimed { id, claim, provider, sector, deal })?;
    Ok(ClaimBountyReturn { claim })
}

pub fn settle_bounty<R: Runtime>(rt: &mut R, params: SettleBountyParams) -> Result<SettleBountyReturn> {
    let (now, id) = (rt.epoch(), params.id);
    let claims: Vec<_> = params.claims.iter().map(|settlement| settlement.claim).collect();
    let sectors = view(rt, |state| state.open_claims(id, &claims))?;
    let mut observations = vec![];
    for (Settlement { claim, aux }, (provider, sector)) in params.claims.iter().zip(sectors) {
        let (status, expiration) = ext::sector(rt, provider, sector, aux).ok_or(Error::StaleLocation(*claim))?;
        observations.push(Observation { claim: *claim, status, expiration });
    }
    let (settled, transfers) = transaction(rt, |state| state.settle_bounty(id, &observations, now))?;
    transfers.into_iter().try_for_each(|transfer| pay(rt, transfer))?;
    settled.iter().try_for_each(|settled| rt.emit(&events::bounty_settled(id, settled)))?;
    Ok(SettleBountyReturn { amounts: settled.into_iter().map(|settled| settled.amount).collect() })
}

pub fn cancel_bounty<R: Runtime>(rt: &mut R, params: CancelBountyParams) -> Result<()> {
    let (caller, now) = (rt.caller(), rt.epoch());
    transaction(rt, |state| state.cancel_bounty(caller, params.id, now))?;
    rt.emit(&Event::BountyCancelled { id: params.id })
}

pub fn refund_bounty<R: Runtime>(rt: &mut R, params: RefundBountyParams) -> Result<RefundBountyReturn> {
    let (funder, now, id) = (rt.caller(), rt.epoch(), params.id);
    let transfer = transaction(rt, |state| state.refund_bounty(funder, id, now))?;
    let amount = transfer.amount.clone();
    pay(rt, transfer)?;
    rt.emit(&Event::BountyRefunded { id, funder, amount: amount.clone() })?;
    Ok(RefundBountyReturn { amount })
}

pub fn get_bounty<R: Runtime>(rt: &mut R, params: GetBountyParams) -> Result<GetBountyReturn> {
    let now = rt.epoch();
    view(rt, |state| state.bounty(params.id, now))
}

pub fn list_bounties<R: Runtime>(rt: &mut R, params: ListBountiesParams) -> Result<ListBountiesReturn> {
    let now = rt.epoch();
    view(rt, |state| state.list_bounties(params.cursor, params.limit, now))
}

pub fn list_bounty_claims<R: Runtime>(rt: &mut R, params: ListBountyClaimsParams) -> Result<ListBountyClaimsReturn> {
    view(rt, |state| state.list_bounty_claims(params.id, params.cursor, params.limit))
}
