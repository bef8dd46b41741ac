//! A provider that speaks Curio's Market 2.0 over HTTP.

mod upload;

use std::path::Path;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use fvm_shared::address::Address;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use super::auth::authorization;
use super::mk20::{Deal, MARKET_PATH, StatusAnswer, SupportedContracts, SupportedProducts, SupportedSources};
use super::retrieval::base_url;
use super::witness::Witness;
use super::{DealCode, DealError, DealId, DealState, DealStatus, Offer, Progress, Proposal, StorageProvider};
use crate::address::Prefix;
use crate::wallet::Key;

pub use upload::Uploads;

/// The longest answer that is read, in bytes: a reason, a status, the chunks of an upload.
const MAX_ANSWER: usize = 256 << 10;

/// How long silence is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(60) }
    }
}

impl Timeouts {
    pub(crate) fn client(self) -> Result<Client, DealError> {
        built(Client::builder().connect_timeout(self.connect).read_timeout(self.idle))
    }

    /// A client for requests that are long themselves: the time of `client` begins with the request, not with its end.
    fn sending_client(self) -> Result<Client, DealError> {
        built(Client::builder().connect_timeout(self.connect))
    }

    /// How long a short question and its answer may take together, however it drips.
    pub(super) fn whole(self) -> Duration {
        2 * self.idle
    }
}

fn built(client: ClientBuilder) -> Result<Client, DealError> {
    // A redirect would carry what is signed, and the bytes, to whatever host a provider names: one in this network, too.
    let client = client.redirect(reqwest::redirect::Policy::none());
    client.build().map_err(|error| DealError::Unreachable { provider: "HTTP".to_string(), why: innermost(&error) })
}

/// A provider that speaks mk20: where it is, which miner actor it runs, and the key that signs what we ask.
pub struct Curio {
    url: Url,
    miner: Address,
    key: Key,
    letter: Prefix,
    http: Client,
    sending: Client,
    timeouts: Timeouts,
    uploads: Uploads,
    witness: Option<Witness>,
    clock: fn() -> SystemTime,
}

impl Curio {
    /// Takes a provider's base URL, e.g. `https://sp.example.org`.
    ///
    /// Errors: [`DealError::Malformed`] where that is no http URL.
    pub fn new(url: &str, miner: Address, key: Key, timeouts: Timeouts) -> Result<Self, DealError> {
        let (url, http, sending) = (base_url(url)?, timeouts.client()?, timeouts.sending_client()?);
        let (letter, uploads) = (Prefix::default(), Uploads::default());
        Ok(Self { url, miner, key, letter, http, sending, timeouts, uploads, witness: None, clock: SystemTime::now })
    }

    /// Sets the letter with which the provider's network prints addresses; it compares the client's address as text.
    pub fn with_prefix(mut self, letter: Prefix) -> Self {
        self.letter = letter;
        self
    }

    /// Sets the clock that requests are signed by: a provider takes signatures of its own minute and of the ones beside it.
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how bytes go over.
    pub fn with_uploads(mut self, uploads: Uploads) -> Self {
        self.uploads = uploads;
        self
    }

    /// Lets a deal be complete only once the chain shows its piece in a sector of the miner: a provider may say so too early, and Curio does
    /// between the end of an upload in chunks and the check of its bytes.
    pub fn with_witness(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Posts a deal as it is.
    ///
    /// Errors: [`DealError::Refused`] with the provider's code and reason.
    pub async fn post_deal(&self, deal: &Deal) -> Result<(), DealError> {
        let request = self.signed(Method::POST, "/deal").json(deal);
        self.answer(request).await.map(drop)
    }

    /// A signed request to a path of the market, short as its answer.
    fn signed(&self, method: Method, path: &str) -> RequestBuilder {
        self.signed_by(&self.http, method, path).timeout(self.timeouts.whole())
    }

    fn signed_by(&self, http: &Client, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{MARKET_PATH}{path}", self.url.path().trim_end_matches('/')));
        let header = authorization(&self.key, method.as_str(), url.path(), (self.clock)());
        http.request(method, url).header(reqwest::header::AUTHORIZATION, header)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>, DealError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = self.body(response).await?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body);
        let reason = text.trim();
        let reason = reason.strip_prefix("Reason:").unwrap_or(reason).trim();
        let reason = if reason.is_empty() { status.to_string() } else { shortened(reason) };
        Err(DealError::Refused { provider: self.name(), code: DealCode::from(status.as_u16()), reason })
    }

    fn parsed<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, DealError> {
        serde_json::from_slice(answer).map_err(|error| self.malformed(error.to_string()))
    }

    fn malformed(&self, why: String) -> DealError {
        DealError::Malformed { provider: self.name(), why }
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<T, DealError> {
        self.parsed(&self.answer(self.signed(Method::GET, path)).await?)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, DealError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                let why = format!("it is longer than {MAX_ANSWER} bytes");
                return Err(DealError::Malformed { provider: self.name(), why });
            }
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error) -> DealError {
        DealError::Unreachable { provider: self.name(), why: innermost(error) }
    }
}

/// What a provider says, as much of it as is passed on and written down: it may say anything, and without end.
pub(super) fn shortened(words: &str) -> String {
    const MOST: usize = 500;
    let clean = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    let cut = if words.chars().nth(MOST).is_some() { "…" } else { "" };
    clean.take(MOST).chain(cut.chars()).collect()
}

/// What the network said, without the layers around it and without the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[async_trait]
impl StorageProvider for Curio {
    fn name(&self) -> String {
        format!("provider {} at {}", self.letter.show(&self.miner), self.url.as_str().trim_end_matches('/'))
    }

    async fn propose(&self, id: DealId, proposal: &Proposal) -> Result<(), DealError> {
        let deal = Deal::of(id, &self.key.address(), self.miner, proposal, self.letter);
        match self.post_deal(&deal).await {
            // A known identifier is an error of its database; it is ours if it tells us the status.
            Err(error @ DealError::Refused { code: DealCode::Internal | DealCode::BadProposal, .. }) => {
                match self.status(id).await {
                    Ok(Some(_)) => Ok(()),
                    _ => Err(error),
                }
            }
            other => other,
        }
    }

    async fn upload(&self, id: DealId, file: &Path, progress: Option<Progress>) -> Result<(), DealError> {
        self.hand_over(id, file, progress).await
    }

    async fn status(&self, id: DealId) -> Result<Option<DealStatus>, DealError> {
        let answer = match self.answer(self.signed(Method::GET, &format!("/status/{id}"))).await {
            Ok(answer) => answer,
            // Whose deal it is decides who may ask, so an unknown deal is nobody's.
            Err(DealError::Refused { code: DealCode::NotFound | DealCode::Unauthorized, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer: StatusAnswer = self.parsed(&answer)?;
        let status = answer.ddo_v1.ok_or_else(|| self.malformed("it tells no status of ddo_v1".to_string()))?;
        let error = (!status.error.is_empty()).then(|| shortened(&status.error));
        let mut state = status.status;
        if let (Some(witness), DealState::Complete | DealState::Indexing) = (&self.witness, state)
            && !witness.has_seen(&self.miner).await
        {
            state = DealState::Unproven;
        }
        Ok(Some(DealStatus { state, error }))
    }

    async fn offer(&self) -> Result<Offer, DealError> {
        let products: SupportedProducts = self.list("/products").await?;
        let sources: SupportedSources = self.list("/sources").await?;
        let contracts = match self.list::<SupportedContracts>("/contracts").await {
            Ok(contracts) => contracts.contracts,
            Err(DealError::Refused { code: DealCode::NotFound, .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Offer { products: products.products, sources: sources.sources, contracts, ask: None })
    }
}
