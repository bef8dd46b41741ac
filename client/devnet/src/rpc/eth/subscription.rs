//! `eth_subscribe` over WebSocket: new blocks, logs, and transactions that came to the mempool.

use fvm_shared::clock::ChainEpoch;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};

use super::forms::Hash;
use super::logs::{Spec, Wanted};
use super::{RpcError, blocks};
use crate::chain::Chain;
use crate::rpc::Service;
use crate::rpc::args::positional;

/// Blocks told in one go.
const MAX_BLOCKS: usize = 100;

/// True for the methods of this room.
pub(crate) fn is_known(name: &str) -> bool {
    matches!(name, "eth_subscribe" | "Filecoin.EthSubscribe")
}

/// A subscription whose params are in order.
pub(crate) struct Subscription(Kind);

enum Kind {
    Blocks,
    Logs(Wanted),
    Transactions,
}

impl Subscription {
    /// Reads a call's params.
    pub fn new(params: Value) -> Result<Self, RpcError> {
        let values = positional(params)?;
        let (kind, options) = match values.as_slice() {
            [kind] => (kind, Value::Null),
            [kind, options] => (kind, options.clone()),
            values => return Err(RpcError::arity("eth_subscribe", values.len(), 1)),
        };
        match kind.as_str() {
            Some("newHeads") => Ok(Self(Kind::Blocks)),
            Some("newPendingTransactions") => Ok(Self(Kind::Transactions)),
            Some("logs") => {
                let spec: Option<Spec> =
                    serde_json::from_value(options).map_err(|e| RpcError::param("eth_subscribe", e))?;
                Ok(Self(Kind::Logs(Wanted::new(&spec.unwrap_or_default())?)))
            }
            _ => Err(RpcError::application(format!("unsupported event type: {kind:.80}"))),
        }
    }

    /// Notes where it begins.
    pub async fn begin(self, service: Service) -> Result<Begun, RpcError> {
        let from = |chain: &Chain| From { heads: chain.heads(), next: chain.head().height };
        let begin = move |chain: &mut Chain| match self.0 {
            Kind::Blocks => Begun(Since::Blocks(from(chain))),
            Kind::Logs(wanted) => Begun(Since::Logs(wanted, from(chain))),
            Kind::Transactions => Begun(Since::Transactions(chain.filters.arrivals())),
        };
        Ok(service.handle.run(begin).await?)
    }
}

/// A subscription that knows what was there before it: all else is new.
pub(crate) struct Begun(Since);

enum Since {
    Blocks(From),
    Logs(Wanted, From),
    Transactions(broadcast::Receiver<Hash>),
}

/// The head as it changes, and the first epoch that is new.
struct From {
    heads: watch::Receiver<ChainEpoch>,
    next: ChainEpoch,
}

impl Begun {
    /// Sends what is new until the connection or the chain is gone.
    pub async fn run(self, service: Service, out: mpsc::Sender<String>, id: Hash) {
        let told = Told { out, id };
        let ended = match self.0 {
            Since::Blocks(from) => follow(&service, &told, from, new_blocks).await,
            Since::Logs(wanted, from) => {
                let find = move |chain: &mut Chain, from, to| {
                    let (found, seen) = wanted.find(chain, from, to)?;
                    Ok((found.into_iter().map(|log| json!(log)).collect(), seen))
                };
                follow(&service, &told, from, find).await
            }
            Since::Transactions(arrivals) => {
                transactions(arrivals, &told).await;
                Ok(())
            }
        };
        if let Err(e) = ended {
            tracing::debug!("a subscription has ended: {e}");
        }
    }
}

/// Whom it is told.
struct Told {
    out: mpsc::Sender<String>,
    id: Hash,
}

impl Told {
    /// False when the connection is gone.
    async fn send(&self, result: Value) -> bool {
        let params = json!({ "subscription": self.id, "result": result });
        let message = json!({ "jsonrpc": "2.0", "method": "eth_subscription", "params": params });
        self.out.send(message.to_string()).await.is_ok()
    }
}

/// Looks at every tipset as soon as what its messages did is known: at its child's coming. `find` is given the epochs to look at, and
/// says up to which one it did.
async fn follow(
    service: &Service,
    told: &Told,
    From { mut heads, mut next }: From,
    find: impl Fn(&mut Chain, ChainEpoch, ChainEpoch) -> Result<(Vec<Value>, ChainEpoch), RpcError> + Clone + Send + 'static,
) -> Result<(), RpcError> {
    loop {
        let head = *heads.borrow_and_update();
        // Where the chain has gone back, what comes next is told.
        next = next.min(head + 1);
        if head <= next {
            if heads.changed().await.is_err() {
                return Ok(());
            }
            continue;
        }
        let find = find.clone();
        let look = move |chain: &mut Chain| find(chain, next, chain.head().height - 1);
        let (found, seen) = service.handle.run(look).await??;
        next = seen + 1;
        for value in found {
            if !told.send(value).await {
                return Ok(());
            }
        }
    }
}

fn new_blocks(chain: &mut Chain, from: ChainEpoch, to: ChainEpoch) -> Result<(Vec<Value>, ChainEpoch), RpcError> {
    let mut found = vec![];
    let mut seen = from - 1;
    while found.len() < MAX_BLOCKS
        && let Some(record) = chain.store().tipset_after(seen)?
        && record.height <= to
    {
        seen = record.height;
        found.push(blocks::show(chain, &record, true)?);
    }
    // Null rounds at the end are no blocks.
    let all = found.len() < MAX_BLOCKS;
    Ok((found, if all { to } else { seen }))
}

async fn transactions(mut arrivals: broadcast::Receiver<Hash>, told: &Told) {
    loop {
        match arrivals.recv().await {
            Ok(hash) if told.send(json!(hash)).await => {}
            Ok(_) | Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(_)) => {}
        }
    }
}

/// A subscription's name: nobody else has it.
pub(crate) fn new_id(connection: u64, number: u64) -> Hash {
    let seed = [connection.to_be_bytes(), number.to_be_bytes()].concat();
    Hash(crate::vm::blake2b(&[b"subscription", &seed[..]].concat()))
}
