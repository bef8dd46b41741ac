//! `GET|HEAD /piece/{piece_cid_v2}`, honestly or not.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bauta_client::node::Serving;
use futures::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::super::book::{Wanted, piece_of_name};
use super::{Front, Refusal, refusal};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// What a `Range` header asks of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything; also where the header means nothing to us, as RFC 9110 wants it.
    Whole,
    /// These: first and one past the last.
    Bytes(u64, u64),
    /// Nothing of what is asked for is there.
    Unsatisfiable,
}

pub(super) fn part(range: Option<&str>, length: u64) -> Part {
    let Some(spec) = range.and_then(|range| range.trim().strip_prefix("bytes=")) else { return Part::Whole };
    let Some((from, to)) = spec.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| -> Result<Option<u64>, ()> {
        match text {
            "" => Ok(None),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(digits.parse().unwrap_or(u64::MAX))),
            _ => Err(()),
        }
    };
    let (Ok(from), Ok(to)) = (number(from.trim()), number(to.trim())) else { return Part::Whole };
    match (from, to) {
        (None, None) => Part::Whole,
        (None, Some(0)) => Part::Unsatisfiable,
        (None, Some(last)) if length > 0 => Part::Bytes(length.saturating_sub(last), length),
        (Some(from), Some(to)) if to < from => Part::Whole,
        (Some(from), to) if from < length => {
            Part::Bytes(from, to.map_or(length, |to| to.saturating_add(1).min(length)))
        }
        _ => Part::Unsatisfiable,
    }
}

/// Serves a piece.
pub async fn piece(
    State(front): State<Front>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let serving = front.shop.lock().conduct.serving;
    let missing = || refusal(404, format!("piece {name} not found"));
    let piece = piece_of_name(&name).ok_or_else(missing)?;
    let held = front.shop.pieces.find(&Wanted::of(&piece));
    if held.is_none() || serving == Serving::Lost {
        return Err(missing());
    }
    let etag = format!("\"{name}\"");
    let text = |field| headers.get(field).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let names = |list: &str| list.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim() == etag);
    if text(header::IF_NONE_MATCH).is_some_and(names) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    // A range of another version is answered with the whole.
    let range = text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none_or(|tag| tag == etag));
    let length = piece.payload_size;
    let (status, from, to) = match part(range, length) {
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Bytes(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Part::Unsatisfiable => {
            let total = [(header::CONTENT_RANGE, format!("bytes */{length}")), (header::ETAG, etag)];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, total).into_response());
        }
    };
    let mut answer = Response::builder()
        .status(status)
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CACHE_CONTROL, "public, max-age=29030400, immutable")
        .header(header::CONTENT_LENGTH, to - from);
    if status == StatusCode::PARTIAL_CONTENT {
        answer = answer.header(header::CONTENT_RANGE, format!("bytes {from}-{}/{length}", to - 1));
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let mut file = tokio::fs::File::open(front.shop.pieces.path(&piece)).await.map_err(|_| missing())?;
        file.seek(io::SeekFrom::Start(from)).await.map_err(|e| refusal(500, e.to_string()))?;
        body(file, to - from, serving)
    };
    answer.body(body).map_err(|e| refusal(500, e.to_string()))
}

fn body(file: tokio::fs::File, length: u64, serving: Serving) -> Body {
    match serving {
        Serving::Honest | Serving::Lost => Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK)),
        Serving::Corrupt => {
            Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK).map(|chunk| chunk.map(spoiled)))
        }
        Serving::Stall => {
            let half = ReaderStream::with_capacity(file.take(length / 2), CHUNK);
            Body::from_stream(half.chain(stream::pending()))
        }
    }
}

/// One bit of the middle byte is another.
fn spoiled(chunk: Bytes) -> Bytes {
    let mut bytes = chunk.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, length, expected) in [
            (None, 10, Part::Whole),
            (Some("bytes=0-0"), 10, Part::Bytes(0, 1)),
            (Some("bytes=2-"), 10, Part::Bytes(2, 10)),
            (Some("bytes=2-99"), 10, Part::Bytes(2, 10)),
            (Some("bytes=-3"), 10, Part::Bytes(7, 10)),
            (Some("bytes=-30"), 10, Part::Bytes(0, 10)),
            (Some("bytes=9-9"), 10, Part::Bytes(9, 10)),
            (Some("bytes=0-18446744073709551615"), 10, Part::Bytes(0, 10)),
            (Some("bytes=0-99999999999999999999"), 10, Part::Bytes(0, 10)),
            (Some("bytes=10-"), 10, Part::Unsatisfiable),
            (Some("bytes=99999999999999999999-"), 10, Part::Unsatisfiable),
            (Some("bytes=-0"), 10, Part::Unsatisfiable),
            (Some("bytes=0-"), 0, Part::Unsatisfiable),
            (Some("bytes=-5"), 0, Part::Unsatisfiable),
            (Some("bytes=5-2"), 10, Part::Whole),
            (Some("bytes=-"), 10, Part::Whole),
            (Some("bytes=a-b"), 10, Part::Whole),
            (Some("bytes=+1-2"), 10, Part::Whole),
            (Some("bytes=0-1,3-4"), 10, Part::Whole),
            (Some("items=0-1"), 10, Part::Whole),
            (Some("bytes=5"), 10, Part::Whole),
        ] {
            assert_eq!(part(range, length), expected, "{range:?} of {length}");
        }
    }
}
