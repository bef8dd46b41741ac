//! What a provider must not forget, in one JSON file that is replaced as a whole.
//!
//! It is written before the tipset that it speaks of is committed, so after a kill it may be ahead of the chain, never
//! behind: whatever it says of messages is checked against the chain at the next start (`sealing::reconcile`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bauta_client::deal::DealState;
use bauta_client::node::{Serving, Taking, Telling};
use bauta_client::piece::{PieceInfo, parse_piece_cid_v2, piece_cid_v2};
use cid::Cid;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::sector::SectorNumber;
use serde::{Deserialize, Serialize};

use super::text;

const FILE: &str = "provider.json";
const VERSION: u32 = 2;

/// Everything that a provider must not forget.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Book {
    version: u32,
    /// Its miner actor, once there is one.
    pub miner: Option<ActorID>,
    /// The message that makes it.
    #[serde(with = "text::option")]
    pub creation: Option<Cid>,
    /// Where it listened last.
    pub port: Option<u16>,
    /// The number of the next sector.
    pub next_sector: SectorNumber,
    /// How it behaves.
    pub conduct: Conduct,
    /// What it was asked for, by name.
    pub jobs: BTreeMap<String, Job>,
    /// Its sectors.
    pub sectors: BTreeMap<SectorNumber, Sector>,
    /// Sectors that it shall end.
    pub to_terminate: BTreeSet<SectorNumber>,
    /// For each actor with bounties: the first bounty it has not looked at.
    pub bounties_seen: BTreeMap<ActorID, u64>,
}

/// How a provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduct {
    pub proving: bool,
    pub serving: Serving,
    pub hunting: bool,
    pub telling: Telling,
    pub taking: Taking,
}

/// Something that is to be sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub kind: Kind,
    pub wanted: Wanted,
    /// Where to fetch it; empty if the client uploads it.
    pub sources: Vec<Source>,
    /// Whether the bytes are said to be a CAR, whose blocks are to be found one by one.
    pub indexed: bool,
    /// Epochs that the sector must live from its pre-commit on.
    pub duration: ChainEpoch,
    /// Whom the miner tells, and what.
    pub notify: Option<Notify>,
    pub stage: Stage,
}

/// Where bytes can be fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub url: String,
    /// Headers to send.
    pub headers: BTreeMap<String, Vec<String>>,
}

impl Source {
    /// A URL without headers.
    pub fn plain(url: &str) -> Self {
        Self { url: url.to_string(), headers: BTreeMap::new() }
    }
}

/// Whom the miner tells, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    #[serde(with = "text")]
    pub address: Address,
    pub payload: Vec<u8>,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A client, by mk20.
    Deal {
        #[serde(with = "text")]
        client: Address,
    },
    /// A client, by a signed proposal to the built-in market (CBOR of `ClientDealProposal`).
    Market { proposal: Vec<u8>, end: ChainEpoch, published: Option<(DealID, Link)> },
    /// Nobody: it earns a bounty.
    Bounty { actor: ActorID, id: u64 },
}

/// A CID as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link(#[serde(with = "text")] pub Cid);

/// The piece that is meant; its payload size is not known from a bounty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    #[serde(with = "text")]
    pub piece_cid: Cid,
    pub padded_size: u64,
    pub payload_size: Option<u64>,
}

/// How far a job has come. Every stage that rests on a message names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The client is to upload.
    Uploading,
    /// The bytes are here; the client is to say that they are complete.
    Uploaded,
    /// The client uploads chunks of so many bytes; these are here.
    Chunked { size: u64, here: BTreeSet<u64> },
    /// All chunks are here; they are being put together.
    Assembling { size: u64 },
    /// We fetch.
    Fetching,
    /// The bytes are here and verified.
    Stored,
    /// f05: collateral is on its way.
    Pledging {
        #[serde(with = "text")]
        message: Cid,
    },
    /// f05: the deal is being published.
    Publishing {
        #[serde(with = "text")]
        message: Cid,
    },
    /// The pre-commit is on its way.
    PreCommitting {
        sector: SectorNumber,
        expiration: ChainEpoch,
        #[serde(with = "text")]
        message: Cid,
    },
    /// The pre-commit is in the tipset of `epoch`.
    PreCommitted {
        sector: SectorNumber,
        expiration: ChainEpoch,
        epoch: ChainEpoch,
        #[serde(with = "text")]
        message: Cid,
    },
    /// The proof is on its way.
    Proving {
        sector: SectorNumber,
        expiration: ChainEpoch,
        #[serde(with = "text")]
        pre_commit: Cid,
        #[serde(with = "text")]
        message: Cid,
    },
    /// The sector is active.
    Sealed {
        sector: SectorNumber,
        expiration: ChainEpoch,
        #[serde(with = "text")]
        pre_commit: Cid,
        #[serde(with = "text")]
        message: Cid,
    },
    /// It is not going to be.
    Failed { why: String },
}

/// A sector that was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sector {
    #[serde(with = "text")]
    pub piece_cid: Cid,
    pub expiration: ChainEpoch,
    pub deadline: u64,
    pub partition: u64,
    /// As the miner said when it was asked last.
    pub state: SectorState,
}

/// How a sector stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SectorState {
    Active,
    Faulty,
    /// Faulty, and declared to be proven again.
    Recovering,
    /// Terminated or expired.
    Dead,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            version: VERSION,
            miner: None,
            creation: None,
            port: None,
            next_sector: 1,
            conduct: Conduct {
                proving: true,
                serving: Serving::Honest,
                hunting: true,
                telling: Telling::Truth,
                taking: Taking::Deals,
            },
            jobs: BTreeMap::new(),
            sectors: BTreeMap::new(),
            to_terminate: BTreeSet::new(),
            bounties_seen: BTreeMap::new(),
        }
    }
}

impl Book {
    /// Opens the book of a folder, a new one if there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e).with_context(|| path.display().to_string()),
        };
        let book: Self = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        anyhow::ensure!(book.version == VERSION, "{} was written by another version of Bauta", path.display());
        Ok(book)
    }

    /// Replaces the file.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let mut file = tempfile::Builder::new().prefix(".provider-").tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(FILE))?;
        Ok(())
    }
}

impl Wanted {
    /// A piece of which everything is known.
    pub fn of(piece: &PieceInfo) -> Self {
        Self { piece_cid: piece.piece_cid, padded_size: piece.padded_size.0, payload_size: Some(piece.payload_size) }
    }

    /// The whole description, if it is known.
    pub fn info(&self) -> Option<PieceInfo> {
        let payload_size = self.payload_size?;
        Some(PieceInfo { piece_cid: self.piece_cid, padded_size: self.size(), payload_size })
    }

    /// The padded size.
    pub fn size(&self) -> PaddedPieceSize {
        PaddedPieceSize(self.padded_size)
    }

    /// Whether a piece is the one that is meant.
    pub fn is(&self, piece: &PieceInfo) -> bool {
        self.piece_cid == piece.piece_cid
            && self.padded_size == piece.padded_size.0
            && self.payload_size.is_none_or(|size| size == piece.payload_size)
    }
}

impl Stage {
    /// As mk20 names it.
    pub fn state(&self) -> DealState {
        match self {
            Self::Uploading | Self::Uploaded | Self::Chunked { .. } => DealState::Uploading,
            Self::Fetching => DealState::Accepted,
            Self::Assembling { .. } | Self::Stored | Self::Pledging { .. } | Self::Publishing { .. } => {
                DealState::Processing
            }
            Self::PreCommitting { .. } | Self::PreCommitted { .. } | Self::Proving { .. } => DealState::Sealing,
            Self::Sealed { .. } => DealState::Complete,
            Self::Failed { .. } => DealState::Failed,
        }
    }

    /// A failure.
    pub fn failed(why: impl std::fmt::Display) -> Self {
        Self::Failed { why: why.to_string() }
    }
}

/// The file name of a piece, and back.
pub fn piece_name(piece: &PieceInfo) -> String {
    piece_cid_v2(piece).to_string()
}

/// Reads a piece's name.
pub fn piece_of_name(name: &str) -> Option<PieceInfo> {
    let cid = Cid::try_from(name).ok()?;
    // One piece has one name: other bases would be other files.
    (cid.to_string() == name).then(|| parse_piece_cid_v2(&cid).ok())?
}
