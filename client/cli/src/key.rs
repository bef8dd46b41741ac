//! `bauta key`: the identity that opens files.

use std::fmt;
use std::path::Path;

use bauta_client::address::Address;
use bauta_client::crypt::{Identity, Recipient};
use bauta_client::home::{create_private, replace_private};
use bauta_client::keyring::{self, Keyring, SecretString};
use bauta_client::share;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{Key, KeyExport, KeyImport, KeyNew, KeyTrust};
use crate::chain::{MessageRow, Spending, message_rows};
use crate::context::{Context, secret};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Rows, Table};
use crate::place::is_dash;
use crate::unattended;

/// Longest identity file that is imported.
const MAX_FILE: u64 = 1 << 20;

/// Runs one of the commands.
pub async fn run(context: &mut Context, command: Key) -> anyhow::Result<Output> {
    match command {
        Key::New(args) => new(context, args),
        Key::Show => show(context),
        Key::Publish => publish(context).await,
        Key::Export(args) => export(context, args),
        Key::Import(args) => import(context, args).await,
        Key::Known => known(context).await,
        Key::Trust(args) => trust(context, args).await,
    }
}

#[derive(Serialize)]
struct Shown {
    recipient: String,
    file: String,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default().row("recipient", &self.recipient).row("file", &self.file).fmt(f)
    }
}

fn shown(ring: &Keyring, identity: &Identity) -> Output {
    Output::new(&Shown { recipient: identity.recipient().to_string(), file: ring.path().display().to_string() })
}

fn new(context: &mut Context, args: KeyNew) -> anyhow::Result<Output> {
    let ring = context.keyring();
    add(context, &ring, vec![Identity::generate()], args.encrypt, args.force)
}

async fn import(context: &mut Context, args: KeyImport) -> anyhow::Result<Output> {
    let (imported, locked) = if is_dash(&args.file) {
        (keyring::parse(&unattended::stdin(MAX_FILE).await?)?, false)
    } else {
        let from = Keyring::at(&args.file);
        (context.identities_in(&from)?, from.is_locked()?)
    };
    let ring = context.keyring();
    // What was under a passphrase stays under one.
    add(context, &ring, imported, args.encrypt || locked, args.force)
}

/// Puts identities in front of those that are there, which stay because they open older files.
fn add(
    context: &Context,
    ring: &Keyring,
    mut new: Vec<Identity>,
    encrypt: bool,
    force: bool,
) -> anyhow::Result<Output> {
    // Two at once would each put theirs before what was there.
    let _lock = context.home().lock("identity")?;
    let mut locked = false;
    if ring.exists() {
        if !force {
            let message = format!("{} exists; --force puts the new identity in front of it", ring.path().display());
            return Err(Failure::because(Exit::Failed, message));
        }
        locked = ring.is_locked()?;
        new.extend(context.identities()?);
    }
    let passphrase = choose_passphrase(context, encrypt || locked)?;
    ring.save(&new, passphrase.as_ref(), true)?;
    Ok(shown(ring, &new[0]))
}

/// A passphrase for a new secret, where one is wanted.
pub fn choose_passphrase(context: &Context, wanted: bool) -> anyhow::Result<Option<SecretString>> {
    Ok(if wanted { Some(secret(&context.passphrase().choose("the new key")?)) } else { None })
}

fn show(context: &mut Context) -> anyhow::Result<Output> {
    Ok(shown(&context.keyring(), &context.identities()?[0]))
}

#[derive(Serialize)]
struct Published {
    recipient: String,
    address: String,
    messages: Vec<MessageRow>,
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("recipient", &self.recipient).row("address", &self.address);
        if self.messages.is_empty() {
            return rows.row("published", "already").fmt(f);
        }
        message_rows(rows, &self.messages).fmt(f)
    }
}

async fn publish(context: &mut Context) -> anyhow::Result<Output> {
    let recipient = context.identities()?[0].recipient();
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let spending = Spending::new(context.notes(), sender.network(), "publishing the key");
    let sent = share::publish(&actor, &sender, &recipient, &spending).await?;
    Ok(Output::new(&Published {
        recipient: recipient.to_string(),
        address: sender.network().show(&sender.address()),
        messages: sent.iter().map(MessageRow::from).collect(),
    }))
}

#[derive(Serialize)]
struct Known {
    keys: Vec<KnownRow>,
}

#[derive(Serialize)]
struct KnownRow {
    address: String,
    recipient: String,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["address", "recipient"]);
        for key in &self.keys {
            table.add(vec![key.address.clone(), key.recipient.clone()]);
        }
        table.fmt(f)
    }
}

async fn known(context: &mut Context) -> anyhow::Result<Output> {
    let known = context.known_keys().await?.list()?;
    let (_, network) = context.node().await?;
    let row = |(address, recipient): (Address, Recipient)| KnownRow {
        address: network.show(&address),
        recipient: recipient.to_string(),
    };
    Ok(Output::new(&Known { keys: known.into_iter().map(row).collect() }))
}

#[derive(Serialize)]
struct Trusted {
    address: String,
    recipient: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("address", &self.address).row("recipient", &self.recipient);
        rows.maybe("before", self.before.as_ref()).fmt(f)
    }
}

async fn trust(context: &mut Context, args: KeyTrust) -> anyhow::Result<Output> {
    let before = context.known_keys().await?.trust(&args.who.0, &args.recipient).await?;
    let (_, network) = context.node().await?;
    let (address, recipient) = (network.show(&args.who.0), args.recipient.to_string());
    Ok(Output::new(&Trusted { address, recipient, before }))
}

#[derive(Serialize)]
struct Exported {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.secret, &self.file) {
            (Some(secret), _) => f.write_str(secret),
            (None, file) => Rows::default().maybe("file", file.as_ref()).fmt(f),
        }
    }
}

fn export(context: &mut Context, args: KeyExport) -> anyhow::Result<Output> {
    let mut text = Zeroizing::new(String::new());
    for identity in context.identities()? {
        text.push_str(&identity.to_file());
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    export_secret(text, args.out.as_deref(), args.force)
}

/// Hands a secret out: to a file that only its owner can read, or, where nothing else was said, to stdout.
pub fn export_secret(text: Zeroizing<String>, out: Option<&Path>, force: bool) -> anyhow::Result<Output> {
    match out.filter(|path| !is_dash(path)) {
        Some(path) => {
            let write = if force { replace_private } else { create_private };
            write(path, text.as_bytes())?;
            Ok(Output::new(&Exported { file: Some(path.display().to_string()), secret: None }))
        }
        None => Ok(Output::new(&Exported { file: None, secret: Some(text.to_string()) })),
    }
}
