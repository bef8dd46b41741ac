//! `bauta grant`, `bauta revoke`, `bauta grants`, `bauta transfer`.

use std::fmt;

use bauta_abi::{EPOCH_NEVER, FileId, Grant as GrantRecord, GrantState, Rights};
use bauta_client::access::AccessError;
use bauta_client::actor::Actor;
use bauta_client::address::{Address, AnyAddress};
use bauta_client::network::Network;
use bauta_client::share::{self, Reader, ShareError};
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::args::{FileArg, Grant, Revoke, Transfer};
use crate::chain::{MessageRow, Spending, message_rows};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::files::{is_not_found, shown};
use crate::output::{Output, Rows, Table};
use crate::span;

/// Somebody's key, as it was used.
#[derive(Serialize)]
struct KeyRow {
    address: String,
    recipient: String,
    new: bool,
}

/// Looks up whom a file is to be opened to, and says whose key is the node's word alone.
pub async fn meet(context: &mut Context, actor: &Actor, of: &[Address]) -> anyhow::Result<Vec<Reader>> {
    let known = context.known_keys().await?;
    let readers = share::readers(actor, &known, of).await?;
    let (_, network) = context.node().await?;
    for reader in readers.iter().filter(|reader| reader.is_new) {
        let (who, key) = (network.show(&reader.address), &reader.recipient);
        context.notes().say(format_args!(
            "{who} is new to you, and that their key is {key} is the node's word: ask them what `bauta key show` prints"
        ));
    }
    Ok(readers)
}

#[derive(Serialize)]
struct Shared {
    file_id: FileId,
    #[serde(rename = "addresses")]
    to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<KeyRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rights: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Expiry>,
    messages: Vec<MessageRow>,
    #[serde(skip)]
    verb: &'static str,
}

#[derive(Serialize)]
struct Expiry {
    epoch: Option<ChainEpoch>,
    text: String,
}

impl Expiry {
    fn new(epoch: ChainEpoch, now: ChainEpoch) -> Self {
        Self { epoch: Some(epoch).filter(|at| *at != EPOCH_NEVER), text: span::at(epoch, now) }
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default()
            .row("file", self.file_id)
            .each(self.verb, &self.to)
            .each("key", self.keys.iter().map(|key| &key.recipient))
            .maybe("rights", self.rights.as_ref())
            .maybe("expires", self.expires.as_ref().map(|expiry| &expiry.text));
        message_rows(rows, &self.messages).fmt(f)
    }
}

/// Puts rights into words.
fn words(rights: Rights) -> String {
    let all = [(Rights::READ, "read"), (Rights::WRITE, "write"), (Rights::SHARE, "share")];
    all.iter().filter(|(right, _)| rights.contains(*right)).map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}

fn key_rows(readers: &[Reader], network: &Network) -> Vec<KeyRow> {
    let row = |reader: &Reader| KeyRow {
        address: network.show(&reader.address),
        recipient: reader.recipient.to_string(),
        new: reader.is_new,
    };
    readers.iter().map(row).collect()
}

fn addresses(from: &[AnyAddress]) -> Vec<Address> {
    from.iter().map(|address| address.0).collect()
}

/// Opens a file to others.
pub async fn grant(context: &mut Context, args: Grant) -> anyhow::Result<Output> {
    let (file_id, rights) = (args.file_id, args.rights);
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let identities = context.identities()?;
    let now = actor.node().chain_head().await?.height;
    let expiration = args.expires.map_or(EPOCH_NEVER, |when| when.epoch(now));
    let to = addresses(&args.addresses);
    let network = sender.network().clone();
    let readers = meet(context, &actor, &to).await?;
    let spending = Spending::new(context.notes(), &network, &format!("granting access to file {file_id}"));
    let sent = share::grant(&actor, &sender, &identities, file_id, &readers, rights, expiration, &spending).await?;
    Ok(Output::new(&Shared {
        file_id,
        to: to.iter().map(|address| network.show(address)).collect(),
        keys: key_rows(&readers, &network),
        rights: Some(words(rights)),
        expires: Some(Expiry::new(expiration, now)),
        messages: sent.iter().map(MessageRow::from).collect(),
        verb: "opened to",
    }))
}

/// Closes a file to others.
pub async fn revoke(context: &mut Context, args: Revoke) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let from = addresses(&args.addresses);
    let (network, id) = (sender.network().clone(), args.file_id);
    actor.file(id).await?.ok_or(AccessError::NoSuchFile(id))?;
    // The actor closes a file to all of them or to nobody: one who has no grant must not leave it open to the others.
    let (mut granted, mut strangers) = (Vec::new(), Vec::new());
    for address in from {
        match actor.grant(id, &address).await {
            Ok(Some(_)) => granted.push(address),
            Ok(None) => strangers.push(network.show(&address)),
            // Who is not on the chain has no grant.
            Err(error) if is_not_found(&error) => strangers.push(network.show(&address)),
            Err(error) => return Err(error.into()),
        }
    }
    let not_open = format!("file {id} is not open to {}", strangers.join(", "));
    if granted.is_empty() {
        return Err(Failure::not_found(not_open));
    }
    let spending = Spending::new(context.notes(), &network, &format!("revoking access to file {id}"));
    let sent = match share::revoke(&actor, &sender, id, &granted, &spending).await {
        Err(ShareError::Actor(error)) if is_not_found(&error) => {
            return Err(Failure::not_found(format!(
                "nobody was shut out of file {id}, somebody else was at it: {error}"
            )));
        }
        other => other?,
    };
    context.notes().say("what they have read they keep; `bauta put --update` makes a version under a new key");
    let output = Output::new(&Shared {
        file_id: id,
        to: granted.iter().map(|address| network.show(address)).collect(),
        keys: Vec::new(),
        rights: None,
        expires: None,
        messages: sent.iter().map(MessageRow::from).collect(),
        verb: "closed to",
    });
    Ok(if strangers.is_empty() { output } else { output.but(Exit::Partly, not_open) })
}

#[derive(Serialize)]
struct GrantRow {
    address: String,
    rights: String,
    expires: Expiry,
    version: u64,
    state: &'static str,
}

#[derive(Serialize)]
struct Listed {
    file_id: FileId,
    grants: Vec<GrantRow>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["address", "rights", "expires", "version", "state"]);
        for grant in &self.grants {
            let version = grant.version.to_string();
            table.add(vec![
                grant.address.clone(),
                grant.rights.clone(),
                grant.expires.text.clone(),
                version,
                grant.state.into(),
            ]);
        }
        table.fmt(f)
    }
}

fn state(grant: &GrantRecord) -> &'static str {
    match grant.state {
        GrantState::Active => "active",
        GrantState::Expired => "expired",
        GrantState::Stale => "stale",
    }
}

/// Lists whom a file is open to.
pub async fn list(context: &mut Context, args: FileArg) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    actor.file(args.file_id).await?.ok_or(AccessError::NoSuchFile(args.file_id))?;
    let now = node.chain_head().await?.height;
    let grants = actor.grants(args.file_id).await?.into_iter().map(|(grantee, grant)| GrantRow {
        address: shown(&network, grantee),
        rights: words(grant.rights),
        expires: Expiry::new(grant.expiration, now),
        version: grant.version,
        state: state(&grant),
    });
    Ok(Output::new(&Listed { file_id: args.file_id, grants: grants.collect() }))
}

/// Gives a file to another owner.
pub async fn transfer(context: &mut Context, args: Transfer) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let identities = context.identities()?;
    let network = sender.network().clone();
    let readers = meet(context, &actor, &[args.to.0]).await?;
    let spending = Spending::new(context.notes(), &network, &format!("transferring file {}", args.file_id));
    let sent = share::transfer(&actor, &sender, &identities, args.file_id, &readers[0], &spending).await?;
    Ok(Output::new(&Shared {
        file_id: args.file_id,
        to: vec![network.show(&args.to.0)],
        keys: key_rows(&readers, &network),
        rights: None,
        expires: None,
        messages: vec![MessageRow::from(&sent)],
        verb: "now owned by",
    }))
}
