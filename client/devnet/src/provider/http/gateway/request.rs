//! What a request to the gateway asks for.

use axum::http::{HeaderMap, HeaderName, Uri, header};
use cid::Cid;
use reqwest::Url;

use super::super::{Refusal, refusal};

const CAR: &str = "application/vnd.ipld.car";
const RAW: &str = "application/vnd.ipld.raw";

/// What the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The block.
    Raw,
    /// A CAR, with blocks that come twice or without.
    Car { dups: bool },
}

impl Form {
    pub fn content_type(self) -> String {
        match self {
            Self::Raw => RAW.to_string(),
            Self::Car { dups } => format!("{CAR}; version=1; order=dfs; dups={}", if dups { "y" } else { "n" }),
        }
    }

    pub fn suffix(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Car { .. } => "car",
        }
    }
}

/// Which blocks of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// That at the end of the path.
    Block,
    /// The file or directory there.
    Entity,
    /// Everything below.
    All,
}

/// Some bytes of a file: the first and the last; negative ones count from the end, no last one is the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    pub from: i64,
    pub to: Option<i64>,
}

impl Bytes {
    /// The first byte and the one past the last of a file of `size` bytes; empty if there are none.
    pub fn within(self, size: u64) -> (u64, u64) {
        let at = |n: i64| if n < 0 { size.saturating_sub(n.unsigned_abs()) } else { n.unsigned_abs() };
        let from = at(self.from);
        let to = match self.to {
            None => size,
            // A file shorter than what is taken from its end has nothing there.
            Some(to) if to < 0 && to.unsigned_abs() > size => 0,
            Some(to) => at(to).saturating_add(1).min(size),
        };
        (from, to)
    }
}

/// What is asked for. Its debug text tells apart whatever is answered differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub root: Cid,
    pub path: Vec<String>,
    pub form: Form,
    pub scope: Scope,
    pub bytes: Option<Bytes>,
    pub only_if_cached: bool,
    /// The URL that names this form, where the request's does not.
    pub location: Option<String>,
    file_name: Option<String>,
}

impl Asked {
    /// Reads a request.
    ///
    /// Errors: 404 without a CID; 400 for what cannot be read; 406 for forms that are not served.
    pub fn read(uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        let url = Url::parse(&format!("http://gateway/?{}", uri.query().unwrap_or_default()));
        let url = url.map_err(|e| refusal(400, e.to_string()))?;
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());

        let mut segments = Vec::new();
        for segment in uri.path().split('/').filter(|segment| !segment.is_empty()).skip(1) {
            let decoded = percent(segment).ok_or_else(|| refusal(400, "the path is not UTF-8"))?;
            segments.push(decoded);
        }
        if segments.is_empty() {
            return Err(refusal(404, "not found"));
        }
        let mut form = form(field("format"), text(header::ACCEPT))?;
        let named = field("format").is_some();
        let root = Cid::try_from(segments.remove(0).as_str())
            .map_err(|_| refusal(400, "failed to parse CID path parameter"))?;
        let (mut scope, mut bytes) = (Scope::All, None);
        match &mut form {
            Form::Raw if !segments.is_empty() => return Err(refusal(400, "path not supported for raw requests")),
            Form::Raw => scope = Scope::Block,
            Form::Car { dups } => {
                car_fields(&field, dups)?;
                if let Some(text) = field("entity-bytes") {
                    bytes = Some(entity_bytes(text).ok_or_else(|| refusal(400, "invalid entity-bytes parameter"))?);
                    scope = Scope::Entity;
                }
                scope = match field("dag-scope") {
                    None => scope,
                    Some("block") => Scope::Block,
                    Some("entity") => Scope::Entity,
                    // Some bytes are some bytes of an entity.
                    Some("all") if bytes.is_some() => Scope::Entity,
                    Some("all") => Scope::All,
                    Some(_) => return Err(refusal(400, "invalid dag-scope parameter")),
                };
            }
        }
        let file_name = field("filename").map(|name| file_name(name, form)).transpose()?;
        let only_if_cached = text(header::CACHE_CONTROL).is_some_and(|value| value.contains("only-if-cached"));
        let location = (!named).then(|| {
            let separator = if uri.query().is_some_and(|query| !query.is_empty()) { '&' } else { '?' };
            format!("{}{separator}format={}", uri.to_string().trim_end_matches('?'), form.suffix())
        });
        Ok(Self { root, path: segments, form, scope, bytes, only_if_cached, location, file_name })
    }

    /// What is asked for, as a path.
    pub fn content_path(&self) -> String {
        let mut path = format!("/ipfs/{}", self.root);
        for segment in &self.path {
            path.push('/');
            for byte in segment.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte as char),
                    other => path.push_str(&format!("%{other:02X}")),
                }
            }
        }
        path
    }

    /// What the answer is to be called when it is saved.
    pub fn file_name(&self) -> String {
        let extension = if self.form == Form::Raw { "bin" } else { "car" };
        self.file_name.clone().unwrap_or_else(|| format!("{}.{extension}", self.root))
    }
}

/// Which form is wanted: that of the query, else the best of `Accept`.
fn form(format: Option<&str>, accept: Option<&str>) -> Result<Form, Refusal> {
    let accepted = accept.map(accepted).unwrap_or_default();
    let car = accepted.iter().find_map(|(_, form)| form.filter(|form| matches!(form, Form::Car { .. })));
    match format {
        Some("car") => return Ok(car.unwrap_or(Form::Car { dups: false })),
        Some("raw") => return Ok(Form::Raw),
        Some("") | None => {}
        Some(other) => return Err(refusal(406, format!("invalid format parameter; unsupported: {other:?}"))),
    }
    match (accepted.first(), accept) {
        (Some((_, Some(form))), _) => Ok(*form),
        // Anything will do.
        (Some((_, None)), _) => Ok(Form::Car { dups: false }),
        (None, Some(other)) => Err(refusal(406, format!("invalid Accept header; unsupported: {other:?}"))),
        (None, None) => Err(refusal(400, "neither a valid Accept header nor format parameter were provided")),
    }
}

/// The forms of an `Accept` header that are served, the best first; `None` is any.
fn accepted(accept: &str) -> Vec<(u32, Option<Form>)> {
    let mut found: Vec<_> = accept.split(',').filter_map(media_type).collect();
    found.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    found.retain(|(quality, _)| *quality > 0);
    found
}

fn media_type(text: &str) -> Option<(u32, Option<Form>)> {
    let mut parts = text.split(';').map(str::trim);
    let mut form = match parts.next()? {
        CAR => Some(Form::Car { dups: false }),
        RAW => Some(Form::Raw),
        "*/*" | "application/*" => None,
        _ => return None,
    };
    let mut quality = 1000;
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        match (key.trim(), value.trim(), &mut form) {
            ("q", value, _) => {
                let q: f64 = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
                quality = (q * 1000.0) as u32;
            }
            ("dups", "y", Some(Form::Car { dups })) => *dups = true,
            ("dups", "n", _) | ("version", "1", _) | ("order", "dfs" | "unk", _) => {}
            ("dups" | "version" | "order", _, Some(Form::Car { .. })) => return None,
            _ => {}
        }
    }
    Some((quality, form))
}

/// The parameters of CARs that stand in the query (IPIP-412).
fn car_fields<'a>(field: &impl Fn(&str) -> Option<&'a str>, dups: &mut bool) -> Result<(), Refusal> {
    match field("car-dups") {
        Some("y") => *dups = true,
        Some("n") => *dups = false,
        None => {}
        Some(_) => return Err(refusal(400, "invalid car-dups parameter")),
    }
    if !matches!(field("car-version"), None | Some("1")) {
        return Err(refusal(400, "invalid car-version parameter"));
    }
    if !matches!(field("car-order"), None | Some("dfs" | "unk")) {
        return Err(refusal(400, "invalid car-order parameter"));
    }
    Ok(())
}

/// `from:to`, `to` may be `*`.
fn entity_bytes(text: &str) -> Option<Bytes> {
    let (from, to) = text.split_once(':')?;
    let from: i64 = from.parse().ok()?;
    let to = if to == "*" { None } else { Some(to.parse::<i64>().ok()?) };
    // Where both count from the same side, they have an order.
    let ordered = to.is_none_or(|to| (from < 0) != (to < 0) || from <= to);
    ordered.then_some(Bytes { from, to })
}

fn file_name(name: &str, form: Form) -> Result<String, Refusal> {
    let extension = if form == Form::Raw { ".bin" } else { ".car" };
    let plain = name.bytes().all(|b| (0x20..0x7f).contains(&b) && !matches!(b, b'"' | b'\\' | b'/'));
    if !name.ends_with(extension) || !plain {
        return Err(refusal(400, format!("invalid filename parameter; it must end with {extension}")));
    }
    Ok(name.to_string())
}

/// Takes the escapes out of a segment of a path.
fn percent(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: u8| (b as char).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

    fn read(rest: &str, accept: Option<&str>) -> Result<Asked, u16> {
        let uri: Uri = format!("/ipfs/{rest}").parse().unwrap();
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        Asked::read(&uri, &headers).map_err(|Refusal(code, _)| code)
    }

    #[test]
    fn forms() {
        let car = Form::Car { dups: false };
        for (query, accept, expected) in [
            ("?format=car", None, Ok(car)),
            ("?format=raw", None, Ok(Form::Raw)),
            ("", Some("application/vnd.ipld.raw"), Ok(Form::Raw)),
            ("", Some("application/vnd.ipld.car; dups=y"), Ok(Form::Car { dups: true })),
            ("", Some("application/vnd.ipld.car;version=1;order=dfs;dups=n, */*;q=0.1"), Ok(car)),
            ("", Some("application/vnd.ipld.car;q=0.2, application/vnd.ipld.raw;q=0.9"), Ok(Form::Raw)),
            ("", Some("*/*"), Ok(car)),
            ("?format=raw", Some("application/vnd.ipld.car"), Ok(Form::Raw)),
            ("?format=car", Some("*/*"), Ok(car)),
            ("?format=car&car-dups=y", None, Ok(Form::Car { dups: true })),
            ("", None, Err(400)),
            ("?format=", None, Err(400)),
            ("?format=json", None, Err(406)),
            ("", Some("text/html"), Err(406)),
            ("", Some("application/vnd.ipld.car;version=2"), Err(406)),
            ("", Some("application/vnd.ipld.car;order=bfs"), Err(406)),
            ("", Some("application/vnd.ipld.raw;q=2"), Err(406)),
            ("", Some("application/vnd.ipld.raw;q=0"), Err(406)),
            ("?format=car&car-dups=x", None, Err(400)),
            ("?format=car&car-version=2", None, Err(400)),
            ("?format=car&car-order=bfs", None, Err(400)),
            ("?format=car&dag-scope=x", None, Err(400)),
            ("?format=car&filename=x.zip", None, Err(400)),
            ("?format=raw&filename=x.car", None, Err(400)),
            ("?format=car&filename=a%0d%0ab.car", None, Err(400)),
        ] {
            let form = read(&format!("{ROOT}{query}"), accept).map(|asked| asked.form);
            assert_eq!(form, expected, "{query} {accept:?}");
        }
        assert_eq!(read(&format!("{ROOT}/a?format=raw"), None), Err(400));
        assert_eq!(read("nonsense?format=raw", None), Err(400));
        assert_eq!(read("?format=raw", None), Err(404));
        assert_eq!(read(&format!("{ROOT}/%ff?format=car"), None), Err(400));
        assert_eq!(read(&format!("{ROOT}/%zz?format=car"), None), Err(400));
    }

    #[test]
    fn paths_scopes_and_names() {
        let asked = read(&format!("{ROOT}//a%20b/c/?format=car&dag-scope=entity&filename=x.car"), None).unwrap();
        assert_eq!(asked.path, ["a b", "c"]);
        assert_eq!(asked.scope, Scope::Entity);
        assert_eq!(asked.content_path(), format!("/ipfs/{ROOT}/a%20b/c"));
        assert_eq!((asked.file_name(), asked.location), ("x.car".to_string(), None));
        let asked = read(ROOT, Some("application/vnd.ipld.raw")).unwrap();
        assert_eq!(asked.location, Some(format!("/ipfs/{ROOT}?format=raw")));
        assert_eq!((asked.scope, asked.file_name()), (Scope::Block, format!("{ROOT}.bin")));
        let bytes = read(&format!("{ROOT}?format=car&entity-bytes=0:9&dag-scope=all"), None).unwrap();
        assert_eq!((bytes.scope, bytes.bytes), (Scope::Entity, Some(Bytes { from: 0, to: Some(9) })));
    }

    #[test]
    fn bytes_of_entities() {
        for (text, size, expected) in [
            ("0:*", 10, Some((0, 10))),
            ("2:4", 10, Some((2, 5))),
            ("2:99", 10, Some((2, 10))),
            ("-3:*", 10, Some((7, 10))),
            ("-30:*", 10, Some((0, 10))),
            ("-3:-2", 10, Some((7, 9))),
            ("4:-2", 10, Some((4, 9))),
            ("9:-8", 10, Some((9, 3))),
            ("0:-11", 10, Some((0, 0))),
            ("99:*", 10, Some((99, 10))),
            ("4:2", 10, None),
            ("-2:-3", 10, None),
            ("x:1", 10, None),
            ("1", 10, None),
            ("1:", 10, None),
            ("*:1", 10, None),
        ] {
            assert_eq!(entity_bytes(text).map(|bytes| bytes.within(size)), expected, "{text}");
        }
    }
}
