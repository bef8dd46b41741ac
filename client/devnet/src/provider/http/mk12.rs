//! Deals of the built-in market over mk12. The authority is the proposal's signature; nothing else is signed.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bauta_client::deal::mk12::{
    AskRequest, AskResponse, DealParams, ProviderDealRejectionInfo, StatusRequest, StatusResponse,
};
use fvm_ipld_encoding::de::DeserializeOwned;
use fvm_ipld_encoding::{from_slice, to_vec};
use fvm_shared::address::Address;
use serde::Serialize;

use super::super::{fetching, market};
use super::caller::{broken, content_type};
use super::{Front, Refusal, refusal};

const CBOR: &str = "application/cbor";

fn question<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    if content_type(headers) != CBOR {
        return Err(refusal(400, ""));
    }
    from_slice(body).map_err(|_| refusal(400, ""))
}

fn answer(value: &impl Serialize) -> Result<Response, Refusal> {
    Ok(([(header::CONTENT_TYPE, CBOR)], to_vec(value).map_err(broken)?).into_response())
}

/// `POST /market/mk12/store`.
pub async fn store(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let deal: DealParams = question(&headers, &body)?;
    let client = deal.client_deal_proposal.proposal.client;
    let facts = (front.shop.outlook.facts)(client).await.map_err(broken)?;
    let (accepted, message) = match market::take(&front.shop, &deal, &facts) {
        Ok((name, job)) => {
            // Curio's database has one row for a name.
            if front.shop.lock().jobs.contains_key(&name) {
                (false, "store deal: store deal success: updated 0 rows instead of 1".to_string())
            } else {
                front.shop.add_job(name.clone(), job).map_err(broken)?;
                fetching::begin(front.shop.clone(), &front.runtime, name);
                (true, String::new())
            }
        }
        Err(e) => (false, format!("{e:#}")),
    };
    answer(&ProviderDealRejectionInfo { accepted, message })
}

/// `GET /market/mk12/ask`, the question in the body.
pub async fn ask(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let asked: AskRequest = question(&headers, &body)?;
    let miner = front.shop.miner().filter(|miner| asked.miner == Address::new_id(*miner));
    let miner = miner.ok_or_else(|| refusal(500, ""))?;
    answer(&AskResponse { ask: Some(market::ask(&front.shop, miner)) })
}

/// `GET /market/mk12/status`, the question in the body.
pub async fn status(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let asked: StatusRequest = question(&headers, &body)?;
    let deal_status = market::status(&front.shop, &asked.deal_uuid).map_err(broken)?;
    let error = if deal_status.is_none() { "failed to get sealed deal status" } else { "" };
    let done = u64::from(deal_status.is_some());
    answer(&StatusResponse {
        deal_uuid: asked.deal_uuid,
        error: error.to_string(),
        deal_status,
        is_offline: false,
        transfer_size: done,
        bytes_received: done,
    })
}
