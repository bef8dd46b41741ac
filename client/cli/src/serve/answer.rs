//! `GET|HEAD /piece/{piece_cid}`: whole, or a range, as RFC 9110 has it.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bauta_client::piece::piece_cid_v2;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::Served;
use crate::output::Notes;

/// How much is read at once.
const CHUNK: usize = 256 << 10;

#[derive(Clone)]
struct Shelf {
    pieces: Arc<BTreeMap<String, Arc<Served>>>,
    notes: Notes,
}

/// Answers for the pieces on the shelf, and for nothing else.
pub fn router(pieces: BTreeMap<String, Arc<Served>>, notes: Notes) -> Router {
    Router::new().route("/piece/{cid}", get(piece)).with_state(Shelf { pieces: Arc::new(pieces), notes })
}

async fn piece(
    State(shelf): State<Shelf>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, (StatusCode, String)> {
    let served = shelf.pieces.get(&name).ok_or((StatusCode::NOT_FOUND, format!("no piece {name} here")))?;
    let broken = |error: std::io::Error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let opened = served.open().map_err(broken)?;
    let file = opened.ok_or_else(|| {
        shelf.notes.say(format_args!("{} is no longer the piece that it was", served.path.display()));
        (StatusCode::GONE, "the file has changed since it was offered".to_string())
    })?;
    let (length, etag) = (served.piece.payload_size, format!("\"{}\"", piece_cid_v2(&served.piece)));
    let text = |field| headers.get(field).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let names_it = |list: &str| list.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim() == etag);
    if text(header::IF_NONE_MATCH).is_some_and(names_it) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    // A range of another version is answered with the whole.
    let range = text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none_or(|tag| tag == etag));
    let (status, from, to) = match part(range, length) {
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Bytes(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Part::Nothing => {
            let total = [(header::CONTENT_RANGE, format!("bytes */{length}")), (header::ETAG, etag)];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, total).into_response());
        }
    };
    let mut answer = Response::builder()
        .status(status)
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, to - from);
    if status == StatusCode::PARTIAL_CONTENT {
        answer = answer.header(header::CONTENT_RANGE, format!("bytes {from}-{}/{length}", to - 1));
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(from)).await.map_err(broken)?;
        Body::from_stream(ReaderStream::with_capacity(file.take(to - from), CHUNK))
    };
    answer.body(body).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// What a `Range` header asks of so many bytes, of which there is one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Everything; also where the header means nothing to us.
    Whole,
    /// First, and one past the last.
    Bytes(u64, u64),
    /// Nothing of it is there.
    Nothing,
}

fn part(range: Option<&str>, length: u64) -> Part {
    let Some(spec) = range.and_then(|range| range.trim().strip_prefix("bytes=")) else { return Part::Whole };
    let Some((from, to)) = spec.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    match (number(from), number(to)) {
        (Some(None), Some(Some(0))) => Part::Nothing,
        (Some(None), Some(Some(last))) => Part::Bytes(length.saturating_sub(last), length),
        (Some(Some(from)), Some(Some(to))) if to < from => Part::Whole,
        (Some(Some(from)), Some(to)) if from < length => {
            Part::Bytes(from, to.map_or(length, |to: u64| to.saturating_add(1).min(length)))
        }
        (Some(Some(_)), Some(_)) => Part::Nothing,
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges() {
        for (range, expected) in [
            (None, Part::Whole),
            (Some("bytes=0-0"), Part::Bytes(0, 1)),
            (Some("bytes=2-"), Part::Bytes(2, 10)),
            (Some("bytes=2-99"), Part::Bytes(2, 10)),
            (Some("bytes=-3"), Part::Bytes(7, 10)),
            (Some("bytes=-30"), Part::Bytes(0, 10)),
            (Some("bytes=0-18446744073709551615"), Part::Bytes(0, 10)),
            (Some("bytes=10-"), Part::Nothing),
            (Some("bytes=99999999999999999999-"), Part::Nothing),
            (Some("bytes=-0"), Part::Nothing),
            (Some("bytes=5-2"), Part::Whole),
            (Some("bytes=-"), Part::Whole),
            (Some("bytes=+1-2"), Part::Whole),
            (Some("bytes=0-1,3-4"), Part::Whole),
            (Some("items=0-1"), Part::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range:?}");
        }
    }
}
