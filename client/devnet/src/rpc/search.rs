//! Looking and waiting for messages.
//!
//! A message in the tipset H runs with it, but what came of it is part of the chain only in H's child: that tipset and its
//! epoch are in the answer, and without a child there is no answer yet.

use std::time::Duration;

use bauta_client::message::Message;
use bauta_client::node::json::{BytesJson, MsgLookup, TipsetKey};
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::args::answer;
use super::chain::{find, find_message, key_of, show_receipt};
use super::{Answer, Args, Method, RpcError, Run};
use crate::chain::Chain;
use crate::clock::Handle;
use crate::records::{Place, TipsetRecord};
use crate::tipset;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateSearchMsg", 4, search),
    Method { name: "Filecoin.StateWaitMsg", alias: None, least: 4, params: 4, run: Run::Wait },
];

/// How long a request is held open.
const PATIENCE: Duration = Duration::from_secs(600);
/// Waits for more epochs are refused: after so many nothing is undone on a public network.
const MAX_CONFIDENCE: u64 = 900;

/// How a message is looked for.
#[derive(Clone, Copy)]
struct Search {
    cid: Cid,
    /// How many epochs back; below 0 without bound.
    lookback: ChainEpoch,
    /// Whether a message that took its place will do.
    allow_replaced: bool,
}

/// Why a message is not found where it should be.
enum Miss {
    /// Another message has its nonce.
    Replaced(RpcError),
    Failed(RpcError),
}

impl<E: Into<RpcError>> From<E> for Miss {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn search(chain: &mut Chain, args: &Args) -> Answer {
    let search = Search {
        cid: args.cid(1)?,
        lookback: args.get::<Option<ChainEpoch>>(2)?.unwrap_or(0),
        allow_replaced: args.get::<Option<bool>>(3)?.unwrap_or(false),
    };
    match look(chain, &args.key(0)?, search) {
        Ok(found) => answer(found),
        Err(Miss::Replaced(_)) if !search.allow_replaced => answer(Value::Null),
        Err(Miss::Replaced(error) | Miss::Failed(error)) => Err(error),
    }
}

/// Where a message was executed, no later than the tipset `from` and no more than `lookback` epochs before it.
fn look(chain: &Chain, from: &TipsetKey, search: Search) -> Result<Option<MsgLookup>, Miss> {
    let from = find(chain, from)?;
    // A message that the node does not hold at all is an error.
    let message = find_message(chain, &search.cid)?;
    let place = match chain.store().place(&search.cid)? {
        Some(place) => place,
        None => match instead(chain, &message, &from, search.lookback)? {
            Some((place, other)) => {
                check_replacement(search, &message, &other)?;
                place
            }
            None => return Ok(None),
        },
    };
    let Some(execution) = chain.store().tipset_after(place.epoch)? else { return Ok(None) };
    let too_old = search.lookback >= 0 && execution.height < from.height.saturating_sub(search.lookback);
    if execution.height > from.height || too_old {
        return Ok(None);
    }
    let missing = || RpcError::application("a receipt is missing");
    let holder = chain.store().tipset_at_or_before(place.epoch)?.ok_or_else(missing)?;
    let receipt = tipset::read_receipt(chain.store(), &holder.receipts, place.index)?.ok_or_else(missing)?;
    let message = *holder.messages.get(place.index as usize).ok_or_else(missing)?;
    Ok(Some(MsgLookup {
        message,
        receipt: show_receipt(&receipt),
        return_dec: Value::Null,
        tip_set: key_of(&execution),
        height: execution.height,
    }))
}

/// A message on the chain, and its CID there.
type Found = (Cid, Message);

/// The message on the chain that has the sender and the nonce of one that is not, and where it is.
fn instead(
    chain: &Chain,
    message: &Message,
    from: &TipsetRecord,
    lookback: ChainEpoch,
) -> Result<Option<(Place, Found)>, RpcError> {
    let nonce = chain.actor(&message.from)?.map_or(0, |actor| actor.sequence);
    if nonce <= message.sequence {
        return Ok(None);
    }
    let bottom = if lookback < 0 { 0 } else { from.height.saturating_sub(lookback).saturating_sub(1).max(0) };
    let mut at = Some(from.clone());
    while let Some(record) = at.filter(|record| record.height >= bottom) {
        for (index, cid) in record.messages.iter().enumerate().rev() {
            let (other, _) = chain.stored_message(cid)?;
            if other.from != message.from {
                continue;
            }
            if other.sequence == message.sequence {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                return Ok(Some((Place { epoch: record.height, index }, (*cid, other))));
            }
            if other.sequence < message.sequence {
                return Ok(None);
            }
        }
        at = match record.height {
            0 => None,
            height => chain.store().tipset_at_or_before(height - 1)?,
        };
    }
    Ok(None)
}

/// A message may stand for another if they differ in nothing but gas, and the asker says so.
fn check_replacement(search: Search, wanted: &Message, (cid, found): &Found) -> Result<(), Miss> {
    let asks = |m: &Message| (m.to, m.value.clone(), m.method_num, m.params.clone());
    let same = asks(wanted) == asks(found);
    if same && search.allow_replaced {
        return Ok(());
    }
    let (at, how) = (found.sequence, if same { "" } else { " that is NOT a valid replacement message" });
    Err(Miss::Replaced(RpcError::application(format!(
        "message was replaced: found message with equal nonce as the one we are looking for{how} (F:{} n {}, TS: {cid} n{at})",
        search.cid, wanted.sequence
    ))))
}

/// Holds the request until the message is executed and `confidence` epochs have passed. On demand they are made to pass.
pub(super) async fn wait(handle: &Handle, args: &Args) -> Answer {
    let cid = args.cid(0)?;
    let confidence = args.get::<Option<u64>>(1)?.unwrap_or(0);
    let lookback = args.get::<Option<ChainEpoch>>(2)?.unwrap_or(0);
    let allow_replaced = args.get::<Option<bool>>(3)?.unwrap_or(false);
    if confidence > MAX_CONFIDENCE {
        return Err(RpcError::application(format!(
            "message confidence exceeds maximum: {confidence} > {MAX_CONFIDENCE}"
        )));
    }
    let mut heads = handle.run(|chain| chain.heads()).await?;
    let until = Instant::now() + PATIENCE;
    // Looking back is measured from the head at the time of the request.
    let asked_at = *heads.borrow();
    loop {
        let (found, head) = handle
            .run(move |chain| {
                let since_asked = chain.epoch() - asked_at;
                let lookback = if lookback < 0 { lookback } else { lookback.saturating_add(since_asked) };
                (look(chain, &TipsetKey::HEAD, Search { cid, lookback, allow_replaced }), chain.epoch())
            })
            .await?;
        let found = found.map_err(|(Miss::Replaced(error) | Miss::Failed(error))| error)?;
        if let Some(lookup) = found {
            let deep_enough = lookup.height.saturating_add_unsigned(confidence);
            if head >= deep_enough {
                return answer(decoded(lookup));
            }
            if handle.is_on_demand() {
                let ahead = u64::try_from(deep_enough - head).unwrap_or_default();
                let (mined, settled) = handle.run_and_settle(move |chain| chain.mine(ahead)).await?;
                mined.and(settled)?;
                continue;
            }
        }
        match tokio::time::timeout_at(until, heads.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(RpcError::application("the devnet has stopped")),
            Err(_) => return Err(RpcError::application(format!("message {cid} was not executed within {PATIENCE:?}"))),
        }
    }
}

/// What `StateWaitMsg` puts into `ReturnDec` for methods that nobody's registry knows: the bytes themselves.
fn decoded(mut lookup: MsgLookup) -> MsgLookup {
    if lookup.receipt.exit_code == 0 && !lookup.receipt.return_data.is_empty() {
        lookup.return_dec = json!(BytesJson(lookup.receipt.return_data.clone()));
    }
    lookup
}
