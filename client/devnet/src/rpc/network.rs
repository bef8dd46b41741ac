//! Who the node and its network are.

use bauta_client::node::json::{NetworkParams, Version};
use fvm_shared::econ::TokenAmount;

use super::args::answer;
use super::{Answer, Args, Method};
use crate::chain::Chain;
use crate::vm::EPOCH_SECONDS;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.Version", 0, version),
    Method::read("Filecoin.StateNetworkName", 0, name),
    Method::read("Filecoin.StateNetworkVersion", 1, network_version),
    Method::read("Filecoin.StateGetNetworkParams", 0, params),
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
        fork_upgrade_params: serde_json::Map::new(),
        eip155_chain_id: network.chain_id,
        genesis_timestamp: Some(network.genesis_time),
    })
}
