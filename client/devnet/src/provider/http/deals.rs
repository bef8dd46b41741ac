//! Taking deals, taking bytes, telling how it goes.

use std::str::FromStr;
use std::time::SystemTime;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bauta_client::deal::mk12::{DealParams, ProviderDealRejectionInfo};
use bauta_client::deal::mk20::{Deal, ProductStatus, StatusAnswer};
use bauta_client::deal::{DealCode, DealId, PieceSink, SinkError, auth};
use futures::StreamExt;
use fvm_shared::address::Address;

use super::super::book::{Job, Kind, Stage};
use super::super::intake::{self, Rejection};
use super::super::{fetching, market};
use super::{Front, Refusal, refusal};

/// Finds out who asks.
fn client(headers: &HeaderMap, method: &Method, uri: &Uri) -> Result<Address, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    auth::verify(header, method.as_str(), uri.path(), SystemTime::now()).map_err(|error| match error {
        auth::AuthError::Missing => refusal(401, error.to_string()),
        _ => refusal(401, "Unauthorized"),
    })
}

/// The job that a path names, if it is this client's. Whose it is comes first, as in Curio, so an unknown one is refused
/// like somebody else's.
fn own_job(front: &Front, client: &Address, id: &str) -> Result<Job, Refusal> {
    let job = front.shop.lock().jobs.get(id).cloned();
    let own = job.filter(|job| matches!(&job.kind, Kind::Deal { client: owner } if owner == client));
    let own = own.ok_or_else(|| refusal(401, "Unauthorized"))?;
    // Only now, or a malformed id would be told apart from an unknown one.
    DealId::from_str(id).map_err(|_| refusal(400, "invalid id in url"))?;
    Ok(own)
}

fn broken(error: impl std::fmt::Display) -> Refusal {
    tracing::error!("a provider's market: {error:#}");
    refusal(500, "")
}

/// `POST /market/mk20/deal`.
pub async fn propose(
    State(front): State<Front>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type != Some("application/json") {
        return Err(refusal(400, "invalid content type"));
    }
    let deal: Deal = serde_json::from_slice(&body).map_err(|e| refusal(400, e.to_string()))?;
    let unready = || Rejection::new(DealCode::Maintenance, "the provider is not on the chain yet");
    let miner = front.shop.miner().ok_or_else(unready)?;
    let job = intake::check(&deal, &client, miner, front.shop.epoch())?;
    if let Some(notify) = &job.notify {
        let found = (front.shop.outlook.resolve)(notify.address).await.map_err(broken)?;
        if found.is_none() {
            let reason = "Notification address is not valid";
            return Err(Rejection::new(DealCode::BadProposal, reason).into());
        }
    }
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
    Ok((StatusCode::OK, "Reason: ").into_response())
}

/// `PUT /market/mk20/upload/{id}`.
pub async fn upload(
    State(front): State<Front>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let client = client(request.headers(), request.method(), request.uri())?;
    let job = own_job(&front, &client, &id)?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type != Some("application/octet-stream") {
        return Err(refusal(400, "invalid content type"));
    }
    let piece = match (&job.stage, job.wanted.info()) {
        (Stage::Uploading | Stage::Uploaded, Some(piece)) => piece,
        _ => return Err(refusal(404, "deal not found")),
    };
    let disk = |error: std::io::Error| broken(error);
    let mut sink = PieceSink::create(front.shop.pieces.folder(), piece.payload_size).map_err(disk)?;
    let taken = |error: SinkError| match error {
        SinkError::TooLong(_) => refusal(400, "piece raw size does not match"),
        SinkError::Disk(error) => broken(error),
    };
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| refusal(400, "the upload broke off"))?;
        sink.take(chunk).await.map_err(taken)?;
    }
    let received = sink.finish().await.map_err(taken)?;
    if received.info().payload_size != piece.payload_size {
        return Err(refusal(400, "piece raw size does not match"));
    }
    if *received.info() != piece {
        return Err(refusal(400, "piece CID does not match"));
    }
    fetching::keep(&front.shop, &job.wanted, received).await.map_err(broken)?;
    let advance = |job: &mut Job| {
        if job.stage == Stage::Uploading {
            job.stage = Stage::Uploaded;
        }
    };
    front.shop.change_job(&id, advance).map_err(broken)?;
    Ok(StatusCode::OK.into_response())
}

/// `POST /market/mk20/upload/{id}`.
pub async fn finish(
    State(front): State<Front>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let job = own_job(&front, &client, &id)?;
    let piece = match (&job.stage, front.shop.pieces.find(&job.wanted)) {
        (Stage::Uploaded, Some(piece)) => piece,
        _ => return Err(refusal(404, "deal not found")),
    };
    front.shop.stored(&id, &piece).map_err(broken)?;
    Ok(StatusCode::OK.into_response())
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
    let status = ProductStatus { status: job.stage.state(), error };
    Ok(Json(StatusAnswer { ddo_v1: Some(status) }).into_response())
}

/// `POST /market/mk12/store`. The authority is the proposal's signature.
pub async fn store(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type != Some("application/cbor") {
        return Err(refusal(400, "invalid content type"));
    }
    let deal: DealParams = fvm_ipld_encoding::from_slice(&body).map_err(|e| refusal(400, e.to_string()))?;
    let (accepted, message) = match market::take(&front.shop, &deal) {
        Ok((name, job)) => {
            // The same deal again is the same deal.
            if !front.shop.lock().jobs.contains_key(&name) {
                front.shop.add_job(name.clone(), job).map_err(broken)?;
                fetching::begin(front.shop.clone(), &front.runtime, name);
            }
            (true, String::new())
        }
        Err(e) => (false, format!("{e:#}")),
    };
    let answer = fvm_ipld_encoding::to_vec(&ProviderDealRejectionInfo { accepted, message }).map_err(broken)?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], answer).into_response())
}
