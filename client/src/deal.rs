//! What a storage provider speaks: proposing a deal, handing over the bytes, asking how it goes, and getting them back.
//!
//! [`StorageProvider`] is the seam. Behind it: [`Curio`] for deals over Curio's Market 2.0 (mk20), which cost nothing by themselves, and
//! [`MarketProvider`] for deals of the built-in market (f05), which are signed proposals ([`market`]) handed over by [`mk12`] and paid from
//! the money that a client has there ([`escrow`]). Every provider serves pieces in the same way, so [`Retrieval`] needs no more than a
//! URL. What a provider says of a seal, a [`Witness`] compares with the chain.
//!
//! ```no_run
//! use bauta_client::deal::{Curio, DealId, Proposal, Retrieval, deliver, wait_until_sealed};
//! use bauta_client::piece::PieceInfo;
//! use bauta_client::wallet::Key;
//! use fvm_shared::address::Address;
//!
//! # async fn example(key: Key, miner: Address, piece: PieceInfo) -> Result<(), Box<dyn std::error::Error>> {
//! let provider = Curio::new("http://127.0.0.1:1235", miner, key, Default::default())?;
//! let id = DealId::generate();
//! deliver(&provider, id, &Proposal::upload(piece.clone(), 518_400), "photos.car".as_ref(), None).await?;
//! wait_until_sealed(&provider, id, std::time::Duration::from_secs(60)).await?;
//! Retrieval::new("http://127.0.0.1:1235")?.fetch_piece(&piece, "copy.car".as_ref(), None).await?;
//! # Ok(())
//! # }
//! ```

pub mod auth;
mod curio;
mod error;
pub mod escrow;
pub mod market;
pub mod mk12;
pub mod mk20;
mod multiaddr;
mod retrieval;
mod sink;
mod witness;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use ulid::Ulid;

use crate::piece::PieceInfo;

pub use curio::{Curio, Timeouts, Uploads};
pub use error::{DealCode, DealError};
pub use mk12::{Ask, MarketProvider};
pub use mk20::DealState;
pub use multiaddr::{MultiaddrError, http_multiaddr, http_url};
pub use retrieval::{Retrieval, piece_path};
pub(crate) use sink::INCOMING;
pub use sink::{Mismatch, PieceSink, ReceivedPiece, SinkError, VerifiedPiece};
pub use witness::{Testimony, Witness};

/// Shortest deal that providers take, in epochs: 180 days.
pub const MIN_DURATION: ChainEpoch = 180 * 2880;

/// Longest deal that fits a sector's life, in epochs: 1,278 days, less a month and a day for sealing.
pub const MAX_DURATION: ChainEpoch = (1278 - 31) * 2880;

/// Told how many bytes have gone over so far.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// A deal's name, chosen by the client: the same one again is the same deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DealId(pub Ulid);

impl DealId {
    /// Makes a new one: the time and 80 random bits.
    pub fn generate() -> Self {
        let millis = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Self(Ulid::from_parts(millis, rand::random()))
    }
}

impl std::fmt::Display for DealId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DealId {
    type Err = ulid::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text).map(Self)
    }
}

/// Where a provider gets the bytes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The client uploads them.
    Upload,
    /// The provider fetches them from a URL.
    Http(String),
}

/// What a client asks of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What to store.
    pub piece: PieceInfo,
    /// Where the bytes come from.
    pub origin: Origin,
    /// Epochs of storage, [`MIN_DURATION`] to [`MAX_DURATION`].
    pub duration: ChainEpoch,
    /// The actor that the miner shall tell once the piece is in a proven sector, and the payload that it shall pass on.
    pub notify: Option<(Address, Vec<u8>)>,
}

impl Proposal {
    /// Proposes a piece that the client will upload, nobody to be told.
    pub fn upload(piece: PieceInfo, duration: ChainEpoch) -> Self {
        Self { piece, origin: Origin::Upload, duration, notify: None }
    }
}

/// What a provider takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Products of mk20 that are switched on.
    pub products: Vec<String>,
    /// Ways in which bytes may come.
    pub sources: Vec<String>,
    /// Market contracts that it works with.
    pub contracts: Vec<String>,
    /// Price and sizes of deals in the built-in market; absent where it is not asked about those.
    pub ask: Option<Ask>,
}

/// How a deal goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DealStatus {
    /// How far it has come.
    pub state: DealState,
    /// The provider's words where it failed.
    pub error: Option<String>,
}

/// One who stores pieces.
#[async_trait]
pub trait StorageProvider: Send + Sync {
    /// What errors call it.
    fn name(&self) -> String;

    /// Proposes a deal under a name. Proposing the same deal again changes nothing.
    async fn propose(&self, id: DealId, proposal: &Proposal) -> Result<(), DealError>;

    /// Uploads the bytes of a file for a deal that waits for them, and says that they are complete.
    async fn upload(&self, id: DealId, file: &Path, progress: Option<Progress>) -> Result<(), DealError>;

    /// Asks how a deal goes; `None` if the provider knows no such deal of this client.
    async fn status(&self, id: DealId) -> Result<Option<DealStatus>, DealError>;

    /// Asks what it takes.
    async fn offer(&self) -> Result<Offer, DealError>;
}

/// Proposes a deal and hands over its bytes, or goes on where an earlier call stopped.
///
/// Errors: what the provider says; [`DealError::Failed`] where the deal has failed already.
pub async fn deliver(
    provider: &dyn StorageProvider,
    id: DealId,
    proposal: &Proposal,
    file: &Path,
    progress: Option<Progress>,
) -> Result<DealStatus, DealError> {
    if provider.status(id).await?.is_none() {
        provider.propose(id, proposal).await?;
    }
    if let Some(status) = provider.status(id).await?
        && status.state == DealState::Uploading
    {
        provider.upload(id, file, progress).await?;
    }
    match patient_status(provider, id).await? {
        Some(DealStatus { state: DealState::Failed, error }) => {
            Err(DealError::Failed { provider: provider.name(), why: error.unwrap_or_default() })
        }
        Some(status) => Ok(status),
        None => Err(DealError::Malformed {
            provider: provider.name(),
            why: "it no longer knows the deal that it took".to_string(),
        }),
    }
}

/// Asks how a deal goes whose bytes have just arrived: a provider that is begun anew just then has not lost them.
async fn patient_status(provider: &dyn StorageProvider, id: DealId) -> Result<Option<DealStatus>, DealError> {
    let mut pauses = [250, 500, 1000, 2000].map(Duration::from_millis).into_iter();
    loop {
        match (provider.status(id).await, pauses.next()) {
            (Err(error), Some(pause)) if error.is_passing() => tokio::time::sleep(pause).await,
            (told, _) => return told,
        }
    }
}

/// Asks until the piece is in a proven sector.
///
/// Errors: [`DealError::Failed`], [`DealError::TooSlow`] after `patience` without an end.
pub async fn wait_until_sealed(
    provider: &dyn StorageProvider,
    id: DealId,
    patience: Duration,
) -> Result<(), DealError> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(25);
    loop {
        match provider.status(id).await? {
            Some(DealStatus { state: DealState::Complete | DealState::Indexing, .. }) => return Ok(()),
            Some(DealStatus { state: DealState::Failed, error }) => {
                return Err(DealError::Failed { provider: provider.name(), why: error.unwrap_or_default() });
            }
            _ if tokio::time::Instant::now() >= deadline => {
                return Err(DealError::TooSlow { provider: provider.name(), patience });
            }
            _ => tokio::time::sleep(pause).await,
        }
        pause = (pause * 3 / 2).min(Duration::from_secs(10));
    }
}

#[cfg(test)]
mod tests;
