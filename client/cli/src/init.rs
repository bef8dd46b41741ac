//! `bauta init`: everything a newcomer needs, and nothing twice.

use std::fmt;

use bauta_client::crypt::Identity;
use bauta_client::network::Network;
use bauta_client::share;
use bauta_client::wallet::Key;
use fvm_shared::econ::TokenAmount;
use serde::Serialize;

use crate::amount::fil;
use crate::args::Init;
use crate::chain::{MessageRow, Spending, message_rows};
use crate::context::Context;
use crate::exit::{Exit, Failure, exit_of, sentence};
use crate::key::choose_passphrase;
use crate::output::{Output, Rows};

/// What a newcomer on a devnet gets, in FIL.
const ALLOWANCE: i64 = 100;

#[derive(Serialize)]
struct Ready {
    network: String,
    address: String,
    recipient: String,
    config: String,
    published: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    funded: Option<String>,
    messages: Vec<MessageRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default()
            .row("network", &self.network)
            .row("address", &self.address)
            .row("recipient", &self.recipient)
            .row("config", &self.config)
            .maybe("funded", self.funded.as_ref())
            .row("published", if self.published { "yes" } else { "no" });
        message_rows(rows, &self.messages).maybe("next", self.next.as_ref()).fmt(f)
    }
}

/// Makes what is missing: identity, wallet, configuration; publishes the key where a network answers.
pub async fn init(context: &mut Context, args: Init) -> anyhow::Result<Output> {
    let ring = context.keyring();
    let wallet_missing = has_no_keys(context)?;
    let first_time = !ring.exists();
    // What is there in the clear is put under the passphrase, too: that is what was asked for.
    let open_ring = args.encrypt && !first_time && !ring.is_locked()?;
    let keys = context.keystore().list()?;
    let open_keys: Vec<_> = keys.iter().filter(|key| args.encrypt && !key.locked).collect();
    let is_open = first_time || wallet_missing || open_ring || !open_keys.is_empty();
    let passphrase = choose_passphrase(context, args.encrypt && is_open)?;
    if first_time {
        ring.save(&[Identity::generate()], passphrase.as_ref(), false)?;
    } else if open_ring {
        let _lock = context.home().lock("identity")?;
        ring.save(&ring.load(None)?, passphrase.as_ref(), true)?;
    }
    for open in open_keys {
        let store = context.keystore();
        store.add(&store.load(&open.address, None)?, passphrase.as_ref())?;
    }
    if wallet_missing {
        context.keystore().add(&Key::generate(args.kind.into()), passphrase.as_ref())?;
    }
    let named = context.named_network()?;
    if !context.home().config_file().exists() {
        if let Some(network) = &named {
            context.config().network = Some(network.name().to_string());
        } else if !args.no_publish {
            remember_node(context).await;
        }
        let config = context.config().clone();
        context.home().save_config(&config)?;
    }

    if first_time {
        let (identity, wallet) = (context.home().identity_file(), context.home().wallet());
        context.notes().say(format_args!(
            "keep copies of {} and {} where nobody else gets at them: the first opens your files, the second owns them, and nobody can make them again",
            identity.display(),
            wallet.display()
        ));
    }
    let me = context.me()?;
    let recipient = context.identities()?[0].recipient();
    let mut ready = Ready {
        network: named.as_ref().map(Network::to_string).unwrap_or_default(),
        address: named.unwrap_or_default().show(&me),
        recipient: recipient.to_string(),
        config: context.home().config_file().display().to_string(),
        published: false,
        funded: None,
        messages: Vec::new(),
        next: None,
    };
    if args.no_publish {
        return Ok(Output::new(&ready));
    }
    match publish(context, &mut ready).await {
        Ok(()) => Ok(Output::new(&ready)),
        // The keys are made whatever the network does; what is missing is said, and a script sees it in the code.
        Err(error) => {
            let (exit, why) = (exit_of(&error), sentence(&error));
            ready.next = Some("bauta key publish".into());
            let exit = if exit == Exit::Interrupted { exit } else { Exit::Partly };
            Ok(Output::new(&ready).but(exit, format!("the keys are made, but the key is not published: {why}")))
        }
    }
}

/// Writes down the node that was named by its URL, so that the next command asks the same one.
async fn remember_node(context: &mut Context) {
    let Some(url) = context.rpc_url() else { return };
    match context.node().await {
        Ok((_, network @ (Network::Local | Network::Calibration | Network::Mainnet))) => {
            let name = network.name().to_string();
            let config = context.config();
            config.networks.entry(name.clone()).or_default().rpc_url = Some(url);
            config.network = Some(name);
        }
        _ => context.notes().say("the URL of the node is not written down: give --rpc-url to the next command, too"),
    }
}

/// Whether a first key is to be made. Where there are keys, one of them is the user's: never another beside it.
fn has_no_keys(context: &Context) -> anyhow::Result<bool> {
    let keystore = context.keystore();
    let (keys, default) = (keystore.list()?, keystore.default_address()?);
    let is_there = |address| keys.iter().any(|key| key.address == address);
    match (default, &keys[..]) {
        (None, []) => Ok(true),
        (Some(default), _) if is_there(default) => Ok(false),
        (None, [only]) => {
            keystore.set_default(&only.address)?;
            Ok(false)
        }
        (Some(default), _) => {
            let shown = Network::default().show(&default);
            let what = "choose another with `bauta wallet default ADDRESS`, or import it again";
            Err(Failure::not_found(format!("the wallet's default key {shown} is not there: {what}")))
        }
        (None, _) => Err(Failure::not_found(
            "the wallet has keys and none of them is the default: `bauta wallet default ADDRESS`",
        )),
    }
}

async fn publish(context: &mut Context, ready: &mut Ready) -> anyhow::Result<()> {
    let (node, network) = context.node().await?;
    let me = context.me()?;
    ready.network = network.to_string();
    ready.address = network.show(&me);
    let balance = node.balance(&me).await?;
    if balance < TokenAmount::from_whole(1) && (network == Network::Local || !balance.is_positive()) {
        if network != Network::Local {
            ready.next = Some(how_to_get_fil(&network, &ready.address));
            context.notes().say("the address has no FIL yet, so the key is not published");
            return Ok(());
        }
        let allowance = TokenAmount::from_whole(ALLOWANCE);
        node.devnet_fund(&me, &allowance).await?;
        context.notes().say(format_args!("the devnet gave {} {}", ready.address, fil(&allowance)));
        ready.funded = Some(fil(&allowance));
    }
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let spending = Spending::new(context.notes(), &network, "publishing the key");
    let recipient = context.identities()?[0].recipient();
    let sent = share::publish(&actor, &sender, &recipient, &spending).await?;
    ready.messages = sent.iter().map(MessageRow::from).collect();
    ready.published = true;
    Ok(())
}

fn how_to_get_fil(network: &Network, address: &str) -> String {
    match network {
        Network::Calibration => {
            format!("get test FIL for {address} at https://faucet.calibnet.chainsafe-fil.io, then `bauta key publish`")
        }
        _ => format!("send some FIL to {address}, then `bauta key publish`"),
    }
}
