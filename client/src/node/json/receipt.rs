//! Receipts, where a message was executed, and actors.

use ::cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{TipsetKey, forms};

/// What executing a message came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Receipt {
    /// 0 is success.
    pub exit_code: u32,
    /// The return value's bytes; none are `null`.
    #[serde(rename = "Return", default, with = "forms::bytes")]
    pub return_data: Vec<u8>,
    /// Gas that the message used.
    pub gas_used: i64,
    /// Root of the AMT of the events; `null` when there are none.
    #[serde(default, with = "forms::cid_option")]
    pub events_root: Option<Cid>,
}

/// Where a message was executed (`StateSearchMsg`, `StateWaitMsg`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MsgLookup {
    /// The message that was executed; another one than asked for when it was replaced.
    #[serde(with = "forms::cid")]
    pub message: Cid,
    /// Its receipt.
    pub receipt: Receipt,
    /// A node's attempt to decode the return value; never used by the client.
    #[serde(default)]
    pub return_dec: Value,
    /// The tipset that executed it: the child of the one that includes it.
    pub tip_set: TipsetKey,
    /// That tipset's epoch.
    pub height: ChainEpoch,
}

/// An actor (`StateGetActor`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ActorState {
    /// Code CID.
    #[serde(with = "forms::cid")]
    pub code: Cid,
    /// Root of its state.
    #[serde(with = "forms::cid")]
    pub head: Cid,
    /// Messages sent so far.
    pub nonce: u64,
    /// attoFIL.
    #[serde(with = "forms::token")]
    pub balance: TokenAmount,
    /// Its f4 address, if it has one. (Forest before 0.20 and Lotus before nv18 say `Address`.)
    #[serde(default, with = "forms::address_option")]
    pub delegated_address: Option<Address>,
}
