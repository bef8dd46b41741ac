//! Who the node and its network are.

use bauta_client::node::json::{NetworkParams, TokenJson, Version};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Map, Value, json};

use super::args::answer;
use super::chain::find;
use super::{Answer, Args, Method, RpcError, actors, market, miner};
use crate::chain::Chain;
use crate::genesis::{BURNT, MINING_FIL};
use crate::vm::EPOCH_SECONDS;

/// The upgrades that this network has had before its genesis: all. (By Lotus's names.)
const UPGRADES: [&str; 30] = [
    "Assembly",
    "Breeze",
    "Calico",
    "Chocolate",
    "Claus",
    "Dragon",
    "Hygge",
    "Hyperdrive",
    "Ignition",
    "Kumquat",
    "Liftoff",
    "Lightning",
    "Norwegian",
    "OhSnap",
    "Orange",
    "Persian",
    "Phoenix",
    "Refuel",
    "Shark",
    "Skyr",
    "Smoke",
    "Tape",
    "Teep",
    "Thunder",
    "Tock",
    "Trust",
    "Tuktuk",
    "Turbo",
    "Waffle",
    "Watermelon",
];
/// When an upgrade happened that happened before genesis.
const BEFORE_GENESIS: i64 = -1;

/// The actor that pays rewards.
const REWARD: u64 = 2;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.Version", 0, version),
    Method::read("Filecoin.StateNetworkName", 0, name),
    Method::read("Filecoin.StateNetworkVersion", 1, network_version),
    Method::read("Filecoin.StateGetNetworkParams", 0, params),
    Method::read("Filecoin.StateCirculatingSupply", 1, circulating),
    Method::read("Filecoin.StateVMCirculatingSupplyInternal", 1, supply),
    Method::read("Filecoin.NetPeers", 0, peers),
];

/// 2.3.0, the API that the methods are those of.
const API_VERSION: u32 = 131_840;

fn version(_: &mut Chain, _: &Args) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    answer(Version {
        version: format!("bauta-devnet-{version}"),
        api_version: API_VERSION,
        block_delay: EPOCH_SECONDS,
        agent: "bauta-devnet".into(),
    })
}

fn name(chain: &mut Chain, _: &Args) -> Answer {
    answer(&chain.network().name)
}

fn network_version(chain: &mut Chain, _: &Args) -> Answer {
    answer(chain.network().version)
}

fn params(chain: &mut Chain, _: &Args) -> Answer {
    let network = chain.network();
    answer(NetworkParams {
        network_name: network.name.clone(),
        block_delay_secs: EPOCH_SECONDS,
        consensus_miner_min_power: TokenAmount::from_atto(2048),
        pre_commit_challenge_delay: 10,
        fork_upgrade_params: upgrades(),
        eip155_chain_id: network.chain_id,
        genesis_timestamp: Some(network.genesis_time),
    })
}

fn upgrades() -> Map<String, Value> {
    let mut all: Map<String, Value> =
        UPGRADES.iter().map(|name| (format!("Upgrade{name}Height"), json!(BEFORE_GENESIS))).collect();
    all.insert("BreezeGasTampingDuration".into(), json!(0));
    all
}

/// What actors are told, too: it never changes here.
fn circulating(chain: &mut Chain, args: &Args) -> Answer {
    find(chain, &args.key(0)?)?;
    answer(TokenJson(chain.network().circulating.clone()))
}

/// As on Lotus, what circulates is vested + mined + disbursed - burnt - locked. It is given here, so vested is what makes the
/// sum right.
fn supply(chain: &mut Chain, args: &Args) -> Answer {
    let state = actors::state_at(chain, &args.key(0)?)?;
    let balance = |id| -> Result<TokenAmount, RpcError> {
        Ok(state.actor(&Address::new_id(id))?.map(|actor| actor.balance).unwrap_or_default())
    };
    // No block is rewarded here, and tips stay with the reward actor: it has never less than in the beginning.
    let mined = (TokenAmount::from_whole(MINING_FIL) - balance(REWARD)?).max(TokenAmount::default());
    let burnt = balance(BURNT)?;
    let locked = miner::pledge(chain, &args.key(0)?)? + market::locked(chain, args, 0)?;
    let circulating = chain.network().circulating.clone();
    let vested = &circulating + &burnt + &locked - &mined;
    answer(json!({
        "FilVested": TokenJson(vested),
        "FilMined": TokenJson(mined),
        "FilBurnt": TokenJson(burnt),
        "FilLocked": TokenJson(locked),
        "FilCirculating": TokenJson(circulating),
        "FilReserveDisbursed": TokenJson(TokenAmount::default()),
    }))
}

/// This network has one node.
fn peers(_: &mut Chain, _: &Args) -> Answer {
    answer(Value::Array(vec![]))
}
