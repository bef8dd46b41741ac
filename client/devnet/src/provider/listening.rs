//! Where the chain says that a miner listens.

use anyhow::Result;
use fvm_ipld_encoding::{BytesDe, RawBytes};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use super::messages::GET_MULTIADDRS;
use super::shop::Shop;
use crate::deadlines::MinerState;
use crate::duties::{self, LedgerView};

/// Whether the miner's only multiaddr is where we listen. Read from its state, so that no actor has to be compiled for it.
pub fn is_announced(shop: &Shop, miner: &Address, view: &dyn LedgerView) -> Result<bool> {
    let here = bauta_client::deal::http_multiaddr(shop.socket);
    let known = match multiaddrs(view, miner) {
        Some(known) => known,
        None => {
            let known = view.query(miner, miner, GET_MULTIADDRS, RawBytes::default())?;
            let (known,): (Vec<BytesDe>,) = known.ok()?.value.deserialize()?;
            known
        }
    };
    Ok(known.len() == 1 && known[0].0 == here)
}

fn multiaddrs(view: &dyn LedgerView, miner: &Address) -> Option<Vec<BytesDe>> {
    type Term = (TokenAmount, TokenAmount, ChainEpoch);
    type Change = (Address, TokenAmount, ChainEpoch, bool, bool);
    type Worker = (Address, ChainEpoch);
    /// A miner's `MinerInfo`: the multiaddrs are the sixth.
    type Info = (
        Address,
        Address,
        Vec<Address>,
        Option<Worker>,
        BytesDe,
        Vec<BytesDe>,
        i64,
        u64,
        u64,
        ChainEpoch,
        Option<Address>,
        Address,
        Term,
        Option<Change>,
    );
    let state: MinerState = duties::state(view, miner).ok()??;
    let info: Info = fvm_ipld_encoding::from_slice(&view.object(&state.0).ok()??).ok()?;
    Some(info.5)
}
