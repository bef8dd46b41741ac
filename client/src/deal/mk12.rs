//! Handing a signed market proposal to a provider: `/market/mk12/{store,status,ask}`, CBOR.
//!
//! Source: Curio `market/mk12/{types,mk12,mk12_utils}.go`, `market/mk12/http`, `market/mk12/legacytypes`.

mod ask;
mod provider;
mod status;

use fvm_ipld_encoding::de::DeserializeOwned;
use fvm_ipld_encoding::{from_slice, strict_bytes, to_vec};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use super::curio::{innermost, shortened};
use super::market::ClientDealProposal;
use super::retrieval::base_url;
use super::{DealCode, DealError, Timeouts};

pub use ask::{Ask, AskRequest, AskResponse, SignedAsk};
pub use provider::MarketProvider;
pub use status::{MarketStatus, StatusRequest, StatusResponse};

/// The path of proposals below a provider's URL.
pub const STORE_PATH: &str = "/market/mk12/store";
/// The path of questions about deals.
pub const STATUS_PATH: &str = "/market/mk12/status";
/// The path of the question what a deal costs.
pub const ASK_PATH: &str = "/market/mk12/ask";

/// What an answer's bytes are.
const CBOR: &str = "application/cbor";
/// The longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// What is posted: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DealParams {
    /// The client's name for the deal: 16 bytes.
    #[serde(rename = "DealUUID", with = "strict_bytes")]
    pub deal_uuid: [u8; 16],
    /// Whether the bytes come by other means than `transfer`.
    pub is_offline: bool,
    /// The signed proposal.
    pub client_deal_proposal: ClientDealProposal,
    /// The root of the CAR.
    pub deal_data_root: cid::Cid,
    /// Where to get the bytes.
    pub transfer: Transfer,
    /// Whether the provider may keep the sealed copy only.
    pub remove_unsealed_copy: bool,
    /// Whether the CAR's blocks are not to be announced.
    #[serde(rename = "SkipIPNIAnnounce")]
    pub skip_ipni_announce: bool,
}

/// Where to get the bytes: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Transfer {
    /// `http`.
    pub r#type: String,
    /// A name for the client's own use.
    #[serde(rename = "ClientID")]
    pub client_id: String,
    /// JSON of [`HttpRequest`].
    #[serde(with = "strict_bytes")]
    pub params: Vec<u8>,
    /// Bytes before padding.
    pub size: u64,
}

/// What stands in [`Transfer::params`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The URL.
    #[serde(rename = "URL")]
    pub url: String,
    /// Headers to send.
    #[serde(rename = "Headers", default)]
    pub headers: std::collections::BTreeMap<String, String>,
}

/// The answer: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProviderDealRejectionInfo {
    /// Whether the deal is taken.
    pub accepted: bool,
    /// Why not.
    pub message: String,
}

impl Transfer {
    /// Lets the provider fetch `size` bytes from a URL.
    pub fn http(url: &str, size: u64) -> Self {
        let request = HttpRequest { url: url.to_string(), ..HttpRequest::default() };
        let params = serde_json::to_vec(&request).expect("texts have a JSON form");
        Self { r#type: "http".to_string(), client_id: String::new(), params, size }
    }
}

/// Posts a deal to a provider's base URL.
///
/// Errors: [`DealError::Refused`] with the provider's message.
pub async fn store(url: &str, deal: &DealParams, timeouts: Timeouts) -> Result<(), DealError> {
    let answer: ProviderDealRejectionInfo = exchange(url, Method::POST, STORE_PATH, deal, timeouts).await?;
    if answer.accepted {
        return Ok(());
    }
    Err(DealError::Refused { provider: named(url), code: DealCode::BadProposal, reason: shortened(&answer.message) })
}

/// Asks how a deal goes.
pub async fn status(url: &str, request: &StatusRequest, timeouts: Timeouts) -> Result<StatusResponse, DealError> {
    exchange(url, Method::GET, STATUS_PATH, request, timeouts).await
}

/// Asks what deals with a miner cost. Nobody but the provider vouches for the answer: see [`SignedAsk::verify`].
pub async fn ask(url: &str, request: &AskRequest, timeouts: Timeouts) -> Result<SignedAsk, DealError> {
    let answer: AskResponse = exchange(url, Method::GET, ASK_PATH, request, timeouts).await?;
    answer.ask.ok_or_else(|| DealError::Malformed { provider: named(url), why: "it names no price".to_string() })
}

fn named(url: &str) -> String {
    format!("the provider at {}", url.trim_end_matches('/'))
}

/// Sends CBOR and reads CBOR, also where a question is a GET with a body.
async fn exchange<A: DeserializeOwned>(
    url: &str,
    method: Method,
    path: &str,
    question: &impl Serialize,
    timeouts: Timeouts,
) -> Result<A, DealError> {
    let mut target = base_url(url)?;
    target.set_path(&format!("{}{path}", target.path().trim_end_matches('/')));
    let unreachable = |error: reqwest::Error| DealError::Unreachable { provider: named(url), why: innermost(&error) };
    let malformed = |why: String| DealError::Malformed { provider: named(url), why };
    let body = to_vec(question).map_err(|error| malformed(error.to_string()))?;
    let request =
        timeouts.client()?.request(method, target).timeout(timeouts.whole()).header(CONTENT_TYPE, CBOR).body(body);
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        answer.extend_from_slice(&chunk);
        if answer.len() > MAX_ANSWER {
            return Err(malformed(format!("it is longer than {MAX_ANSWER} bytes")));
        }
    }
    if !status.is_success() {
        let words = String::from_utf8_lossy(&answer).trim().to_string();
        let reason = if words.is_empty() { status.to_string() } else { shortened(&words) };
        return Err(DealError::Refused { provider: named(url), code: DealCode::from(status.as_u16()), reason });
    }
    from_slice(&answer).map_err(|error| malformed(error.to_string()))
}
