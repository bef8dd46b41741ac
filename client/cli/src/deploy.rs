//! `bauta deploy`.

use std::fmt;
use std::time::Duration;

use bauta_client::actor::contract;
use bauta_client::address::Address;
use bauta_client::deploy::{Deployment, Found, code_cid, find};
use bauta_client::home::Lock;
use bauta_client::network::Network;
use serde::Serialize;

use crate::args::{Body, Deploy};
use crate::chain::{MessageRow, Spending, message_rows};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Rows};

/// How long another command may take to write the configuration.
const WRITING: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Deployed {
    network: String,
    body: Body,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ethereum: Option<String>,
    code_cid: String,
    size: usize,
    new: bool,
    messages: Vec<MessageRow>,
}

impl fmt::Display for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default()
            .row("network", &self.network)
            .row("body", self.body)
            .row("actor", &self.actor)
            .maybe("ethereum", self.ethereum.as_ref())
            .row("code", &self.code_cid)
            .row("size", format_args!("{} bytes", self.size))
            .row("installed", if self.new { "now" } else { "already" });
        message_rows(rows, &self.messages).fmt(f)
    }
}

#[derive(Serialize)]
struct Checked {
    network: String,
    body: Body,
    actor: String,
    code_cid: String,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default()
            .row("network", &self.network)
            .row("body", self.body)
            .row("actor", &self.actor)
            .row("code", format_args!("{}, as built", self.code_cid))
            .fmt(f)
    }
}

/// Puts the actor on the network: its Wasm where the network takes it, the contract elsewhere. What is there already is left.
pub async fn deploy(context: &mut Context, args: Deploy) -> anyhow::Result<Output> {
    let named = context.named_network()?;
    let forced = args.body.or(args.wasm.as_ref().map(|_| Body::Wasm));
    if let (Some(network), Some(Body::Wasm)) = (named.as_ref().filter(|n| **n != Network::Local), forced) {
        return Err(refused(network));
    }
    let wasm = match &args.wasm {
        Some(file) => {
            tokio::fs::read(file).await.map_err(|e| anyhow::Error::new(e).context(file.display().to_string()))?
        }
        None => bauta_devnet::bundle::BAUTA_ACTOR.to_vec(),
    };
    if args.check {
        return check(context, &wasm).await;
    }
    let (_, network) = context.node().await?;
    match forced.unwrap_or(if network == Network::Local { Body::Wasm } else { Body::Evm }) {
        Body::Wasm if network != Network::Local => Err(refused(&network)),
        Body::Wasm => install(context, &wasm).await,
        Body::Evm => create(context, args.new).await,
    }
}

/// Installs the Wasm on the devnet.
async fn install(context: &mut Context, wasm: &[u8]) -> anyhow::Result<Output> {
    let (node, network) = context.node().await?;
    let code = code_cid(wasm);
    let known = context.devnet_info().await?.and_then(|info| info.actor);
    let there = match known {
        Some(actor) => find(node.as_ref(), &actor).await? == Found::Native(code),
        None => false,
    };
    let address = match known.filter(|_| there) {
        Some(actor) => actor,
        None => node.devnet_install_actor(wasm).await?.address,
    };
    // A contract that was used here before is not the actor any more.
    if context.config().actor(&network).is_some_and(|recorded| recorded != address) {
        record(context, &network, address).await?;
    }
    Ok(Output::new(&Deployed {
        network: network.to_string(),
        body: Body::Wasm,
        actor: network.show(&address),
        ethereum: None,
        code_cid: code.to_string(),
        size: wasm.len(),
        new: !there,
        messages: vec![],
    }))
}

/// Makes the contract, or says where it is.
async fn create(context: &mut Context, new: bool) -> anyhow::Result<Output> {
    let (node, network) = context.node().await?;
    let code = code_cid(contract::runtime_code());
    let done = |address: Address, ethereum: Option<[u8; 20]>, messages: Vec<MessageRow>| {
        Output::new(&Deployed {
            network: network.to_string(),
            body: Body::Evm,
            actor: network.show(&address),
            ethereum: ethereum.map(|bytes| format!("0x{}", hex::encode(bytes))),
            code_cid: code.to_string(),
            size: contract::runtime_code().len(),
            new: !messages.is_empty(),
            messages,
        })
    };
    // Two deployments at once would be two contracts.
    let _lock = context.home().lock(&format!("deploy-{}", network.name()))?;
    let deployment = Deployment::of(context.home(), node.as_ref(), &network).await?;
    let pending = deployment.is_pending()?;
    let recorded = context.config().actor(&network).filter(|_| !new && !pending);
    if let Some(address) = recorded {
        match find(node.as_ref(), &address).await? {
            Found::Contract(found) if found == code => return Ok(done(address, ethereum_of(&address), vec![])),
            // The chain in this home comes and goes; what was paid for elsewhere does not, and a node that lags may not know it yet.
            Found::Native(_) | Found::Nothing if network == Network::Local => {}
            Found::Nothing => {
                let address = network.show(&address);
                return Err(Failure::because(
                    Exit::Failed,
                    format!(
                        "the node does not know the actor recorded for {network}, {address}: ask another one, or, if it is gone, \
                         make a new one with `bauta deploy --new`"
                    ),
                ));
            }
            _ => {
                return Err(Failure::because(
                    Exit::Failed,
                    format!(
                        "the actor recorded for {network}, {}, has other code than this program's; `bauta deploy --new` makes \
                         another one (what is registered with the old one stays there)",
                        network.show(&address)
                    ),
                ));
            }
        }
    }
    let sender = context.sender().await?;
    let spending = Spending::new(context.notes(), &network, "deploying the contract");
    let made = deployment.run(&sender, &spending).await?;
    record(context, &network, made.address).await?;
    deployment.finish(&made)?;
    Ok(done(made.address, Some(made.ethereum), vec![MessageRow::from(&made.sent)]))
}

fn ethereum_of(address: &Address) -> Option<[u8; 20]> {
    match address.payload() {
        fvm_shared::address::Payload::Delegated(delegated) => delegated.subaddress().try_into().ok(),
        _ => None,
    }
}

async fn record(context: &mut Context, network: &Network, address: Address) -> anyhow::Result<()> {
    if context.dry_run() {
        return Ok(());
    }
    // As it is by now: waiting for the message took its time. Another deployment, on another network, may write just now.
    let _lock = Lock::wait(&context.home().data().join("config.lock"), WRITING).await?;
    let mut config = context.home().load_config()?;
    config.set_actor(network, address);
    context.home().save_config(&config)?;
    *context.config() = config;
    Ok(())
}

/// Compares the code that is there with what this program would put there.
async fn check(context: &mut Context, wasm: &[u8]) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let address = actor.address();
    let (body, found, built) = match find(node.as_ref(), &address).await? {
        Found::Nothing => {
            return Err(Failure::not_found(format!("there is no actor {} on {network}", network.show(&address))));
        }
        Found::Native(code) => (Body::Wasm, code, code_cid(wasm)),
        Found::Contract(code) => (Body::Evm, code, code_cid(contract::runtime_code())),
    };
    if found != built {
        return Err(Failure::because(
            Exit::Corrupt,
            format!("{} on {network} has code {found}; this program's {body} is {built}", network.show(&address)),
        ));
    }
    let actor = network.show(&address);
    Ok(Output::new(&Checked { network: network.to_string(), body, actor, code_cid: found.to_string() }))
}

fn refused(network: &Network) -> anyhow::Error {
    Failure::because(
        Exit::Failed,
        format!(
            "{network} takes no native Wasm code from users: its init actor refuses it. There the actor is an EVM contract: \
             `bauta deploy --network {network}` without --body and --wasm"
        ),
    )
}
