//! `bauta verify`: what the chain says, what the key says, and what the providers really serve.

use std::fmt;

use bauta_abi::FileId;
use bauta_client::access::{Access, AccessError};
use bauta_client::actor::Actor;
use bauta_client::bounty::sector_status;
use bauta_client::check::{CheckError, Checked, Trees, spot_check};
use bauta_client::deal::DealError;
use bauta_client::fetch::{self, FetchError, Remote, Source};
use bauta_client::network::Network;
use bauta_client::pack::{Key, Package};
use bauta_client::piece::{Engine, KEPT_NODE, PieceInfo, Tree};
use indicatif::HumanBytes;
use serde::Serialize;

use crate::args::Verify;
use crate::context::Context;
use crate::exit::{Exit, exit_of, sentence};
use crate::files::shown;
use crate::get::{Download, cause, downloads, room_for_a_piece};
use crate::open;
use crate::output::{Output, Rows, clean};

/// Parts that are looked at, a MiB each: who has lost a tenth of a piece is caught five times in six.
const PARTS: usize = 16;

#[derive(Serialize)]
struct Check {
    what: String,
    ok: bool,
    detail: String,
}

#[derive(Serialize)]
struct Verified {
    file_id: FileId,
    version: u64,
    checks: Vec<Check>,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Rows::default().row("file", format_args!("{} version {}", self.file_id, self.version));
        for check in &self.checks {
            let mark = if check.ok { "ok" } else { "NOT OK" };
            rows = rows.row(&check.what, format_args!("{mark}: {}", clean(&check.detail)));
        }
        rows.fmt(f)
    }
}

/// What verification found wrong, by how bad it is.
#[derive(Default)]
struct Findings {
    checks: Vec<Check>,
    corrupt: bool,
    served: bool,
}

impl Findings {
    fn note(&mut self, what: impl Into<String>, ok: bool, detail: impl Into<String>) {
        self.checks.push(Check { what: what.into(), ok, detail: detail.into() });
    }
}

/// Checks a file.
pub async fn verify(context: &mut Context, args: Verify) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (_, network) = context.node().await?;
    let id = args.file_id;
    let record = actor.file(id).await?.ok_or(AccessError::NoSuchFile(id))?;
    let mut findings = Findings::default();
    findings.note("record", true, format!("owner {}, {}", shown(&network, record.owner), record.file.payload_cid));
    let access = match open::open(context, &actor, id).await {
        Ok(access) => {
            findings.note("key", true, "opens, and is the one that the record commits to");
            Ok(access)
        }
        // Who has no key can look at the rest; without the node nobody can.
        Err(error) if matches!(exit_of(&error), Exit::Network | Exit::Interrupted) => return Err(error),
        Err(error) => {
            findings.note("key", false, sentence(&error));
            Err(error)
        }
    };
    let sources = open::sources(context, &actor, &record, &args.provider).await?;
    for source in &sources {
        serves(context, &network, source, &record.file, access.as_ref().ok(), args.full, &mut findings).await?;
    }
    sectors(&actor, &network, &record.file.piece_cid, &mut findings).await?;

    let Findings { checks, corrupt, served } = findings;
    let output = Output::new(&Verified { file_id: id, version: record.version, checks });
    Ok(if corrupt {
        output.but(Exit::Corrupt, "somebody serves what is not this file")
    } else if let Err(why) = access {
        output.but(exit_of(&why), format!("the file does not open to you: {}", sentence(&why)))
    } else if !served {
        output.but(Exit::Network, "nobody serves the file now")
    } else {
        output
    })
}

/// Asks one source for random parts, or for all, and looks inside.
async fn serves(
    context: &Context,
    network: &Network,
    source: &Source,
    file: &bauta_abi::FileSpec,
    access: Option<&Access>,
    full: bool,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let (piece, name) = (fetch::piece_of(file), open::source_name(network, source));
    let trees = Trees::of(context.home());
    let checked = match full {
        true => Err(CheckError::OnlyWhole),
        false => spot_check(&piece, Some(&file.payload_cid), source, &trees, PARTS).await,
    };
    let detail = match checked {
        Ok(Checked { bytes, .. }) if bytes >= piece.payload_size => "serves the piece".to_string(),
        Ok(Checked { bytes, by, .. }) => {
            let (checked, all) = (HumanBytes(bytes), HumanBytes(piece.payload_size));
            format!("serves the piece: {checked} of {all} looked at, chosen at random, by {by}")
        }
        Err(CheckError::OnlyWhole) => match all_of_it(context, source, &piece, &trees).await? {
            None => "serves the piece, all of it".to_string(),
            Some(why) => return wrong(findings, name, &why),
        },
        Err(CheckError::Source(why)) => return wrong(findings, name, &why),
        Err(other) => return Err(other.into()),
    };
    findings.served = true;
    let Some(access) = access else {
        findings.note(name, true, detail);
        return Ok(());
    };
    match opens(context, source, access).await {
        Ok(()) => findings.note(name, true, format!("{detail}; the key opens it")),
        Err(why) => {
            findings.corrupt |= exit_of(&why) == Exit::Corrupt;
            findings.note(name, false, format!("the piece is right, its content is not: {why:#}"));
        }
    }
    Ok(())
}

fn wrong(findings: &mut Findings, name: String, why: &DealError) -> anyhow::Result<()> {
    findings.corrupt |= fetch::serves_something_else(why);
    findings.note(name, false, why.to_string());
    Ok(())
}

/// Fetches the whole piece from one source, and keeps what a part of it can be checked with the next time. Gives what is wrong.
async fn all_of_it(
    context: &Context,
    source: &Source,
    piece: &PieceInfo,
    trees: &Trees,
) -> anyhow::Result<Option<DealError>> {
    let held = room_for_a_piece(context)?;
    let car = held.path().join("piece.car");
    // Who does not answer is in the findings already; the notes of a download would say it twice.
    let download = Download::new(context.progress(), piece.payload_size);
    let fetched = fetch::fetch(piece, std::slice::from_ref(source), &car, &download).await;
    download.end();
    match fetched {
        Ok(_) => {
            let trees = trees.clone();
            tokio::task::spawn_blocking(move || trees.keep(&tree_of(&car)?).map_err(anyhow::Error::from)).await??;
            Ok(None)
        }
        Err(FetchError::Corrupt(mut why) | FetchError::Unavailable(mut why)) if !why.is_empty() => {
            Ok(Some(why.swap_remove(0).1))
        }
        Err(other) => Err(other.into()),
    }
}

fn tree_of(car: &std::path::Path) -> anyhow::Result<Tree> {
    let mut comm_p = Engine::new().all_cores().keep(KEPT_NODE)?.comm_p();
    std::io::copy(&mut std::fs::File::open(car)?, &mut comm_p)?;
    Ok(comm_p.finish_tree())
}

/// Opens what tells the content: the header of a file, the manifest of a folder.
async fn opens(context: &Context, source: &Source, access: &Access) -> anyhow::Result<()> {
    let (file, key, folder) = (&access.record.file, access.file_key.clone(), downloads(context)?);
    let sources = std::slice::from_ref(source);
    let quiet = std::sync::Arc::new(fetch::Quiet);
    let remote = Remote::new(&fetch::piece_of(file), &file.payload_cid, sources, &folder, false, quiet)?;
    let look = move || Package::of(remote, Key::File(&key)).map(|_| ()).map_err(anyhow::Error::from);
    tokio::task::spawn_blocking(look).await?.map_err(cause)
}

/// Asks the miners of all bounty claims for this piece how their sectors stand.
async fn sectors(
    actor: &Actor,
    network: &Network,
    piece_cid: &cid::Cid,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    for (id, bounty) in actor.bounties().await? {
        if bounty.terms.piece_cid != *piece_cid {
            continue;
        }
        for (claim, record) in actor.claims(id).await? {
            let what = format!("bounty {id} claim {claim}");
            let sector = format!("sector {} of {}", record.sector, shown(network, record.provider));
            match sector_status(actor, record.provider, record.sector).await {
                Ok(status) => findings.note(what, status == "active", format!("{sector} is {status}")),
                Err(error) => findings.note(what, false, format!("{sector}: {error}")),
            }
        }
    }
    Ok(())
}
