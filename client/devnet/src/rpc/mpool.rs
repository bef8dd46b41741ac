//! The mempool.

use bauta_client::message::SignedMessage;
use bauta_client::node::json::{CidJson, SignedMessageJson};
use cid::Cid;

use super::args::answer;
use super::chain::find;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.MpoolGetNonce", 1, nonce),
    Method::settle("Filecoin.MpoolPush", 1, push),
    Method::settle("Filecoin.MpoolPushUntrusted", 1, push_untrusted),
    Method::settle("Filecoin.MpoolBatchPush", 1, push_batch),
    Method::settle("Filecoin.MpoolBatchPushUntrusted", 1, push_batch_untrusted),
    Method::read("Filecoin.MpoolPending", 1, pending),
    Method::read("Filecoin.MpoolSelect", 2, select),
];

fn nonce(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    answer(chain.next_nonce(&address)?.ok_or_else(|| RpcError::unresolved(address))?)
}

fn push(chain: &mut Chain, args: &Args) -> Answer {
    let signed: SignedMessageJson = args.get(0)?;
    answer(CidJson(chain.push(signed.0)?))
}

/// What gateways make of a push: without gaps, and fewer from one sender.
fn push_untrusted(chain: &mut Chain, args: &Args) -> Answer {
    let signed: SignedMessageJson = args.get(0)?;
    answer(CidJson(chain.push_untrusted(signed.0)?))
}

/// In order, up to the first that is refused: those before it stay. As on Lotus, none at all are null.
fn push_batch(chain: &mut Chain, args: &Args) -> Answer {
    all(args, |signed| chain.push(signed))
}

fn push_batch_untrusted(chain: &mut Chain, args: &Args) -> Answer {
    all(args, |signed| chain.push_untrusted(signed))
}

fn all(args: &Args, mut push: impl FnMut(SignedMessage) -> anyhow::Result<Cid>) -> Answer {
    let mut pushed = Vec::new();
    for signed in args.get::<Option<Vec<SignedMessageJson>>>(0)?.unwrap_or_default() {
        pushed.push(CidJson(push(signed.0)?));
    }
    answer((!pushed.is_empty()).then_some(pushed))
}

/// What the next tipset would take, null if it is nothing. There is one block a tipset, whatever its ticket's quality.
fn select(chain: &mut Chain, args: &Args) -> Answer {
    find(chain, &args.key(0)?)?;
    args.get::<f64>(1)?;
    let selected: Vec<_> = chain.selected()?.into_iter().map(|p| SignedMessageJson(p.signed)).collect();
    answer((!selected.is_empty()).then_some(selected))
}

fn pending(chain: &mut Chain, args: &Args) -> Answer {
    args.key(0)?;
    answer(chain.pool.all().into_iter().map(|p| SignedMessageJson(p.signed.clone())).collect::<Vec<_>>())
}
