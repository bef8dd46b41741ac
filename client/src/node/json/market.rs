//! The built-in storage market (`StateMarketBalance`, `StateMarketStorageDeal`).

use ::cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Serialize};

use super::forms;

/// Money that an address has in the market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MarketBalance {
    /// attoFIL, including what is locked.
    #[serde(with = "forms::token")]
    pub escrow: TokenAmount,
    /// attoFIL bound by deals.
    #[serde(with = "forms::token")]
    pub locked: TokenAmount,
}

/// A published deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MarketDeal {
    /// What was agreed.
    pub proposal: DealProposal,
    /// What became of it.
    pub state: DealState,
}

/// What client and provider agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DealProposal {
    /// CommP.
    #[serde(rename = "PieceCID", with = "forms::cid")]
    pub piece_cid: Cid,
    /// Padded bytes.
    pub piece_size: u64,
    /// Without meaning since nv29.
    pub verified_deal: bool,
    /// Who pays.
    #[serde(with = "forms::address")]
    pub client: Address,
    /// Who stores.
    #[serde(with = "forms::address")]
    pub provider: Address,
    /// Free text; a label of bytes prints as `""`.
    pub label: String,
    /// The latest epoch to begin.
    pub start_epoch: ChainEpoch,
    /// The epoch after the last.
    pub end_epoch: ChainEpoch,
    /// attoFIL an epoch.
    #[serde(with = "forms::token")]
    pub storage_price_per_epoch: TokenAmount,
    /// attoFIL.
    #[serde(with = "forms::token")]
    pub provider_collateral: TokenAmount,
    /// attoFIL.
    #[serde(with = "forms::token")]
    pub client_collateral: TokenAmount,
}

/// What became of a deal; epochs are -1 until they come to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DealState {
    /// The sector that holds the piece; 0 until activated.
    #[serde(default)]
    pub sector_number: u64,
    /// Activation.
    pub sector_start_epoch: ChainEpoch,
    /// The last payment.
    pub last_updated_epoch: ChainEpoch,
    /// Termination.
    pub slash_epoch: ChainEpoch,
}
