//! The money that providers begin with.

use std::net::SocketAddr;

use anyhow::Result;
use bauta_client::deal::http_multiaddr;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;

use super::messages;
use super::shop::{self, Shop};
use crate::duties::LedgerView;
use crate::genesis::Founder;

/// FIL that a provider's owner begins with.
const OWNER_FIL: i64 = 1_000_000;
/// FIL that its worker begins with: for gas and collateral.
const WORKER_FIL: i64 = 100_000;
/// FIL that its miner actor gets: 32 GiB take 0.75 FIL of pledge.
pub const MINER_FIL: i64 = 500_000;

/// The providers of a new network, by where they listen.
pub fn founders(doors: impl Iterator<Item = SocketAddr>) -> Vec<Founder> {
    let founder = |(index, door): (usize, SocketAddr)| {
        let index = index as u64;
        let [owner, worker] = begins_with(index);
        let (miner, peer) = (TokenAmount::from_whole(MINER_FIL), messages::peer(index));
        Founder { owner, worker, miner, peer, multiaddr: http_multiaddr(door) }
    };
    doors.enumerate().map(founder).collect()
}

fn begins_with(index: u64) -> [(Address, TokenAmount); 2] {
    let (owner, worker) = shop::keys(index);
    [(owner.address(), TokenAmount::from_whole(OWNER_FIL)), (worker.address(), TokenAmount::from_whole(WORKER_FIL))]
}

/// What those have to be given who are to make a miner actor and cannot: on a chain that began with fewer providers, or
/// in a file, from which the owner's earlier miner has gone on with the money.
pub fn lacking<'a>(
    founding: impl Iterator<Item = &'a Shop>,
    view: &dyn LedgerView,
) -> Result<Vec<(Address, TokenAmount)>> {
    let mut all = Vec::new();
    for (address, amount) in founding.flat_map(|shop| begins_with(shop.index)) {
        let has = view.actor(&address)?.map(|actor| actor.balance).unwrap_or_default();
        // Gas is a part of the rest.
        if has.atto() * 10 < amount.atto() * 9 {
            all.push((address, amount - has));
        }
    }
    Ok(all)
}
