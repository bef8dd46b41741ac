//! Which tipset a block number, a tag or a hash means.

use fvm_shared::clock::ChainEpoch;
use serde_json::Value;

use super::forms::{Hash, Quantity};
use crate::chain::Chain;
use crate::records::TipsetRecord;
use crate::rpc::{Args, RpcError};
use crate::tipset;

/// Blocks behind the head of which `safe` speaks.
pub(super) const SAFE: ChainEpoch = 200;
/// The same of `finalized`.
pub(super) const FINALIZED: ChainEpoch = 900;

/// The last tipset whose messages' results are on the chain: the head's parent.
pub(super) fn latest(chain: &Chain) -> Result<TipsetRecord, RpcError> {
    let before = match chain.head().height {
        1.. => chain.store().tipset_at_or_before(chain.head().height - 1)?,
        _ => None,
    };
    Ok(before.unwrap_or_else(|| chain.head().clone()))
}

/// The tipset that a block parameter names: a tag, a number, a hash, or an object with one of the latter.
pub(super) fn find(chain: &Chain, args: &Args, index: usize, strict: bool) -> Result<TipsetRecord, RpcError> {
    let value: Value = args.get(index)?;
    let bad = || args.refuse(index, "a block is a number, a hash or one of latest, pending, safe, finalized");
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(fields) => match (fields.get("blockNumber"), fields.get("blockHash")) {
            (Some(_), Some(_)) => return Err(args.refuse(index, "cannot specify both blockNumber and blockHash")),
            (Some(Value::String(number)), None) => number.clone(),
            (None, Some(hash)) => {
                let hash = serde_json::from_value(hash.clone()).map_err(|e| args.refuse(index, e))?;
                return by_hash(chain, hash);
            }
            _ => return Err(bad()),
        },
        _ => return Err(bad()),
    };
    if text.len() == 66
        && let Ok(hash) = serde_json::from_value(value)
    {
        return by_hash(chain, hash);
    }
    by_number(chain, &text, strict).unwrap_or_else(|| Err(bad()))
}

/// The tipset of a tag or a number; `None` if it is neither. A null round is an error if `strict`, otherwise the tipset before
/// stands for it.
pub(super) fn by_number(chain: &Chain, text: &str, strict: bool) -> Option<Result<TipsetRecord, RpcError>> {
    let head = chain.head().height;
    Some(match text {
        "earliest" => Err(RpcError::application("block param \"earliest\" is not supported")),
        "pending" => Ok(chain.head().clone()),
        "latest" => latest(chain),
        "safe" => at(chain, (head - SAFE).max(0)),
        "finalized" => at(chain, (head - FINALIZED).max(0)),
        text => {
            let number = ChainEpoch::try_from(Quantity::parse(text)?.0).unwrap_or(ChainEpoch::MAX);
            if number > (head - 1).max(0) {
                return Some(Err(RpcError::application("requested a future epoch (beyond 'latest')")));
            }
            match at(chain, number) {
                Ok(found) if strict && found.height != number => Err(RpcError::null_round(number)),
                found => found,
            }
        }
    })
}

fn at(chain: &Chain, epoch: ChainEpoch) -> Result<TipsetRecord, RpcError> {
    let found = chain.store().tipset_at_or_before(epoch)?;
    found.ok_or_else(|| RpcError::application(format!("failed to get tipset at height: {epoch}")))
}

/// The tipset of a block hash.
pub(super) fn by_hash(chain: &Chain, hash: Hash) -> Result<TipsetRecord, RpcError> {
    let missing = || RpcError::application("failed to get tipset by hash: ipld: could not find it");
    let key = hash.to_cid();
    let place = chain.store().place(&key)?.ok_or_else(missing)?;
    let found = chain.store().tipset_at_or_before(place.epoch)?;
    found.filter(|record| tipset::key_cid(&[record.block]) == key).ok_or_else(missing)
}

/// The hash of a tipset's block.
pub(super) fn hash_of(record: &TipsetRecord) -> Hash {
    Hash::of(&tipset::key_cid(&[record.block])).expect("blake2b-256 has 32 bytes")
}
