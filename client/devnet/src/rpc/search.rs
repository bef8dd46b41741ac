//! Looking and waiting for messages.
//!
//! A message in the tipset H runs with it, but what came of it is part of the chain only in H's child: that tipset and its
//! epoch are in the answer, and without a child there is no answer yet.

use std::time::Duration;

use bauta_client::node::json::{MsgLookup, TipsetKey};
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use serde_json::Value;
use tokio::time::Instant;

use super::args::answer;
use super::chain::{find, find_message, key_of, show_receipt};
use super::{Answer, Args, Method, RpcError, Run};
use crate::chain::Chain;
use crate::clock::Handle;
use crate::tipset;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateSearchMsg", 4, search),
    Method { name: "Filecoin.StateWaitMsg", params: 4, run: Run::Wait },
];

/// How long a request is held open.
const PATIENCE: Duration = Duration::from_secs(600);
/// On demand, no more epochs are made for one request's confidence.
const MAX_CONFIDENCE: u64 = 2880;

fn search(chain: &mut Chain, args: &Args) -> Answer {
    let cid = args.cid(1)?;
    let lookback = args.get::<Option<ChainEpoch>>(2)?.unwrap_or(0);
    args.get::<Option<bool>>(3)?;
    answer(look(chain, &args.key(0)?, &cid, lookback)?)
}

/// Where a message was executed, no later than the tipset `from` and no more than `lookback` epochs before it.
fn look(chain: &Chain, from: &TipsetKey, cid: &Cid, lookback: ChainEpoch) -> Result<Option<MsgLookup>, RpcError> {
    let from = find(chain, from)?;
    // A message that the node does not hold at all is an error.
    find_message(chain, cid)?;
    let Some(place) = chain.store().place(cid)? else { return Ok(None) };
    let Some(execution) = chain.store().tipset_after(place.epoch)? else { return Ok(None) };
    let too_old = lookback >= 0 && execution.height < from.height - lookback;
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

/// Holds the request until the message is executed and `confidence` epochs have passed. On demand they are made to pass.
pub(super) async fn wait(handle: &Handle, args: &Args) -> Answer {
    let cid = args.cid(0)?;
    let confidence = args.get::<Option<u64>>(1)?.unwrap_or(0);
    let lookback = args.get::<Option<ChainEpoch>>(2)?.unwrap_or(0);
    args.get::<Option<bool>>(3)?;
    let mut heads = handle.run(|chain| chain.heads()).await?;
    let until = Instant::now() + PATIENCE;
    // Looking back is measured from the head at the time of the request.
    let asked_at = *heads.borrow();
    loop {
        let (found, head) = handle
            .run(move |chain| {
                let since_asked = chain.epoch() - asked_at;
                let lookback = if lookback < 0 { lookback } else { lookback + since_asked };
                (look(chain, &TipsetKey::HEAD, &cid, lookback), chain.epoch())
            })
            .await?;
        if let Some(lookup) = found? {
            let deep_enough = lookup.height.saturating_add_unsigned(confidence);
            if head >= deep_enough {
                return answer(lookup);
            }
            if handle.is_on_demand() {
                let ahead = u64::try_from(deep_enough - head).unwrap_or_default();
                if ahead > MAX_CONFIDENCE {
                    return Err(RpcError::application(format!(
                        "confidence {confidence} exceeds maximum {MAX_CONFIDENCE}"
                    )));
                }
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
