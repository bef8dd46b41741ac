//! Events of actors, polled: `SubscribeActorEventsRaw` is not served by every node.

use std::collections::BTreeMap;

use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

use super::json::{ActorEvent, AddressJson, ChainEvent, CidJson, EventFilter};
use super::{Node, NodeError};

impl EventFilter {
    /// All events of one actor in the epochs `from..=to`; `to` absent means up to the head.
    ///
    /// Forest answers nothing at all to a filter without a first epoch, so one is asked for.
    pub fn of_actor(actor: Address, from: ChainEpoch, to: Option<ChainEpoch>) -> Self {
        Self {
            addresses: vec![AddressJson(actor)],
            fields: BTreeMap::new(),
            from_height: Some(from),
            to_height: to,
            tipset_key: None,
        }
    }
}

/// Epochs that every node looks through at once: Lotus's `MaxFilterHeightRange`.
pub const WINDOW: ChainEpoch = 2880;

impl<'n> dyn Node + 'n {
    /// Events by a filter, oldest first.
    ///
    /// Errors: Refused: the node keeps no index, or the range of epochs is longer than it allows.
    pub async fn actor_events(&self, filter: &EventFilter) -> Result<Vec<ActorEvent>, NodeError> {
        let params = self.params((filter,))?;
        Ok(self.call::<Option<Vec<ActorEvent>>>("Filecoin.GetActorEventsRaw", params).await?.unwrap_or_default())
    }

    /// The events under a receipt's events root.
    pub async fn chain_events(&self, root: &Cid) -> Result<Vec<ChainEvent>, NodeError> {
        let params = self.params((CidJson(*root),))?;
        Ok(self.call::<Option<Vec<ChainEvent>>>("Filecoin.ChainGetEvents", params).await?.unwrap_or_default())
    }
}
