//! What a node says about itself and its network, and what it is told about a message to be sent.

use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::forms;

/// The node's software (`Version`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Name and version.
    #[serde(rename = "Version")]
    pub version: String,
    /// `0xMMmmpp`: 131840 is 2.3.0.
    #[serde(rename = "APIVersion")]
    pub api_version: u32,
    /// Seconds an epoch.
    #[serde(rename = "BlockDelay", default)]
    pub block_delay: u64,
    /// The program.
    #[serde(rename = "Agent", default)]
    pub agent: String,
}

/// The network's constants (`StateGetNetworkParams`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkParams {
    /// As `StateNetworkName`.
    pub network_name: String,
    /// Seconds an epoch.
    pub block_delay_secs: u64,
    /// Bytes that make a miner count for consensus.
    #[serde(with = "forms::token")]
    pub consensus_miner_min_power: TokenAmount,
    /// Epochs between pre-commit and prove-commit.
    pub pre_commit_challenge_delay: i64,
    /// At which epochs which upgrade happened, by Lotus's names.
    pub fork_upgrade_params: Map<String, Value>,
    /// EIP-155 chain id.
    #[serde(rename = "Eip155ChainID")]
    pub eip155_chain_id: u64,
    /// Unix seconds of epoch 0; Forest leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genesis_timestamp: Option<u64>,
}

/// Bounds for an estimate (`GasEstimateMessageGas`); any field may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SendSpec {
    /// The most that gas may cost; zero is the node's default.
    #[serde(with = "forms::token")]
    pub max_fee: TokenAmount,
    /// Idempotency key of `MpoolPushMessage`.
    pub msg_uuid: String,
    /// Whether to spend all of `max_fee` on the fee cap.
    pub maximize_fee_cap: bool,
}
