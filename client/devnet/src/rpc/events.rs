//! Events.

use std::collections::HashMap;

use bauta_client::address::Prefix;
use bauta_client::node::json::{ActorEvent, ChainEvent, EventEntry, EventFilter};
use fvm_shared::ActorID;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::event::{Flags, StampedEvent};

use super::args::answer;
use super::bounds::{EPOCHS, EVENTS, too_many_events};
use super::chain::{find, key_of};
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;
use crate::state::State;
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

/// What is being done when the index refuses.
const FAILED: &str = "get events for filter";

/// What stands in tipsets before the head: what the head's messages did is known to its child. Nothing found is null.
///
/// Source: lotus `node/impl/full/actor_events.go`, `chain/events/filter/event.go`, `chain/index/events.go`.
fn by_filter(chain: &mut Chain, args: &Args) -> Answer {
    let filter: EventFilter = args.get::<Option<EventFilter>>(0)?.unwrap_or_default();
    let head = chain.head().height;
    let Range { from, to } = range(chain, &filter)?;
    // Without a first epoch, or with one that is still to come, it is a question about the future.
    let Some(from) = from.filter(|from| *from < head) else { return answer(None::<Vec<ActorEvent>>) };
    Emitters::of_the_past(&filter)?;
    let (found, _) = collect(chain, &filter, from, to.unwrap_or(head).min(head - 1))?;
    if found.len() > EVENTS && found.first().map(|event| event.height) != found.last().map(|event| event.height) {
        return Err(too_many_events().within(FAILED));
    }
    if found.is_empty() && to.is_some_and(|to| to > head) {
        return Err(RpcError::application(format!("{FAILED}: range end is in the future, highest epoch: {head}")));
    }
    answer((!found.is_empty()).then_some(found))
}

/// The epochs that a filter speaks of: those of one tipset, or from one to another. What is not given is `None`.
pub(super) struct Range {
    pub from: Option<ChainEpoch>,
    pub to: Option<ChainEpoch>,
}

/// Reads a filter's epochs. As on Lotus, no tipset and an empty key are the same, and a last epoch below zero is none.
pub(super) fn range(chain: &Chain, filter: &EventFilter) -> Result<Range, RpcError> {
    if let Some(key) = filter.tipset_key.as_ref().filter(|key| !key.0.is_empty()) {
        if filter.from_height.is_some() || filter.to_height.is_some() {
            return Err(RpcError::application("cannot specify both TipSetKey and FromHeight/ToHeight"));
        }
        let height = find(chain, key)?.height;
        return Ok(Range { from: Some(height), to: Some(height) });
    }
    let head = chain.head().height;
    let (from, to) = (filter.from_height, filter.to_height.filter(|to| *to >= 0));
    let invalid = |why: String| Err(RpcError::application(format!("invalid epoch range: {why}")));
    match (from, to) {
        (Some(..0), _) => Err(RpcError::application("range 'from' must be greater than or equal to 0")),
        (None, Some(to)) if to - head > EPOCHS => {
            invalid(format!("'to' height is too far in the future (maximum: {EPOCHS})"))
        }
        (Some(from), None) if head - from > EPOCHS => {
            invalid(format!("'from' height is too far in the past (maximum: {EPOCHS})"))
        }
        (Some(from), Some(to)) if from > to => {
            invalid(format!("'to' height ({to}) must be after 'from' height ({from})"))
        }
        (Some(from), Some(to)) if to - from > EPOCHS => {
            invalid(format!("range between to and 'from' heights is too large (maximum: {EPOCHS})"))
        }
        _ => Ok(Range { from, to }),
    }
}

/// Whose events are wanted. As on Lotus, ids and f410 addresses are two conditions: a filter that names both asks for those
/// emitters that are named by both.
///
/// Source: lotus `chain/index/events.go`, `makePrefillFilterQuery`.
pub(super) struct Emitters {
    everybody: bool,
    ids: Vec<ActorID>,
    delegated: Vec<Address>,
}

impl Emitters {
    /// For what is still to come: other addresses are nobody's.
    fn new(filter: &EventFilter) -> Self {
        let addresses = || filter.addresses.iter().map(|address| address.0);
        Self {
            everybody: filter.addresses.is_empty(),
            ids: addresses().filter_map(|address| address.id().ok()).collect(),
            delegated: addresses().filter(|address| address.protocol() == Protocol::Delegated).collect(),
        }
    }

    /// The same for what has been: other addresses are refused.
    pub fn of_the_past(filter: &EventFilter) -> Result<Self, RpcError> {
        let known = |address: &Address| matches!(address.protocol(), Protocol::ID | Protocol::Delegated);
        match filter.addresses.iter().find(|address| !known(&address.0)) {
            None => Ok(Self::new(filter)),
            Some(address) => Err(RpcError::application(format!(
                "{FAILED}: failed to make prefill filter query: can only query events by ID or Delegated addresses; but \
                 request has address: {}",
                Prefix::Testnet.show(&address.0)
            ))),
        }
    }

    fn have(&self, id: ActorID, address: &Address) -> bool {
        let named = !self.ids.is_empty() || !self.delegated.is_empty();
        let by_id = self.ids.is_empty() || self.ids.contains(&id);
        let by_address = self.delegated.is_empty() || self.delegated.contains(address);
        self.everybody || named && by_id && by_address
    }
}

/// Actors as events show them: by their f410 address where they have one. Each is looked up once.
struct Shown {
    /// The head's: old states go, and an id's address stays.
    state: State,
    known: HashMap<ActorID, Address>,
}

impl Shown {
    fn get(&mut self, id: ActorID) -> Result<Address, RpcError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        let address = Address::new_id(id);
        let shown = self.state.actor(&address)?.and_then(|actor| actor.delegated_address).unwrap_or(address);
        self.known.insert(id, shown);
        Ok(shown)
    }
}

/// The events of messages in epochs `from` to `to` that a filter lets through, and the last epoch that was looked at: after more than
/// [`EVENTS`] events it goes no further.
pub(super) fn collect(
    chain: &Chain,
    filter: &EventFilter,
    from: ChainEpoch,
    to: ChainEpoch,
) -> Result<(Vec<ActorEvent>, ChainEpoch), RpcError> {
    let emitters = Emitters::new(filter);
    let mut shown = Shown { state: chain.state()?, known: HashMap::new() };
    let mut found = Vec::new();
    for (height, events) in chain.store().events(from, to)? {
        let record = chain.store().tipset_at_or_before(height)?;
        let key = record.as_ref().map(key_of).unwrap_or_default();
        for record in events {
            let emitter = shown.get(record.event.emitter)?;
            if !emitters.have(record.event.emitter, &emitter) {
                continue;
            }
            let entries = entries(&record.event);
            if matches(filter, &entries) {
                found.push(ActorEvent {
                    entries,
                    emitter,
                    reverted: false,
                    height,
                    tipset_key: key.clone(),
                    msg_cid: record.message,
                });
            }
        }
        if found.len() > EVENTS {
            return Ok((found, height));
        }
    }
    Ok((found, to))
}

/// Whether filters see an entry: as on Lotus, if its key or its value is indexed.
pub(super) fn is_indexed(flags: u64) -> bool {
    flags & Flags::FLAG_INDEXED_ALL.bits() != 0
}

/// Every key that the filter names has one of the values it names.
fn matches(filter: &EventFilter, entries: &[EventEntry]) -> bool {
    filter.fields.iter().all(|(key, wanted)| {
        wanted.is_empty()
            || entries
                .iter()
                .filter(|e| e.key == *key && is_indexed(e.flags))
                .any(|e| wanted.iter().any(|w| w.codec == e.codec && w.value == e.value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bauta_client::node::json::EventBlock;

    #[test]
    fn filters_see_what_is_indexed() {
        let entry = |flags| EventEntry { flags, key: "id".into(), codec: 0x51, value: vec![7] };
        let mut filter = EventFilter::default();
        filter.fields.insert("id".into(), vec![EventBlock { codec: 0x51, value: vec![7] }]);
        for (flags, seen) in [(0, false), (1, true), (2, true), (3, true), (4, false)] {
            assert_eq!(matches(&filter, &[entry(flags)]), seen, "{flags}");
        }
        // Another of the same key will do.
        assert!(matches(&filter, &[entry(0), entry(3)]));
        filter.fields.insert("owner".into(), vec![]);
        assert!(matches(&filter, &[entry(3)]));
    }
}
