//! The calls that only Bauta's devnet answers.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::SectorNumber;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::{AddressJson, TokenJson, forms};
use super::{Node, NodeError};

/// What a devnet tells about itself (`Devnet.Info`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DevnetInfo {
    /// As `StateNetworkName`.
    pub network_name: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Where it serves JSON-RPC; `null` when it only runs in process.
    #[serde(default)]
    pub rpc_url: Option<String>,
    /// The folder of its chain, as its machine names it; `null` for a chain in memory.
    #[serde(default)]
    pub state: Option<PathBuf>,
    /// The present epoch.
    pub epoch: ChainEpoch,
    /// Bauta's actor, once it is installed.
    #[serde(default, with = "forms::address_option")]
    pub actor: Option<Address>,
    /// The storage providers.
    pub providers: Vec<DevnetProvider>,
    /// The funded accounts. Their keys are public: money on a devnet is worth nothing.
    pub accounts: Vec<DevnetAccount>,
}

/// A storage provider of a devnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DevnetProvider {
    /// Its miner actor.
    #[serde(with = "forms::address")]
    pub miner: Address,
    /// Where it takes deals and serves pieces; `null` when it only runs in process.
    #[serde(default)]
    pub url: Option<String>,
}

/// A funded account of a devnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DevnetAccount {
    /// Its key address.
    #[serde(with = "forms::address")]
    pub address: Address,
    /// attoFIL.
    #[serde(with = "forms::token")]
    pub balance: TokenAmount,
    /// The key as a Lotus key file.
    pub key: String,
}

/// Where an actor was installed (`Devnet.InstallActor`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstalledActor {
    /// Its address.
    #[serde(with = "forms::address")]
    pub address: Address,
    /// The CID of its Wasm code.
    #[serde(rename = "CodeCid", with = "forms::cid")]
    pub code_cid: Cid,
}

/// A chain that was written into a file (`Devnet.Export`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExportedChain {
    /// What its parts are asked for by.
    pub number: u64,
    /// Bytes.
    pub size: u64,
    /// Epoch of the head.
    pub epoch: ChainEpoch,
    /// The head's block.
    #[serde(with = "forms::cid")]
    pub head: Cid,
    /// The state after the head.
    #[serde(with = "forms::cid")]
    pub state: Cid,
    /// How many tipsets.
    pub tipsets: u64,
    /// How many blocks.
    pub blocks: u64,
}

/// How a provider serves pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serving {
    /// The bytes it was given.
    Honest,
    /// Not found.
    Lost,
    /// Other bytes.
    Corrupt,
    /// A connection that never ends.
    Stall,
}

/// What a provider says of its deals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Telling {
    /// How they stand.
    Truth,
    /// That they are complete as soon as it has the bytes; and it seals nothing.
    Complete,
}

/// Whether a provider takes deals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taking {
    /// All good ones.
    Deals,
    /// None now: it is overloaded, and says so to deals and to bytes.
    Busy,
    /// None from anybody.
    Nobody,
}

/// Changes to a provider's behaviour (`Devnet.Provider`); absent ones stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ProviderSettings {
    /// Whether it proves its sectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proving: Option<bool>,
    /// How it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
    /// Whether it looks for bounties by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hunting: Option<bool>,
    /// What it says of its deals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telling: Option<Telling>,
    /// Whether it takes deals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taking: Option<Taking>,
}

/// Ten days of epochs: a quarter of a second with one sector (180 days take 4.3).
const MINED_AT_ONCE: ChainEpoch = 10 * 2_880;
/// Ten years of epochs, above which a devnet refuses.
const MOST_MINED: ChainEpoch = 10_512_000;

impl<'n> dyn Node + 'n {
    /// What the devnet tells about itself.
    pub async fn devnet_info(&self) -> Result<DevnetInfo, NodeError> {
        self.call("Devnet.Info", json!([])).await
    }

    /// Moves time by `epochs`. What takes longer than a node may take to answer is asked for part by part.
    pub async fn devnet_mine(&self, epochs: ChainEpoch) -> Result<(), NodeError> {
        let mut left = epochs;
        // More than a devnet passes at once is its own to refuse, as a whole.
        while left > MINED_AT_ONCE && epochs <= MOST_MINED {
            self.request("Devnet.Mine", json!([MINED_AT_ONCE])).await?;
            left -= MINED_AT_ONCE;
        }
        self.request("Devnet.Mine", json!([left])).await.map(drop)
    }

    /// Remembers this moment, and gives its number.
    pub async fn devnet_snapshot(&self) -> Result<u64, NodeError> {
        self.call("Devnet.Snapshot", json!([])).await
    }

    /// Goes back to a snapshot, to the newest one if none is named; gives its number. It is used up, with those after it.
    pub async fn devnet_revert(&self, snapshot: Option<u64>) -> Result<u64, NodeError> {
        self.call("Devnet.Revert", json!([snapshot])).await
    }

    /// Writes the chain as it is now into a CAR, to be fetched by [`devnet_export_part`](#method.devnet_export_part).
    pub async fn devnet_export(&self) -> Result<ExportedChain, NodeError> {
        self.call("Devnet.Export", json!([])).await
    }

    /// A part of an exported chain, from a byte on; empty at its end.
    pub async fn devnet_export_part(&self, number: u64, from: u64) -> Result<Vec<u8>, NodeError> {
        let part: String = self.call("Devnet.ExportPart", json!([number, from])).await?;
        STANDARD.decode(part).map_err(|e| NodeError::Malformed(format!("a part of a chain: {e}")))
    }

    /// Installs a Wasm actor.
    pub async fn devnet_install_actor(&self, wasm: &[u8]) -> Result<InstalledActor, NodeError> {
        self.call("Devnet.InstallActor", json!([STANDARD.encode(wasm)])).await
    }

    /// Gives money out of nothing.
    pub async fn devnet_fund(&self, address: &Address, amount: &TokenAmount) -> Result<(), NodeError> {
        let params = self.params((AddressJson(*address), TokenJson(amount.clone())))?;
        self.request("Devnet.Fund", params).await.map(drop)
    }

    /// Changes how a provider behaves.
    pub async fn devnet_provider(&self, miner: &Address, settings: &ProviderSettings) -> Result<(), NodeError> {
        let params = self.params((AddressJson(*miner), settings))?;
        self.request("Devnet.Provider", params).await.map(drop)
    }

    /// Makes a provider take a bounty of the installed actor; what it did comes back as the devnet words it.
    pub async fn devnet_take_bounty(&self, miner: &Address, bounty: u64) -> Result<Value, NodeError> {
        let params = self.params((AddressJson(*miner), bounty))?;
        self.request("Devnet.TakeBounty", params).await
    }

    /// The same with a bounty of any actor: of a contract, which providers do not find by themselves.
    pub async fn devnet_take_bounty_of(
        &self,
        miner: &Address,
        actor: &Address,
        bounty: u64,
    ) -> Result<Value, NodeError> {
        let bounty = serde_json::json!({ "Id": bounty, "Actor": actor.to_string() });
        let params = self.params((AddressJson(*miner), bounty))?;
        self.request("Devnet.TakeBounty", params).await
    }

    /// Stops a provider's server where it stands, breaking its connections, and starts it again from what it has written down.
    pub async fn devnet_restart(&self, miner: &Address) -> Result<(), NodeError> {
        let params = self.params((AddressJson(*miner),))?;
        self.request("Devnet.Restart", params).await.map(drop)
    }

    /// Ends a sector early.
    pub async fn devnet_terminate(&self, miner: &Address, sector: SectorNumber) -> Result<(), NodeError> {
        let params = self.params((AddressJson(*miner), sector))?;
        self.request("Devnet.Terminate", params).await.map(drop)
    }

    /// Lists what is wrong with the whole state; nothing, if all is well.
    pub async fn devnet_check_invariants(&self) -> Result<Vec<String>, NodeError> {
        Ok(self.call::<Option<Vec<String>>>("Devnet.CheckInvariants", json!([])).await?.unwrap_or_default())
    }
}
