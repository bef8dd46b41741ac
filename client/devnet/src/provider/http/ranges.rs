//! Parts of a body: `Range`, and the conditions under which it counts.
//!
//! Source: Go `net/http` (`ServeContent`, `parseRange`, `checkPreconditions`), which Curio serves pieces with.

use axum::http::{HeaderMap, HeaderName, Method, header};

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    Whole,
    /// These: first and one past the last of each, in the order of the request.
    Bytes(Vec<(u64, u64)>),
    /// Nothing of what is asked for is there.
    NoOverlap,
    /// The header cannot be read.
    Invalid,
}

/// What a `Range` header asks of so many bytes.
pub fn part(range: Option<&str>, length: u64) -> Part {
    let Some(range) = range else { return Part::Whole };
    let Some(specs) = range.strip_prefix("bytes=") else { return Part::Invalid };
    let (mut ranges, mut beyond) = (Vec::new(), false);
    for spec in specs.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        match one(spec, length) {
            Some((from, to)) if from < to => ranges.push((from, to)),
            Some(_) => beyond = true,
            None => return Part::Invalid,
        }
    }
    if ranges.is_empty() {
        return if beyond { Part::NoOverlap } else { Part::Whole };
    }
    // More than everything is an attack or a mistake.
    let sum: u64 = ranges.iter().map(|(from, to)| to - from).fold(0, u64::saturating_add);
    if sum > length { Part::Whole } else { Part::Bytes(ranges) }
}

/// `from-to`, `from-` or `-last`; empty where nothing of it is there.
fn one(spec: &str, length: u64) -> Option<(u64, u64)> {
    let (from, to) = spec.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (from, to) = (from.trim(), to.trim());
    if from.is_empty() {
        return Some((length - number(to)?.min(length), length));
    }
    let from = number(from)?;
    if to.is_empty() {
        return Some((from.min(length), length));
    }
    let to = number(to)?;
    (to >= from).then(|| (from.min(length), to.saturating_add(1).min(length)))
}

/// How a request's conditions come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is answered.
    Met,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Checks the conditions of a request against a body that never changes: `etag` names it, and it is older than any date.
pub fn condition(method: &Method, headers: &HeaderMap, etag: &str) -> Condition {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(list) = text(header::IF_MATCH)
        && !names(list, etag, false)
    {
        return Condition::Failed;
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match text(header::IF_NONE_MATCH) {
        Some(list) if names(list, etag, true) && reads => Condition::NotModified,
        Some(list) if names(list, etag, true) => Condition::Failed,
        Some(_) => Condition::Met,
        // What was not changed since 1970 was not changed since then either.
        None if reads && text(header::IF_MODIFIED_SINCE).is_some_and(is_date) => Condition::NotModified,
        None => Condition::Met,
    }
}

/// The `Range` header, if it counts: with `If-Range`, only for the version that is meant.
pub fn wanted_range<'h>(headers: &'h HeaderMap, etag: &str) -> Option<&'h str> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none_or(|tag| tag == etag || tag == LAST_MODIFIED))
}

/// The date that pieces carry: a constant, because what a CID names never changes.
pub const LAST_MODIFIED: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Whether a list of tags names one. Weak ones count where `weak`.
fn names(list: &str, etag: &str, weak: bool) -> bool {
    list.split(',').map(str::trim).any(|tag| {
        let tag = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        tag == "*" || tag == etag
    })
}

/// Whether a text looks like a date of HTTP; all of them are later than ours.
fn is_date(text: &str) -> bool {
    text.ends_with("GMT") && text.len() >= "Thu, 01 Jan 1970 00:00:00 GMT".len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let bytes = |ranges: &[(u64, u64)]| Part::Bytes(ranges.to_vec());
        for (range, length, expected) in [
            (None, 10, Part::Whole),
            (Some("bytes=0-0"), 10, bytes(&[(0, 1)])),
            (Some("bytes=2-"), 10, bytes(&[(2, 10)])),
            (Some("bytes=2-99"), 10, bytes(&[(2, 10)])),
            (Some("bytes=-3"), 10, bytes(&[(7, 10)])),
            (Some("bytes=-30"), 10, bytes(&[(0, 10)])),
            (Some("bytes=9-9"), 10, bytes(&[(9, 10)])),
            (Some("bytes= 1-2 , 4-5"), 10, bytes(&[(1, 3), (4, 6)])),
            (Some("bytes=0-1,3-4"), 10, bytes(&[(0, 2), (3, 5)])),
            (Some("bytes=0-1,99-"), 10, bytes(&[(0, 2)])),
            (Some("bytes=0-8,0-8"), 10, Part::Whole),
            (Some("bytes="), 10, Part::Whole),
            (Some("bytes=0-18446744073709551615"), 10, bytes(&[(0, 10)])),
            (Some("bytes=0-99999999999999999999"), 10, bytes(&[(0, 10)])),
            (Some("bytes=10-"), 10, Part::NoOverlap),
            (Some("bytes=99999999999999999999-"), 10, Part::NoOverlap),
            (Some("bytes=-0"), 10, Part::NoOverlap),
            (Some("bytes=5-2"), 10, Part::Invalid),
            (Some("bytes=-"), 10, Part::Invalid),
            (Some("bytes=a-b"), 10, Part::Invalid),
            (Some("bytes=+1-2"), 10, Part::Invalid),
            (Some("bytes=0-1,x"), 10, Part::Invalid),
            (Some("items=0-1"), 10, Part::Invalid),
            (Some("bytes=5"), 10, Part::Invalid),
        ] {
            assert_eq!(part(range, length), expected, "{range:?} of {length}");
        }
    }

    #[test]
    fn conditions() {
        let (etag, date) = ("\"x\"", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (name, value, expected) in [
            (header::IF_MATCH, "\"x\"", Condition::Met),
            (header::IF_MATCH, "*", Condition::Met),
            (header::IF_MATCH, "\"y\"", Condition::Failed),
            (header::IF_MATCH, "W/\"x\"", Condition::Failed),
            (header::IF_NONE_MATCH, "\"y\", W/\"x\"", Condition::NotModified),
            (header::IF_NONE_MATCH, "\"y\"", Condition::Met),
            (header::IF_MODIFIED_SINCE, date, Condition::NotModified),
            (header::IF_MODIFIED_SINCE, "yesterday", Condition::Met),
        ] {
            let headers = HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
            assert_eq!(condition(&Method::GET, &headers, etag), expected, "{name}: {value}");
        }
        let headers = |tag: &str| {
            let fields = [(header::RANGE, "bytes=1-2"), (header::IF_RANGE, tag)];
            HeaderMap::from_iter(fields.map(|(name, value)| (name, value.parse().unwrap())))
        };
        assert_eq!(wanted_range(&headers(etag), etag), Some("bytes=1-2"));
        assert_eq!(wanted_range(&headers("\"y\""), etag), None);
        assert_eq!(wanted_range(&headers(date), etag), None);
    }
}
