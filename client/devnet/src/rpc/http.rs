//! JSON-RPC over HTTP: `/rpc/v1`, and `/rpc/v0` with what it has otherwise.
//! The same path takes WebSockets (`socket.rs`).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Request, State, WebSocketUpgrade};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{Answer, RpcError, Service, socket};
use crate::vm::blake2b;

/// Enough for an actor's Wasm in base64.
const MAX_BODY: usize = 32 << 20;
/// Calls in one batch.
const MAX_BATCH: usize = 1000;
/// Bytes that the answers to a batch have together, that of the last call not counted.
const MAX_ANSWERS: usize = 32 << 20;

/// A body that has not come after so long is not waited for.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Neither are headers.
const HEADER_TIME: Duration = Duration::from_secs(60);
/// How long to wait with the next connection when one could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` says so or its sender is gone.
pub(crate) async fn serve(listener: TcpListener, service: Service, token: Option<String>, stop: oneshot::Receiver<()>) {
    let app = Router::new()
        .route("/rpc/{version}", post(answer).get(upgrade))
        .layer(middleware::from_fn_with_state(token.map(Arc::from), admit))
        .layer(middleware::from_fn(open_to_browsers))
        .with_state(service);
    // Requests that wait for a message would hold a graceful end open for minutes.
    tokio::select! {
        () = accept(listener, app, HEADER_TIME) => {}
        _ = stop => {}
    }
}

/// Serves each connection by itself. One that has not sent its headers in time is closed, and so is one that is idle.
async fn accept(listener: TcpListener, app: Router, header_time: Duration) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header_time);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                // Too many files are open, say: those who have connections go on.
                tracing::warn!("a connection was not accepted: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small, and somebody waits for them.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(app.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!("a connection has ended: {e}");
            }
        });
    }
}

/// Lets pages in browsers call and read, as Forest and gateways do: they ask first what they may (`OPTIONS`).
async fn open_to_browsers(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if asks {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}

/// Lets those in who have the token, if there is one.
async fn admit(State(token): State<Option<Arc<str>>>, request: Request, next: Next) -> Response {
    if let Some(token) = token {
        let given = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).or_else(|| in_query(&request));
        let given = given.unwrap_or_default();
        // Hashes differ everywhere: comparing them tells nothing about the token.
        if token.is_empty() || blake2b(given) != blake2b(token.as_bytes()) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
    }
    next.run(request).await
}

/// A browser's WebSocket carries no header: as on Lotus, `?token=` stands for it. Tokens have no characters that URLs escape.
fn in_query(request: &Request) -> Option<&[u8]> {
    let mut fields = request.uri().query()?.split('&');
    fields.find_map(|field| field.strip_prefix("token=")).map(str::as_bytes)
}

/// True for `/rpc/v0`; nothing if there is no such version.
fn is_old(version: &str) -> Option<bool> {
    matches!(version, "v0" | "v1").then_some(version == "v0")
}

/// A GET begins a WebSocket and is nothing else.
async fn upgrade(
    Path(version): Path<String>,
    State(service): State<Service>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Some(old) = is_old(&version) else { return StatusCode::NOT_FOUND.into_response() };
    match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(MAX_BODY)
            .max_frame_size(MAX_BODY)
            .on_upgrade(move |socket| socket::speak(socket, service, old)),
        Err(_) => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response(),
    }
}

async fn answer(Path(version): Path<String>, State(service): State<Service>, body: Body) -> Response {
    let Some(old) = is_old(&version) else { return StatusCode::NOT_FOUND.into_response() };
    // What is left of such a body is not read: whoever sent it learns that this connection is of no further use.
    let closing = |status: StatusCode| (status, [(header::CONNECTION, "close")]).into_response();
    let body = match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return closing(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => return closing(StatusCode::REQUEST_TIMEOUT),
    };
    match serde_json::from_slice::<Value>(&body) {
        Err(e) => refuse(&RpcError::parse(e)),
        Ok(call) => match answers(&service, call, old).await {
            Some((status, answer)) => respond(status, &answer),
            None => StatusCode::NO_CONTENT.into_response(),
        },
    }
}

/// Status and answer of a call or a batch; nothing if nobody awaits one.
pub(super) async fn answers(service: &Service, call: Value, old: bool) -> Option<(u16, Value)> {
    let calls = match call {
        Value::Array(calls) if calls.is_empty() => {
            return Some(failed(Value::Null, &RpcError::invalid_request("invalid request")));
        }
        Value::Array(calls) if calls.len() > MAX_BATCH => {
            let why = format!("invalid request: batch too large: {} calls, at most {MAX_BATCH}", calls.len());
            return Some(failed(Value::Null, &RpcError::invalid_request(&why)));
        }
        Value::Array(calls) => calls,
        call => return one(service, call, old).await,
    };
    let (mut answers, mut bytes) = (Vec::new(), 0);
    for call in calls {
        let answer = if bytes < MAX_ANSWERS { one(service, call, old).await } else { unanswered(&call) };
        if let Some((_, answer)) = answer {
            bytes += length(&answer);
            answers.push(answer);
        }
    }
    (!answers.is_empty()).then_some((200, Value::Array(answers)))
}

/// What a call is told that comes after [`MAX_ANSWERS`] of its batch: it was not carried out.
fn unanswered(call: &Value) -> Option<(u16, Value)> {
    let id = call.get("id").filter(|id| !id.is_null())?;
    Some(failed(id.clone(), &RpcError::response_too_large(MAX_ANSWERS)))
}

/// Bytes of a value as JSON.
fn length(value: &Value) -> usize {
    struct Count(usize);

    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Status and answer of one call; a call without an id has none.
async fn one(service: &Service, mut call: Value, old: bool) -> Option<(u16, Value)> {
    let Some(fields) = call.as_object_mut() else {
        return Some(failed(Value::Null, &RpcError::invalid_request("invalid request")));
    };
    let id = fields.remove("id");
    let params = fields.remove("params").unwrap_or_default();
    let Some(Value::String(method)) = fields.remove("method") else {
        return Some(failed(id.unwrap_or_default(), &RpcError::invalid_request("invalid request: no method")));
    };
    let result = if old { call_old(service, &method, params).await } else { service.call(&method, params).await };
    let id = id.filter(|id| !id.is_null())?;
    Some(match result {
        Ok(result) => (200, json!({ "jsonrpc": "2.0", "id": id, "result": result })),
        Err(e) => failed(id, &e),
    })
}

/// What Lotus's v0 has otherwise: searching and waiting without bounds, or with a bound under another name, and receipts by
/// themselves.
async fn call_old(service: &Service, method: &str, params: Value) -> Answer {
    const SEARCH: &str = "Filecoin.StateSearchMsg";
    const WAIT: &str = "Filecoin.StateWaitMsg";
    let Value::Array(p) = &params else { return service.call(method, params).await };
    match (method.strip_prefix("Filecoin.").unwrap_or(method), p.as_slice()) {
        ("StateSearchMsg", [cid]) => service.call(SEARCH, json!([null, cid, -1, true])).await,
        ("StateSearchMsgLimited", [cid, limit]) => service.call(SEARCH, json!([null, cid, limit, true])).await,
        ("StateWaitMsg", [cid, confidence]) => service.call(WAIT, json!([cid, confidence, -1, true])).await,
        ("StateWaitMsgLimited", [cid, confidence, limit]) => {
            service.call(WAIT, json!([cid, confidence, limit, true])).await
        }
        ("StateGetReceipt", [cid, key]) => {
            let mut found = service.call(SEARCH, json!([key, cid, -1, true])).await?;
            Ok(found["Receipt"].take())
        }
        _ => service.call(method, params).await,
    }
}

pub(super) fn failed(id: Value, error: &RpcError) -> (u16, Value) {
    (error.status(), json!({ "jsonrpc": "2.0", "id": id, "error": error.to_json() }))
}

fn refuse(error: &RpcError) -> Response {
    let (status, body) = failed(Value::Null, error);
    respond(status, &body)
}

fn respond(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn who_never_ends_its_headers_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/rpc/v1", post(async || "here"));
        let server = tokio::spawn(accept(listener, app, Duration::from_secs(1)));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nX-Slow").await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(30), slow.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "it is still open");
        let mut quick = TcpStream::connect(address).await.unwrap();
        let whole = b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        quick.write_all(whole).await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        server.abort();
    }
}
