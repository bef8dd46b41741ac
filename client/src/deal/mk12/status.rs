//! How a market deal goes.

use cid::Cid;
use fvm_ipld_encoding::strict_bytes;
use fvm_shared::deal::DealID;
use serde::{Deserialize, Serialize};

use super::super::market::DealProposal;
use crate::message::Signature;

/// The question: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatusRequest {
    /// The client's name for the deal.
    #[serde(rename = "DealUUID", with = "strict_bytes")]
    pub deal_uuid: [u8; 16],
    /// The client's, over the name. Curio does not look at it.
    pub signature: Signature,
}

/// The answer: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatusResponse {
    /// The name that was asked about.
    #[serde(rename = "DealUUID", with = "strict_bytes")]
    pub deal_uuid: [u8; 16],
    /// Why there is no status.
    pub error: String,
    /// How it goes.
    pub deal_status: Option<MarketStatus>,
    /// Whether the bytes come by other means.
    pub is_offline: bool,
    /// Without meaning in Curio: 1.
    pub transfer_size: u64,
    /// Without meaning in Curio: 1.
    #[serde(rename = "NBytesReceived")]
    pub bytes_received: u64,
}

/// How a market deal goes: a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MarketStatus {
    /// Why it failed; empty if it did not.
    pub error: String,
    /// `Processing`, `Sealing`, `Sealed`, `Sealed and Indexed`.
    pub status: String,
    /// In other words.
    pub sealing_status: String,
    /// What was agreed.
    pub proposal: DealProposal,
    /// Of proposal and signature.
    pub signed_proposal_cid: Cid,
    /// The message that published it, once there is one.
    pub publish_cid: Option<Cid>,
    /// Its number on the chain; holds only with `publish_cid`.
    #[serde(rename = "ChainDealID")]
    pub chain_deal_id: DealID,
}
