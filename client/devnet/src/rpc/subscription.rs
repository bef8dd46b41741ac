//! Methods that answer more than once: new tipsets and new events.

use bauta_client::node::json::{EventFilter, TipSet};
use fvm_shared::clock::ChainEpoch;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::args::positional;
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

    /// Sends values until the connection or the chain is gone.
    pub async fn run(self, service: Service, channel: Channel) {
        let ended = match self {
            Self::Heads => heads(&service, &channel).await,
            Self::Events(filter) => new_events(&service, &channel, filter).await,
        };
        if let Err(e) = ended {
            tracing::debug!("a subscription has ended: {e}");
        }
    }
}

/// The head's epoch as it changes.
type Epochs = watch::Receiver<ChainEpoch>;

/// The head at first, then every tipset that follows.
async fn heads(service: &Service, channel: &Channel) -> Result<(), RpcError> {
    let start = |chain: &mut Chain| -> Result<(Epochs, TipSet), RpcError> {
        Ok((chain.heads(), blocks::show(chain, chain.head())?))
    };
    let (mut epochs, head) = service.handle.run(start).await??;
    let mut last = head.height;
    let mut alive = channel.send(json!([{ "Type": "current", "Val": head }])).await;
    while alive && epochs.wait_for(|epoch| *epoch > last).await.is_ok() {
        let new = service.handle.run(move |chain| tipsets_after(chain, last)).await??;
        last = new.last().map_or(last, |tipset| tipset.height);
        let changes: Vec<Value> = new.into_iter().map(|t| json!({ "Type": "apply", "Val": t })).collect();
        alive = channel.send(Value::Array(changes)).await;
    }
    Ok(())
}

fn tipsets_after(chain: &mut Chain, mut height: ChainEpoch) -> Result<Vec<TipSet>, RpcError> {
    let mut found = Vec::new();
    while found.len() < MAX_TIPSETS
        && let Some(record) = chain.store().tipset_after(height)?
    {
        height = record.height;
        found.push(blocks::show(chain, &record)?);
    }
    Ok(found)
}

/// Events of the epochs that the filter asks for, from now on if it names none; each is told when it can be read.
async fn new_events(service: &Service, channel: &Channel, filter: EventFilter) -> Result<(), RpcError> {
    if filter.tipset_key.is_some() {
        return Err(RpcError::application("a tipset's events are all known: use GetActorEventsRaw"));
    }
    let (mut epochs, head) = service.handle.run(|chain| (chain.heads(), chain.head().height)).await?;
    let end = filter.to_height.filter(|h| *h >= 0).unwrap_or(ChainEpoch::MAX);
    let mut next = filter.from_height.filter(|h| *h >= 0).unwrap_or(head);
    while next <= end && epochs.wait_for(|epoch| *epoch > next).await.is_ok() {
        let asked = filter.clone();
        let search = move |chain: &mut Chain| {
            let until = end.min(chain.head().height - 1);
            events::collect(chain, &asked, next, until).map(|found| (found, until))
        };
        let (found, until) = service.handle.run(search).await??;
        next = until + 1;
        for event in found {
            if !channel.send(json!(event)).await {
                return Ok(());
            }
        }
    }
    Ok(())
}
