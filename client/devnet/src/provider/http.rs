//! A provider's HTTP server: the market and the pieces.

mod deals;
mod serving;

use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use super::intake::Rejection;
use super::shop::Shop;

/// Longest deal, in bytes of JSON or CBOR.
const MAX_DEAL: usize = 1 << 20;

/// What the handlers share.
#[derive(Clone)]
pub struct Front {
    shop: Arc<Shop>,
    runtime: tokio::runtime::Handle,
}

/// Serves until it is aborted.
pub async fn serve(shop: Arc<Shop>, runtime: tokio::runtime::Handle, listener: TcpListener) {
    let index = shop.index;
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(listener, router(Front { shop, runtime })).await,
        Err(e) => Err(e),
    };
    if let Err(e) = served {
        tracing::error!("provider {index} no longer serves: {e}");
    }
}

fn router(front: Front) -> Router {
    let upload = put(deals::upload).post(deals::finish);
    Router::new()
        .route("/market/mk20/deal", post(deals::propose).layer(DefaultBodyLimit::max(MAX_DEAL)))
        .route("/market/mk20/upload/{id}", upload.layer(DefaultBodyLimit::disable()))
        .route("/market/mk20/status/{id}", get(deals::status))
        .route("/market/mk12/store", post(deals::store).layer(DefaultBodyLimit::max(MAX_DEAL)))
        .route("/piece/{cid}", get(serving::piece))
        .with_state(front)
}

/// An answer that says no.
fn refusal(code: u16, words: impl Into<String>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, words.into()).into_response()
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        refusal(self.code.into(), format!("Reason: {}", self.reason))
    }
}
