//! Reading the state tree at a root without the VM.

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bauta_client::address::Prefix;
use cid::Cid;
use fvm::state_tree::StateTree;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::CborStore;
use fvm_ipld_encoding::de::DeserializeOwned;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::ActorState;

use crate::store::Store;

/// The state tree at one root.
pub struct State {
    tree: StateTree<Rc<Store>>,
}

impl State {
    /// Opens the tree at a root.
    pub fn at(store: &Rc<Store>, root: &Cid) -> Result<Self> {
        Ok(Self { tree: StateTree::new_from_root(store.clone(), root)? })
    }

    /// The id behind an address; an id address is believed.
    pub fn resolve(&self, address: &Address) -> Result<Option<ActorID>> {
        Ok(self.tree.lookup_id(address)?)
    }

    /// An actor's entry.
    pub fn actor(&self, address: &Address) -> Result<Option<ActorState>> {
        match self.resolve(address)? {
            Some(id) => Ok(self.tree.get_actor(id)?),
            None => Ok(None),
        }
    }

    /// Decodes an actor's state object.
    pub fn object<T: DeserializeOwned>(&self, address: &Address) -> Result<T> {
        let actor =
            self.actor(address)?.with_context(|| format!("there is no actor {}", Prefix::Testnet.show(address)))?;
        let store: &Rc<Store> = self.tree.store();
        store
            .get_cbor(&actor.state)?
            .with_context(|| format!("the state of {} is missing or of another shape", Prefix::Testnet.show(address)))
    }

    /// The state block of an actor as it is.
    pub fn block(&self, actor: &ActorState) -> Result<Vec<u8>> {
        self.tree.store().get(&actor.state)?.context("a state block is missing")
    }

    /// The ids of all actors; `None` if there are more than `limit`.
    pub fn ids(&self, limit: usize) -> Result<Option<Vec<ActorID>>> {
        let (mut ids, mut are_more) = (Vec::new(), false);
        let walked = self.tree.for_each_cacheless(|address, _| {
            are_more = ids.len() == limit;
            ensure!(!are_more, "there are more");
            ids.push(address.id()?);
            Ok(())
        });
        if are_more {
            return Ok(None);
        }
        walked?;
        ids.sort_unstable();
        Ok(Some(ids))
    }

    /// Goes through all actors, in no order.
    pub fn each(&self, mut look: impl FnMut(ActorID, &ActorState) -> Result<()>) -> Result<()> {
        self.tree.for_each_cacheless(|address, actor| look(address.id()?, actor))?;
        Ok(())
    }

    /// All actors with their ids.
    pub fn actors(&self) -> Result<Vec<(ActorID, ActorState)>> {
        let mut all = Vec::new();
        self.each(|id, actor| {
            all.push((id, actor.clone()));
            Ok(())
        })?;
        all.sort_by_key(|(id, _)| *id);
        Ok(all)
    }

    /// All money in the tree.
    pub fn total_balance(&self) -> Result<TokenAmount> {
        Ok(self.actors()?.into_iter().fold(TokenAmount::default(), |sum, (_, actor)| sum + actor.balance))
    }
}
