//! The state and its rules: who may do what to what, without a chain.
//!
//! Everything here is a function of the blocks it is given. Nothing sends, nothing knows the caller's type; handlers bring that.

mod blocks;
mod bounties;
mod claims;
mod files;
mod grants;
mod invariants;
mod keys;
mod log;
mod map;

pub use bounties::Bounties;
pub use claims::{Observation, Proof, SectorStatus, Settled};
pub use files::Changed;
pub use grants::NewGrant;
pub use invariants::check_state_invariants;
pub use log::Log;
pub use map::Map;

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::econ::TokenAmount;

use crate::error::Result;
use files::Heads;
use grants::Sharing;
use keys::Keys;

/// `[files, heads, keys, sharing, bounties]`, one block, rewritten by every message that changes anything.
///
/// What registering a file touches is inline; everything else is behind a link, so that it is not paid for.
#[derive(Debug, Clone, Serialize_tuple, Deserialize_tuple)]
struct Root {
    /// File number to its current version.
    files: Log,
    /// Owner to the newest place in the list of their files.
    heads: Heads,
    /// The published keys.
    keys: Cid,
    /// Grants and what belongs to them.
    sharing: Cid,
    /// Bounties and what belongs to them.
    bounties: Cid,
}

/// Money that a rule has decided on, to be spent once the state is saved.
#[must_use = "a transfer that nobody pays is money lost"]
#[derive(Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Whom.
    pub to: ActorID,
    /// How much.
    pub amount: TokenAmount,
}

/// The state as one message sees and changes it.
#[derive(Debug)]
pub struct State<'s, S> {
    store: &'s S,
    root: Root,
}

impl<'s, S: Blockstore> State<'s, S> {
    /// Makes the state of an actor that nobody has used yet.
    pub fn empty(store: &'s S) -> Result<Self> {
        let root = Root {
            files: Log::default(),
            heads: Heads::default(),
            keys: blocks::put(store, &Keys::default())?,
            sharing: blocks::put(store, &Sharing::default())?,
            bounties: blocks::put(store, &Bounties::default())?,
        };
        Ok(Self { store, root })
    }

    /// Reads the state at a root.
    pub fn load(store: &'s S, root: &Cid) -> Result<Self> {
        Ok(Self { store, root: blocks::get(store, root)? })
    }

    /// Writes the state and returns its root.
    pub fn save(self) -> Result<Cid> {
        blocks::put(self.store, &self.root)
    }
}
