//! Where a node is and what lets us in: a URL, or `FULLNODE_API_INFO` as Lotus reads it.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use zeroize::Zeroizing;

/// The path that JSON-RPC is served under when none is given.
const RPC_PATH: &str = "/rpc/v1";

/// A node's JSON-RPC URL and the bearer token it wants, if any. Debug never prints the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    token: Option<Zeroizing<String>>,
}

/// Why a text names no node. The text itself may hold a token, so it is never repeated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// Nothing was given.
    #[error("the node's address is empty")]
    Empty,
    /// A scheme other than http, https, ws and wss.
    #[error("a node is reached by http:// or https://, not by {0}")]
    Scheme(String),
    /// A multiaddr that is not `/ip4|ip6|dns…/HOST/tcp/PORT[/http|/https|/ws|/wss]`.
    #[error("the node's multiaddr is not understood: {0}")]
    Multiaddr(&'static str),
    /// The URL has no host, a bad port, or characters that no URL has.
    #[error("the node's URL is not understood: {0}")]
    Url(&'static str),
}

impl Endpoint {
    /// Takes a URL and no token. A URL without a path gets `/rpc/v1`.
    pub fn from_url(url: &str) -> Result<Self, EndpointError> {
        Ok(Self { url: with_rpc_path(&checked_url(url.trim())?, false), token: None })
    }

    /// Reads `FULLNODE_API_INFO`: `[token:]multiaddr` or `[token:]url`.
    ///
    /// As Lotus does, `/rpc/v1` is appended unless the URL names an RPC path already, and `ws` is the same node as `http`.
    ///
    /// Source: lotus `cli/util/apiinfo.go` (`ParseApiInfo`, `DialArgs`).
    pub fn from_api_info(info: &str) -> Result<Self, EndpointError> {
        let info = info.trim();
        if info.is_empty() {
            return Err(EndpointError::Empty);
        }
        let (token, place) = split_token(info);
        let url = if place.starts_with('/') { url_of_multiaddr(place)? } else { checked_url(place)? };
        Ok(Self { url: with_rpc_path(&url, true), token: token.map(|t| Zeroizing::new(t.to_string())) })
    }

    /// The URL that requests are posted to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Host and port of the node.
    pub fn socket(&self) -> Option<(String, u16)> {
        let url = reqwest::Url::parse(&self.url).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_string();
        Some((host, url.port_or_known_default()?))
    }

    /// Whether its URL names this machine.
    pub fn is_on_this_machine(&self) -> bool {
        self.socket().is_some_and(|(host, _)| {
            host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
        })
    }

    /// The bearer token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_str())
    }

    /// Adds or replaces the bearer token.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(Zeroizing::new(token.to_string()));
        self
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).field("token", &self.token.as_ref().map(|_| "…")).finish()
    }
}

/// Splits `header.payload.signature:rest`; a token is told from a host by its two dots and its alphabet.
fn split_token(info: &str) -> (Option<&str>, &str) {
    let Some((head, rest)) = info.split_once(':') else { return (None, info) };
    let is_part = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let parts: Vec<&str> = head.split('.').collect();
    let looks_like_token = matches!(parts.as_slice(), [header, payload, signature]
        if !header.is_empty() && !payload.is_empty() && is_part(header) && is_part(payload) && is_part(signature));
    // `node.example.org:1234` has the same shape: what follows a token is a multiaddr or names a scheme.
    if looks_like_token && (rest.starts_with('/') || rest.contains("://")) { (Some(head), rest) } else { (None, info) }
}

fn url_of_multiaddr(multiaddr: &str) -> Result<String, EndpointError> {
    let mut parts = multiaddr.split('/').skip(1);
    let kind = parts.next().unwrap_or_default();
    let host = parts.next().filter(|host| !host.is_empty()).ok_or(EndpointError::Multiaddr("it has no host"))?;
    let host = match kind {
        "ip4" | "ip6" => match (kind, host.parse::<IpAddr>()) {
            ("ip4", Ok(IpAddr::V4(ip))) => ip.to_string(),
            ("ip6", Ok(IpAddr::V6(ip))) => format!("[{ip}]"),
            _ => return Err(EndpointError::Multiaddr("its IP address is not one")),
        },
        "dns" | "dns4" | "dns6" => host.to_string(),
        _ => return Err(EndpointError::Multiaddr("it does not begin with ip4, ip6 or dns")),
    };
    if parts.next() != Some("tcp") {
        return Err(EndpointError::Multiaddr("tcp does not follow the host"));
    }
    let port: u16 =
        parts.next().and_then(|port| port.parse().ok()).ok_or(EndpointError::Multiaddr("its port is not one"))?;
    let scheme = match (parts.next(), parts.next()) {
        (None | Some("http" | "ws"), None) | (Some(""), None) => "http",
        (Some("https" | "wss"), None) => "https",
        (Some("tls"), Some("http" | "ws")) => "https",
        _ => return Err(EndpointError::Multiaddr("it ends in a protocol that is not http")),
    };
    checked_url(&format!("{scheme}://{host}:{port}"))
}

/// Checks scheme and host; maps ws to http.
fn checked_url(url: &str) -> Result<String, EndpointError> {
    if url.is_empty() {
        return Err(EndpointError::Empty);
    }
    let (scheme, rest) = url.split_once("://").ok_or(EndpointError::Url("it has no scheme"))?;
    let scheme = match scheme {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        other => {
            // What stands there may be a token, or end in one.
            let is_word = other.len() <= 5 && other.bytes().all(|byte| byte.is_ascii_lowercase());
            return Err(EndpointError::Scheme(if is_word {
                format!("`{other}://`")
            } else {
                "what it begins with".into()
            }));
        }
    };
    if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(EndpointError::Url("it contains white space"));
    }
    let url = format!("{scheme}://{rest}");
    let parsed = reqwest::Url::parse(&url).map_err(|_| EndpointError::Url("it is not a URL"))?;
    if parsed.host_str().is_none_or(str::is_empty) {
        return Err(EndpointError::Url("it has no host"));
    }
    Ok(url)
}

/// Appends the RPC path to a bare host, and (`always`) to every path that does not name one.
fn with_rpc_path(url: &str, always: bool) -> String {
    let trimmed = url.trim_end_matches('/');
    let after_scheme = trimmed.split_once("://").map_or("", |(_, rest)| rest);
    let has_path = after_scheme.contains('/');
    let names_rpc = after_scheme.split_once('/').is_some_and(|(_, path)| format!("/{path}/").contains("/rpc/"));
    if has_path && (names_rpc || !always) { url.to_string() } else { format!("{trimmed}{RPC_PATH}") }
}
