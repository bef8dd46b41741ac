//! JSON-RPC over HTTP: `/rpc/v1` (and v2), and `/rpc/v0` whose two waiting methods take fewer params.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{RpcError, Service};

/// Enough for an actor's Wasm in base64.
const MAX_BODY: usize = 32 << 20;
/// Calls in one batch.
const MAX_BATCH: usize = 1000;

/// Serves until `stop` says so or its sender is gone.
pub(crate) async fn serve(listener: TcpListener, service: Service, stop: oneshot::Receiver<()>) {
    let app =
        Router::new().route("/rpc/{version}", post(answer)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(service);
    let stopped = async {
        let _ = stop.await;
    };
    // Requests that wait for a message would hold a graceful end open for minutes.
    tokio::select! {
        served = axum::serve(listener, app) => {
            if let Err(e) = served {
                tracing::error!("JSON-RPC has ended: {e}");
            }
        }
        () = stopped => {}
    }
}

async fn answer(Path(version): Path<String>, State(service): State<Service>, body: Bytes) -> Response {
    if !matches!(version.as_str(), "v0" | "v1" | "v2") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let old = version == "v0";
    match serde_json::from_slice::<Value>(&body) {
        Err(e) => refuse(&RpcError::parse(e)),
        Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > MAX_BATCH => {
            refuse(&RpcError::invalid_request("invalid request"))
        }
        Ok(Value::Array(calls)) => {
            let mut answers = Vec::new();
            for call in calls {
                answers.extend(one(&service, call, old).await.map(|(_, answer)| answer));
            }
            respond(200, &Value::Array(answers))
        }
        Ok(call) => match one(&service, call, old).await {
            Some((status, answer)) => respond(status, &answer),
            None => StatusCode::NO_CONTENT.into_response(),
        },
    }
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
    let params = if old { as_v1(&method, params) } else { params };
    let result = service.call(&method, params).await;
    let id = id.filter(|id| !id.is_null())?;
    Some(match result {
        Ok(result) => (200, json!({ "jsonrpc": "2.0", "id": id, "result": result })),
        Err(e) => failed(id, &e),
    })
}

/// Lotus's v0 searches and waits without bounds.
fn as_v1(method: &str, params: Value) -> Value {
    match (method, params) {
        ("Filecoin.StateSearchMsg", Value::Array(p)) if p.len() == 1 => json!([null, p[0], -1, true]),
        ("Filecoin.StateWaitMsg", Value::Array(p)) if p.len() == 2 => json!([p[0], p[1], -1, true]),
        (_, params) => params,
    }
}

fn failed(id: Value, error: &RpcError) -> (u16, Value) {
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
