//! What a provider asks for a deal.

use fvm_ipld_encoding::to_vec;
use fvm_shared::address::Address;
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;
use serde::{Deserialize, Serialize};

use crate::message::{Signature, SignatureError};

/// The question: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AskRequest {
    /// The miner actor.
    pub miner: Address,
}

/// The answer: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AskResponse {
    /// Absent where it asks nothing, because it takes no such deals.
    pub ask: Option<SignedAsk>,
}

/// An ask and its signature: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SignedAsk {
    /// What is asked.
    pub ask: Ask,
    /// The miner's worker's, over the ask's CBOR.
    pub signature: Signature,
}

/// What a provider asks for a deal: a map. Meeting it is necessary, not sufficient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ask {
    /// attoFIL for a GiB and an epoch.
    pub price: TokenAmount,
    /// The same for verified deals, which ended with FIP-0118.
    pub verified_price: TokenAmount,
    /// The smallest piece, padded.
    pub min_piece_size: PaddedPieceSize,
    /// The largest piece, padded.
    pub max_piece_size: PaddedPieceSize,
    /// The miner actor.
    pub miner: Address,
    /// The epoch in which it was made.
    pub timestamp: ChainEpoch,
    /// The epoch from which on it does not hold.
    pub expiry: ChainEpoch,
    /// Higher ones replace lower ones.
    pub seq_no: u64,
}

impl Ask {
    /// What a piece costs an epoch: the least that is taken, rounded up.
    pub fn price_of(&self, size: PaddedPieceSize) -> TokenAmount {
        let (bytes, gib) = (BigInt::from(size.0), BigInt::from(1u64 << 30));
        let atto = self.price.atto() * bytes;
        TokenAmount::from_atto((atto + &gib - 1u8) / gib)
    }

    /// Whether pieces of this size are taken.
    pub fn takes(&self, size: PaddedPieceSize) -> bool {
        (self.min_piece_size.0..=self.max_piece_size.0).contains(&size.0)
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_vec(self).expect("an ask holds only what CBOR can write")
    }
}

impl SignedAsk {
    /// Checks that the miner's worker, by its key address, made it.
    pub fn verify(&self, worker: &Address) -> Result<(), SignatureError> {
        self.signature.verify(&self.ask.to_bytes(), worker)
    }
}
