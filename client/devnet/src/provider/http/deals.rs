//! Taking deals over mk20, and telling how they go.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bauta_client::deal::DealCode;
use bauta_client::deal::DealState;
use bauta_client::deal::mk20::{
    Deal, ProductStatus, StatusAnswer, SupportedContracts, SupportedProducts, SupportedSources,
};
use bauta_client::node::{Taking, Telling};
use fvm_shared::address::Address;

use super::super::book::Stage;
use super::super::fetching;
use super::super::intake::{self, PRODUCTS, Rejection, SOURCES, Situation};
use super::caller::{broken, client, content_type, own_job};
use super::{Front, Refusal, refusal};

/// `POST /market/mk20/deal`.
pub async fn propose(
    State(front): State<Front>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let deal = deal_of(&headers, &body)?;
    intake::validate(&deal, &client)?;
    let situation = situation(&front, &deal).await?;
    let job = intake::sanitize(&deal, &client, &situation)?;
    let name = deal.identifier.to_string();
    if front.shop.lock().jobs.contains_key(&name) {
        // Curio's database has one row for an identifier.
        return Err(Rejection::new(DealCode::Internal, "").into());
    }
    let fetch = job.stage == Stage::Fetching;
    front.shop.add_job(name.clone(), job).map_err(broken)?;
    if fetch {
        fetching::begin(front.shop.clone(), &front.runtime, name);
    }
    Ok(taken())
}

/// `POST /market/mk20/update/{id}`: what a deal has is never replaced, and a deal about a sector has all that it can have, so
/// the update is checked and changes nothing.
pub async fn update(
    State(front): State<Front>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    own_job(&front, &client, &id)?;
    let deal = deal_of(&headers, &body)?;
    amended(&id, &deal, &client)?;
    Ok(taken())
}

/// Checks a deal that comes in addition to the one that is known.
pub fn amended(id: &str, deal: &Deal, client: &Address) -> Result<(), Rejection> {
    let bad = |reason: &str| Rejection::new(DealCode::BadProposal, reason);
    if deal.identifier.to_string() != id {
        return Err(bad("deal ID and proposal ID do not match"));
    }
    if deal.data.is_none() {
        return Err(bad("deal data is nil"));
    }
    intake::validate(deal, client)
}

/// Reads a deal out of a request.
pub fn deal_of(headers: &HeaderMap, body: &[u8]) -> Result<Deal, Refusal> {
    if content_type(headers) != "application/json" {
        return Err(refusal(400, "invalid content type"));
    }
    serde_json::from_slice(body).map_err(|e| refusal(400, e.to_string()))
}

fn taken() -> Response {
    (StatusCode::OK, "Reason: ").into_response()
}

/// What the chain and the operator have to say about a deal.
async fn situation(front: &Front, deal: &Deal) -> Result<Situation, Refusal> {
    let unready = || Rejection::new(DealCode::Maintenance, "the provider is not on the chain yet");
    let miner = front.shop.miner().ok_or_else(unready)?;
    let notified = match deal.products.ddo_v1.as_ref().and_then(|ddo| ddo.notification_address) {
        Some(address) => (front.shop.outlook.resolve)(address).await.map_err(broken)?.is_some(),
        None => true,
    };
    let taking = front.shop.lock().conduct.taking;
    let (allowed, busy) = (taking != Taking::Nobody, taking == Taking::Busy);
    Ok(Situation { miner, epoch: front.shop.epoch(), notified, allowed, busy })
}

/// `GET /market/mk20/status/{id}`.
pub async fn status(
    State(front): State<Front>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let job = own_job(&front, &client, &id)?;
    let error = match &job.stage {
        Stage::Failed { why } => why.clone(),
        _ => String::new(),
    };
    let mut status = job.stage.state();
    let lies = front.shop.lock().conduct.telling == Telling::Complete;
    if lies && !matches!(status, DealState::Accepted | DealState::Uploading | DealState::Failed) {
        status = DealState::Complete;
    }
    Ok(Json(StatusAnswer { ddo_v1: Some(ProductStatus { status, error }) }).into_response())
}

/// `GET /market/mk20/products`.
pub async fn products(method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    client(&headers, &method, &uri)?;
    let products = PRODUCTS.map(str::to_string).to_vec();
    Ok(Json(SupportedProducts { products }).into_response())
}

/// `GET /market/mk20/sources`.
pub async fn sources(method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    client(&headers, &method, &uri)?;
    let sources = SOURCES.map(str::to_string).to_vec();
    Ok(Json(SupportedSources { sources }).into_response())
}

/// `GET /market/mk20/contracts`.
pub async fn contracts(method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, Refusal> {
    client(&headers, &method, &uri)?;
    Ok(Json(SupportedContracts::default()).into_response())
}
