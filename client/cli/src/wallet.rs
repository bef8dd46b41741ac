//! `bauta wallet`: the keys that sign and pay.

mod pending;
mod phrases;
mod texts;

use std::fmt;
use std::path::Path;

use bauta_client::address::{Address, EthAddress};
use bauta_client::home::read_private;
use bauta_client::network::Network;
use bauta_client::sender::Call;
use bauta_client::wallet::{Key, KeyKind};
use fvm_shared::METHOD_SEND;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{Kind, Wallet, WalletBalance, WalletDefault, WalletExport, WalletImport, WalletNew, WalletSend};
use crate::chain::{Fil, MessageRow, Spending, message_rows};
use crate::context::Context;
use crate::exit::Failure;
use crate::key::{choose_passphrase, export_secret};
use crate::output::{Output, Rows, Table};
use crate::place::is_dash;
use crate::unattended;

/// Longest key file that is imported.
const MAX_FILE: u64 = 1 << 16;

/// Runs one of the commands.
pub async fn run(context: &mut Context, command: Wallet) -> anyhow::Result<Output> {
    match command {
        Wallet::New(args) => new(context, args),
        Wallet::List => list(context),
        Wallet::Import(args) => import(context, args).await,
        Wallet::Export(args) => export(context, args),
        Wallet::Default(args) => default(context, args),
        Wallet::Balance(args) => balance(context, args).await,
        Wallet::Send(args) => send(context, args).await,
        Wallet::Pending(args) => pending::pending(context, args).await,
        Wallet::Sign(args) => texts::sign(context, args).await,
        Wallet::Verify(args) => texts::verify(context, args).await,
    }
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Secp256k1 => Self::Secp256k1,
            Kind::Bls => Self::Bls,
            Kind::Delegated => Self::Delegated,
        }
    }
}

/// Prints addresses as the network in use does; without one, as local networks do.
fn prefix(context: &Context) -> Network {
    context.named_network().ok().flatten().unwrap_or_default()
}

/// How Ethereum's tools write an address, where they know it.
fn ethereum(address: &Address) -> Option<String> {
    EthAddress::of(address).map(|address| address.to_string())
}

#[derive(Serialize)]
struct Entry {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ethereum: Option<String>,
    kind: &'static str,
    encrypted: bool,
    default: bool,
}

#[derive(Serialize)]
struct Listed {
    keys: Vec<Entry>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_ethereum = self.keys.iter().any(|key| key.ethereum.is_some());
        let columns: &[&str] =
            if with_ethereum { &["address", "kind", "", "ethereum"] } else { &["address", "kind", ""] };
        let mut table = Table::new(columns);
        for key in &self.keys {
            let marks = [(key.default, "default"), (key.encrypted, "encrypted")];
            let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            let mut row = vec![key.address.clone(), key.kind.into(), marks.join(", ")];
            if with_ethereum {
                row.push(key.ethereum.clone().unwrap_or_default());
            }
            table.add(row);
        }
        table.fmt(f)
    }
}

fn list(context: &mut Context) -> anyhow::Result<Output> {
    let network = prefix(context);
    let keys = context.keystore().list()?.into_iter().map(|entry| Entry {
        address: network.show(&entry.address),
        ethereum: ethereum(&entry.address),
        kind: entry.kind.name(),
        encrypted: entry.locked,
        default: entry.is_default,
    });
    Ok(Output::new(&Listed { keys: keys.collect() }))
}

#[derive(Serialize)]
struct Added {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ethereum: Option<String>,
    kind: &'static str,
    new: bool,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("address", &self.address).maybe("ethereum", self.ethereum.as_ref());
        let rows = rows.row("kind", self.kind);
        if self.new { rows.fmt(f) } else { rows.row("", "was there already").fmt(f) }
    }
}

fn add(context: &Context, key: &Key, encrypt: bool) -> anyhow::Result<Output> {
    let passphrase = choose_passphrase(context, encrypt)?;
    let new = context.keystore().add(key, passphrase.as_ref())?;
    Ok(Output::new(&Added {
        address: prefix(context).show(&key.address()),
        ethereum: ethereum(&key.address()),
        kind: key.kind().name(),
        new,
    }))
}

fn new(context: &mut Context, args: WalletNew) -> anyhow::Result<Output> {
    if args.mnemonic {
        return phrases::new(context, args);
    }
    add(context, &Key::generate(args.kind.into()), args.encrypt)
}

async fn import(context: &mut Context, args: WalletImport) -> anyhow::Result<Output> {
    let text = read_secret(&args.file).await?;
    if args.mnemonic {
        return phrases::import(context, &text, &args.derivation, args.encrypt);
    }
    add(context, &Key::import(&text)?, args.encrypt)
}

/// A secret from a file that only its owner can read, or from stdin.
async fn read_secret(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let path = file.to_owned();
    let bytes = match is_dash(file) {
        true => unattended::stdin(MAX_FILE).await?,
        false => unattended::run(move || Ok(read_private(&path)?)).await?,
    };
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

fn export(context: &mut Context, args: WalletExport) -> anyhow::Result<Output> {
    let key = context.key_of(&args.key.0)?;
    let mut text = Zeroizing::new(key.export().to_string());
    text.push('\n');
    export_secret(text, args.out.as_deref(), args.force)
}

#[derive(Serialize)]
struct Default {
    address: String,
}

impl fmt::Display for Default {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

fn default(context: &mut Context, args: WalletDefault) -> anyhow::Result<Output> {
    let keystore = context.keystore();
    if let Some(key) = args.key {
        keystore.set_default(&key.0)?;
    }
    let address = keystore.default_address()?.ok_or_else(|| Failure::not_found("the wallet has no default key"))?;
    Ok(Output::new(&Default { address: prefix(context).show(&address) }))
}

#[derive(Serialize)]
struct Balance {
    address: String,
    network: String,
    balance: Fil,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("address", &self.address).row("network", &self.network);
        rows.row("balance", &self.balance).fmt(f)
    }
}

async fn balance(context: &mut Context, args: WalletBalance) -> anyhow::Result<Output> {
    let address = match args.of {
        Some(address) => address.0,
        None => context.me()?,
    };
    let (node, network) = context.node().await?;
    let balance = Fil(node.balance(&address).await?);
    Ok(Output::new(&Balance { address: network.show(&address), network: network.to_string(), balance }))
}

#[derive(Serialize)]
struct SentTo {
    from: String,
    to: String,
    amount: Fil,
    message: MessageRow,
}

impl fmt::Display for SentTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("from", &self.from).row("to", &self.to).row("amount", &self.amount);
        message_rows(rows, std::slice::from_ref(&self.message)).fmt(f)
    }
}

async fn send(context: &mut Context, args: WalletSend) -> anyhow::Result<Output> {
    let sender = context.sender().await?;
    let network = sender.network().clone();
    let spending = Spending::new(context.notes(), &network, "sending");
    let call = Call::new(args.to.0, METHOD_SEND).with_value(args.amount.0.clone());
    let sent = sender.send(&call, &spending).await?;
    Ok(Output::new(&SentTo {
        from: network.show(&sender.address()),
        to: network.show(&args.to.0),
        amount: Fil(args.amount.0),
        message: MessageRow::from(&sent),
    }))
}
