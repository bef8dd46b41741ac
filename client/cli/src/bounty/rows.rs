//! Bounties and claims, for printing.

use std::fmt;

use bauta_abi::{BountyClaim, BountyId, BountyRecord, ClaimId, ClaimStatus, FileId, Terms, is_past};
use bauta_client::network::Network;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::chain::Fil;
use crate::files::shown;
use crate::output::{Rows, clean};
use crate::span;

/// A bounty.
#[derive(Debug, Serialize)]
pub struct BountyRow {
    bounty_id: BountyId,
    state: &'static str,
    file_id: Option<FileId>,
    piece_cid: String,
    padded_size: u64,
    reward_per_replica: Fil,
    replicas: u64,
    activation_bps: u64,
    min_duration: ChainEpoch,
    claim_deadline: ChainEpoch,
    providers: Vec<String>,
    source: String,
    note: String,
    creator: String,
    claims: u64,
    funded: Fil,
    paid: Fil,
    refunded: Fil,
    escrowed: Fil,
    reserved: Fil,
    #[serde(skip)]
    now: ChainEpoch,
}

impl BountyRow {
    /// A bounty as it stands now.
    pub fn new(id: BountyId, record: &BountyRecord, network: &Network, now: ChainEpoch) -> Self {
        let terms = &record.terms;
        let state = match record {
            BountyRecord { cancelled: true, .. } => "cancelled",
            BountyRecord { ended: true, .. } => "ended",
            _ if is_past(terms.claim_deadline, now) => "running",
            _ => "open",
        };
        Self {
            bounty_id: id,
            state,
            file_id: terms.file_id,
            piece_cid: terms.piece_cid.to_string(),
            padded_size: terms.padded_size.0,
            reward_per_replica: Fil(terms.reward_per_replica.clone()),
            replicas: terms.replicas,
            activation_bps: terms.activation_bps,
            min_duration: terms.min_duration,
            claim_deadline: terms.claim_deadline,
            providers: terms.providers.iter().map(|provider| network.show(provider)).collect(),
            source: terms.source.clone(),
            note: terms.note.clone(),
            creator: shown(network, record.creator),
            claims: record.claims,
            funded: Fil(record.funded.clone()),
            paid: Fil(record.paid.clone()),
            refunded: Fil(record.refunded.clone()),
            escrowed: Fil(record.escrowed.clone()),
            reserved: Fil(record.reserved.clone()),
            now,
        }
    }

    /// The rows of its money: funded = escrowed + paid + refunded.
    pub fn money_rows(&self, rows: Rows) -> Rows {
        rows.row("state", self.state)
            .row("funded", &self.funded)
            .row("paid", &self.paid)
            .row("refunded", &self.refunded)
            .row("escrowed", format_args!("{} ({} reserved for open claims)", self.escrowed, self.reserved))
    }

    /// The cells of a line in a list.
    pub fn cells(&self) -> Vec<String> {
        vec![
            self.bounty_id.to_string(),
            self.file_id.map_or("-".into(), |id| id.to_string()),
            self.reward_per_replica.to_string(),
            self.replicas.to_string(),
            self.claims.to_string(),
            self.escrowed.to_string(),
            self.state.into(),
        ]
    }
}

impl fmt::Display for BountyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let activation = format!("{}.{:02} %", self.activation_bps / 100, self.activation_bps % 100);
        let rows = Rows::default()
            .row("bounty", self.bounty_id)
            .maybe("file", self.file_id)
            .row("piece_cid", &self.piece_cid)
            .row("padded_size", self.padded_size)
            .row("reward", format_args!("{} a replica", self.reward_per_replica))
            .row("replicas", self.replicas)
            .row("activation", activation)
            .row("duration", span::epochs(self.min_duration))
            .row("claims until", span::at(self.claim_deadline, self.now))
            .each("providers", &self.providers)
            .maybe("source", Some(clean(&self.source)).filter(|text| !text.is_empty()))
            .maybe("note", Some(clean(&self.note)).filter(|text| !text.is_empty()))
            .row("creator", &self.creator)
            .row("claims", self.claims);
        self.money_rows(rows).fmt(f)
    }
}

/// A claim.
#[derive(Debug, Serialize)]
pub struct ClaimRow {
    claim: ClaimId,
    /// The miner.
    pub provider: String,
    sector: u64,
    deal: Option<u64>,
    start: ChainEpoch,
    end: ChainEpoch,
    settled_until: ChainEpoch,
    covered: ChainEpoch,
    /// All that it got.
    pub paid: Fil,
    reserved: Fil,
    sector_expiration: ChainEpoch,
    /// `open`, `completed` or `dead`.
    pub status: &'static str,
    #[serde(skip)]
    now: ChainEpoch,
}

impl ClaimRow {
    /// A claim as it stands now.
    pub fn new(id: ClaimId, claim: &BountyClaim, terms: &Terms, network: &Network, now: ChainEpoch) -> Self {
        Self {
            claim: id,
            provider: shown(network, claim.provider),
            sector: claim.sector,
            deal: claim.deal,
            start: claim.start,
            end: claim.end(terms),
            settled_until: claim.settled_until,
            covered: claim.covered,
            paid: Fil(claim.paid.clone()),
            reserved: Fil(claim.reserved(terms)),
            sector_expiration: claim.sector_expiration,
            status: match claim.status {
                ClaimStatus::Open => "open",
                ClaimStatus::Completed => "completed",
                ClaimStatus::Dead => "dead",
            },
            now,
        }
    }

    /// The cells of a line in a list.
    pub fn cells(&self) -> Vec<String> {
        vec![
            self.claim.to_string(),
            self.provider.clone(),
            self.sector.to_string(),
            span::at(self.start, self.now),
            span::at(self.end, self.now),
            self.paid.to_string(),
            self.status.into(),
        ]
    }
}
