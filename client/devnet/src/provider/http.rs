//! A provider's HTTP server: the market and the pieces.

mod deals;
mod serving;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

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

/// How long the end of a server is waited for: until its port is free.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running server; it ends when this is dropped, and the shop is closed with it.
pub struct Server {
    shop: Arc<Shop>,
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Requests that are still under way must not write into the book of the next one to open it.
        self.shop.close();
        drop(self.stop.take());
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

/// Tells when its listener is gone: fields are dropped in their order.
struct Door {
    listener: TcpListener,
    _ended: mpsc::Sender<()>,
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        Listener::accept(&mut self.listener).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Begins to serve on a listener.
pub fn serve(shop: Arc<Shop>, runtime: &tokio::runtime::Handle, listener: std::net::TcpListener) -> io::Result<Server> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (ended_sender, ended) = mpsc::channel();
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let door = Door { listener, _ended: ended_sender };
    let front = Front { shop: shop.clone(), runtime: runtime.clone() };
    runtime.spawn(async move {
        let index = front.shop.index;
        let serving = axum::serve(door, router(front)).with_graceful_shutdown(async { drop(stopped.await) });
        if let Err(e) = serving.await {
            tracing::error!("provider {index} no longer serves: {e}");
        }
    });
    Ok(Server { shop, stop: Some(stop), ended })
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

/// An answer that says no: a status and words.
#[derive(Debug)]
pub struct Refusal(u16, String);

fn refusal(code: u16, words: impl Into<String>) -> Refusal {
    Refusal(code, words.into())
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self(rejection.code.into(), format!("Reason: {}", rejection.reason))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), self.1).into_response()
    }
}
