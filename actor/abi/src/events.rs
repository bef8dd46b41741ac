//! What the actor tells indexers: one event for each change.
//!
//! Form: the first entry is `$type` with the event's name, then one entry a field, all in CBOR (codec 0x51), as the built-in actors do
//! (FIP-0083). Fields that somebody would search by are indexed by key and value. The contract's logs: `events/logs.rs`.

mod logs;

pub use logs::LOGS;

use cid::Cid;
use fvm_ipld_encoding::{CBOR, from_slice, to_vec};
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;
use fvm_shared::event::{ActorEvent, Entry, Flags};
use fvm_shared::sector::SectorNumber;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{BountyId, ClaimId, ClaimStatus, FileId, Rights};

/// The key of an event's name.
pub const EVENT_TYPE: &str = "$type";

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$flag:ident])? $field:ident = $key:literal : $type:ty),* $(,)? })*) => {
        /// Every event, in the order of the methods that emit them.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Event {
            $($(#[$doc])* $name { $($field: $type),* },)*
        }

        impl Event {
            /// The event's name, kebab-case.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $kind,)*
                }
            }

            /// The form that is emitted.
            pub fn to_actor_event(&self) -> ActorEvent {
                let mut entries = vec![entry(Flags::FLAG_INDEXED_ALL, EVENT_TYPE, &self.kind())];
                match self {
                    $(Self::$name { $($field),* } => {
                        $(entries.push(entry(events!(@flags $($flag)?), $key, $field));)*
                    })*
                }
                ActorEvent { entries }
            }

            /// Reads an event back, whichever body has emitted it; `None` for what is not one of ours.
            pub fn from_entries(entries: &[Entry]) -> Option<Self> {
                let Some(kind) = field::<String>(entries, EVENT_TYPE) else { return Self::from_log_entries(entries) };
                match kind.as_str() {
                    $($kind => Some(Self::$name { $($field: field(entries, $key)?),* }),)*
                    _ => None,
                }
            }
        }
    };
    (@flags indexed) => { Flags::FLAG_INDEXED_ALL };
    (@flags) => { Flags::FLAG_INDEXED_KEY };
}

events! {
    /// A key was published.
    KeyPublished = "key-published" { #[indexed] owner = "owner": ActorID, version = "version": u64 }
    /// A file was registered.
    FileRegistered = "file-registered" {
        #[indexed] id = "id": FileId, #[indexed] owner = "owner": ActorID,
        #[indexed] payload_cid = "payload-cid": Cid, #[indexed] piece_cid = "piece-cid": Cid,
    }
    /// A file has a new version.
    FileUpdated = "file-updated" {
        #[indexed] id = "id": FileId, #[indexed] owner = "owner": ActorID, version = "version": u64,
        #[indexed] payload_cid = "payload-cid": Cid, #[indexed] piece_cid = "piece-cid": Cid,
    }
    /// A file has a new owner.
    FileTransferred = "file-transferred" { #[indexed] id = "id": FileId, #[indexed] from = "from": ActorID, #[indexed] to = "to": ActorID }
    /// A file was removed.
    FileRemoved = "file-removed" { #[indexed] id = "id": FileId, #[indexed] owner = "owner": ActorID }
    /// A file was opened to somebody.
    AccessGranted = "access-granted" {
        #[indexed] id = "id": FileId, #[indexed] grantee = "grantee": ActorID, by = "by": ActorID,
        rights = "rights": Rights, expiration = "expiration": ChainEpoch,
    }
    /// A file was closed to somebody.
    AccessRevoked = "access-revoked" { #[indexed] id = "id": FileId, #[indexed] grantee = "grantee": ActorID, by = "by": ActorID }
    /// A bounty was offered.
    BountyCreated = "bounty-created" { #[indexed] id = "id": BountyId, #[indexed] creator = "creator": ActorID, #[indexed] piece_cid = "piece-cid": Cid }
    /// Money was put into a bounty.
    BountyFunded = "bounty-funded" { #[indexed] id = "id": BountyId, #[indexed] funder = "funder": ActorID, amount = "amount": TokenAmount }
    /// A provider claimed a bounty.
    BountyClaimed = "bounty-claimed" {
        #[indexed] id = "id": BountyId, claim = "claim": ClaimId, #[indexed] provider = "provider": ActorID,
        sector = "sector": SectorNumber, deal = "deal": Option<DealID>,
    }
    /// A claim was settled.
    BountySettled = "bounty-settled" {
        #[indexed] id = "id": BountyId, claim = "claim": ClaimId, #[indexed] provider = "provider": ActorID,
        amount = "amount": TokenAmount, until = "until": ChainEpoch, status = "status": ClaimStatus,
    }
    /// A bounty was cancelled.
    BountyCancelled = "bounty-cancelled" { #[indexed] id = "id": BountyId }
    /// A funder took back their share.
    BountyRefunded = "bounty-refunded" { #[indexed] id = "id": BountyId, #[indexed] funder = "funder": ActorID, amount = "amount": TokenAmount }
}

fn entry(flags: Flags, key: &str, value: &impl Serialize) -> Entry {
    let value = to_vec(value).expect("event fields have a CBOR form");
    Entry { flags, key: key.into(), codec: CBOR, value }
}

fn field<T: DeserializeOwned>(entries: &[Entry], key: &str) -> Option<T> {
    let entry = entries.iter().find(|e| e.key == key && e.codec == CBOR)?;
    from_slice(&entry.value).ok()
}
