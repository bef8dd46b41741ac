//! What only a devnet can: time, money, actors, and a look at everything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bauta_client::node::json::TokenJson;
use bauta_client::node::{DevnetInfo, ExportedChain, InstalledActor};
use serde_json::Value;

use super::args::answer;
use super::bounds::{SEARCHED, not_gone_through};
use super::{Answer, Args, Method, RpcError, actors};
use crate::chain::Chain;
use crate::genesis::account_key;

pub(super) const METHODS: &[Method] = &[
    Method::read("Devnet.Info", 0, info),
    Method::settle("Devnet.Mine", 1, mine),
    Method::read("Devnet.Snapshot", 0, snapshot),
    Method::read("Devnet.Revert", 1, revert),
    Method::read("Devnet.Export", 0, export),
    Method::read("Devnet.ExportPart", 2, export_part),
    Method::settle("Devnet.InstallActor", 1, install_actor),
    Method::settle("Devnet.Fund", 2, fund),
    Method::read("Devnet.CheckInvariants", 0, check_invariants),
];

/// Ten years of epochs.
const MAX_MINE: u64 = 10_512_000;

fn info(chain: &mut Chain, args: &Args) -> Answer {
    answer(describe(chain, args.url.clone())?)
}

/// What `Devnet.Info` answers.
pub(crate) fn describe(chain: &Chain, url: Option<String>) -> Result<DevnetInfo, RpcError> {
    let network = chain.network();
    let state = chain.state()?;
    let mut accounts = Vec::new();
    for index in 0..network.accounts {
        let key = account_key(index);
        accounts.push(bauta_client::node::DevnetAccount {
            address: key.address(),
            balance: state.actor(&key.address())?.map(|a| a.balance).unwrap_or_default(),
            key: key.export().to_string(),
        });
    }
    let providers = chain.duties.as_ref().map_or_else(|| Value::Array(vec![]), |duties| duties.info());
    Ok(DevnetInfo {
        network_name: network.name.clone(),
        chain_id: network.chain_id,
        rpc_url: url,
        state: chain.store().folder().map(Into::into),
        epoch: chain.epoch(),
        actor: network.installed.last().map(|(id, _)| fvm_shared::address::Address::new_id(*id)),
        providers: serde_json::from_value(providers)
            .map_err(|e| RpcError::application(format!("the providers' description: {e}")))?,
        accounts,
    })
}

fn mine(chain: &mut Chain, args: &Args) -> Answer {
    let epochs: u64 = args.get(0)?;
    if epochs > MAX_MINE {
        return Err(RpcError::application(format!("at most {MAX_MINE} epochs at once")));
    }
    chain.mine(epochs)?;
    answer(chain.epoch())
}

fn snapshot(chain: &mut Chain, _: &Args) -> Answer {
    answer(chain.snapshot()?)
}

/// Nothing settles afterwards: the head is the snapshot's until somebody lets time pass.
fn revert(chain: &mut Chain, args: &Args) -> Answer {
    answer(chain.revert(args.get::<Option<u64>>(0)?)?)
}

/// Writes the chain as it is now into a file of the devnet's, which goes with the next one that is asked for.
fn export(chain: &mut Chain, _: &Args) -> Answer {
    let exported = chain.export()?;
    answer(ExportedChain {
        number: exported.number,
        size: exported.size,
        epoch: exported.archived.epoch,
        head: exported.archived.head,
        state: exported.archived.state,
        tipsets: exported.archived.tipsets,
        blocks: exported.archived.blocks,
    })
}

/// Some megabytes of that file, in base64.
fn export_part(chain: &mut Chain, args: &Args) -> Answer {
    answer(STANDARD.encode(chain.export_part(args.get(0)?, args.get(1)?)?))
}

fn install_actor(chain: &mut Chain, args: &Args) -> Answer {
    let wasm = args.get::<String>(0)?;
    let wasm = STANDARD.decode(wasm).map_err(|e| RpcError::application(format!("the Wasm is not base64: {e}")))?;
    let installed = chain.install(&wasm)?;
    answer(InstalledActor { address: installed.address, code_cid: installed.code })
}

fn fund(chain: &mut Chain, args: &Args) -> Answer {
    let (to, amount) = (args.address(0)?, args.get::<TokenJson>(1)?.0);
    if !amount.is_positive() {
        return Err(RpcError::application("the amount must be positive"));
    }
    chain.fund(&to, &amount)?;
    answer(Value::Null)
}

/// Goes through all actors.
fn check_invariants(chain: &mut Chain, _: &Args) -> Answer {
    if actors::next_id(&chain.state()?)? > SEARCHED {
        return Err(not_gone_through("actors"));
    }
    answer(chain.violations()?)
}

impl Chain {
    /// A method that only those with duties know.
    pub(super) fn command(&mut self, name: &str, values: &[Value]) -> Answer {
        match self.ask_command(name, values) {
            Some(answered) => Ok(answered?),
            None => Err(RpcError::unknown_method(name)),
        }
    }
}
