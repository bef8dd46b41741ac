//! What a bounty pays for what.

use cid::Cid;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

use crate::files::check_piece;
use crate::wire::ensure;
use crate::{
    BASIS_POINTS, FileId, MAX_DURATION, MAX_FIL, MAX_NOTE, MAX_PROVIDERS, MAX_REPLICAS, MAX_SOURCE, OutOfBounds, Wire,
};

/// `[piece_cid, padded_size, file_id | null, reward_per_replica, activation_bps, replicas, min_duration, claim_deadline,
/// providers, source, note]`; fixed once the bounty exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Terms {
    /// What has to be stored: the piece commitment, v1 form.
    pub piece_cid: Cid,
    /// Its padded size: a power of two, 128 bytes to 64 GiB.
    pub padded_size: PaddedPieceSize,
    /// The file that it belongs to; for people to read, nothing depends on it.
    pub file_id: Option<FileId>,
    /// attoFIL for one replica over the whole duration, more than zero.
    pub reward_per_replica: TokenAmount,
    /// The part of the reward that is earned at the first settlement that finds the sector active, in basis points.
    pub activation_bps: u64,
    /// Replicas paid for, by different miner actors; 1 to 16.
    pub replicas: u64,
    /// Epochs for which a replica has to be proven, from its claim.
    pub min_duration: ChainEpoch,
    /// Last epoch in which a claim is taken.
    pub claim_deadline: ChainEpoch,
    /// Miner actors that may claim, up to 16; empty for anyone.
    pub providers: Vec<Address>,
    /// Where a provider can fetch the piece, up to 256 bytes.
    pub source: String,
    /// For people to read, up to 256 bytes.
    pub note: String,
}

impl Terms {
    /// What the bounty costs if everything is earned: reward x replicas.
    pub fn target(&self) -> TokenAmount {
        &self.reward_per_replica * self.replicas
    }

    /// The part of a replica's reward that activation earns, rounded down.
    pub fn activation(&self) -> TokenAmount {
        (&self.reward_per_replica * self.activation_bps).div_floor(BASIS_POINTS)
    }

    /// What `covered` epochs of proven storage earn beside the activation, rounded down: all of the rest at `min_duration`.
    pub fn earned(&self, covered: ChainEpoch) -> TokenAmount {
        let linear = &self.reward_per_replica - self.activation();
        (linear * covered.clamp(0, self.min_duration)).div_floor(self.min_duration)
    }
}

impl Wire for Terms {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_piece(&self.piece_cid, self.padded_size)?;
        let reward = &self.reward_per_replica;
        ensure(reward.is_positive() && *reward <= TokenAmount::from_whole(MAX_FIL), "reward_per_replica")?;
        ensure(self.activation_bps <= BASIS_POINTS, "activation_bps")?;
        ensure((1..=MAX_REPLICAS).contains(&self.replicas), "replicas")?;
        ensure((1..=MAX_DURATION).contains(&self.min_duration), "min_duration")?;
        ensure(self.claim_deadline > 0, "claim_deadline")?;
        ensure(self.providers.len() <= MAX_PROVIDERS, "providers")?;
        ensure(self.source.len() <= MAX_SOURCE, "source")?;
        ensure(self.note.len() <= MAX_NOTE, "note")
    }
}
