//! `GET|HEAD /piece/{cid}`, honestly or not.
//!
//! Source: Curio `market/retrieval/piecehandler.go`, `lib/cachedreader`.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bauta_client::node::Serving;
use bauta_client::piece::{PieceInfo, parse_piece_cid_v2};
use cid::Cid;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::super::book::Wanted;
use super::ranges::{Condition, LAST_MODIFIED, Part, condition, part, wanted_range};
use super::{Front, Refusal, refusal};

/// How much is read at once.
const CHUNK: usize = 256 << 10;
/// How much is looked at to tell what the bytes are.
const SNIFFED: usize = 512;
const BOUNDARY: &str = "a-piece-is-never-this-line-9b1f0e2c7d";

/// A piece by one of its names.
struct Served {
    piece: PieceInfo,
    /// Bytes of the body: by the v1 name, which does not know the payload's size, the piece with its padding.
    length: u64,
}

fn find(front: &Front, cid: &Cid) -> Option<Served> {
    if let Ok(piece) = parse_piece_cid_v2(cid) {
        let piece = front.shop.pieces.find(&Wanted::of(&piece))?;
        return Some(Served { length: piece.payload_size, piece });
    }
    let piece = front.shop.pieces.largest(cid)?;
    Some(Served { length: piece.padded_size.unpadded().0, piece })
}

/// Serves a piece.
pub async fn piece(
    State(front): State<Front>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let cid = Cid::try_from(name.as_str()).map_err(|_| refusal(400, ""))?;
    let serving = front.shop.lock().conduct.serving;
    let missing = || refusal(404, "");
    let served = find(&front, &cid).filter(|_| serving != Serving::Lost).ok_or_else(missing)?;
    let path = front.shop.pieces.path(&served.piece);
    let etag = format!("\"{cid}\"");
    let not_modified = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, CACHED.to_string())];
    match condition(&method, &headers, &etag) {
        Condition::Met => {}
        Condition::NotModified => return Ok((StatusCode::NOT_MODIFIED, not_modified).into_response()),
        Condition::Failed => return Ok((StatusCode::PRECONDITION_FAILED, not_modified).into_response()),
    }
    let kind = sniff(&path).await.map_err(|_| missing())?;
    let length = served.length;
    let mut answer = Response::builder()
        .header(header::ETAG, etag.as_str())
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::VARY, "Accept-Encoding")
        .header(header::LAST_MODIFIED, LAST_MODIFIED)
        .header(header::CACHE_CONTROL, CACHED);
    if kind != BYTES {
        let disposition = format!("inline; filename=\"{cid}.txt\"; filename*=UTF-8''{cid}.txt");
        answer = answer.header(header::CONTENT_DISPOSITION, disposition);
    }
    let body = Sent { path, payload: served.piece.payload_size, serving, empty: method == Method::HEAD };
    let (answer, body) = match part(wanted_range(&headers, &etag), length) {
        Part::Whole => {
            let answer = answer.status(StatusCode::OK).header(header::CONTENT_TYPE, kind);
            (answer.header(header::CONTENT_LENGTH, length), body.range(0, length).await)
        }
        Part::Bytes(ranges) if ranges.len() == 1 => {
            let (from, to) = ranges[0];
            let answer = answer
                .status(StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_TYPE, kind)
                .header(header::CONTENT_LENGTH, to - from)
                .header(header::CONTENT_RANGE, format!("bytes {from}-{}/{length}", to - 1));
            (answer, body.range(from, to).await)
        }
        Part::Bytes(ranges) => {
            let heads = heads(&ranges, kind, length);
            let sum: u64 = ranges.iter().map(|(from, to)| to - from).sum();
            let total = sum + heads.iter().map(|head| head.len() as u64).sum::<u64>();
            let answer = answer
                .status(StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_TYPE, format!("multipart/byteranges; boundary={BOUNDARY}"))
                .header(header::CONTENT_LENGTH, total);
            (answer, body.ranges(&ranges, heads).await)
        }
        Part::NoOverlap => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            let words = "invalid range: failed to overlap\n";
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range, words).into_response());
        }
        Part::Invalid => return Err(refusal(416, "invalid range")),
    };
    answer.body(body.map_err(|_| missing())?).map_err(|e| refusal(500, e.to_string()))
}

const CACHED: &str = "public, max-age=29030400, immutable";
const BYTES: &str = "application/octet-stream";

/// Says what the bytes are. Go knows many kinds by their first bytes; here text is told from everything else.
async fn sniff(path: &std::path::Path) -> io::Result<&'static str> {
    let mut first = Vec::new();
    File::open(path).await?.take(SNIFFED as u64).read_to_end(&mut first).await?;
    let binary = |b: &u8| matches!(b, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    Ok(if first.iter().any(binary) { BYTES } else { "text/plain; charset=utf-8" })
}

/// What stands before each part of a multipart body, and behind the last.
fn heads(ranges: &[(u64, u64)], kind: &str, length: u64) -> Vec<String> {
    let mut heads: Vec<String> = ranges
        .iter()
        .map(|(from, to)| {
            format!(
                "\r\n--{BOUNDARY}\r\nContent-Range: bytes {from}-{}/{length}\r\nContent-Type: {kind}\r\n\r\n",
                to - 1
            )
        })
        .collect();
    heads[0] = heads[0].trim_start().to_string();
    heads.push(format!("\r\n--{BOUNDARY}--\r\n"));
    heads
}

/// The file that is served, and how.
struct Sent {
    path: std::path::PathBuf,
    /// Behind these bytes a piece is zeros.
    payload: u64,
    serving: Serving,
    /// `HEAD`.
    empty: bool,
}

type Chunks = BoxStream<'static, io::Result<Bytes>>;

impl Sent {
    async fn range(&self, from: u64, to: u64) -> io::Result<Body> {
        Ok(if self.empty { Body::empty() } else { Body::from_stream(self.chunks(from, to).await?) })
    }

    async fn ranges(&self, ranges: &[(u64, u64)], heads: Vec<String>) -> io::Result<Body> {
        if self.empty {
            return Ok(Body::empty());
        }
        let mut parts: Vec<Chunks> = Vec::new();
        let mut heads = heads.into_iter();
        for (from, to) in ranges {
            let head = heads.next().unwrap_or_default();
            parts.push(stream::once(async { Ok(Bytes::from(head)) }).boxed());
            parts.push(self.chunks(*from, *to).await?);
        }
        let end: String = heads.collect();
        parts.push(stream::once(async { Ok(Bytes::from(end)) }).boxed());
        Ok(Body::from_stream(stream::iter(parts).flatten()))
    }

    async fn chunks(&self, from: u64, to: u64) -> io::Result<Chunks> {
        let mut file = File::open(&self.path).await?;
        file.set_max_buf_size(CHUNK);
        file.seek(io::SeekFrom::Start(from.min(self.payload))).await?;
        let (stored, length) = (to.min(self.payload).saturating_sub(from), to - from);
        // Half of it comes, and then nothing.
        let stored = if self.serving == Serving::Stall { stored / 2 } else { stored };
        let bytes = ReaderStream::with_capacity(file.take(stored), CHUNK);
        let zeros = ReaderStream::with_capacity(tokio::io::repeat(0).take(length - stored), CHUNK);
        Ok(match self.serving {
            Serving::Honest | Serving::Lost => bytes.chain(zeros).boxed(),
            Serving::Corrupt => bytes.map(|chunk| chunk.map(spoiled)).chain(zeros).boxed(),
            Serving::Stall => bytes.chain(stream::pending()).boxed(),
        })
    }
}

/// One bit of the middle byte is another.
pub(super) fn spoiled(chunk: Bytes) -> Bytes {
    let mut bytes = chunk.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}
