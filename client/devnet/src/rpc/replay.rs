//! Messages of the past: run again, or listed.

use std::time::Instant;

use bauta_client::node::json::{AddressJson, CidJson, MessageJson};
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use serde::Deserialize;

use super::args::answer;
use super::chain::{find, find_message, load};
use super::{Answer, Args, Method, RpcError, actors};
use crate::chain::Chain;

pub(super) const METHODS: &[Method] =
    &[Method::read("Filecoin.StateReplay", 2, replay), Method::read("Filecoin.StateListMessages", 3, list)];

/// Without a tipset the message is searched; the tipset is the one that includes it.
fn replay(chain: &mut Chain, args: &Args) -> Answer {
    let (key, cid) = (args.key(0)?, args.cid(1)?);
    let start = Instant::now();
    find_message(chain, &cid).map_err(|e| RpcError::application(format!("searching for msg {cid}: {}", e.message)))?;
    let place = chain.store().place(&cid)?;
    let place = place.ok_or_else(|| RpcError::application(format!("didn't find msg {cid}")))?;
    let included = find(chain, &key)?;
    if !key.0.is_empty() && included.height != place.epoch {
        return Err(RpcError::application("given message not found in tipset"));
    }
    let (message, outcome) = chain.replay(place)?;
    let mut result = actors::result(message, true, outcome, start);
    result.msg_cid = cid;
    answer(result)
}

/// Whose messages are wanted.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Match {
    to: Option<AddressJson>,
    from: Option<AddressJson>,
}

/// Tipsets that one call looks at.
const MAX_TIPSETS: usize = 20_000;

/// From a tipset back to an epoch, those from or to an address exactly as messages have it.
fn list(chain: &mut Chain, args: &Args) -> Answer {
    let (wanted, key, to_height): (Match, _, ChainEpoch) = (args.get(0)?, args.key(1)?, args.get(2)?);
    let Some(party) = wanted.to.or(wanted.from) else {
        return Err(RpcError::application("must specify at least To or From in message filter"));
    };
    let mut at = Some(find(chain, &key)?);
    if actors::state_at(chain, &key)?.resolve(&party.0)?.is_none() {
        return answer(None::<Vec<CidJson>>);
    }
    let mut found: Vec<CidJson> = Vec::new();
    let mut seen = 0;
    while let Some(record) = at.filter(|record| record.height >= to_height) {
        seen += 1;
        if seen > MAX_TIPSETS {
            return Err(RpcError::application(format!("one call looks at {MAX_TIPSETS} tipsets: name a later epoch")));
        }
        for cid in &record.messages {
            let MessageJson { message, .. } = MessageJson::from(load(chain, cid)?.into_message());
            let is = |wanted: Option<AddressJson>, address| wanted.is_none_or(|wanted| wanted.0 == address);
            if is(wanted.to, message.to) && is(wanted.from, message.from) {
                found.push(CidJson(Cid::clone(cid)));
            }
        }
        at = match record.height {
            0 => None,
            height => chain.store().tipset_at_or_before(height - 1)?,
        };
    }
    answer((!found.is_empty()).then_some(found))
}
