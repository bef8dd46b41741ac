//! Filters: what is new since somebody asked last.

use std::collections::BTreeMap;

use fvm_shared::clock::ChainEpoch;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::forms::Hash;
use super::logs::{self, Spec, Wanted};
use super::{Answer, Args, RpcError, answer, block_param};
use crate::chain::Chain;
use crate::vm::blake2b;

/// Filters at a time; the one that nobody has asked for longest makes room.
const MAX_FILTERS: usize = 1000;
/// Transactions that are remembered for those who ask late.
const REMEMBERED: usize = 10_000;

/// What a filter collects.
enum Collects {
    /// Logs, from an epoch on and up to one; the next one to look at.
    Logs { spec: Box<Spec>, wanted: Wanted, from: ChainEpoch, until: Option<ChainEpoch>, next: ChainEpoch },
    /// Blocks; the next epoch to look at.
    Blocks { next: ChainEpoch },
    /// Transactions that came to the mempool.
    Transactions(broadcast::Receiver<Hash>),
}

/// All filters of a node. They live as long as the process.
pub(crate) struct Filters {
    by_id: BTreeMap<Hash, (u64, Collects)>,
    made: u64,
    asked: u64,
    arrivals: broadcast::Sender<Hash>,
}

impl Default for Filters {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), made: 0, asked: 0, arrivals: broadcast::Sender::new(REMEMBERED) }
    }
}

impl Filters {
    /// A transaction came to the mempool.
    pub fn arrived(&self, hash: Hash) {
        // Nobody may be listening.
        let _ = self.arrivals.send(hash);
    }

    /// Transactions as they come.
    pub fn arrivals(&self) -> broadcast::Receiver<Hash> {
        self.arrivals.subscribe()
    }

    fn add(&mut self, collects: Collects) -> Hash {
        if self.by_id.len() >= MAX_FILTERS
            && let Some(id) = self.by_id.iter().min_by_key(|(_, (asked, _))| *asked).map(|(id, _)| *id)
        {
            self.by_id.remove(&id);
        }
        self.made += 1;
        self.asked += 1;
        let id = Hash(blake2b(&self.made.to_be_bytes()));
        self.by_id.insert(id, (self.asked, collects));
        id
    }

    /// The chain has gone back to this head: what comes next is new, whatever stood there before.
    pub fn go_back(&mut self, head: ChainEpoch) {
        for (_, collects) in self.by_id.values_mut() {
            match collects {
                Collects::Logs { from, next, .. } => *next = (*next).min((head + 1).max(*from)),
                Collects::Blocks { next } => *next = (*next).min(head),
                Collects::Transactions(_) => {}
            }
        }
    }

    fn take(&mut self, id: Hash) -> Result<Collects, RpcError> {
        self.by_id.remove(&id).map(|(_, collects)| collects).ok_or_else(|| RpcError::application("filter not found"))
    }

    fn put_back(&mut self, id: Hash, collects: Collects) {
        self.asked += 1;
        self.by_id.insert(id, (self.asked, collects));
    }
}

pub(super) fn new_logs(chain: &mut Chain, args: &Args) -> Answer {
    let spec: Spec = args.get(0)?;
    let wanted = Wanted::new(&spec)?;
    let (from, until) = logs::range(chain, &spec)?;
    // As on Lotus, it begins with what the first epochs of its range, if they have been, already have.
    answer(chain.filters.add(Collects::Logs { spec: Box::new(spec), wanted, from, until, next: from }))
}

pub(super) fn new_blocks(chain: &mut Chain, _: &Args) -> Answer {
    let next = chain.head().height;
    answer(chain.filters.add(Collects::Blocks { next }))
}

pub(super) fn new_pending(chain: &mut Chain, _: &Args) -> Answer {
    let arrivals = chain.filters.arrivals();
    answer(chain.filters.add(Collects::Transactions(arrivals)))
}

pub(super) fn changes(chain: &mut Chain, args: &Args) -> Answer {
    let id: Hash = args.get(0)?;
    let mut collects = chain.filters.take(id)?;
    let found = collect(chain, &mut collects);
    chain.filters.put_back(id, collects);
    found
}

fn collect(chain: &Chain, collects: &mut Collects) -> Answer {
    let latest = chain.head().height - 1;
    match collects {
        Collects::Logs { wanted, until, next, .. } => {
            let to = until.unwrap_or(latest).min(latest);
            let (found, seen) = wanted.find(chain, *next, to)?;
            *next = (*next).max(seen + 1);
            answer(found)
        }
        Collects::Blocks { next } => {
            let mut hashes: Vec<Hash> = vec![];
            while *next <= latest
                && let Some(record) = chain.store().tipset_after(*next - 1)?
            {
                if record.height <= latest {
                    hashes.push(block_param::hash_of(&record));
                }
                *next = record.height + 1;
            }
            answer(hashes)
        }
        Collects::Transactions(arrivals) => {
            let mut hashes: Vec<Hash> = vec![];
            loop {
                match arrivals.try_recv() {
                    Ok(hash) => hashes.push(hash),
                    Err(TryRecvError::Lagged(_)) => {}
                    Err(TryRecvError::Empty | TryRecvError::Closed) => return answer(hashes),
                }
            }
        }
    }
}

/// All logs of a filter for logs, new or not.
pub(super) fn all_logs(chain: &mut Chain, args: &Args) -> Answer {
    let id: Hash = args.get(0)?;
    let collects = chain.filters.take(id)?;
    let found = match &collects {
        Collects::Logs { spec, .. } => logs::search(chain, spec).map(|found| json!(found)),
        _ => Err(RpcError::application("wrong filter type")),
    };
    chain.filters.put_back(id, collects);
    answer(found?)
}

pub(super) fn uninstall(chain: &mut Chain, args: &Args) -> Answer {
    let id: Hash = args.get(0)?;
    answer(Value::Bool(chain.filters.take(id).is_ok()))
}
