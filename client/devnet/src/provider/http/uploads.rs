//! Taking a deal's bytes: in one request, or in chunks. The checks, their order and their words are Curio's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bauta_client::deal::mk20::{MAX_CHUNK, MAX_REQUEST, MIN_CHUNK, StartUpload, UploadStatus, chunk_count, chunk_of};
use bauta_client::deal::{PieceSink, SinkError};
use bauta_client::node::Taking;
use bauta_client::piece::PieceInfo;
use futures::StreamExt;

use super::super::book::{Job, Stage};
use super::super::uploads::ChunkError;
use super::super::{fetching, uploads};
use super::caller::{broken, client, content_type, own_job};
use super::deals::{amended, deal_of};
use super::{Front, Refusal, refusal};

/// Uploads at the same time.
const MAX_UPLOADS: usize = 512;
/// Largest file: what fits a sector of 64 GiB.
const MAX_RAW_SIZE: u64 = 68_182_605_824;

/// One of the uploads at the same time.
struct Lane<'a>(&'a AtomicUsize);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lane(front: &Front) -> Result<Lane<'_>, Refusal> {
    let lane = Lane(&front.uploading);
    let busy = front.shop.lock().conduct.taking == Taking::Busy;
    if front.uploading.fetch_add(1, Ordering::Relaxed) >= MAX_UPLOADS || busy {
        return Err(refusal(429, "too many parallel uploads for provider"));
    }
    Ok(lane)
}

fn wanted(job: &Job) -> Result<PieceInfo, Refusal> {
    job.wanted.info().ok_or_else(|| broken("a deal without a size"))
}

/// `PUT /market/mk20/upload/{id}`.
pub async fn put(
    State(front): State<Front>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let client = client(request.headers(), request.method(), request.uri())?;
    let job = own_job(&front, &client, &id)?;
    let _lane = lane(&front)?;
    let not_found = || refusal(404, "deal not found");
    let _turn = front.shop.uploads.turn(&id).ok_or_else(not_found)?;
    // Asked again: the turn before may have brought the bytes.
    let waits = front.shop.lock().jobs.get(&id).is_some_and(|job| job.stage == Stage::Uploading);
    if !waits {
        return Err(not_found());
    }
    let piece = wanted(&job)?;
    if front.shop.pieces.find(&job.wanted).is_none() {
        let received = receive(&front, request, &piece).await?;
        fetching::keep(&front.shop, &job.wanted, received).await.map_err(broken)?;
    }
    let advance = |job: &mut Job| {
        if job.stage == Stage::Uploading {
            job.stage = Stage::Uploaded;
        }
    };
    front.shop.change_job(&id, advance).map_err(broken)?;
    Ok(StatusCode::OK.into_response())
}

async fn receive(
    front: &Front,
    request: Request<Body>,
    piece: &PieceInfo,
) -> Result<bauta_client::deal::ReceivedPiece, Refusal> {
    let limit = piece.payload_size.min(MAX_REQUEST);
    let mut sink = PieceSink::create(front.shop.pieces.folder(), limit).map_err(broken)?;
    let taken = |error: SinkError| match error {
        SinkError::TooLong(MAX_REQUEST) => broken("more than a request may bring"),
        SinkError::TooLong(_) => refusal(400, "piece raw size does not match"),
        SinkError::Disk(error) => broken(error),
    };
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        // As where writing to Curio's disk ends early.
        let chunk = chunk.map_err(|_| refusal(500, ""))?;
        sink.take(chunk).await.map_err(taken)?;
    }
    let received = sink.finish().await.map_err(taken)?;
    if received.info().payload_size != piece.payload_size {
        return Err(refusal(400, "piece raw size does not match"));
    }
    if received.info() != piece {
        return Err(refusal(400, "piece CID does not match"));
    }
    Ok(received)
}

/// `POST /market/mk20/upload/{id}`.
pub async fn finish(
    State(front): State<Front>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let job = own_job(&front, &client, &id)?;
    let not_found = || refusal(404, "deal not found");
    if job.stage != Stage::Uploaded {
        return Err(not_found());
    }
    amendment(&headers, &body, &id, &client)?;
    let piece = front.shop.pieces.find(&job.wanted).ok_or_else(|| broken("a piece that was uploaded is gone"))?;
    front.shop.stored(&id, &piece).map_err(broken)?;
    Ok(StatusCode::OK.into_response())
}

/// The deal that may come with the end of an upload.
fn amendment(headers: &HeaderMap, body: &[u8], id: &str, client: &fvm_shared::address::Address) -> Result<(), Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    let deal = deal_of(headers, body)?;
    // Here the words stand alone.
    amended(id, &deal, client).map_err(|rejection| refusal(rejection.code.into(), rejection.reason))
}

/// `POST /market/mk20/uploads/{id}`.
pub async fn start(
    State(front): State<Front>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let job = own_job(&front, &client, &id)?;
    if content_type(&headers) != "application/json" {
        return Err(refusal(400, "invalid content type"));
    }
    let upload: StartUpload =
        serde_json::from_slice(&body).map_err(|_| refusal(400, "failed to unmarshal request body"))?;
    let size = chunk_size(&upload)?;
    match job.stage {
        Stage::Uploading => {}
        // Curio asks for an upload that has not begun before it asks whether it has.
        _ => return Err(refusal(404, "deal not found")),
    }
    if upload.raw_size != wanted(&job)?.payload_size {
        return Err(refusal(400, ""));
    }
    let turn = front.shop.uploads.turn(&id);
    let begin = |job: &mut Job| {
        let free = job.stage == Stage::Uploading && turn.is_some();
        if free {
            job.stage = Stage::Chunked { size, here: BTreeSet::new() };
        }
        free
    };
    match front.shop.change_job(&id, begin).map_err(broken)? {
        Some(true) => Ok(StatusCode::OK.into_response()),
        _ => Err(refusal(409, "deal upload has already started")),
    }
}

fn chunk_size(upload: &StartUpload) -> Result<u64, Refusal> {
    let refused = |words: &str| Err(refusal(400, words));
    let size = upload.chunk_size;
    if upload.raw_size == 0 {
        return refused("raw size must be greater than 0");
    }
    if size == 0 {
        return refused("chunk size must be greater than 0");
    }
    if upload.raw_size > MAX_RAW_SIZE {
        return refused("raw size larger than supported 68182605824 limit");
    }
    if size & size.wrapping_sub(1) != 0 {
        return refused("chunk size must be a power of 2");
    }
    match u64::try_from(size) {
        Ok(size) if size > MAX_CHUNK => refused("chunk size too large"),
        Ok(size) if size >= MIN_CHUNK => Ok(size),
        _ => refused("chunk size too small"),
    }
}

/// `GET /market/mk20/uploads/{id}`.
pub async fn status(
    State(front): State<Front>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let job = own_job(&front, &client, &id)?;
    let (size, here) = match &job.stage {
        Stage::Chunked { size, here } => (*size, here),
        Stage::Uploading => return Err(refusal(425, "upload not initiated")),
        _ => return Err(refusal(404, "deal not found")),
    };
    let total = chunk_count(wanted(&job)?.payload_size, size);
    let missing: Vec<u64> = (1..=total).filter(|number| !here.contains(number)).collect();
    Ok(Json(UploadStatus {
        total_chunks: total,
        uploaded: here.len() as u64,
        missing: missing.len() as u64,
        uploaded_chunks: here.iter().copied().collect(),
        missing_chunks: missing,
    })
    .into_response())
}

/// `PUT /market/mk20/uploads/{id}/{chunk}`.
pub async fn chunk(
    State(front): State<Front>,
    Path((id, chunk)): Path<(String, String)>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let client = client(request.headers(), request.method(), request.uri())?;
    let job = own_job(&front, &client, &id)?;
    if content_type(request.headers()) != "application/octet-stream" {
        return Err(refusal(400, "invalid content type"));
    }
    let number: i64 = chunk.parse().map_err(|_| refusal(400, "invalid chunk number in url"))?;
    let _lane = lane(&front)?;
    let number = u64::try_from(number).ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| refusal(400, "chunk must be greater than 0"))?;
    let range = match &job.stage {
        Stage::Chunked { size, .. } => chunk_of(wanted(&job)?.payload_size, *size, number),
        _ => 0..0,
    };
    if range.is_empty() {
        return Err(refusal(404, "chunk not found"));
    }
    if has(&job, number) {
        return Err(refusal(409, "chunk already uploaded"));
    }
    let body = request.into_body().into_data_stream();
    match front.shop.uploads.write(&id, number, range.end - range.start, body).await {
        Ok(()) => {}
        // Curio's disk refuses such a chunk, and the client is not told why.
        Err(ChunkError::Length { .. } | ChunkError::Broken) => return Err(refusal(500, "")),
        Err(ChunkError::Disk(error)) => return Err(broken(error)),
    }
    let add = |job: &mut Job| match &mut job.stage {
        Stage::Chunked { here, .. } => here.insert(number),
        _ => false,
    };
    match front.shop.change_job(&id, add).map_err(broken)? {
        Some(true) => Ok(StatusCode::OK.into_response()),
        // Somebody else has brought it in the meantime.
        _ => Err(refusal(500, "")),
    }
}

fn has(job: &Job, number: u64) -> bool {
    matches!(&job.stage, Stage::Chunked { here, .. } if here.contains(&number))
}

/// `POST /market/mk20/uploads/finalize/{id}`.
pub async fn finalize(
    State(front): State<Front>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let client = client(&headers, &method, &uri)?;
    let job = own_job(&front, &client, &id)?;
    // In Curio there is no row to add up.
    let Stage::Chunked { size, here } = &job.stage else { return Err(refusal(500, "")) };
    if here.len() as u64 != chunk_count(wanted(&job)?.payload_size, *size) {
        return Err(refusal(400, "deal upload has not finished"));
    }
    amendment(&headers, &body, &id, &client)?;
    let size = *size;
    let advance = |job: &mut Job| {
        let complete = matches!(job.stage, Stage::Chunked { .. });
        if complete {
            job.stage = Stage::Assembling { size };
        }
        complete
    };
    if front.shop.change_job(&id, advance).map_err(broken)? == Some(true) {
        uploads::assemble(front.shop.clone(), &front.runtime, id);
    }
    Ok(StatusCode::OK.into_response())
}
