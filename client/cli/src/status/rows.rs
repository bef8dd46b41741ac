//! A survey, for printing.

use std::fmt;

use bauta_abi::{BountyId, ClaimId, ClaimStatus, EPOCHS_IN_DAY, FileId};
use bauta_client::care::{Copy, KeptDeal, SectorState, SectorView, Served, Survey};
use bauta_client::network::Network;
use bauta_client::piece::piece_cid_v2;
use bauta_client::store::DealProgress;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::output::clean;
use crate::span;

/// What ends within this time is pointed out.
const SOON: ChainEpoch = 30 * EPOCHS_IN_DAY;

/// How a file stands.
#[derive(Debug, Serialize)]
pub struct FileStatus {
    file_id: Option<FileId>,
    name: Option<String>,
    piece_cid: String,
    piece_cid_v2: String,
    size: u64,
    /// How many copies are wished for.
    pub wanted: usize,
    /// How many count.
    pub good: usize,
    /// Whether that is enough.
    pub ok: bool,
    ends: Option<ChainEpoch>,
    copies: Vec<CopyRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<String>,
    #[serde(skip)]
    now: ChainEpoch,
}

impl FileStatus {
    /// A survey of a file's piece, or of one that is nobody's file here.
    pub fn of(file_id: Option<FileId>, name: Option<String>, survey: &Survey, network: &Network) -> Self {
        let (wanted, good) = (survey.wanted(), survey.good());
        let counting = survey.copies.iter().filter(|copy| copy.health(survey).counts());
        let mut ends: Vec<ChainEpoch> = counting.filter_map(|copy| copy.ends(survey)).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        // The file has what is wished for until the first of the copies that it needs ends.
        let ends = ends.get(wanted.clamp(1, ends.len().max(1)) - 1).copied();
        Self {
            file_id,
            name,
            piece_cid: survey.piece.piece_cid.to_string(),
            piece_cid_v2: piece_cid_v2(&survey.piece).to_string(),
            size: survey.piece.payload_size,
            wanted,
            good,
            ok: good >= wanted,
            ends,
            copies: survey.copies.iter().map(|copy| CopyRow::of(copy, survey, network)).collect(),
            here: survey.here.as_ref().map(|path| path.display().to_string()),
            now: survey.now,
        }
    }
}

impl fmt::Display for FileStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.file_id.map(|id| format!("file {id}  ")).unwrap_or_default();
        let name = self.name.as_deref().map(clean).unwrap_or_else(|| self.piece_cid_v2.clone());
        let mark = if self.ok { "" } else { "  TOO FEW" };
        writeln!(f, "{id}{name}  {} of {} copies good{mark}", self.good, self.wanted)?;
        for copy in &self.copies {
            writeln!(f, "  {:8}  {}", copy.health, copy.line(self.now))?;
        }
        if let Some(here) = &self.here {
            writeln!(f, "  {:8}  {here}", "here")?;
        }
        if self.copies.is_empty() && self.here.is_none() {
            writeln!(f, "  nobody is known to have it")?;
        }
        let Some(id) = self.file_id else { return Ok(()) };
        if !self.ok {
            let missing = self.wanted - self.good;
            writeln!(f, "  {missing} missing: `bauta repair {id}` makes new ones of what is there")?;
        }
        match self.ends {
            Some(end) if end <= self.now => {
                writeln!(f, "  what was agreed has ended, and it may go any time: `bauta renew {id}` makes a new deal")
            }
            Some(end) if end < self.now + SOON => writeln!(f, "  ends soon: `bauta renew {id}` prolongs it"),
            _ => Ok(()),
        }
    }
}

/// One provider's copy.
#[derive(Debug, Serialize)]
struct CopyRow {
    provider: String,
    url: Option<String>,
    health: &'static str,
    ends: Option<ChainEpoch>,
    served: ServedRow,
    sectors: Vec<SectorRow>,
    deals: Vec<DealRow>,
    claims: Vec<ClaimRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_since: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ServedRow {
    right: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct SectorRow {
    sector: u64,
    state: &'static str,
    activation: Option<ChainEpoch>,
    expiration: Option<ChainEpoch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct DealRow {
    deal: String,
    state: &'static str,
    since: ChainEpoch,
    end: ChainEpoch,
    sector: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct ClaimRow {
    bounty_id: BountyId,
    claim: ClaimId,
    sector: u64,
    end: ChainEpoch,
    status: &'static str,
}

impl CopyRow {
    fn of(copy: &Copy, survey: &Survey, network: &Network) -> Self {
        Self {
            provider: network.show(&copy.provider),
            url: copy.url.clone(),
            health: copy.health(survey).word(),
            ends: copy.ends(survey),
            served: ServedRow::of(&copy.served),
            sectors: copy.sectors.iter().map(SectorRow::of).collect(),
            deals: copy.deals.iter().map(DealRow::of).collect(),
            claims: copy.claims.iter().map(ClaimRow::of).collect(),
            silent_since: copy.silent_since,
        }
    }

    fn line(&self, now: ChainEpoch) -> String {
        let mut parts = vec![self.provider.clone()];
        parts.extend(self.ends.map(|end| format!("until {}", span::at(end, now))));
        parts.extend(self.sectors.iter().map(|sector| format!("sector {} {}", sector.sector, sector.state)));
        let ours = self.deals.iter().filter(|deal| deal.sector.is_none());
        parts.extend(ours.map(|deal| format!("deal {} {}", deal.deal, deal.state)));
        parts.extend(self.claims.iter().map(|claim| format!("bounty {} {}", claim.bounty_id, claim.status)));
        if self.served.verified_bytes == Some(0) {
            parts.push("offered, not looked at: only the whole of it would tell (`bauta verify`)".into());
        }
        parts.extend(self.served.error.as_deref().map(clean));
        parts.join(", ")
    }
}

impl ServedRow {
    fn of(served: &Served) -> Self {
        match served {
            Served::Right { verified } => Self { right: true, verified_bytes: Some(*verified), error: None },
            Served::Lost(why) | Served::Forged(why) | Served::Silent(why) => {
                Self { right: false, verified_bytes: None, error: Some(why.clone()) }
            }
        }
    }
}

impl SectorRow {
    fn of(sector: &SectorView) -> Self {
        let (state, error) = match &sector.state {
            SectorState::Active => ("active", None),
            SectorState::Faulty => ("faulty", None),
            SectorState::Dead => ("dead", None),
            SectorState::Unknown(why) => ("unknown", Some(why.clone())),
        };
        let (activation, expiration) = sector.life.map(|life| (life.activation, life.expiration)).unzip();
        Self { sector: sector.number, state, activation, expiration, error }
    }
}

impl DealRow {
    fn of(kept: &KeptDeal) -> Self {
        let (state, error) = match &kept.deal.state {
            DealProgress::Begun => ("begun", None),
            DealProgress::Stored => ("stored", None),
            DealProgress::Sealed => ("sealed", None),
            DealProgress::Failed(why) => ("failed", Some(why.clone())),
        };
        let (since, end, sector) = (kept.since, kept.end(), kept.sector);
        Self { deal: kept.deal.id.to_string(), state, since, end, sector, error }
    }
}

impl ClaimRow {
    fn of(claim: &bauta_client::care::ClaimView) -> Self {
        let status = match claim.status {
            ClaimStatus::Open => "open",
            ClaimStatus::Completed => "completed",
            ClaimStatus::Dead => "dead",
        };
        Self { bounty_id: claim.bounty, claim: claim.claim, sector: claim.sector, end: claim.end, status }
    }
}
