//! `bauta devnet` and `bauta mine`: the local Filecoin, run or steered.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bauta_client::address::Address;
use bauta_client::network::Network;
use bauta_client::node::{DevnetInfo, ProviderSettings};
use bauta_client::wallet::Key;
use bauta_devnet::Config;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;
use serde_json::{Value, json};

use crate::archive;
use crate::args::{Devnet, DevnetCommand, DevnetProvider, DevnetRun, Mine, Order, Serving, Switch, Taking, Telling};
use crate::chain::Fil;
use crate::context::Context;
use crate::exit::Exit;
use crate::local::Local;
use crate::output::{self, Output, Rows, clean};
use crate::progress::interrupt;
use crate::signals::Ends;
use crate::span;

/// Runs a devnet, or steers one.
pub async fn run(context: &mut Context, args: Devnet) -> anyhow::Result<Output> {
    match args.command {
        None if args.run.export.is_some() => archive::export(context, args.run).await,
        None => serve(context, args.run).await,
        Some(DevnetCommand::Provider(args)) => provider(context, args).await,
        Some(DevnetCommand::Check) => check(context).await,
        Some(DevnetCommand::Snapshot) => snapshot(context).await,
        Some(DevnetCommand::Revert { snapshot }) => revert(context, snapshot).await,
    }
}

#[derive(Serialize)]
struct Account {
    address: String,
    balance: Fil,
    private_key: String,
}

#[derive(Serialize)]
struct Provider {
    miner: String,
    url: Option<String>,
}

#[derive(Serialize)]
struct Banner {
    rpc_url: Option<String>,
    network: String,
    chain_id: u64,
    epoch: ChainEpoch,
    actor: Option<String>,
    providers: Vec<Provider>,
    accounts: Vec<Account>,
}

impl Banner {
    fn of(info: &DevnetInfo) -> anyhow::Result<Self> {
        let show = |address: &Address| Network::Local.show(address);
        let account = |account: &bauta_client::node::DevnetAccount| {
            let key = Key::import(&account.key)?;
            let private_key = hex::encode(key.expose_secret());
            anyhow::Ok(Account { address: show(&account.address), balance: Fil(account.balance.clone()), private_key })
        };
        Ok(Self {
            rpc_url: info.rpc_url.clone(),
            network: info.network_name.clone(),
            chain_id: info.chain_id,
            epoch: info.epoch,
            actor: info.actor.as_ref().map(show),
            providers: info.providers.iter().map(|p| Provider { miner: show(&p.miner), url: p.url.clone() }).collect(),
            accounts: info.accounts.iter().map(account).collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |p: &Provider| format!("{}  {}", p.miner, p.url.as_deref().unwrap_or("in process only"));
        Rows::default()
            .row("RPC", self.rpc_url.as_deref().unwrap_or("in process only"))
            .row("network", &self.network)
            .row("chain id", self.chain_id)
            .row("epoch", self.epoch)
            .row("actor", self.actor.as_deref().unwrap_or("none; `bauta deploy` installs it"))
            .each("providers", self.providers.iter().map(url))
            .fmt(f)?;
        writeln!(f, "\nFunded accounts. Everybody knows these keys: never use them elsewhere.")?;
        for account in &self.accounts {
            writeln!(f, "  {}  {}\n    secp256k1 key  {}", account.address, account.balance, account.private_key)?;
        }
        Ok(())
    }
}

/// Where the chain is.
pub fn folder(context: &Context, args: &DevnetRun) -> anyhow::Result<PathBuf> {
    Ok(args.state.clone().map(std::path::absolute).transpose()?.unwrap_or_else(|| context.home().devnet()))
}

async fn serve(context: &mut Context, args: DevnetRun) -> anyhow::Result<Output> {
    let state = folder(context, &args)?;
    let token = std::env::var("BAUTA_DEVNET_TOKEN").ok().filter(|token| !token.is_empty());
    let mut config = Config { listen: Some(args.listen), token, block_time: args.block_time, ..Config::default() };
    if args.without_actor {
        config.actor = None;
    }
    if let Some(accounts) = args.accounts {
        config.genesis.accounts = accounts.into();
    }
    if let Some(bundle) = &args.bundle {
        config.genesis.bundle = bauta_devnet::bundle::Bundle::Car(bundle.clone());
    }
    let mut ends = Ends::all()?;
    if let Some(file) = &args.import {
        let imported = tokio::select! {
            imported = archive::import(&state, file, &config.genesis) => imported?,
            () = ends.next() => return Err(interrupt()),
        };
        context.notes().say(format_args!("imported the chain of {} up to epoch {}", imported.network, imported.epoch));
    }
    let local = Local::spawn(&state, config, args.providers.map(u64::from), Duration::ZERO).await?;
    let banner = match local.node().devnet_info().await.map_err(Into::into).and_then(|info| Banner::of(&info)) {
        Ok(banner) => banner,
        Err(error) => {
            local.close().await?;
            return Err(error);
        }
    };
    output::announce(Output::new(&banner), context.json());
    ends.next().await;
    context.notes().say("closing the chain");
    local.close().await?;
    Ok(Output::streamed())
}

#[derive(Serialize)]
struct Steered {
    miner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

impl fmt::Display for Steered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.result.as_ref().filter(|value| !value.is_null()).map(|value| clean(&value.to_string()));
        Rows::default().row("provider", &self.miner).maybe("result", result).fmt(f)
    }
}

async fn provider(context: &mut Context, args: DevnetProvider) -> anyhow::Result<Output> {
    let node = context.running_devnet().await?;
    let miner = args.miner.0;
    let shown = Network::Local.show(&miner);
    let result = match args.order {
        None => None,
        Some(Order::Take { bounty }) => {
            let actor = context.actor().await?.address();
            Some(node.devnet_take_bounty_of(&miner, &actor, bounty).await?)
        }
        Some(Order::Terminate { sector }) => Some(node.request("Devnet.Terminate", json!([shown, sector])).await?),
        Some(Order::Restart) => Some(node.request("Devnet.Restart", json!([shown])).await?),
    };
    if result.is_some() {
        return Ok(Output::new(&Steered { miner: shown, result }));
    }
    let on = |switch: Option<Switch>| switch.map(|switch| switch == Switch::On);
    let serving = args.serving.map(|serving| match serving {
        Serving::Honest => bauta_client::node::Serving::Honest,
        Serving::Lost => bauta_client::node::Serving::Lost,
        Serving::Corrupt => bauta_client::node::Serving::Corrupt,
        Serving::Stall => bauta_client::node::Serving::Stall,
    });
    let telling = args.telling.map(|telling| match telling {
        Telling::Truth => bauta_client::node::Telling::Truth,
        Telling::Complete => bauta_client::node::Telling::Complete,
    });
    let taking = args.taking.map(|taking| match taking {
        Taking::Deals => bauta_client::node::Taking::Deals,
        Taking::Busy => bauta_client::node::Taking::Busy,
        Taking::Nobody => bauta_client::node::Taking::Nobody,
    });
    let (proving, hunting) = (on(args.proving), on(args.hunting));
    let settings = ProviderSettings { proving, serving, hunting, telling, taking };
    // The answer is how the provider stands afterwards; without settings nothing changes.
    let result = node.request("Devnet.Provider", json!([shown, settings])).await?;
    Ok(Output::new(&Steered { miner: shown, result: Some(result) }))
}

#[derive(Serialize)]
struct Checked {
    epoch: ChainEpoch,
    violations: Vec<String>,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.violations.is_empty() {
            return writeln!(f, "all invariants hold at epoch {}", self.epoch);
        }
        self.violations.iter().try_for_each(|violation| writeln!(f, "{violation}"))
    }
}

async fn check(context: &mut Context) -> anyhow::Result<Output> {
    let node = context.running_devnet().await?;
    let violations = node.devnet_check_invariants().await?;
    let count = violations.len();
    let output = Output::new(&Checked { epoch: node.chain_head().await?.height, violations });
    Ok(if count == 0 { output } else { output.but(Exit::Corrupt, format!("{count} invariants are broken")) })
}

#[derive(Serialize)]
struct Moment {
    snapshot: u64,
    epoch: ChainEpoch,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "snapshot {}: epoch {}", self.snapshot, self.epoch)
    }
}

async fn snapshot(context: &mut Context) -> anyhow::Result<Output> {
    let node = context.running_devnet().await?;
    let snapshot = node.devnet_snapshot().await?;
    Ok(Output::new(&Moment { snapshot, epoch: node.chain_head().await?.height }))
}

async fn revert(context: &mut Context, snapshot: Option<u64>) -> anyhow::Result<Output> {
    let node = context.running_devnet().await?;
    let snapshot = node.devnet_revert(snapshot).await?;
    Ok(Output::new(&Moment { snapshot, epoch: node.chain_head().await?.height }))
}

#[derive(Serialize)]
struct Mined {
    from: ChainEpoch,
    to: ChainEpoch,
}

impl fmt::Display for Mined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "epoch {} -> {}: {}", self.from, self.to, span::epochs(self.to - self.from))
    }
}

/// Moves a devnet's time.
pub async fn mine(context: &mut Context, args: Mine) -> anyhow::Result<Output> {
    let node = context.running_devnet().await?;
    let from = node.chain_head().await?.height;
    node.devnet_mine(args.epochs.0).await?;
    Ok(Output::new(&Mined { from, to: node.chain_head().await?.height }))
}
