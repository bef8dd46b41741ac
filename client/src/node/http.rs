//! A node over HTTP: JSON-RPC 2.0 in the dialects of Lotus, Forest and FRC-0116.
//!
//! The dialects agree on the body and differ in the HTTP status (an application error is 200 on Lotus and Forest, 500 in FRC-0116), so the body
//! is read first and the status only counts where the body is no JSON-RPC answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use super::{Node, NodeError};
use crate::address::Prefix;
use crate::network::{Endpoint, Network};

/// How patient an [`HttpNode`] is.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// For one call, from connecting to the last byte.
    pub timeout: Duration,
    /// For connecting alone.
    pub connect_timeout: Duration,
    /// How often a read is tried again after the node was not reached. Writes are never repeated.
    pub retries: u32,
    /// The pause before the first repetition; each next one is twice as long.
    pub pause: Duration,
    /// The longest answer that is read, in bytes.
    pub max_answer: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            retries: 3,
            pause: Duration::from_millis(300),
            max_answer: 64 << 20,
        }
    }
}

impl HttpSettings {
    /// For asking whether anybody is there at all: one try, and a second at most.
    pub fn probe() -> Self {
        let second = Duration::from_secs(1);
        Self { timeout: second, connect_timeout: second, retries: 0, ..Self::default() }
    }
}

/// A node over HTTP.
#[derive(Debug)]
pub struct HttpNode {
    client: reqwest::Client,
    endpoint: Endpoint,
    prefix: Prefix,
    settings: HttpSettings,
    next_id: AtomicU64,
}

impl HttpNode {
    /// Speaks to an endpoint; addresses are printed with the prefix of its network.
    ///
    /// Errors: Unreachable: no HTTP client can be made (TLS roots missing).
    pub fn new(endpoint: Endpoint, prefix: Prefix, settings: HttpSettings) -> Result<Self, NodeError> {
        let mut builder = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            // Servers close what is idle after a minute: what is sent just then is lost, and not sent again.
            .pool_idle_timeout(std::time::Duration::from_secs(30))
            // A redirect would carry the token, or a signed message, to somebody who was not asked.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("bauta/", env!("CARGO_PKG_VERSION")));
        if is_loopback(endpoint.url()) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| NodeError::Unreachable(sentence(&error)))?;
        Ok(Self { client, endpoint, prefix, settings, next_id: AtomicU64::new(1) })
    }

    /// Speaks to a network's default node.
    ///
    /// Errors: Unreachable: the network has no default node.
    pub fn connect(network: &Network) -> Result<Self, NodeError> {
        let none = || NodeError::Unreachable(format!("network `{network}` has no default node: name one by --rpc-url"));
        let url = network.default_url().ok_or_else(none)?;
        let endpoint = Endpoint::from_url(url).map_err(|error| NodeError::Unreachable(error.to_string()))?;
        Self::new(endpoint, network.prefix(), HttpSettings::default())
    }

    /// The endpoint spoken to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn once(&self, method: &str, params: &Value) -> Result<Value, NodeError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut request = self.client.post(self.endpoint.url()).json(&body);
        if let Some(token) = self.endpoint.token() {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| NodeError::Unreachable(sentence(&error)))?;
        let status = response.status();
        let body = self.read(response).await?;
        answer(id, status, &body)
    }

    async fn read(&self, response: reqwest::Response) -> Result<Vec<u8>, NodeError> {
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| NodeError::Unreachable(sentence(&error)))?;
            if body.len() + chunk.len() > self.settings.max_answer {
                return Err(NodeError::Malformed(format!("it is longer than {} bytes", self.settings.max_answer)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[async_trait]
impl Node for HttpNode {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        let retries = if is_read(method) { self.settings.retries } else { 0 };
        let mut pause = self.settings.pause;
        for _ in 0..retries {
            match self.once(method, &params).await {
                Err(NodeError::Unreachable(why)) => tracing::debug!(method, why, "the node was not reached; again"),
                done => return done,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.once(method, &params).await
    }

    fn prefix(&self) -> Prefix {
        self.prefix
    }
}

/// Whether repeating a call can do no harm: a list of what only reads, so that a method unknown to it is never repeated.
pub(super) fn is_read(method: &str) -> bool {
    let name = method.strip_prefix("Filecoin.").unwrap_or(method);
    let reads = ["Chain", "State", "Gas"].iter().any(|family| name.starts_with(family));
    // `Filecoin.ChainSetHead`, `ChainPutObj`, `ChainDeleteObj` … are for a node's admin; they write.
    let writes = ["ChainSet", "ChainPut", "ChainDelete", "ChainPrune", "ChainHotGC", "ChainExport"];
    let others = [
        "Version",
        "WalletBalance",
        "MpoolGetNonce",
        "EthChainId",
        "eth_chainId",
        "GetActorEventsRaw",
        "Devnet.Info",
        "Devnet.CheckInvariants",
    ];
    (reads && !writes.iter().any(|family| name.starts_with(family))) || others.contains(&name)
}

/// Reads a JSON-RPC answer, whatever its HTTP status; a body that is none is judged by the status.
fn answer(id: u64, status: StatusCode, body: &[u8]) -> Result<Value, NodeError> {
    let parsed: Option<serde_json::Map<String, Value>> = serde_json::from_slice(body).ok();
    if let Some(mut answer) = parsed.filter(|answer| answer.contains_key("jsonrpc") || answer.contains_key("error")) {
        if let Some(error) = answer.remove("error").filter(|error| !error.is_null()) {
            return Err(refusal(&error, status));
        }
        if answer.get("id") != Some(&json!(id)) {
            return Err(NodeError::Malformed(format!("it is not the answer to request {id}")));
        }
        // Go leaves out a null result.
        return Ok(answer.remove("result").unwrap_or(Value::Null));
    }
    let text: String = String::from_utf8_lossy(body).trim().chars().filter(|c| !c.is_control()).take(200).collect();
    let said = if text.is_empty() { status.to_string() } else { format!("{status}: {text}") };
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(NodeError::Unreachable(said)),
        status if status.is_server_error() => Err(NodeError::Unreachable(said)),
        status if status.is_success() => Err(NodeError::Malformed(format!("it is not JSON-RPC: {text}"))),
        status => Err(NodeError::Refused { code: i64::from(status.as_u16()), message: said }),
    }
}

fn refusal(error: &Value, status: StatusCode) -> NodeError {
    let code = error.get("code").and_then(Value::as_i64);
    let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
    match (code, message) {
        (None, None) => NodeError::Refused { code: i64::from(status.as_u16()), message: error.to_string() },
        (code, message) => NodeError::Refused {
            code: code.unwrap_or_else(|| i64::from(status.as_u16())),
            message: message.unwrap_or("without a reason").to_string(),
        },
    }
}

fn is_loopback(url: &str) -> bool {
    let host =
        Url::parse(url).ok().and_then(|url| url.host_str().map(|host| host.trim_matches(['[', ']']).to_string()));
    host.is_some_and(|host| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// reqwest's sentence and its causes, without the URL, which may hold a secret.
fn sentence(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "it took too long".to_string()
    } else if error.is_connect() {
        "no connection".to_string()
    } else {
        "the connection broke".to_string()
    };
    let mut cause = std::error::Error::source(error);
    let mut last = None;
    while let Some(inner) = cause {
        last = Some(inner.to_string());
        cause = inner.source();
    }
    if let Some(last) = last {
        text.push_str(": ");
        text.push_str(&last);
    }
    text
}
