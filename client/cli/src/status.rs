//! `bauta status`: where files are stored, until when, and whether they still come back.

mod rows;

use std::fmt;

use bauta_abi::{FileId, FileRecord};
use bauta_client::access::AccessError;
use bauta_client::actor::Actor;
use bauta_client::care::Care;
use bauta_client::fetch;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::args::Status;
use crate::context::Context;
use crate::exit::Exit;
use crate::open;
use crate::output::Output;

pub use rows::FileStatus;

/// A file with its record, or all files of whoever asks.
pub async fn records(
    context: &mut Context,
    actor: &Actor,
    ids: &[FileId],
) -> anyhow::Result<Vec<(FileId, FileRecord)>> {
    if !ids.is_empty() {
        let mut records = Vec::new();
        for id in ids {
            records.push((*id, actor.file(*id).await?.ok_or(AccessError::NoSuchFile(*id))?));
        }
        return Ok(records);
    }
    let (node, _) = context.node().await?;
    // Somebody who is not on the chain has no files.
    match node.lookup_id(&context.me()?).await? {
        Some(me) => Ok(actor.files_of(&me).await?),
        None => Ok(Vec::new()),
    }
}

/// A file's name for people; its number where it does not open.
pub async fn called(
    context: &mut Context,
    actor: &Actor,
    id: FileId,
    record: &FileRecord,
) -> anyhow::Result<Option<String>> {
    Ok(open::name_of(context, actor, id, record).await?.ok().flatten().map(|metadata| metadata.name))
}

#[derive(Serialize)]
struct Statuses {
    epoch: ChainEpoch,
    network: String,
    files: Vec<FileStatus>,
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network {}, epoch {}", self.network, self.epoch)?;
        if self.files.is_empty() {
            return writeln!(f, "no files yet: `bauta put` stores one");
        }
        self.files.iter().try_for_each(|file| write!(f, "\n{file}"))
    }
}

/// Shows how files stand.
pub async fn status(context: &mut Context, args: Status) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let home = context.home().clone();
    let care = Care::new(&actor, &network, &home).await?;
    let ids: Vec<FileId> = args.file_id.into_iter().collect();
    let mut files = Vec::new();
    for (id, record) in records(context, &actor, &ids).await? {
        let name = called(context, &actor, id, &record).await?;
        let known = open::sources(context, &actor, &record, &args.provider).await?;
        let survey =
            care.survey(&fetch::piece_of(&record.file), Some(&record.file.payload_cid), record.updated, &known).await?;
        files.push(FileStatus::of(Some(id), name, &survey, &network));
    }
    let epoch = node.chain_head().await?.height;
    let short = files.iter().filter(|file| !file.ok).count();
    let all = files.len();
    let output = Output::new(&Statuses { epoch, network: network.to_string(), files });
    Ok(if short == 0 { output } else { output.but(Exit::Partly, sentence(short, all)) })
}

fn sentence(short: usize, all: usize) -> String {
    match (short, all) {
        (1, 1) => "the file has fewer copies than are wished for".into(),
        _ => format!("{short} of {all} files have fewer copies than are wished for"),
    }
}
