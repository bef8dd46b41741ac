//! Who asks, and whether the deal is theirs.

use std::str::FromStr;
use std::time::SystemTime;

use axum::http::{HeaderMap, Method, Uri, header};
use bauta_client::deal::{DealId, auth};
use fvm_shared::address::Address;

use super::super::book::{Job, Kind};
use super::{Front, Refusal, refusal};

/// Finds out who asks.
pub fn client(headers: &HeaderMap, method: &Method, uri: &Uri) -> Result<Address, Refusal> {
    let header =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    auth::verify(header, method.as_str(), uri.path(), SystemTime::now()).map_err(|error| match error {
        auth::AuthError::Missing => refusal(401, error.to_string()),
        _ => refusal(401, "Unauthorized"),
    })
}

/// The job that a path names, if it is this client's. Whose it is comes first, as in Curio, so an unknown one is refused
/// like somebody else's.
pub fn own_job(front: &Front, client: &Address, id: &str) -> Result<Job, Refusal> {
    let job = front.shop.lock().jobs.get(id).cloned();
    let own = job.filter(|job| matches!(&job.kind, Kind::Deal { client: owner } if owner == client));
    let own = own.ok_or_else(|| refusal(401, "Unauthorized"))?;
    // Only now, or a malformed id would be told apart from an unknown one.
    DealId::from_str(id).map_err(|_| refusal(400, "invalid id in url"))?;
    Ok(own)
}

/// What a request's body is said to be.
pub fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A failure of our own.
pub fn broken(error: impl std::fmt::Display) -> Refusal {
    tracing::error!("a provider's market: {error:#}");
    refusal(500, "")
}
