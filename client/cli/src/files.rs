//! `bauta ls`, `bauta info`, `bauta rm`.

use std::fmt;

use bauta_abi::{FileId, GrantState};
use bauta_client::access::AccessError;
use bauta_client::actor::{ActorError, Call};
use bauta_client::address::Address;
use fvm_shared::clock::ChainEpoch;
use indicatif::HumanBytes;
use serde::Serialize;

use crate::args::{FileArg, Ls};
use crate::chain::{MessageRow, Spending, message_rows};
use crate::context::Context;
use crate::open::{self, FileRow};
use crate::output::{Output, Rows, Table, clean};

#[derive(Serialize)]
struct Listed {
    files: Vec<FileRow>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["file", "owner", "version", "size", "name"]);
        for file in &self.files {
            let (size, name) = match &file.metadata {
                Some(named) => (HumanBytes(named.size).to_string(), clean(&named.name)),
                None => ("-".into(), format!("({})", clean(file.locked.as_deref().unwrap_or("no name")))),
            };
            table.add(vec![file.file_id.to_string(), file.owner.clone(), file.version.to_string(), size, name]);
        }
        table.fmt(f)
    }
}

/// Lists files: one's own, somebody's, or what others opened.
pub async fn ls(context: &mut Context, args: Ls) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let whose = match args.owner {
        Some(owner) => owner.0,
        None => context.me()?,
    };
    let mut records = Vec::new();
    // Somebody who is not on the chain has neither files nor grants.
    if let Some(id) = node.lookup_id(&whose).await? {
        if args.shared {
            for (file, _) in actor.shared_with(&id).await? {
                if let Some(record) = actor.file(file).await? {
                    records.push((file, record));
                }
            }
        } else {
            records = actor.files_of(&id).await?;
        }
    }
    let mut files = Vec::new();
    for (id, record) in records {
        let name = open::name_of(context, &actor, id, &record).await?;
        files.push(FileRow::new(id, &record, &network, name));
    }
    Ok(Output::new(&Listed { files }))
}

#[derive(Serialize)]
struct Info {
    #[serde(flatten)]
    file: FileRow,
    epoch: ChainEpoch,
    grants: usize,
    active_grants: usize,
    providers: Vec<String>,
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grants = format!("{} ({} active)", self.grants, self.active_grants);
        self.file.rows(self.epoch).row("grants", grants).each("may have it", &self.providers).fmt(f)
    }
}

/// Shows what the chain knows of a file.
pub async fn info(context: &mut Context, args: FileArg) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let record = actor.file(args.file_id).await?.ok_or(AccessError::NoSuchFile(args.file_id))?;
    let name = open::name_of(context, &actor, args.file_id, &record).await?;
    let grants = actor.grants(args.file_id).await?;
    let sources = open::sources(context, &actor, &record, &[]).await?;
    Ok(Output::new(&Info {
        file: FileRow::new(args.file_id, &record, &network, name),
        epoch: node.chain_head().await?.height,
        grants: grants.len(),
        active_grants: grants.iter().filter(|(_, grant)| grant.state == GrantState::Active).count(),
        providers: sources.iter().map(|source| open::source_name(&network, source)).collect(),
    }))
}

#[derive(Serialize)]
struct Removed {
    file_id: FileId,
    messages: Vec<MessageRow>,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        message_rows(Rows::default().row("removed", self.file_id), &self.messages).fmt(f)
    }
}

/// Removes a file from the registry.
pub async fn rm(context: &mut Context, args: FileArg) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let spending = Spending::new(context.notes(), sender.network(), &format!("removing file {}", args.file_id));
    let sent = actor.send_only(&sender, &Call::remove_file(args.file_id)?, &spending).await;
    let sent = sent.map_err(|error| {
        if is_not_found(&error) { AccessError::NoSuchFile(args.file_id).into() } else { anyhow::Error::new(error) }
    })?;
    context.notes().say("providers keep their copies until the deals end; who has read it keeps what they read");
    Ok(Output::new(&Removed { file_id: args.file_id, messages: vec![MessageRow::from(&sent)] }))
}

/// Whether the actor knows something of what was named not.
pub fn is_not_found(error: &ActorError) -> bool {
    matches!(error, ActorError::Rejected(rejection) if rejection.exit() == Some(bauta_abi::Exit::NotFound))
}

/// The ID of an address as text, or the address itself where it is not on the chain.
pub fn shown(network: &bauta_client::network::Network, id: u64) -> String {
    network.show(&Address::new_id(id))
}
