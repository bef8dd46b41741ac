//! Miner actors (`StateMinerInfo`).

use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Serialize};

use super::forms;

/// Who is behind a miner actor, and where to reach them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MinerInfo {
    /// May change everything.
    #[serde(with = "forms::address")]
    pub owner: Address,
    /// Signs blocks and proofs.
    #[serde(with = "forms::address")]
    pub worker: Address,
    /// The next worker, if a change is under way.
    #[serde(default, with = "forms::address_option")]
    pub new_worker: Option<Address>,
    /// May send proofs.
    #[serde(default, with = "forms::address_list")]
    pub control_addresses: Vec<Address>,
    /// When the worker changes; -1 when it doesn't.
    pub worker_change_epoch: ChainEpoch,
    /// libp2p peer id.
    #[serde(default)]
    pub peer_id: Option<String>,
    /// Binary multiaddrs.
    #[serde(default, with = "forms::bytes_list")]
    pub multiaddrs: Vec<Vec<u8>>,
    /// `RegisteredPoStProof`: a number on Lotus, text in FRC-0104.
    #[serde(rename = "WindowPoStProofType")]
    pub window_post_proof_type: serde_json::Value,
    /// Bytes.
    pub sector_size: u64,
    /// Sectors a partition.
    #[serde(rename = "WindowPoStPartitionSectors")]
    pub window_post_partition_sectors: u64,
    /// -1 without a consensus fault.
    pub consensus_fault_elapsed: ChainEpoch,
    /// The next owner, if proposed.
    #[serde(default, with = "forms::address_option")]
    pub pending_owner_address: Option<Address>,
    /// Who may withdraw.
    #[serde(with = "forms::address")]
    pub beneficiary: Address,
    /// How much, and until when.
    #[serde(default)]
    pub beneficiary_term: Option<BeneficiaryTerm>,
    /// The next beneficiary, if proposed.
    #[serde(default)]
    pub pending_beneficiary_term: Option<PendingBeneficiaryChange>,
}

/// The bounds of a beneficiary's right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BeneficiaryTerm {
    /// attoFIL altogether.
    #[serde(with = "forms::token")]
    pub quota: TokenAmount,
    /// attoFIL already withdrawn.
    #[serde(with = "forms::token")]
    pub used_quota: TokenAmount,
    /// Epoch.
    pub expiration: ChainEpoch,
}

/// A beneficiary's proposed change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PendingBeneficiaryChange {
    /// Who.
    #[serde(with = "forms::address")]
    pub new_beneficiary: Address,
    /// attoFIL altogether.
    #[serde(with = "forms::token")]
    pub new_quota: TokenAmount,
    /// Epoch.
    pub new_expiration: ChainEpoch,
    /// The present one agrees.
    pub approved_by_beneficiary: bool,
    /// The next one agrees.
    pub approved_by_nominee: bool,
}
