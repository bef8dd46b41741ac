//! One provider's copy of a piece: what was agreed, what the chain says, what it serves, and what that makes of it.

use std::fmt;

use bauta_abi::{BountyId, ClaimId, ClaimStatus};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::sector::SectorNumber;

use super::{KeptDeal, Survey};
use crate::node::SectorLife;
use crate::store::DealProgress;

/// Epochs that a seal may take before it is no longer believed in: ten days.
const SEALING: ChainEpoch = 10 * 2880;
/// Epochs for which a provider's word that it is done is believed before the chain says so, too: a day.
const WORD: ChainEpoch = 2880;

/// All that is known of a piece at one provider.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The miner actor.
    pub provider: Address,
    /// Where it serves, where that is known.
    pub url: Option<String>,
    /// Our deals with it, oldest first.
    pub deals: Vec<KeptDeal>,
    /// Its sectors that were proven with the piece.
    pub sectors: Vec<SectorView>,
    /// What it has claimed for it.
    pub claims: Vec<ClaimView>,
    /// What came when it was asked for the piece.
    pub served: Served,
    /// Since when it has not answered, in Unix seconds.
    pub silent_since: Option<u64>,
}

/// A sector, as its miner describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectorView {
    /// Its number.
    pub number: SectorNumber,
    /// How it stands (FIP-0112).
    pub state: SectorState,
    /// From when until when it lives; none where it is gone, or nobody says.
    pub life: Option<SectorLife>,
}

/// How a sector stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectorState {
    /// It is proven every day.
    Active,
    /// It was not proven the last time.
    Faulty,
    /// It was terminated, or has expired.
    Dead,
    /// The miner does not say: a network before version 28, or an answer that is none. There may be such a sector.
    Unknown(String),
}

/// A claim of a bounty for the piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimView {
    /// Which bounty.
    pub bounty: BountyId,
    /// Which claim.
    pub claim: ClaimId,
    /// The sector that it is for.
    pub sector: SectorNumber,
    /// The first epoch that is not paid for.
    pub end: ChainEpoch,
    /// Where it stands.
    pub status: ClaimStatus,
}

/// What came when a provider was asked for the piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// The right bytes, as far as they were looked at; so many were verified.
    Right {
        /// Bytes that were verified: 0 where it is only known to offer as many as there are, because nothing here tells a part of them.
        verified: u64,
    },
    /// It says that it has no such piece.
    Lost(String),
    /// Other bytes.
    Forged(String),
    /// Nothing, or no end of it.
    Silent(String),
}

/// What all of that makes of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Proven on the chain, and it comes back.
    Good,
    /// The provider has the bytes and is to prove them.
    Sealing,
    /// It comes back, and nothing on the chain says that it is stored.
    Unproven,
    /// The last proof is missing.
    Faulty,
    /// Its sectors are gone.
    Dead,
    /// Proven or agreed, and the provider says that it has it not.
    Lost,
    /// Other bytes come.
    Forged,
    /// The provider does not answer.
    Silent,
}

impl Health {
    /// Whether it counts as one of the copies that are wished for.
    pub fn counts(self) -> bool {
        matches!(self, Self::Good | Self::Sealing)
    }

    /// Whether it will not come back by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Dead | Self::Lost | Self::Forged)
    }

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Sealing => "sealing",
            Self::Unproven => "unproven",
            Self::Faulty => "faulty",
            Self::Dead => "dead",
            Self::Lost => "lost",
            Self::Forged => "forged",
            Self::Silent => "silent",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl SectorView {
    /// Whether it keeps the piece at `now`, as far as anybody says.
    pub fn is_active(&self, now: ChainEpoch) -> bool {
        match self.state {
            SectorState::Active => true,
            SectorState::Unknown(_) => self.life.is_some_and(|life| life.expiration > now),
            SectorState::Faulty | SectorState::Dead => false,
        }
    }

    /// Whether neither the miner nor the node says how it stands.
    fn is_untold(&self) -> bool {
        matches!(self.state, SectorState::Unknown(_)) && self.life.is_none()
    }
}

impl Copy {
    /// A provider of whom nothing is known yet.
    pub(super) fn of(provider: Address) -> Self {
        let served = Served::Silent("nobody knows where it serves".into());
        let (deals, sectors, claims) = Default::default();
        Self { provider, url: None, deals, sectors, claims, served, silent_since: None }
    }

    /// Whether anything but its own word ties the provider to the piece.
    pub fn is_bound(&self) -> bool {
        let agreed = self.deals.iter().any(|kept| !kept.deal.is_over());
        agreed || !self.sectors.is_empty() || !self.claims.is_empty()
    }

    /// What the copy is worth.
    pub fn health(&self, survey: &Survey) -> Health {
        let proven = self.sectors.iter().any(|sector| sector.is_active(survey.now));
        let untold = self.sectors.iter().any(SectorView::is_untold);
        let word = || self.deals.iter().any(|kept| kept.deal.state == DealProgress::Sealed);
        let sealing = self.sealing(survey.now).next().is_some();
        let faulty = self.sectors.iter().any(|sector| sector.state == SectorState::Faulty);
        match &self.served {
            // A provider may have lost one sector and be sealing the next: what it serves decides first.
            _ if !proven && !sealing && faulty => Health::Faulty,
            _ if !proven && !sealing && !untold && !self.sectors.is_empty() => Health::Dead,
            Served::Silent(_) => Health::Silent,
            Served::Lost(_) => Health::Lost,
            Served::Forged(_) => Health::Forged,
            Served::Right { .. } if proven => Health::Good,
            Served::Right { .. } if sealing => Health::Sealing,
            // Nobody but the provider can say, where the node keeps no events or does not know sectors.
            Served::Right { .. } if (!survey.indexed || untold) && word() => Health::Good,
            Served::Right { .. } => Health::Unproven,
        }
    }

    /// The deals whose sector is still to come.
    fn sealing(&self, now: ChainEpoch) -> impl Iterator<Item = &KeptDeal> {
        let is_sealing = move |kept: &&KeptDeal| match kept.deal.state {
            _ if kept.sector.is_some() => false,
            DealProgress::Stored => now <= kept.since + SEALING,
            DealProgress::Sealed => now <= kept.since + WORD,
            _ => false,
        };
        self.deals.iter().filter(is_sealing)
    }

    /// The epoch in which the copy ends: the latest of its active sectors', or of what the deals promise where that is sooner. A deal without a sector
    /// counts as long as one is believed to come. None where nothing is known to hold it.
    pub fn ends(&self, survey: &Survey) -> Option<ChainEpoch> {
        let now = survey.now;
        let of_sector = |sector: &SectorView| {
            let deals = self.deals.iter().filter(|kept| kept.sector == Some(sector.number) && !kept.deal.is_over());
            let promised = deals.map(KeptDeal::end).max();
            let life = sector.life.map(|life| life.expiration);
            promised.into_iter().chain(life).min()
        };
        let live = |sector: &&SectorView| sector.is_active(now) || sector.is_untold();
        let live = self.sectors.iter().filter(live).filter_map(of_sector);
        let is_word = |kept: &&KeptDeal| kept.sector.is_none() && kept.deal.state == DealProgress::Sealed;
        let word = self.deals.iter().filter(|kept| !survey.indexed && is_word(kept));
        live.chain(self.sealing(now).chain(word).map(KeptDeal::end)).max()
    }
}

#[cfg(test)]
mod tests;
