//! Methods that answer more than once: new tipsets and new events.

use bauta_client::node::json::{EventFilter, TipSet};
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::args::positional;
use super::bounds::EPOCHS;
use super::events::Range;
use super::{RpcError, Service, chain as blocks, events};
use crate::chain::Chain;

const HEADS: &str = "Filecoin.ChainNotify";
const EVENTS: &str = "Filecoin.SubscribeActorEventsRaw";
/// Tipsets told in one value.
const MAX_TIPSETS: usize = 100;

/// True for the methods of this room.
pub(super) fn is_known(name: &str) -> bool {
    matches!(name, HEADS | EVENTS)
}

/// A subscription whose params are in order.
pub(super) enum Subscription {
    Heads,
    Events(EventFilter),
}

/// Where values go: the texts of a connection, and the channel's number.
pub(super) struct Channel {
    pub out: mpsc::Sender<String>,
    pub number: u64,
}

impl Channel {
    /// False when the connection is gone.
    async fn send(&self, value: Value) -> bool {
        let message = json!({ "jsonrpc": "2.0", "method": "xrpc.ch.val", "params": [self.number, value] });
        self.out.send(message.to_string()).await.is_ok()
    }
}

impl Subscription {
    /// Reads a call.
    pub fn new(name: &str, params: Value) -> Result<Self, RpcError> {
        let values = positional(params)?;
        match (name, values.as_slice()) {
            (HEADS, []) => Ok(Self::Heads),
            (EVENTS, [filter]) => {
                let filter: Option<EventFilter> =
                    serde_json::from_value(filter.clone()).map_err(|e| RpcError::param(name, e))?;
                Ok(Self::Events(filter.unwrap_or_default()))
            }
            (HEADS, values) => Err(RpcError::arity(name, values.len(), 0)),
            (EVENTS, values) => Err(RpcError::arity(name, values.len(), 1)),
            _ => Err(RpcError::unknown_method(name)),
        }
    }

    /// Notes where it begins.
    pub async fn begin(self, service: Service) -> Result<Begun, RpcError> {
        let begin = move |chain: &mut Chain| {
            let (head, epochs) = (chain.head(), chain.heads());
            match self {
                Self::Heads => {
                    let last = Told { epoch: head.height, block: head.block };
                    Ok(Begun::Heads { epochs, last, head: Box::new(blocks::show(chain, head)?) })
                }
                Self::Events(filter) if filter.tipset_key.as_ref().is_some_and(|key| !key.0.is_empty()) => {
                    Err(RpcError::application("a tipset's events are all known: use GetActorEventsRaw"))
                }
                Self::Events(filter) => {
                    let head = head.height;
                    let range = events::range(chain, &filter)?;
                    if range.from.is_some_and(|from| from < head) {
                        events::Emitters::of_the_past(&filter)?;
                    }
                    Ok(Begun::Events { epochs, head, range, filter })
                }
            }
        };
        service.handle.run(begin).await?
    }
}

/// A subscription that knows what was there before it: all else is new.
pub(super) enum Begun {
    Heads { epochs: Epochs, last: Told, head: Box<TipSet> },
    Events { epochs: Epochs, head: ChainEpoch, range: Range, filter: EventFilter },
}

impl Begun {
    /// Sends values until the connection or the chain is gone.
    pub async fn run(self, service: &Service, channel: &Channel) {
        let ended = match self {
            Self::Heads { epochs, last, head } => heads(service, channel, epochs, last, &head).await,
            Self::Events { epochs, head, range, filter } => {
                let (first, end) = (range.from.unwrap_or(head), range.to.unwrap_or(ChainEpoch::MAX));
                new_events(service, channel, epochs, (first, end), filter).await
            }
        };
        if let Err(e) = ended {
            tracing::debug!("a subscription has ended: {e}");
        }
    }
}

/// The head's epoch as it changes.
type Epochs = watch::Receiver<ChainEpoch>;

/// The head at first, then every tipset that follows; those that the chain goes back over are told as reverted.
async fn heads(
    service: &Service,
    channel: &Channel,
    mut epochs: Epochs,
    mut last: Told,
    head: &TipSet,
) -> Result<(), RpcError> {
    let mut alive = channel.send(json!([{ "Type": "current", "Val": head }])).await;
    while alive && epochs.changed().await.is_ok() {
        while alive {
            let (changes, now) = service.handle.run(move |chain| changes_since(chain, last)).await??;
            if changes.is_empty() {
                break;
            }
            last = now;
            alive = channel.send(Value::Array(changes)).await;
        }
    }
    Ok(())
}

/// The last tipset that a subscriber knows of.
#[derive(Clone, Copy)]
pub(super) struct Told {
    epoch: ChainEpoch,
    block: Cid,
}

/// What has changed since, no more than [`MAX_TIPSETS`] at once.
fn changes_since(chain: &mut Chain, mut last: Told) -> Result<(Vec<Value>, Told), RpcError> {
    let mut changes = Vec::new();
    while changes.len() < MAX_TIPSETS && !blocks::is_on_chain(chain, last.epoch, &last.block)? {
        let Some((tipset, epoch, block)) = blocks::show_reverted(chain, &last.block)? else { break };
        changes.push(json!({ "Type": "revert", "Val": tipset }));
        last = Told { epoch, block };
    }
    while changes.len() < MAX_TIPSETS
        && let Some(record) = chain.store().tipset_after(last.epoch)?
    {
        last = Told { epoch: record.height, block: record.block };
        changes.push(json!({ "Type": "apply", "Val": blocks::show(chain, &record)? }));
    }
    Ok((changes, last))
}

/// Events of the epochs that the filter asks for, from now on if it names none; each is told when it can be read.
async fn new_events(
    service: &Service,
    channel: &Channel,
    mut epochs: Epochs,
    (first, end): (ChainEpoch, ChainEpoch),
    filter: EventFilter,
) -> Result<(), RpcError> {
    let mut next = first;
    while next <= end {
        let epoch = *epochs.borrow_and_update();
        // When the chain has gone back, what happens instead is told as well.
        next = next.min((epoch + 1).max(first));
        if epoch <= next {
            if epochs.changed().await.is_err() {
                break;
            }
            continue;
        }
        let asked = filter.clone();
        let search = move |chain: &mut Chain| {
            let until = end.min(chain.head().height - 1).min(next + EPOCHS);
            events::collect(chain, &asked, next, until)
        };
        let (found, seen) = service.handle.run(search).await??;
        next = seen + 1;
        for event in found {
            if !channel.send(json!(event)).await {
                return Ok(());
            }
        }
    }
    Ok(())
}
