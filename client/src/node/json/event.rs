//! Events of actors (`GetActorEventsRaw`, `ChainGetEvents`).

use std::collections::BTreeMap;

use ::cid::Cid;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use serde::{Deserialize, Serialize};

use super::{AddressJson, TipsetKey, forms, null_is_default};

/// One key and value of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventEntry {
    /// 1: the key is indexed; 2: the value is.
    pub flags: u64,
    /// Key.
    pub key: String,
    /// The value's codec: 0x51 CBOR, 0x55 raw.
    pub codec: u64,
    /// Value.
    #[serde(default, with = "forms::bytes")]
    pub value: Vec<u8>,
}

/// An event and where it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorEvent {
    /// Keys and values.
    pub entries: Vec<EventEntry>,
    /// Who.
    #[serde(with = "forms::address")]
    pub emitter: Address,
    /// Whether a reorganisation undid it.
    pub reverted: bool,
    /// The epoch of the tipset that includes the message.
    pub height: ChainEpoch,
    /// That tipset.
    pub tipset_key: TipsetKey,
    /// The message.
    #[serde(with = "forms::cid")]
    pub msg_cid: Cid,
}

/// Which events are wanted. Absent conditions hold for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventFilter {
    /// Emitters; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub addresses: Vec<AddressJson>,
    /// For each key one of the values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub fields: BTreeMap<String, Vec<EventBlock>>,
    /// The first epoch; excludes `tipset_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_height: Option<ChainEpoch>,
    /// The last epoch; -1 is the head; excludes `tipset_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_height: Option<ChainEpoch>,
    /// One tipset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tipset_key: Option<TipsetKey>,
}

/// A value that a filter looks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBlock {
    /// Its codec.
    pub codec: u64,
    /// Its bytes.
    #[serde(with = "forms::bytes")]
    pub value: Vec<u8>,
}

/// An event as it stands under a receipt's events root (`ChainGetEvents`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainEvent {
    /// Who, by ID.
    pub emitter: ActorID,
    /// Keys and values.
    pub entries: Vec<EventEntry>,
}
