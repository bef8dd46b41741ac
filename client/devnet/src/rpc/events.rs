//! Events.

use bauta_client::node::json::{ActorEvent, ChainEvent, EventEntry, EventFilter};
use fvm_shared::address::Address;
use fvm_shared::event::StampedEvent;

use super::args::answer;
use super::chain::{find, key_of};
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;
use crate::tipset;

pub(super) const METHODS: &[Method] =
    &[Method::read("Filecoin.ChainGetEvents", 1, by_root), Method::read("Filecoin.GetActorEventsRaw", 1, by_filter)];

fn entries(event: &StampedEvent) -> Vec<EventEntry> {
    let one = |e: &fvm_shared::event::Entry| EventEntry {
        flags: e.flags.bits(),
        key: e.key.clone(),
        codec: e.codec,
        value: e.value.clone(),
    };
    event.event.entries.iter().map(one).collect()
}

fn by_root(chain: &mut Chain, args: &Args) -> Answer {
    let root = args.cid(0)?;
    let events = tipset::read_events(chain.store(), &root)
        .map_err(|e| RpcError::application(format!("load events amt: {e:#}")))?;
    let show = |e: &StampedEvent| ChainEvent { emitter: e.emitter, entries: entries(e) };
    answer(events.iter().map(show).collect::<Vec<_>>())
}

fn by_filter(chain: &mut Chain, args: &Args) -> Answer {
    let filter: EventFilter = args.get::<Option<EventFilter>>(0)?.unwrap_or_default();
    // As a node sees it: what the head's messages did is known only to its child.
    let head = chain.head().height;
    let (from, to) = match &filter.tipset_key {
        Some(_) if filter.from_height.is_some() || filter.to_height.is_some() => {
            return Err(RpcError::application("cannot specify both TipSetKey and FromHeight/ToHeight"));
        }
        Some(key) => {
            let height = find(chain, key)?.height;
            (height, height)
        }
        None => {
            let bound = |height: Option<i64>, absent| height.filter(|h| *h >= 0).unwrap_or(absent);
            (bound(filter.from_height, head), bound(filter.to_height, head))
        }
    };
    if from > to {
        return Err(RpcError::application(format!("from height {from} is greater than to height {to}")));
    }
    answer(collect(chain, &filter, from, to.min(head - 1))?)
}

/// The events of messages in epochs `from` to `to` that a filter lets through.
pub(super) fn collect(chain: &Chain, filter: &EventFilter, from: i64, to: i64) -> Result<Vec<ActorEvent>, RpcError> {
    let state = chain.state()?;
    let mut emitters = Vec::new();
    for address in &filter.addresses {
        emitters.push(state.resolve(&address.0)?);
    }
    let mut found = Vec::new();
    for (height, events) in chain.store().events(from, to)? {
        let record = chain.store().tipset_at_or_before(height)?;
        let key = record.as_ref().map(key_of).unwrap_or_default();
        for record in events {
            if !emitters.is_empty() && !emitters.contains(&Some(record.event.emitter)) {
                continue;
            }
            let entries = entries(&record.event);
            if matches(filter, &entries) {
                found.push(ActorEvent {
                    entries,
                    emitter: Address::new_id(record.event.emitter),
                    reverted: false,
                    height,
                    tipset_key: key.clone(),
                    msg_cid: record.message,
                });
            }
        }
    }
    Ok(found)
}

/// Every key that the filter names has one of the values it names.
fn matches(filter: &EventFilter, entries: &[EventEntry]) -> bool {
    filter.fields.iter().all(|(key, wanted)| {
        wanted.is_empty()
            || entries
                .iter()
                .filter(|e| e.key == *key)
                .any(|e| wanted.iter().any(|w| w.codec == e.codec && w.value == e.value))
    })
}
