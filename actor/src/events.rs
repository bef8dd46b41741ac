//! One function for each event that needs more than its fields.

use bauta_abi::{BountyId, Event, FileId, FileSpec};
use fvm_shared::ActorID;

use crate::state::{NewGrant, Settled};

pub fn file_registered(id: FileId, owner: ActorID, content: (cid::Cid, cid::Cid)) -> Event {
    let (payload_cid, piece_cid) = content;
    Event::FileRegistered { id, owner, payload_cid, piece_cid }
}

pub fn file_updated(id: FileId, owner: ActorID, version: u64, content: (cid::Cid, cid::Cid)) -> Event {
    let (payload_cid, piece_cid) = content;
    Event::FileUpdated { id, owner, version, payload_cid, piece_cid }
}

/// What the events of a file name: its payload and its piece.
pub fn content(file: &FileSpec) -> (cid::Cid, cid::Cid) {
    (file.payload_cid, file.piece_cid)
}

pub fn access_granted(id: FileId, by: ActorID, grant: &NewGrant) -> Event {
    Event::AccessGranted { id, grantee: grant.grantee, by, rights: grant.rights, expiration: grant.expiration }
}

pub fn bounty_settled(id: BountyId, settled: &Settled) -> Event {
    let Settled { claim, provider, until, status, .. } = *settled;
    Event::BountySettled { id, claim, provider, amount: settled.amount.clone(), until, status }
}
