//! Actor events as logs: those whose entries are raw bytes under `t1` to `t4` and `d`, which is what contracts emit. Events of other
//! actors hold CBOR and are no logs.

use std::collections::HashMap;

use bauta_client::address::EthAddress;
use cid::Cid;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::event::Entry;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use super::forms::{self, Hash};
use super::transactions::hash_on_chain;
use super::{Answer, Args, RpcError, accounts, answer, block_param};
use crate::chain::Chain;
use crate::records::TipsetRecord;

/// The multicodec of raw bytes.
const RAW: u64 = 0x55;
/// Epochs in one search, as on Lotus.
const MAX_RANGE: ChainEpoch = 2880;
/// Topics of one log.
const MAX_TOPICS: usize = 4;

/// A log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// Who emitted it.
    pub address: EthAddress,
    /// Topics, the event's signature first.
    pub topics: Vec<Hash>,
    data: Vec<u8>,
    block: (Hash, u64),
    /// Number of its transaction in the block.
    pub transaction: usize,
    hash: Hash,
    index: usize,
}

impl Serialize for Log {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "address": forms::address(&self.address),
            "topics": self.topics,
            "data": forms::bytes(&self.data),
            "blockHash": self.block.0,
            "blockNumber": forms::quantity(self.block.1),
            "transactionHash": self.hash,
            "transactionIndex": forms::quantity(self.transaction as u64),
            "logIndex": forms::quantity(self.index as u64),
            "removed": false,
        })
        .serialize(serializer)
    }
}

/// Topics and data of an event, if it is a log.
fn parts(entries: &[Entry]) -> Option<(Vec<Hash>, Vec<u8>)> {
    let mut topics = [None; MAX_TOPICS];
    let mut data = None;
    for entry in entries {
        if entry.codec != RAW {
            return None;
        }
        match entry.key.as_bytes() {
            [b't', number @ b'1'..=b'4'] => {
                let topic = Hash(entry.value.as_slice().try_into().ok()?);
                if topics[usize::from(number - b'1')].replace(topic).is_some() {
                    return None;
                }
            }
            b"d" if data.is_some() => return None,
            b"d" => data = Some(entry.value.clone()),
            _ => {}
        }
    }
    let count = topics.iter().take_while(|topic| topic.is_some()).count();
    let all = topics.iter().flatten().count();
    (count == all).then(|| (topics.into_iter().flatten().collect(), data.unwrap_or_default()))
}

/// Most addresses of a filter, and most topics for one place of a log.
const MAX_WANTED: usize = 1_000;

/// All logs of a tipset.
pub(super) fn of_tipset(chain: &Chain, record: &TipsetRecord) -> Result<Vec<Log>, RpcError> {
    let mut found = vec![];
    for (_, events) in chain.store().events(record.height, record.height)? {
        // The head's: old states go, and an id's address stays.
        let state = crate::state::State::at(chain.store(), &chain.head().state)?;
        let block = (block_param::hash_of(record), record.height.unsigned_abs());
        let mut emitters: HashMap<ActorID, EthAddress> = HashMap::new();
        let mut messages: HashMap<Cid, (usize, Hash)> = HashMap::new();
        for (index, event) in events.into_iter().enumerate() {
            let Some((topics, data)) = parts(&event.event.event.entries) else { continue };
            let emitter = event.event.emitter;
            let address = match emitters.get(&emitter) {
                Some(known) => *known,
                None => accounts::of_id(&state, emitter)?,
            };
            emitters.insert(emitter, address);
            let (transaction, hash) = match messages.get(&event.message) {
                Some(known) => *known,
                None => {
                    let missing = || RpcError::application("an event of no message");
                    let number = record.messages.iter().position(|cid| *cid == event.message).ok_or_else(missing)?;
                    (number, hash_on_chain(chain, &event.message)?.ok_or_else(missing)?)
                }
            };
            messages.insert(event.message, (transaction, hash));
            found.push(Log { address, topics, data, block, transaction, hash, index });
        }
    }
    Ok(found)
}

/// One value or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

/// What is searched for, as it is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    from_block: Option<String>,
    to_block: Option<String>,
    block_hash: Option<Hash>,
    address: Option<OneOrMany<forms::Address>>,
    topics: Option<Vec<Option<OneOrMany<Hash>>>>,
}

/// What a log must have.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    addresses: Vec<EthAddress>,
    topics: Vec<Vec<Hash>>,
}

impl Wanted {
    /// Reads a filter's addresses and topics.
    pub fn new(spec: &Spec) -> Result<Self, RpcError> {
        let topics: Vec<Vec<Hash>> =
            spec.topics.iter().flatten().map(|t| t.clone().map_or(vec![], OneOrMany::into_vec)).collect();
        if topics.len() > MAX_TOPICS {
            return Err(RpcError::application(format!(
                "too many topics in filter: {}, max: {MAX_TOPICS}",
                topics.len()
            )));
        }
        let addresses = spec.address.clone().map_or(vec![], OneOrMany::into_vec);
        // Each log is compared with each of them, on the chain's thread.
        if addresses.len() > MAX_WANTED || topics.iter().any(|wanted| wanted.len() > MAX_WANTED) {
            return Err(RpcError::limit(format!(
                "a filter names at most {MAX_WANTED} addresses, and so many topics at a place"
            )));
        }
        Ok(Self { addresses: addresses.into_iter().map(|address| address.0).collect(), topics })
    }

    fn matches(&self, log: &Log) -> bool {
        let known = self.addresses.is_empty() || self.addresses.contains(&log.address);
        known
            && self.topics.iter().enumerate().all(|(index, wanted)| {
                wanted.is_empty() || log.topics.get(index).is_some_and(|topic| wanted.contains(topic))
            })
    }

    /// The logs in the tipsets of `from` to `to` that match.
    pub fn find(&self, chain: &Chain, from: ChainEpoch, to: ChainEpoch) -> Result<Vec<Log>, RpcError> {
        let mut found = vec![];
        for (height, _) in chain.store().events(from, to)? {
            if let Some(record) = chain.store().tipset_at_or_before(height)? {
                found.extend(of_tipset(chain, &record)?.into_iter().filter(|log| self.matches(log)));
            }
        }
        Ok(found)
    }
}

/// The epochs that a filter speaks of; without an end, `None`.
pub(super) fn range(chain: &Chain, spec: &Spec) -> Result<(ChainEpoch, Option<ChainEpoch>), RpcError> {
    let latest = (chain.head().height - 1).max(0);
    let bound = |text: &Option<String>| match text.as_deref() {
        None | Some("latest" | "pending" | "") => Ok(None),
        Some("safe") => Ok(Some((latest - block_param::SAFE).max(0))),
        Some("finalized") => Ok(Some((latest - block_param::FINALIZED).max(0))),
        Some("earliest") => Ok(Some(0)),
        Some(text) if text.starts_with("0x") => forms::Quantity::parse(text)
            .and_then(|number| ChainEpoch::try_from(number.0).ok())
            .map(Some)
            .ok_or_else(|| RpcError::application("invalid epoch")),
        Some(_) => Err(RpcError::application("a block is not a hex")),
    };
    let (from, to) = (bound(&spec.from_block)?.unwrap_or(latest), bound(&spec.to_block)?);
    if to.is_some_and(|to| from > to) {
        let to = to.unwrap_or_default();
        return Err(RpcError::application(format!(
            "invalid epoch range: to block ({to}) must be after from block ({from})"
        )));
    }
    let length = to.unwrap_or(latest) - from;
    if length > MAX_RANGE {
        return Err(RpcError::limit(format!("block range exceeds maximum of {MAX_RANGE} (got {length})")));
    }
    Ok((from, to))
}

/// The logs that a filter finds now.
pub(super) fn search(chain: &Chain, spec: &Spec) -> Result<Vec<Log>, RpcError> {
    let wanted = Wanted::new(spec)?;
    let latest = chain.head().height - 1;
    if let Some(hash) = spec.block_hash {
        if spec.from_block.is_some() || spec.to_block.is_some() {
            return Err(RpcError::application("must not specify block hash and from/to block"));
        }
        let height = block_param::by_hash(chain, hash)?.height;
        if height > latest {
            return Err(not_yet());
        }
        return wanted.find(chain, height, height);
    }
    let (from, to) = range(chain, spec)?;
    if from > latest.max(0) || to.is_some_and(|to| to > latest.max(0)) {
        return Err(not_yet());
    }
    wanted.find(chain, from, to.unwrap_or(latest).min(latest))
}

/// What the head's messages did is known to its child.
fn not_yet() -> RpcError {
    RpcError::application("events not yet available: requested tipset is in the future")
}

pub(super) fn get(chain: &mut Chain, args: &Args) -> Answer {
    let spec: Spec = args.get(0)?;
    answer(search(chain, &spec)?)
}
