//! Deals of the built-in market, as the market tells of them.

use std::collections::BTreeMap;

use fvm_ipld_encoding::{from_slice, to_vec};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;

use super::json::{ActorEvent, AddressJson, EventBlock, EventFilter};
use super::{Node, NodeError};

/// The market actor.
const MARKET: Address = Address::new_id(5);
/// CBOR, as built-in actors encode the values of their events.
const CBOR: u64 = 0x51;

impl<'n> dyn Node + 'n {
    /// The deals that a provider has published with a client in the epochs `from..=to`, oldest first. Which of them is meant, its terms say.
    ///
    /// Errors: as `actor_events`.
    ///
    /// Source: FIP-0083, event `deal-published`.
    pub async fn published_deals(
        &self,
        client: ActorID,
        provider: ActorID,
        from: ChainEpoch,
        to: ChainEpoch,
    ) -> Result<Vec<DealID>, NodeError> {
        let unencodable = |why: fvm_ipld_encoding::Error| NodeError::Malformed(format!("the filter: {why}"));
        let wanted = |value: Vec<u8>| vec![EventBlock { codec: CBOR, value }];
        let fields = BTreeMap::from([
            ("$type".into(), wanted(to_vec("deal-published").map_err(unencodable)?)),
            ("client".into(), wanted(to_vec(&client).map_err(unencodable)?)),
            ("provider".into(), wanted(to_vec(&provider).map_err(unencodable)?)),
        ]);
        let filter = EventFilter {
            addresses: vec![AddressJson(MARKET)],
            fields,
            from_height: Some(from),
            to_height: Some(to),
            ..EventFilter::default()
        };
        let events = self.actor_events(&filter).await?;
        Ok(events.iter().filter(|event| !event.reverted && event.emitter == MARKET).filter_map(published).collect())
    }
}

fn published(event: &ActorEvent) -> Option<DealID> {
    let id = event.entries.iter().find(|entry| entry.key == "id" && entry.codec == CBOR)?;
    from_slice(&id.value).ok()
}
