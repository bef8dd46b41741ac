//! Deals of the built-in market (f05): taken as signed proposals, published by the worker, activated by notification.

use anyhow::{Context, Result, ensure};
use bauta_client::deal::market::{ClientDealProposal, PublishStorageDealsParams};
use bauta_client::deal::mk12::{DealParams, HttpRequest};
use bauta_client::piece::padded_size_of;
use cid::Cid;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::{RawBytes, from_slice, to_vec};
use fvm_shared::address::{Address, Protocol};
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;

use super::book::{Book, Job, Kind, Link, Stage, Wanted};
use super::messages::{ADD_BALANCE, GET_BALANCE, MARKET, PUBLISH_STORAGE_DEALS, SEALING_DELAY, SECTOR_SIZE};
use super::shop::Shop;
use crate::duties::{Included, Ledger};

/// Epochs that a deal must leave us for publishing and sealing.
const LEAD: i64 = SEALING_DELAY + 4;

/// Checks a proposal and makes a job of it.
pub fn take(shop: &Shop, deal: &DealParams) -> Result<(String, Job)> {
    let signed = &deal.client_deal_proposal;
    let proposal = &signed.proposal;
    let miner = shop.miner().context("the provider is not on the chain yet")?;
    ensure!(proposal.provider == Address::new_id(miner), "the proposal is for another provider");
    let by_key = matches!(proposal.client.protocol(), Protocol::Secp256k1 | Protocol::BLS);
    ensure!(by_key, "the client must be named by its key address");
    signed.verify(&proposal.client)?;
    ensure!(!proposal.verified_deal, "verified deals ended with FIP-0118");
    ensure!(proposal.piece_size.0 <= SECTOR_SIZE.0, "the piece is larger than a sector");
    ensure!(proposal.start_epoch > shop.epoch() + LEAD, "the deal starts too soon to be sealed before");
    ensure!(!deal.is_offline, "offline deals are not taken");
    ensure!(deal.transfer.r#type == "http", "only transfers of type http are taken");
    ensure!(
        padded_size_of(deal.transfer.size)? == proposal.piece_size,
        "the piece size does not go with the transfer's"
    );
    let request: HttpRequest = serde_json::from_slice(&deal.transfer.params).context("the transfer's params")?;
    let wanted = Wanted {
        piece_cid: proposal.piece_cid,
        padded_size: proposal.piece_size.0,
        payload_size: Some(deal.transfer.size),
    };
    let kind = Kind::Market { proposal: to_vec(signed)?, end: proposal.end_epoch, published: None };
    let (urls, duration) = (vec![request.url], proposal.duration());
    let job = Job { kind, wanted, urls, duration, notify: None, stage: Stage::Fetching };
    Ok((format!("market-{}", hex::encode(deal.deal_uuid)), job))
}

/// Whether nothing keeps a job from being sealed.
pub fn is_published(job: &Job) -> bool {
    !matches!(job.kind, Kind::Market { published: None, .. })
}

/// f05 learns of the sector by a notification whose payload is the deal's id.
pub fn notice(job: &Job) -> Option<(Address, Vec<u8>)> {
    match &job.kind {
        Kind::Market { published: Some((deal, _)), .. } => Some((MARKET, to_vec(deal).expect("a number encodes"))),
        _ => None,
    }
}

/// Publishes the deals whose bytes are here, after putting up their collateral. Says whether the book has changed.
pub fn step(shop: &Shop, book: &mut Book, ledger: &mut dyn Ledger) -> Result<bool> {
    let Some(miner) = book.miner else { return Ok(false) };
    let mut dirty = false;
    for job in book.jobs.values_mut().filter(|job| job.stage == Stage::Stored) {
        if let Kind::Market { proposal, published: None, .. } = &job.kind {
            job.stage = publish(shop, Address::new_id(miner), ledger, proposal)
                .unwrap_or_else(|e| Stage::failed(format_args!("{e:#}")));
            dirty = true;
        }
    }
    Ok(dirty)
}

fn publish(shop: &Shop, miner: Address, ledger: &mut dyn Ledger, proposal: &[u8]) -> Result<Stage> {
    let signed: ClientDealProposal = from_slice(proposal)?;
    let collateral = signed.proposal.provider_collateral.clone();
    let balance = ledger.view().query(&miner, &MARKET, GET_BALANCE, RawBytes::serialize(miner)?)?;
    let (escrow, locked): (TokenAmount, TokenAmount) = balance.ok()?.value.deserialize()?;
    let lacking = &collateral - (&escrow - &locked);
    if lacking.is_positive() {
        let message = ledger.submit(&shop.worker, &MARKET, ADD_BALANCE, &lacking, RawBytes::serialize(miner)?)?;
        return Ok(Stage::Pledging { message });
    }
    let params = RawBytes::serialize(PublishStorageDealsParams { deals: vec![signed] })?;
    let message = ledger.submit(&shop.worker, &MARKET, PUBLISH_STORAGE_DEALS, &TokenAmount::default(), params)?;
    Ok(Stage::Publishing { message })
}

/// Reads the deal's id from the publication's return.
pub fn published(job: &mut Job, included: &Included, message: Cid) -> Stage {
    let ids: Result<(Vec<DealID>, BitField), _> = included.receipt.return_data.deserialize();
    match (ids.map(|(ids, _)| ids.first().copied()), &mut job.kind) {
        (Ok(Some(id)), Kind::Market { published, .. }) => {
            *published = Some((id, Link(message)));
            Stage::Stored
        }
        _ => Stage::failed("the market did not take the deal"),
    }
}
