//! The mempool.

use bauta_client::node::json::{CidJson, SignedMessageJson};

use super::args::answer;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.MpoolGetNonce", 1, nonce),
    Method::settle("Filecoin.MpoolPush", 1, push),
    Method::settle("Filecoin.MpoolPushUntrusted", 1, push),
    Method::read("Filecoin.MpoolPending", 1, pending),
];

fn nonce(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    answer(chain.next_nonce(&address)?.ok_or_else(|| RpcError::unresolved(address))?)
}

fn push(chain: &mut Chain, args: &Args) -> Answer {
    let signed: SignedMessageJson = args.get(0)?;
    answer(CidJson(chain.push(signed.0)?))
}

fn pending(chain: &mut Chain, args: &Args) -> Answer {
    args.key(0)?;
    answer(chain.pool.all().into_iter().map(|p| SignedMessageJson(p.signed.clone())).collect::<Vec<_>>())
}
