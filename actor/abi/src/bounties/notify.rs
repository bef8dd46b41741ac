//! What a miner actor tells us, and what we answer (FIP-0076 "SectorContentChanged", FIP-0109).

use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::sector::SectorNumber;
use serde::{Deserialize, Serialize};

use crate::{BountyId, MAX_NOTIFICATION_PAYLOAD, Wire};

/// Bare `[[sector, minimum_commitment_epoch, [[piece, size, payload]…]]…]`. Caller: a miner actor, at the end of a proven commit.
///
/// Its bounds are the miner's: the actor must answer whatever comes, so nothing is refused here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SectorContentChangedParams {
    /// Sectors with new content.
    pub sectors: Vec<SectorChanges>,
}

impl Wire for SectorContentChangedParams {}

/// `[sector, minimum_commitment_epoch, [[piece, size, payload]…]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SectorChanges {
    /// The sector.
    pub sector: SectorNumber,
    /// Its expiration.
    pub minimum_commitment_epoch: ChainEpoch,
    /// What has been added.
    pub added: Vec<PieceChange>,
}

/// `[piece, size, payload]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PieceChange {
    /// The piece commitment.
    pub data: Cid,
    /// Padded size.
    pub size: PaddedPieceSize,
    /// The provider's word, and only a hint: the CBOR of a bounty id.
    pub payload: RawBytes,
}

impl PieceChange {
    /// Reads the bounty id out of the payload, if it is one in its one form.
    pub fn bounty(&self) -> Option<BountyId> {
        if self.payload.len() > MAX_NOTIFICATION_PAYLOAD {
            return None;
        }
        let id = fvm_ipld_encoding::from_slice(&self.payload).ok()?;
        (notification_payload(id) == self.payload.bytes()).then_some(id)
    }
}

/// The payload that names a bounty: its id in CBOR.
pub fn notification_payload(bounty: BountyId) -> Vec<u8> {
    fvm_ipld_encoding::to_vec(&bounty).expect("an integer has a CBOR form")
}

/// Bare `[[accepted…]…]` in the order and shape of the params. We answer `true` to everything, used or not: a `false` or an abort
/// would fail the provider's whole batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SectorContentChangedReturn {
    /// An answer for each piece of each sector.
    pub sectors: Vec<Vec<bool>>,
}

impl Wire for SectorContentChangedReturn {}
