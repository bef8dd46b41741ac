//! Rules of keys: one current key an address.

use bauta_abi::Key;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;

use super::{Map, State, blocks};
use crate::error::Result;

/// Address to the block of its key; keys differ too much in length to stand in the nodes.
pub type Keys = Map<ActorID, Cid, 8, 8, 0>;

impl<S: Blockstore> State<'_, S> {
    /// Replaces the key of an address, and returns the new version.
    pub fn publish_key(&mut self, owner: ActorID, recipient: String, now: ChainEpoch) -> Result<u64> {
        let mut keys: Keys = blocks::get(self.store, &self.root.keys)?;
        let version = match keys.get(self.store, &owner)? {
            Some(link) => blocks::get::<Key>(self.store, &link)?.version + 1,
            None => 1,
        };
        let link = blocks::put(self.store, &Key { recipient, version, epoch: now })?;
        keys.set(self.store, owner, link)?;
        self.root.keys = blocks::put(self.store, &keys)?;
        Ok(version)
    }

    /// Reads the key of an address.
    pub fn key(&self, owner: ActorID) -> Result<Option<Key>> {
        let keys: Keys = blocks::get(self.store, &self.root.keys)?;
        keys.get(self.store, &owner)?.map(|link| blocks::get(self.store, &link)).transpose()
    }
}
