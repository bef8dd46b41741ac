//! The JSON forms of the Lotus dialect: decoded by the client, encoded by the devnet.
//!
//! Field names are Go's. Addresses are printed with the letter of [`with_prefix`], and read with either.
//!
//! Source: Lotus `api`, `chain/types`; FRC-0104.

mod address;
mod bytes;
mod cid;
mod event;
mod market;
mod message;
mod miner;
mod params;
mod receipt;
mod tipset;
mod token;
mod trace;

pub mod forms {
    //! For `#[serde(with = …)]`: each value's form in the Lotus dialect.
    pub use super::address::{address, address_list, address_option};
    pub use super::bytes::{bytes, bytes_list, bytes_option};
    pub use super::cid::{cid, cid_option};
    pub use super::token::token;
}

pub use address::with_prefix;
pub use event::{ActorEvent, ChainEvent, EventBlock, EventEntry, EventFilter};
pub use market::{DealProposal, DealState, MarketBalance, MarketDeal};
pub use message::{MessageJson, SignatureJson, SignedMessageJson};
pub use miner::{BeneficiaryTerm, MinerInfo, PendingBeneficiaryChange};
pub use params::{NetworkParams, SendSpec, Version};
pub use receipt::{ActorState, MsgLookup, Receipt};
pub use tipset::{BeaconEntry, BlockHeader, ElectionProof, PostProof, Ticket, TipSet, TipsetKey};
pub use trace::{ActorTrace, ExecutionTrace, GasCost, GasTrace, InvocResult, MessageTrace, ReturnTrace};

use serde::{Deserialize, Deserializer, Serialize};

/// A CID alone: `{"/":"bafy…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CidJson(#[serde(with = "forms::cid")] pub ::cid::Cid);

/// An address alone, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AddressJson(#[serde(with = "forms::address")] pub fvm_shared::address::Address);

/// An amount alone: attoFIL as decimal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenJson(#[serde(with = "forms::token")] pub fvm_shared::econ::TokenAmount);

/// Bytes alone: base64, `null` for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BytesJson(#[serde(with = "forms::bytes")] pub Vec<u8>);

/// Go writes `null` for an empty list or map.
fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests;
