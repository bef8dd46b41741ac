//! The checks of a deal's data: piece, format, source.
//!
//! Source: Curio `market/mk20/utils.go` (`DataSource.Validate`), `lib/robusthttp/ssrf.go`. Hosts on loopback are allowed here, as Curio's
//! configuration can have it.

use bauta_client::deal::DealCode;
use bauta_client::deal::mk20::{Aggregate, Data, HttpUrl, SourceHttp};
use bauta_client::piece::parse_piece_cid_v2;
use cid::Cid;
use reqwest::Url;

use super::{Rejection, ensure};

const MAX_URLS: usize = 10;
const MAX_HEADERS: usize = 10;
const MAX_URL: usize = 4096;
const MAX_HEADER_VALUES: usize = 64;
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Pieces in an aggregate.
const MAX_PIECES: usize = 1024;
/// Headers that a client must not set: they frame the request, or speak for somebody else.
const BLOCKED: [&str; 14] = [
    "Host",
    "Connection",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-Ip",
    "Transfer-Encoding",
    "Te",
    "Trailer",
    "Upgrade",
    "Range",
];

/// Checks what is to be stored and where it comes from.
pub fn validate(data: &Data) -> Result<(), Rejection> {
    let bad = |ok, reason: &str| ensure(ok, DealCode::BadProposal, reason);
    piece(&data.piece_cid).map_err(|reason| Rejection::new(DealCode::BadProposal, reason))?;
    let count = |set: &[bool]| set.iter().filter(|set| **set).count();
    let sources = count(&[
        data.source_http.is_some(),
        data.source_offline.is_some(),
        data.source_aggregate.is_some(),
        data.source_http_put.is_some(),
    ]);
    bad(sources <= 1, "multiple sources defined for data source")?;
    bad(sources == 1, "no source defined for data source")?;
    if let Some(format) = &data.format.aggregate {
        ensure(format.r#type == 1, DealCode::MalformedSource, "aggregate type not supported")?;
        enabled(data.source_aggregate.is_none(), "aggregate")?;
        aggregate(format)?;
    }
    let formats = count(&[data.format.car.is_some(), data.format.aggregate.is_some(), data.format.raw.is_some()]);
    bad(formats >= 1, "no format defined")?;
    bad(formats == 1, "multiple formats defined")?;
    if let Some(source) = &data.source_http {
        http(source)?;
    }
    enabled(data.source_offline.is_none(), "offline")?;
    enabled(data.source_aggregate.is_none(), "aggregate")
}

fn enabled(absent: bool, source: &str) -> Result<(), Rejection> {
    ensure(absent, DealCode::UnsupportedSource, &format!("data source {source} is not enabled"))
}

fn piece(cid: &Cid) -> Result<(), String> {
    const RAW: u64 = 0x55;
    if cid.codec() != RAW {
        return Err("piece cid is not raw".to_string());
    }
    let piece = parse_piece_cid_v2(cid).map_err(|e| format!("invalid piece cid: {e}"))?;
    if piece.payload_size == 0 { Err("payload size is 0".to_string()) } else { Ok(()) }
}

/// Checks the pieces inside a piece that was put together by the client.
fn aggregate(format: &Aggregate) -> Result<(), Rejection> {
    let malformed = |ok, reason: &str| ensure(ok, DealCode::MalformedSource, reason);
    malformed(!format.sub.is_empty(), "no sub pieces defined under aggregate")?;
    let reason = format!("aggregate support a maximum of {MAX_PIECES} pieces");
    malformed(format.sub.len() <= MAX_PIECES, &reason)?;
    for sub in &format.sub {
        malformed(piece(&sub.piece_cid).is_ok(), "invalid piece cid")?;
        malformed(sub.format.aggregate.is_none(), "aggregate of aggregate is not supported")?;
        let (car, raw) = (sub.format.car.is_some(), sub.format.raw.is_some());
        malformed(car || raw, "no format defined for sub piece in aggregate")?;
        malformed(!(car && raw), "multiple formats defined for sub piece in aggregate")?;
        let sourceless = sub.source_aggregate.is_none()
            && sub.source_offline.is_none()
            && sub.source_http.is_none()
            && sub.source_http_put.is_none();
        malformed(sourceless, "sub piece of pre-aggregated piece cannot have source defined")?;
    }
    Ok(())
}

fn http(source: &SourceHttp) -> Result<(), Rejection> {
    let malformed = |ok, reason: &str| ensure(ok, DealCode::MalformedSource, reason);
    malformed(!source.urls.is_empty(), "no urls defined")?;
    malformed(source.urls.len() <= MAX_URLS, &format!("maximum {MAX_URLS} URLs are supported per piece"))?;
    for url in &source.urls {
        fetchable(url).map_err(|why| Rejection::new(DealCode::BadProposal, format!("invalid url: {why}")))?;
        let few = url.headers.len() <= MAX_HEADERS;
        malformed(few, &format!("maximum {MAX_HEADERS} headers are supported per piece"))?;
    }
    Ok(())
}

/// Checks that a URL is one to fetch from.
pub fn fetchable(source: &HttpUrl) -> Result<Url, String> {
    let raw = source.url.as_str();
    if raw.is_empty() {
        return Err("url is empty".to_string());
    }
    if raw.len() > MAX_URL {
        return Err(format!("url exceeds {MAX_URL} bytes"));
    }
    if raw.contains(['\0', '\r', '\n', '\t']) {
        return Err("url contains control characters".to_string());
    }
    let url = Url::parse(raw).map_err(|e| format!("parse url: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url userinfo is not allowed".to_string());
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("unsupported url scheme {:?}", url.scheme()));
    }
    headers(source)?;
    Ok(url)
}

fn headers(source: &HttpUrl) -> Result<(), String> {
    let (mut values, mut bytes) = (0, 0);
    for (name, list) in &source.headers {
        if name.is_empty() || name.starts_with(':') || name.contains(['\r', '\n']) {
            return Err(format!("invalid header name {name:?}"));
        }
        if let Some(blocked) = BLOCKED.iter().find(|blocked| blocked.eq_ignore_ascii_case(name)) {
            return Err(format!("header {blocked:?} is not allowed"));
        }
        values += list.len();
        bytes += name.len() + list.iter().map(String::len).sum::<usize>();
        if list.iter().any(|value| value.contains(['\r', '\n'])) {
            return Err(format!("header {name:?} contains CR/LF"));
        }
    }
    if values > MAX_HEADER_VALUES {
        return Err(format!("too many header values: {values} > {MAX_HEADER_VALUES}"));
    }
    if bytes > MAX_HEADER_BYTES {
        return Err(format!("headers exceed {MAX_HEADER_BYTES} bytes"));
    }
    Ok(())
}
