//! Tipsets and block headers.

use ::cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{CidJson, SignatureJson, forms};

/// Names a tipset by its blocks. Empty means the head: written `[]`, read from `null`, `[]` or an absent value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TipsetKey(pub Vec<Cid>);

impl TipsetKey {
    /// The head, whatever it is when the node looks.
    pub const HEAD: Self = Self(Vec::new());
}

impl Serialize for TipsetKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().copied().map(CidJson))
    }
}

impl<'de> Deserialize<'de> for TipsetKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let blocks = Option::<Vec<CidJson>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(Self(blocks.into_iter().map(|block| block.0).collect()))
    }
}

/// The blocks of one epoch that share their parents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TipSet {
    /// The blocks' CIDs.
    pub cids: TipsetKey,
    /// The blocks' headers, in the same order.
    pub blocks: Vec<BlockHeader>,
    /// Their epoch.
    pub height: ChainEpoch,
}

/// A block's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BlockHeader {
    /// Who made it.
    #[serde(with = "forms::address")]
    pub miner: Address,
    /// The miner's VRF output.
    #[serde(default)]
    pub ticket: Option<Ticket>,
    /// Why the miner was elected.
    #[serde(default)]
    pub election_proof: Option<ElectionProof>,
    /// Randomness beacon entries since the parent; `null` when none.
    #[serde(default)]
    pub beacon_entries: Option<Vec<BeaconEntry>>,
    /// The winning proof of space-time; `null` when none.
    #[serde(rename = "WinPoStProof", default)]
    pub win_post_proof: Option<Vec<PostProof>>,
    /// The parent tipset.
    pub parents: TipsetKey,
    /// The chain's weight up to the parents, as a decimal number.
    #[serde(with = "forms::token")]
    pub parent_weight: TokenAmount,
    /// Epoch.
    pub height: ChainEpoch,
    /// The state after the parents' messages were executed.
    #[serde(with = "forms::cid")]
    pub parent_state_root: Cid,
    /// The receipts of the parents' messages.
    #[serde(with = "forms::cid")]
    pub parent_message_receipts: Cid,
    /// This block's messages.
    #[serde(with = "forms::cid")]
    pub messages: Cid,
    /// The BLS messages' signatures in one.
    #[serde(rename = "BLSAggregate", default)]
    pub bls_aggregate: Option<SignatureJson>,
    /// Unix seconds.
    pub timestamp: u64,
    /// The miner's signature.
    #[serde(default)]
    pub block_sig: Option<SignatureJson>,
    /// Not used by any network.
    pub fork_signaling: u64,
    /// attoFIL a unit of gas.
    #[serde(with = "forms::token")]
    pub parent_base_fee: TokenAmount,
}

/// A VRF output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The proof.
    #[serde(rename = "VRFProof", with = "forms::bytes")]
    pub vrf_proof: Vec<u8>,
}

/// Why a miner was elected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionProof {
    /// How often.
    #[serde(rename = "WinCount")]
    pub win_count: i64,
    /// The proof.
    #[serde(rename = "VRFProof", with = "forms::bytes")]
    pub vrf_proof: Vec<u8>,
}

/// One entry of the randomness beacon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BeaconEntry {
    /// The beacon's round.
    pub round: u64,
    /// Its signature.
    #[serde(with = "forms::bytes")]
    pub data: Vec<u8>,
}

/// A proof of space-time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostProof {
    /// `RegisteredPoStProof`'s number.
    #[serde(rename = "PoStProof")]
    pub post_proof: i64,
    /// The proof.
    #[serde(rename = "ProofBytes", with = "forms::bytes")]
    pub proof_bytes: Vec<u8>,
}
