//! A trustless gateway: `GET|HEAD /ipfs/{cid}[/{path}]`, answers that prove themselves: one block, or a CAR.
//!
//! Source: specs.ipfs.tech, Trustless Gateway (2026-03) with IPIP-402 and IPIP-412; what they leave open is as in frisbii, which Curio serves
//! with.

mod request;
mod walk;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bauta_client::node::Serving;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::super::shop::Shop;
use super::ranges::{Condition, condition};
use super::serving::spoiled;
use super::{Front, Refusal, refusal};
use request::{Asked, Form};
use walk::{Walk, Way};

/// Blocks that wait for the connection.
const QUEUE: usize = 4;
const CACHED: &str = "public, max-age=29030400, immutable";

/// Serves blocks.
pub async fn serve(State(front): State<Front>, request: Request<Body>) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return Ok((StatusCode::METHOD_NOT_ALLOWED, allow, "method not allowed").into_response());
    }
    let asked = Asked::read(&parts.uri, &parts.headers)?;
    let serving = front.shop.lock().conduct.serving;
    let way = {
        let (shop, asked) = (front.shop.clone(), asked.clone());
        let walked = tokio::task::spawn_blocking(move || match serving {
            Serving::Lost => Err(walk::Lost::Root),
            _ => walk::resolve(&shop, &asked),
        });
        walked.await.map_err(|e| refusal(500, e.to_string()))?
    };
    let way = match way {
        Ok(way) => way,
        Err(walk::Lost::Root) if asked.only_if_cached => return Err(refusal(412, "the root block is not here")),
        Err(lost) => return Err(lost.into()),
    };
    let etag = etag(&asked);
    if condition(&parts.method, &parts.headers, &etag) == Condition::NotModified {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let mut answer = Response::builder()
        .header(header::CONTENT_TYPE, asked.form.content_type())
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", asked.file_name()))
        .header(header::CACHE_CONTROL, CACHED)
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "none")
        .header(header::VARY, "Accept, Accept-Encoding")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header("X-Ipfs-Path", asked.content_path())
        .header("X-Ipfs-Roots", way.roots());
    if let Some(location) = &asked.location {
        answer = answer.header(header::CONTENT_LOCATION, location);
    }
    let body = match asked.form {
        _ if parts.method == Method::HEAD => Body::empty(),
        Form::Raw => {
            let block = way.into_terminal();
            answer = answer.header(header::CONTENT_LENGTH, block.len());
            lied(stream::once(async { Ok(Bytes::from(block)) }).boxed(), serving)
        }
        Form::Car { .. } => lied(archive(front.shop.clone(), asked, way), serving),
    };
    answer.body(body).map_err(|e| refusal(500, e.to_string()))
}

type Chunks = stream::BoxStream<'static, std::io::Result<Bytes>>;

/// The archive as it is read, a block at a time.
fn archive(shop: Arc<Shop>, asked: Asked, way: Way) -> Chunks {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || {
        // Who is gone wants no more. A block that is missing ends the connection in the middle: nothing else can be said then.
        let mut send = |bytes: Vec<u8>| sender.blocking_send(Ok(Bytes::from(bytes))).is_ok();
        if let Err(lost) = Walk::new(&shop, &asked, &mut send).run(way) {
            let _ = sender.blocking_send(Err(std::io::Error::other(lost.to_string())));
        }
    });
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|chunk| (chunk, receiver)) }).boxed()
}

/// The body as the provider behaves.
fn lied(chunks: Chunks, serving: Serving) -> Body {
    match serving {
        Serving::Honest | Serving::Lost => Body::from_stream(chunks),
        Serving::Corrupt => Body::from_stream(chunks.map(|chunk| chunk.map(spoiled))),
        Serving::Stall => Body::from_stream(chunks.take(1).chain(stream::pending())),
    }
}

/// Names the answer: another one for each way to ask.
fn etag(asked: &Asked) -> String {
    let (root, suffix) = (asked.root, asked.form.suffix());
    if matches!(asked.form, Form::Raw) {
        return format!("\"{root}.{suffix}\"");
    }
    let digest = Sha256::digest(format!("{asked:?}"));
    format!("\"{root}.{suffix}.{}\"", hex::encode(&digest[..8]))
}
