//! Deals of the built-in market (f05): taken as signed proposals, published by the worker, activated by notification.

use anyhow::{Context, Result, anyhow, ensure};
use bauta_client::deal::market::{ClientDealProposal, DealProposal, PublishStorageDealsParams};
use bauta_client::deal::mk12::{Ask, DealParams, HttpRequest, MarketStatus, SignedAsk};
use bauta_client::deal::mk20::HttpUrl;
use bauta_client::message::cid_of;
use bauta_client::node::{Taking, Telling};
use bauta_client::piece::padded_size_of;
use cid::Cid;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::{RawBytes, from_slice, to_vec};
use fvm_shared::ActorID;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

use super::book::{Book, Job, Kind, Link, Source, Stage, Wanted};
use super::intake::fetchable;
use super::messages::{ADD_BALANCE, GET_BALANCE, MARKET, PUBLISH_STORAGE_DEALS, SEALING_DELAY, SECTOR_SIZE};
use super::shop::Shop;
use crate::chain::Chain;
use crate::duties::{Included, Ledger};
use crate::vm::SYSTEM;

/// Epochs that a deal must leave us for publishing and sealing.
const LEAD: i64 = SEALING_DELAY + 4;

/// What the chain says about a client and a deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the client has in the market that no deal binds.
    pub available: TokenAmount,
}

/// Asks the chain.
pub fn facts(chain: &Chain, client: Address) -> Result<Facts> {
    let balance = chain.query(&SYSTEM, &MARKET, GET_BALANCE, RawBytes::serialize(client)?)?;
    // Who is not on the chain has nothing there.
    let (escrow, locked): (TokenAmount, TokenAmount) =
        if balance.exit.is_success() { balance.value.deserialize()? } else { Default::default() };
    Ok(Facts { available: escrow - locked })
}

/// What this provider asks: attoFIL for a GiB and an epoch, Curio's default.
const PRICE: u64 = 50_000_000;
/// The same for verified deals.
const VERIFIED_PRICE: u64 = 5_000_000;
/// The smallest piece; Curio's default is 16 GiB, with which nothing could be tried.
const MIN_PIECE: PaddedPieceSize = PaddedPieceSize(128);
/// Epochs for which an ask holds: ten years.
const ASK_LIFE: ChainEpoch = 10 * 365 * 2880;
/// The provider puts up at most so much, in FIL. Curio's limit is twice the least that the market takes, and that is nothing here.
const MAX_COLLATERAL: i64 = 2;

/// What this provider asks for deals, signed.
pub fn ask(shop: &Shop, miner: ActorID) -> SignedAsk {
    let ask = Ask {
        price: TokenAmount::from_atto(PRICE),
        verified_price: TokenAmount::from_atto(VERIFIED_PRICE),
        min_piece_size: MIN_PIECE,
        max_piece_size: SECTOR_SIZE,
        miner: Address::new_id(miner),
        timestamp: 0,
        expiry: ASK_LIFE,
        seq_no: 1,
    };
    SignedAsk { signature: shop.worker.sign_bytes(&ask.to_bytes()), ask }
}

/// Checks a proposal as Curio does, in its order and words, and makes a job of it.
pub fn take(shop: &Shop, deal: &DealParams, facts: &Facts) -> Result<(String, Job)> {
    let proposal = &deal.client_deal_proposal.proposal;
    let miner = shop.miner().context("the provider is not on the chain yet")?;
    validate(&deal.client_deal_proposal, miner, shop.epoch(), facts).context("failed validation")?;
    ensure!(!deal.is_offline, "offline deals are not allowed on this provider");
    let taking = shop.lock().conduct.taking;
    ensure!(taking != Taking::Nobody, "client not allowed by provider");
    ensure!(taking != Taking::Busy, "deal rejected due to backpressure. Please retry in some time.");
    filter(proposal, &ask(shop, miner).ask)?;
    ensure!(deal.transfer.r#type != "libp2p", "libp2p URLs are not supported by this provider");
    let padded = padded_size_of(deal.transfer.size)?;
    ensure!(
        padded == proposal.piece_size,
        "deal proposal piece size {} doesn't match padded piece size {}",
        proposal.piece_size.0,
        padded.0
    );
    let request: HttpRequest = serde_json::from_slice(&deal.transfer.params)
        .map_err(|e| anyhow!("failed to de-serialize transport params bytes: {e}"))?;
    let headers = request.headers.into_iter().map(|(name, value)| (name, vec![value])).collect();
    let source = HttpUrl { url: request.url, headers, ..HttpUrl::default() };
    fetchable(&source).map_err(|why| anyhow!("invalid url: {why}"))?;
    let wanted = Wanted {
        piece_cid: proposal.piece_cid,
        padded_size: proposal.piece_size.0,
        payload_size: Some(deal.transfer.size),
    };
    let kind = Kind::Market { proposal: to_vec(&deal.client_deal_proposal)?, end: proposal.end_epoch, published: None };
    let sources = vec![Source { url: source.url, headers: source.headers }];
    let duration = proposal.duration();
    let job = Job { kind, wanted, sources, indexed: true, duration, notify: None, stage: Stage::Fetching };
    Ok((name(&deal.deal_uuid), job))
}

/// The name of a deal's job.
pub fn name(uuid: &[u8; 16]) -> String {
    format!("market-{}", hex::encode(uuid))
}

fn validate(signed: &ClientDealProposal, miner: ActorID, now: ChainEpoch, facts: &Facts) -> Result<()> {
    let proposal = &signed.proposal;
    // Curio looks up the key of an ID address and asks contracts; here the client is named by its key.
    let by_key = matches!(proposal.client.protocol(), Protocol::Secp256k1 | Protocol::BLS | Protocol::Delegated);
    ensure!(by_key, "server error: validating signature");
    ensure!(signed.client_signature.verify(&proposal.to_bytes(), &proposal.client).is_ok(), "invalid signature");
    ensure!(
        proposal.provider == Address::new_id(miner),
        "incorrect provider for deal; proposal.Provider: {}; provider.Address: [{}]",
        proposal.provider,
        Address::new_id(miner)
    );
    proposal.check()?;
    ensure!(proposal.piece_size.validate().is_ok(), "proposal piece size is invalid");
    ensure!(
        now <= proposal.start_epoch,
        "deal start epoch {} has already elapsed (current epoch: {now})",
        proposal.start_epoch
    );
    // Ours: there would be no time to publish and seal it.
    ensure!(now + LEAD < proposal.start_epoch, "deal start epoch {} is too soon", proposal.start_epoch);
    let last = now + 1278 * 2880;
    ensure!(
        proposal.end_epoch <= last,
        "invalid deal end epoch {}: cannot be more than {} past current epoch {now}",
        proposal.end_epoch,
        last - now
    );
    let (given, most) = (&proposal.provider_collateral, TokenAmount::from_whole(MAX_COLLATERAL));
    ensure!(*given <= most, "proposed provider collateral {given} above maximum {most}");
    let needed = proposal.client_balance_requirement();
    ensure!(
        facts.available >= needed,
        "client available funds in escrow {} not enough to meet storage cost for deal {}",
        facts.available.atto(),
        needed.atto()
    );
    ensure!(!proposal.verified_deal, "client is not a verified client");
    Ok(())
}

fn filter(proposal: &DealProposal, ask: &Ask) -> Result<()> {
    let (size, price) = (proposal.piece_size, &proposal.storage_price_per_epoch);
    let least = TokenAmount::from_atto(ask.price.atto() * size.0 / (1u64 << 30));
    ensure!(*price >= least, "storage price per epoch less than asking price: {price} < {least}");
    let (size, min, max) = (size.0, ask.min_piece_size.0, ask.max_piece_size.0);
    ensure!(size >= min, "piece size less than minimum required size: {size} < {min}");
    ensure!(size <= max, "piece size more than maximum allowed size: {size} > {max}");
    Ok(())
}

/// How a deal goes, as Curio tells it; `None` if there is none of this name.
pub fn status(shop: &Shop, uuid: &[u8; 16]) -> Result<Option<MarketStatus>> {
    let (job, telling) = {
        let book = shop.lock();
        (book.jobs.get(&name(uuid)).cloned(), book.conduct.telling)
    };
    let Some(Job { kind: Kind::Market { proposal, published, .. }, stage, .. }) = job else { return Ok(None) };
    let signed: ClientDealProposal = from_slice(&proposal)?;
    let lies = telling == Telling::Complete && !matches!(stage, Stage::Failed { .. });
    let (status, sealing_status) = match stage {
        Stage::Sealed { .. } => ("Sealed", "Sealed and Indexed"),
        _ if lies => ("Sealed", "Sealed and Indexed"),
        _ => ("Processing", "Not assigned to sector"),
    };
    let error = if let Stage::Failed { why } = stage { why } else { String::new() };
    Ok(Some(MarketStatus {
        error,
        status: status.to_string(),
        sealing_status: sealing_status.to_string(),
        signed_proposal_cid: cid_of(&proposal),
        proposal: signed.proposal,
        publish_cid: published.map(|(_, link)| link.0),
        chain_deal_id: published.map_or(0, |(id, _)| id),
    }))
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
