//! Claims: one provider's sector that holds the piece, and what it has earned.

use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::SectorNumber;
use serde::{Deserialize, Serialize};

use crate::Terms;

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimStatus {
    /// 0: earning.
    Open,
    /// 1: settled to its end.
    Completed,
    /// 2: the sector is gone.
    Dead,
}

impl Serialize for ClaimStatus {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for ClaimStatus {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match u8::deserialize(d)? {
            0 => Ok(Self::Open),
            1 => Ok(Self::Completed),
            2 => Ok(Self::Dead),
            _ => Err(serde::de::Error::custom("claim status is 0, 1 or 2")),
        }
    }
}

/// `[provider, sector, deal | null, start, settled_until, covered, activated, paid, sector_expiration, status]`.
///
/// One per provider in a bounty, and so one per sector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BountyClaim {
    /// The miner actor that proved the sector, and that is paid.
    pub provider: ActorID,
    /// The sector that holds the piece.
    pub sector: SectorNumber,
    /// The market deal of a pull claim, null for a push claim.
    pub deal: Option<DealID>,
    /// The epoch of the claim.
    pub start: ChainEpoch,
    /// Up to where it is settled.
    pub settled_until: ChainEpoch,
    /// Epochs so far for which the sector was found active.
    pub covered: ChainEpoch,
    /// Whether the activation share has been paid.
    pub activated: bool,
    /// All that it was paid so far.
    pub paid: TokenAmount,
    /// The sector's expiration when it was claimed.
    pub sector_expiration: ChainEpoch,
    /// Where it stands.
    pub status: ClaimStatus,
}

impl BountyClaim {
    /// First epoch that is not paid for any more.
    pub fn end(&self, terms: &Terms) -> ChainEpoch {
        self.start + terms.min_duration
    }

    /// What it may still earn; zero once it is closed.
    pub fn reserved(&self, terms: &Terms) -> TokenAmount {
        if self.status != ClaimStatus::Open {
            return TokenAmount::default();
        }
        let activation = if self.activated { TokenAmount::default() } else { terms.activation() };
        let left = self.end(terms) - self.settled_until;
        activation + terms.earned(self.covered + left) - terms.earned(self.covered)
    }
}
