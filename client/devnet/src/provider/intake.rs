//! What a provider asks of a deal before it takes it: the checks of Curio's `ddo_v1`, in its order, with its codes.
//!
//! Source: Curio `market/mk20/{utils,ddo_v1,retrieval_v1,mk20}.go`.

use bauta_client::address::Prefix;
use bauta_client::deal::mk20::{Data, DdoV1, Deal, Products, SourceHttp};
use bauta_client::deal::{DealCode, MAX_DURATION, MIN_DURATION};
use bauta_client::piece::{PieceInfo, parse_piece_cid_v2};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use reqwest::Url;

use super::book::{Job, Kind, Notify, Stage, Wanted};
use super::messages::{SEALING_DELAY, SECTOR_SIZE};

const MAX_URLS: usize = 10;
const MAX_HEADERS: usize = 10;
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

/// Checks all that can be checked without asking the chain, and makes a job of the deal.
pub fn check(deal: &Deal, client: &Address, miner: ActorID, epoch: ChainEpoch) -> Result<Job, Rejection> {
    let shown = Prefix::Testnet.show(client);
    ensure(!deal.client.is_empty(), DealCode::BadProposal, "client is empty")?;
    ensure(deal.client == shown, DealCode::BadProposal, "client in deal does not match client in auth header")?;
    let products = |rejection: Rejection| {
        Rejection::new(rejection.code, format!("products validation failed: {}", rejection.reason))
    };
    let ddo = check_products(&deal.products).map_err(products)?;
    let data = deal.data.as_ref();
    let wanted = data.map(check_data).transpose()?;
    let here = ddo.provider == Address::new_id(miner);
    ensure(here, DealCode::BadProposal, "Provider not available in Curio cluster")?;
    let (Some(data), Some(wanted)) = (data, wanted) else {
        return Err(Rejection::new(DealCode::BadProposal, "Data Source must be defined for a DDO deal"));
    };
    let fits = wanted.padded_size.0 <= SECTOR_SIZE.0;
    ensure(fits, DealCode::BadProposal, "Deal size is larger than the miner's sector size")?;
    let indexed = deal.products.retrieval_v1.is_some_and(|retrieval| retrieval.indexing);
    let raw = data.format.raw.is_some();
    ensure(!(raw && indexed), DealCode::BadProposal, "Raw bytes deal cannot be indexed")?;
    if let Some(start) = ddo.start_epoch {
        ensure(start >= epoch, DealCode::BadProposal, "Start epoch is less than the current chain height")?;
        let reason = "Start epoch is less than the current chain height plus the expected PoRep seal duration";
        ensure(start >= epoch + SEALING_TIME, DealCode::BadProposal, reason)?;
    }
    let (urls, stage) = match &data.source_http {
        Some(source) => (ordered(source), Stage::Fetching),
        None => (vec![], Stage::Uploading),
    };
    let notify = match (&ddo.notification_address, &ddo.notification_payload) {
        (Some(address), Some(payload)) => Some(Notify { address: *address, payload: payload.clone() }),
        _ => None,
    };
    let kind = Kind::Deal { client: *client };
    Ok(Job { kind, wanted: Wanted::of(&wanted), urls, duration: ddo.duration, notify, stage })
}

/// Fallbacks last, otherwise by priority.
fn ordered(source: &SourceHttp) -> Vec<String> {
    let mut urls = source.urls.clone();
    urls.sort_by_key(|url| (url.fallback, url.priority));
    urls.into_iter().map(|url| url.url).collect()
}

fn check_products(products: &Products) -> Result<&DdoV1, Rejection> {
    let ddo = products.ddo_v1.as_ref();
    if let Some(ddo) = ddo {
        check_ddo(ddo)?;
        let Some(retrieval) = products.retrieval_v1 else {
            return Err(Rejection::new(DealCode::ProductInvalid, "retrieval v1 is required for ddo v1"));
        };
        let silent = !retrieval.announce_piece;
        ensure(silent, DealCode::ProductInvalid, "announce piece is not supported for ddo v1")?;
    }
    if let Some(retrieval) = products.retrieval_v1 {
        let reason = "deal cannot be announced to IPNI without indexing";
        ensure(retrieval.indexing || !retrieval.announce_payload, DealCode::ProductInvalid, reason)?;
    }
    let reason = "product pdp_v1 is not supported by the provider";
    ensure(products.pdp_v1.is_none(), DealCode::UnsupportedProduct, reason)?;
    ddo.ok_or_else(|| Rejection::new(DealCode::ProductInvalid, "no products defined"))
}

fn check_ddo(ddo: &DdoV1) -> Result<(), Rejection> {
    let started = ddo.start_epoch.is_none_or(|start| start > 0);
    ensure(started, DealCode::ProductInvalid, "start epoch cannot be negative")?;
    let long = ddo.duration >= MIN_DURATION;
    ensure(long, DealCode::DurationTooShort, &format!("duration must be at least {MIN_DURATION}"))?;
    let short = ddo.duration <= MAX_DURATION;
    ensure(short, DealCode::ProductInvalid, &format!("duration must be at most {MAX_DURATION}"))?;
    ensure(ddo.market_address.is_empty(), DealCode::BadProposal, "provider does not work with this market")?;
    match (&ddo.notification_address, &ddo.notification_payload) {
        (None, Some(_)) => {
            let reason = "notification payload cannot be set without notification address";
            Err(Rejection::new(DealCode::ProductInvalid, reason))
        }
        (Some(_), None) => Err(Rejection::new(DealCode::ProductInvalid, "notification payload is not set")),
        _ => Ok(()),
    }
}

fn check_data(data: &Data) -> Result<PieceInfo, Rejection> {
    let piece = parse_piece_cid_v2(&data.piece_cid)
        .map_err(|e| Rejection::new(DealCode::BadProposal, format!("invalid piece cid: {e}")))?;
    ensure(piece.payload_size > 0, DealCode::BadProposal, "payload size is 0")?;
    let sources = [
        data.source_http.is_some(),
        data.source_offline.is_some(),
        data.source_aggregate.is_some(),
        data.source_http_put.is_some(),
    ];
    match sources.iter().filter(|set| **set).count() {
        0 => return Err(Rejection::new(DealCode::BadProposal, "no source defined for data source")),
        1 => {}
        _ => return Err(Rejection::new(DealCode::BadProposal, "multiple sources defined for data source")),
    }
    let formats = [data.format.car.is_some(), data.format.aggregate.is_some(), data.format.raw.is_some()];
    match formats.iter().filter(|set| **set).count() {
        0 => return Err(Rejection::new(DealCode::BadProposal, "no format defined")),
        1 => {}
        _ => return Err(Rejection::new(DealCode::BadProposal, "multiple formats defined")),
    }
    let whole = data.format.aggregate.is_none() && data.source_aggregate.is_none();
    ensure(whole, DealCode::UnsupportedSource, "data source aggregate is not supported by the provider")?;
    let online = data.source_offline.is_none();
    ensure(online, DealCode::UnsupportedSource, "data source offline is not supported by the provider")?;
    if let Some(source) = &data.source_http {
        ensure(!source.urls.is_empty(), DealCode::MalformedSource, "no urls defined")?;
        let few = source.urls.len() <= MAX_URLS;
        ensure(few, DealCode::MalformedSource, &format!("maximum {MAX_URLS} URLs are supported per piece"))?;
        for url in &source.urls {
            let parsed = Url::parse(&url.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            ensure(parsed.is_some(), DealCode::BadProposal, "invalid url: it is not an http URL")?;
            let few = url.headers.len() <= MAX_HEADERS;
            ensure(few, DealCode::MalformedSource, &format!("maximum {MAX_HEADERS} headers are supported per piece"))?;
            let plain = url.headers.is_empty();
            ensure(plain, DealCode::UnsupportedSource, "headers are not supported by the provider")?;
        }
    }
    Ok(piece)
}
