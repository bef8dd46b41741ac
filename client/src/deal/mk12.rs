//! Handing a signed market proposal to a provider: `POST /market/mk12/store`, CBOR.
//!
//! Source: Curio `market/mk12/types.go`, `market/mk12/http`.

use fvm_ipld_encoding::{from_slice, strict_bytes, to_vec};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use super::curio::innermost;
use super::market::ClientDealProposal;
use super::retrieval::base_url;
use super::{DealCode, DealError, Timeouts};

/// The path below a provider's URL.
pub const STORE_PATH: &str = "/market/mk12/store";

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
    let mut target = base_url(url)?;
    target.set_path(&format!("{}{STORE_PATH}", target.path().trim_end_matches('/')));
    let provider = format!("the provider at {}", url.trim_end_matches('/'));
    let unreachable =
        |error: reqwest::Error| DealError::Unreachable { provider: provider.clone(), why: innermost(&error) };
    let malformed = |why: String| DealError::Malformed { provider: provider.clone(), why };
    let body = to_vec(deal).map_err(|error| malformed(error.to_string()))?;
    let request = timeouts.client()?.post(target).header(CONTENT_TYPE, "application/cbor").body(body);
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let answer = response.bytes().await.map_err(unreachable)?;
    let refused = |code: DealCode, reason: String| DealError::Refused { provider: provider.clone(), code, reason };
    match from_slice::<ProviderDealRejectionInfo>(&answer) {
        Ok(answer) if answer.accepted => Ok(()),
        Ok(answer) => Err(refused(DealCode::BadProposal, answer.message)),
        Err(_) if !status.is_success() => {
            Err(refused(DealCode::from(status.as_u16()), String::from_utf8_lossy(&answer).trim().to_string()))
        }
        Err(error) => Err(malformed(error.to_string())),
    }
}
