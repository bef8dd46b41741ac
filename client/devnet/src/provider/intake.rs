//! What a provider asks of a deal before it takes it: the checks of Curio's `ddo_v1`, in its order, with its codes and words.
//!
//! Source: Curio `market/mk20/{utils,ddo_v1,retrieval_v1,mk20}.go`; of data, `intake/data.rs`.

mod data;

use bauta_client::address::Prefix;
use bauta_client::deal::mk20::{DdoV1, Deal, Products, SourceHttp};
use bauta_client::deal::{DealCode, MAX_DURATION, MIN_DURATION};
use bauta_client::piece::parse_piece_cid_v2;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

use super::book::{Job, Kind, Notify, Source, Stage, Wanted};
use super::messages::{SEALING_DELAY, SECTOR_SIZE};

pub use data::fetchable;

/// The products that are switched on.
pub const PRODUCTS: [&str; 2] = ["ddo_v1", "retrieval_v1"];
/// The ways in which bytes may come.
pub const SOURCES: [&str; 2] = ["http", "put"];
/// Epochs that sealing takes, with a few to spare.
const SEALING_TIME: ChainEpoch = SEALING_DELAY + 4;

/// Why a deal is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub code: DealCode,
    pub reason: String,
}

impl Rejection {
    pub fn new(code: DealCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

fn ensure(ok: bool, code: DealCode, reason: &str) -> Result<(), Rejection> {
    if ok { Ok(()) } else { Err(Rejection::new(code, reason)) }
}

/// What the chain and the operator have to say about a deal.
pub struct Situation {
    pub miner: ActorID,
    pub epoch: ChainEpoch,
    /// Whether whom the deal wants to be told is on the chain, or nobody is.
    pub notified: bool,
    /// Whether the operator deals with the client.
    pub allowed: bool,
    /// Whether there is too much to do.
    pub busy: bool,
}

/// Checks what a deal says, before the chain is asked.
pub fn validate(deal: &Deal, client: &Address) -> Result<(), Rejection> {
    let shown = Prefix::Testnet.show(client);
    ensure(!deal.client.is_empty(), DealCode::BadProposal, "client is empty")?;
    ensure(deal.client == shown, DealCode::BadProposal, "client in deal does not match client in auth header")?;
    products(&deal.products).map_err(|rejection| {
        Rejection::new(rejection.code, format!("products validation failed: {}", rejection.reason))
    })?;
    deal.data.as_ref().map_or(Ok(()), data::validate)
}

/// Checks a valid deal against the chain and the operator's wishes, and makes a job of it.
pub fn sanitize(deal: &Deal, client: &Address, situation: &Situation) -> Result<Job, Rejection> {
    let bad = |ok, reason| ensure(ok, DealCode::BadProposal, reason);
    let ddo = deal.products.ddo_v1.as_ref();
    let ddo = ddo.ok_or_else(|| Rejection::new(DealCode::UnsupportedProduct, "Unsupported product"))?;
    bad(ddo.provider == Address::new_id(situation.miner), "Provider not available in Curio cluster")?;
    let Some(data) = &deal.data else {
        return Err(Rejection::new(DealCode::BadProposal, "Data Source must be defined for a DDO deal"));
    };
    let piece = parse_piece_cid_v2(&data.piece_cid)
        .map_err(|_| Rejection::new(DealCode::BadProposal, "Error getting piece cid v1 from PieceCID"))?;
    bad(piece.padded_size.0 <= SECTOR_SIZE.0, "Deal size is larger than the miner's sector size")?;
    let indexed = deal.products.retrieval_v1.is_some_and(|retrieval| retrieval.indexing);
    bad(!(data.format.raw.is_some() && indexed), "Raw bytes deal cannot be indexed")?;
    bad(situation.notified, "Notification address is not valid")?;
    let reason = "Client is not allowed to make deal with this provider";
    ensure(situation.allowed, DealCode::Unauthorized, reason)?;
    if let Some(start) = ddo.start_epoch {
        bad(start >= situation.epoch, "Start epoch is less than the current chain height")?;
        let reason = "Start epoch is less than the current chain height plus the expected PoRep seal duration";
        bad(start >= situation.epoch + SEALING_TIME, reason)?;
    }
    // None can be on the chain since FIP-0118.
    bad(ddo.allocation_id.is_none(), "Verified piece must have a valid allocation ID")?;
    contract(ddo)?;
    let reason = "MK20 ingestion backpressure is active. Please try again later.";
    ensure(!situation.busy, DealCode::Overloaded, reason)?;

    let (sources, stage) = match &data.source_http {
        Some(source) => (ordered(source), Stage::Fetching),
        None => (vec![], Stage::Uploading),
    };
    let notify = match (&ddo.notification_address, &ddo.notification_payload) {
        (Some(address), Some(payload)) => Some(Notify { address: *address, payload: payload.clone() }),
        _ => None,
    };
    let indexed = indexed && data.format.car.is_some();
    let (kind, wanted) = (Kind::Deal { client: *client }, Wanted::of(&piece));
    Ok(Job { kind, wanted, sources, indexed, duration: ddo.duration, notify, stage })
}

/// Fallbacks last, otherwise by priority.
fn ordered(source: &SourceHttp) -> Vec<Source> {
    let mut urls = source.urls.clone();
    urls.sort_by_key(|url| (url.fallback, url.priority));
    urls.into_iter().map(|url| Source { url: url.url, headers: url.headers }).collect()
}

fn products(products: &Products) -> Result<(), Rejection> {
    let invalid = |ok, reason| ensure(ok, DealCode::ProductInvalid, reason);
    if let Some(ddo) = &products.ddo_v1 {
        check_ddo(ddo)?;
        invalid(products.retrieval_v1.is_some(), "retrieval v1 is required for ddo v1")?;
        let announced = products.retrieval_v1.is_some_and(|retrieval| retrieval.announce_piece);
        invalid(!announced, "announce piece is not supported for ddo v1")?;
    }
    if let Some(retrieval) = products.retrieval_v1 {
        let reason = "deal cannot be announced to IPNI without indexing";
        invalid(retrieval.indexing || !retrieval.announce_payload, reason)?;
    }
    ensure(products.pdp_v1.is_none(), DealCode::ProductNotEnabled, "product pdp_v1 is not enabled")?;
    invalid(products.ddo_v1.is_some(), "no products defined")
}

fn check_ddo(ddo: &DdoV1) -> Result<(), Rejection> {
    let invalid = |ok, reason: &str| ensure(ok, DealCode::ProductInvalid, reason);
    invalid(ddo.start_epoch.is_none_or(|start| start > 0), "start epoch cannot be negative")?;
    invalid(ddo.allocation_id != Some(0), "incorrect allocation id")?;
    let long = ddo.allocation_id.is_some() || ddo.duration >= MIN_DURATION;
    ensure(long, DealCode::DurationTooShort, &format!("duration must be at least {MIN_DURATION}"))?;
    // Ours: a sector would end before the deal.
    invalid(ddo.duration <= MAX_DURATION, &format!("duration must be at most {MAX_DURATION}"))?;
    if !ddo.market_address.is_empty() {
        let address = ddo.market_address.as_str();
        invalid(address.len() >= 2, "market address too short")?;
        let digits = address.strip_prefix("0x");
        invalid(digits.is_some(), "market address must start with 0x")?;
        let digits = digits.unwrap_or_default();
        let is_address = digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        invalid(is_address, "invalid market address")?;
    }
    match (&ddo.notification_address, &ddo.notification_payload) {
        (None, Some(_)) => invalid(false, "notification payload cannot be set without notification address"),
        (Some(_), None) => invalid(false, "notification payload is not set"),
        _ => Ok(()),
    }
}

/// No market contract is on this provider's list.
fn contract(ddo: &DdoV1) -> Result<(), Rejection> {
    if ddo.market_address.is_empty() {
        return Ok(());
    }
    ensure(ddo.market_deal_id.is_some(), DealCode::ProductInvalid, "market deal id is not set")?;
    ensure(false, DealCode::BadProposal, "provider does not work with this market")
}
