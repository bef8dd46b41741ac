//! A provider's HTTP server: the market and the pieces.

mod caller;
mod deals;
mod gateway;
mod info;
mod line;
mod mk12;
mod ranges;
mod serving;
mod uploads;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use line::Line;

use super::intake::Rejection;
use super::shop::Shop;

/// Longest deal, in bytes of JSON or CBOR.
const MAX_DEAL: usize = 1 << 20;

/// What the handlers share.
#[derive(Clone)]
pub struct Front {
    shop: Arc<Shop>,
    runtime: tokio::runtime::Handle,
    /// Uploads that are under way.
    uploading: Arc<AtomicUsize>,
}

/// How long the end of a server is waited for: until its port is free.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running server; it ends when this is dropped, and the shop is closed with it.
pub struct Server {
    shop: Arc<Shop>,
    stop: Option<oneshot::Sender<()>>,
    cut: CancellationToken,
    ended: mpsc::Receiver<()>,
}

impl Server {
    /// Ends it, breaking its connections.
    pub fn stop(&mut self) {
        // Requests that are still under way must not write into the book of the next one to open it.
        self.shop.close();
        self.cut.cancel();
        if self.stop.take().is_some() {
            let _ = self.ended.recv_timeout(PATIENCE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells when its listener is gone: fields are dropped in their order.
struct Door {
    listener: TcpListener,
    cut: CancellationToken,
    _ended: mpsc::Sender<()>,
}

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Line::new(stream, self.cut.clone()), from)
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
    let cut = CancellationToken::new();
    let door = Door { listener, cut: cut.clone(), _ended: ended_sender };
    let front = Front { shop: shop.clone(), runtime: runtime.clone(), uploading: Arc::default() };
    runtime.spawn(async move {
        let index = front.shop.index;
        let serving = axum::serve(door, router(front)).with_graceful_shutdown(async { drop(stopped.await) });
        if let Err(e) = serving.await {
            tracing::error!("provider {index} no longer serves: {e}");
        }
    });
    Ok(Server { shop, stop: Some(stop), cut, ended })
}

fn router(front: Front) -> Router {
    let upload = put(uploads::put).post(uploads::finish);
    let chunks = post(uploads::start).get(uploads::status);
    // Whole paths: they are part of what is signed.
    let mk20 = Router::new()
        .route("/market/mk20/deal", post(deals::propose))
        .route("/market/mk20/update/{id}", post(deals::update))
        .route("/market/mk20/status/{id}", get(deals::status))
        .route("/market/mk20/products", get(deals::products))
        .route("/market/mk20/sources", get(deals::sources))
        .route("/market/mk20/contracts", get(deals::contracts))
        .route("/market/mk20/upload/{id}", upload)
        .route("/market/mk20/uploads/{id}", chunks)
        .route("/market/mk20/uploads/{id}/{chunk}", put(uploads::chunk))
        .route("/market/mk20/uploads/finalize/{id}", post(uploads::finalize))
        .route("/market/mk20/info/", get(info::page))
        .route("/market/mk20/info/swagger.json", get(info::json))
        .route("/market/mk20/info/swagger.yaml", get(info::yaml));
    let mk12 = Router::new()
        .route("/market/mk12/store", post(mk12::store))
        .route("/market/mk12/ask", get(mk12::ask))
        .route("/market/mk12/status", get(mk12::status));
    Router::new()
        .merge(mk20)
        .merge(mk12)
        // What is read as a whole is a deal; bytes of pieces are read as they come.
        .layer(DefaultBodyLimit::max(MAX_DEAL))
        .route("/piece/{cid}", get(serving::piece))
        .route("/ipfs/{*path}", any(gateway::serve))
        .route("/info", get(info::server))
        .with_state(front)
}

/// An answer that says no: a status and words.
#[derive(Debug)]
pub struct Refusal(pub u16, pub String);

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
