//! The verified registry: nobody has datacap here, and nobody can get any.
//!
//! The root key that could name verifiers is that of an actor which does not exist (`genesis.rs`), so there are no verifiers,
//! clients, allocations or claims, on any bundle. What is asked about them is answered so, after checking what was asked.

use bauta_client::node::json::AddressJson;
use fvm_shared::address::Address;
use serde_json::{Value, json};

use super::args::answer;
use super::chain::find;
use super::{Answer, Args, Method, RpcError, actors};
use crate::chain::Chain;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateVerifiedRegistryRootKey", 1, root_key),
    Method::read("Filecoin.StateVerifierStatus", 2, status),
    Method::read("Filecoin.StateVerifiedClientStatus", 2, status),
    Method::read("Filecoin.StateGetAllAllocations", 1, all),
    Method::read("Filecoin.StateGetAllClaims", 1, all),
    Method::read("Filecoin.StateGetAllocations", 2, of_one),
    Method::read("Filecoin.StateGetClaims", 2, of_one),
    Method::read("Filecoin.StateGetAllocation", 3, one),
    Method::read("Filecoin.StateGetClaim", 3, one),
    Method::read("Filecoin.StateGetAllocationForPendingDeal", 2, of_deal),
    Method::read("Filecoin.StateGetAllocationIdForPendingDeal", 2, id_of_deal),
];

const REGISTRY: Address = Address::new_id(6);

/// The first field of the registry's state, on every bundle.
fn root_key(chain: &mut Chain, args: &Args) -> Answer {
    let state = actors::state_at(chain, &args.key(0)?)?;
    let super::fields::First(root) = state.object::<super::fields::First<Address>>(&REGISTRY)?;
    answer(AddressJson(root))
}

/// The address of the first param has to be on the chain.
fn somebody(chain: &Chain, args: &Args, key: usize) -> Result<(), RpcError> {
    let id = actors::state_at(chain, &args.key(key)?)?.resolve(&args.address(0)?)?;
    id.map(drop).ok_or_else(RpcError::actor_not_found)
}

fn status(chain: &mut Chain, args: &Args) -> Answer {
    somebody(chain, args, 1)?;
    answer(Value::Null)
}

fn all(chain: &mut Chain, args: &Args) -> Answer {
    find(chain, &args.key(0)?)?;
    answer(json!({}))
}

fn of_one(chain: &mut Chain, args: &Args) -> Answer {
    somebody(chain, args, 1)?;
    answer(json!({}))
}

fn one(chain: &mut Chain, args: &Args) -> Answer {
    args.get::<u64>(1)?;
    somebody(chain, args, 2)?;
    answer(Value::Null)
}

fn of_deal(chain: &mut Chain, args: &Args) -> Answer {
    args.get::<u64>(0)?;
    find(chain, &args.key(1)?)?;
    answer(Value::Null)
}

/// 0 is no allocation's.
fn id_of_deal(chain: &mut Chain, args: &Args) -> Answer {
    args.get::<u64>(0)?;
    find(chain, &args.key(1)?)?;
    answer(0)
}
