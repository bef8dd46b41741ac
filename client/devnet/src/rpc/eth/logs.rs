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
use crate::rpc::bounds::{EPOCHS, EVENTS, too_many_events};
use crate::rpc::events::is_indexed;

/// The multicodec of raw bytes.
const RAW: u64 = 0x55;
/// Topics of one log.
const MAX_TOPICS: usize = 4;

/// A log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// Who emitted it.
    pub address: EthAddress,
    /// Topics, the event's signature first.
    pub topics: Vec<Hash>,
    /// Whether a filter sees them.
    indexed: [bool; MAX_TOPICS],
    data: Vec<u8>,
    block: (Hash, u64),
    /// Number of its transaction in the block.
    pub transaction: usize,
    hash: Hash,
    index: usize,
}

impl Log {
    fn number(&self) -> u64 {
        self.block.1
    }
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

/// Topics, whether each is indexed, and data of an event, if it is a log.
fn parts(entries: &[Entry]) -> Option<(Vec<Hash>, [bool; MAX_TOPICS], Vec<u8>)> {
    let mut topics = [None; MAX_TOPICS];
    let mut indexed = [false; MAX_TOPICS];
    let mut data = None;
    for entry in entries {
        if entry.codec != RAW {
            return None;
        }
        match entry.key.as_bytes() {
            [b't', number @ b'1'..=b'4'] => {
                let topic = Hash(entry.value.as_slice().try_into().ok()?);
                let place = usize::from(number - b'1');
                if topics[place].replace(topic).is_some() {
                    return None;
                }
                indexed[place] = is_indexed(entry.flags.bits());
            }
            b"d" if data.is_some() => return None,
            b"d" => data = Some(entry.value.clone()),
            _ => {}
        }
    }
    let count = topics.iter().take_while(|topic| topic.is_some()).count();
    let all = topics.iter().flatten().count();
    (count == all).then(|| (topics.into_iter().flatten().collect(), indexed, data.unwrap_or_default()))
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
            let Some((topics, indexed, data)) = parts(&event.event.event.entries) else { continue };
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
            found.push(Log { address, topics, indexed, data, block, transaction, hash, index });
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
                wanted.is_empty()
                    || log.topics.get(index).is_some_and(|topic| log.indexed[index] && wanted.contains(topic))
            })
    }

    /// The logs in the tipsets of `from` to `to` that match, and the last epoch that was looked at: after more than [`EVENTS`] logs
    /// it goes no further.
    pub fn find(
        &self,
        chain: &Chain,
        mut from: ChainEpoch,
        to: ChainEpoch,
    ) -> Result<(Vec<Log>, ChainEpoch), RpcError> {
        let mut found = vec![];
        while from <= to {
            let step = to.min(from + EPOCHS);
            for (height, _) in chain.store().events(from, step)? {
                if let Some(record) = chain.store().tipset_at_or_before(height)? {
                    found.extend(of_tipset(chain, &record)?.into_iter().filter(|log| self.matches(log)));
                }
                if found.len() > EVENTS {
                    return Ok((found, height));
                }
            }
            from = step + 1;
        }
        Ok((found, to))
    }
}

/// The epochs that a filter speaks of; without an end, `None`.
///
/// Source: lotus `node/impl/eth/events.go`, `parseBlockRange`: there are no other tags here.
pub(super) fn range(chain: &Chain, spec: &Spec) -> Result<(ChainEpoch, Option<ChainEpoch>), RpcError> {
    if let Some(hash) = spec.block_hash {
        if spec.from_block.is_some() || spec.to_block.is_some() {
            return Err(RpcError::application("must not specify block hash and from/to block"));
        }
        let height = block_param::by_hash(chain, hash)?.height;
        return Ok((height, Some(height)));
    }
    let latest = (chain.head().height - 1).max(0);
    let bound = |text: &Option<String>, name| match text.as_deref() {
        None | Some("latest" | "") => Ok(None),
        Some("earliest") => Ok(Some(0)),
        Some(text) if text.starts_with("0x") => forms::Quantity::parse(text)
            .and_then(|number| ChainEpoch::try_from(number.0).ok())
            .map(Some)
            .ok_or_else(|| RpcError::application("invalid epoch")),
        Some(_) => Err(RpcError::application(format!("{name} is not a hex"))),
    };
    let (from, to) = (bound(&spec.from_block, "FromBlock")?.unwrap_or(latest), bound(&spec.to_block, "ToBlock")?);
    if to.is_some_and(|to| from > to) {
        let to = to.unwrap_or_default();
        return Err(RpcError::application(format!(
            "invalid epoch range: to block ({to}) must be after from block ({from})"
        )));
    }
    let length = to.unwrap_or(latest) - from;
    if length > EPOCHS {
        return Err(RpcError::limit(format!("block range exceeds maximum of {EPOCHS} (got {length})")));
    }
    Ok((from, to))
}

/// What a search was doing when it failed. A range that is too long is told without it.
const FAILED: &str = "failed to get events for filter";

/// The logs that a filter finds now.
pub(super) fn search(chain: &Chain, spec: &Spec) -> Result<Vec<Log>, RpcError> {
    let read = || Ok((Wanted::new(spec)?, range(chain, spec)?));
    let (wanted, (from, to)) = read().map_err(|error: RpcError| match error.is_limit() {
        true => error,
        false => error.within("failed to parse eth filter spec").within(FAILED),
    })?;
    let latest = chain.head().height - 1;
    // What the head's messages did is known to its child.
    if from > latest.max(0) || to.is_some_and(|to| to > latest.max(0)) {
        let not_yet = RpcError::application("events for the requested block are not yet available");
        return Err(not_yet.within(FAILED));
    }
    let (found, _) = wanted.find(chain, from, to.unwrap_or(latest).min(latest))?;
    if found.len() > EVENTS && found.first().map(Log::number) != found.last().map(Log::number) {
        return Err(too_many_events().within(&format!("{FAILED} from chain indexer")).within(FAILED));
    }
    Ok(found)
}

pub(super) fn get(chain: &mut Chain, args: &Args) -> Answer {
    let spec: Spec = args.get(0)?;
    answer(search(chain, &spec)?)
}
