//! `bauta verify`: what the chain says, what the key says, and what the providers really serve.

use std::fmt;

use bauta_abi::FileId;
use bauta_client::access::{Access, AccessError};
use bauta_client::actor::Actor;
use bauta_client::bounty::sector_status;
use bauta_client::fetch::{self, FetchError, Source};
use bauta_client::network::Network;
use bauta_client::pack::{Key, Package};
use serde::Serialize;

use crate::args::Verify;
use crate::context::Context;
use crate::exit::Exit;
use crate::files::shown;
use crate::get::{Download, room_for_a_piece};
use crate::open;
use crate::output::{Output, Rows, clean};

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
            Some(access)
        }
        Err(error) => {
            findings.note("key", false, format!("{error:#}"));
            None
        }
    };
    let providers: Vec<_> = args.provider.iter().map(|provider| provider.0).collect();
    let sources = open::sources(context, &actor, &record, &providers).await?;
    for source in &sources {
        serves(context, &network, source, &record.file, access.as_ref(), &mut findings).await?;
    }
    sectors(&actor, &network, &record.file.piece_cid, &mut findings).await?;

    let Findings { checks, corrupt, served } = findings;
    let output = Output::new(&Verified { file_id: id, version: record.version, checks });
    Ok(if corrupt {
        output.but(Exit::Corrupt, "somebody serves what is not this file")
    } else if access.is_none() {
        output.but(Exit::NoAccess, "the file does not open to you")
    } else if !served {
        output.but(Exit::Network, "nobody serves the file now")
    } else {
        output
    })
}

/// Fetches from one source and looks inside.
async fn serves(
    context: &Context,
    network: &Network,
    source: &Source,
    file: &bauta_abi::FileSpec,
    access: Option<&Access>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let (piece, name) = (fetch::piece_of(file), open::source_name(network, source));
    let held = room_for_a_piece(context)?;
    let car = held.path().join("piece.car");
    // Who does not answer is in the findings already; the notes of a download would say it twice.
    let download = Download::new(crate::output::Notes::new(true), network, context.progress(), piece.payload_size);
    let fetched = fetch::fetch(&piece, std::slice::from_ref(source), &car, &download).await;
    download.end();
    match fetched {
        Ok(_) => {
            let detail = match access {
                None => "serves the piece".to_string(),
                Some(access) => {
                    let (root, key) = (access.record.file.payload_cid, access.file_key.clone());
                    let looked = tokio::task::spawn_blocking(move || {
                        Package::open(std::fs::File::open(&car)?, Some(&root), Key::File(&key))
                            .map(|_| ())
                            .map_err(anyhow::Error::from)
                    });
                    match looked.await? {
                        Ok(()) => "serves the piece, and the key opens it".into(),
                        Err(why) => {
                            findings.corrupt = true;
                            findings.note(
                                name.clone(),
                                false,
                                format!("the piece is right, its content is not: {why:#}"),
                            );
                            return Ok(());
                        }
                    }
                }
            };
            findings.served = true;
            findings.note(name.clone(), true, detail);
        }
        Err(FetchError::Corrupt(why)) => {
            findings.corrupt = true;
            findings.note(name.clone(), false, format!("serves other bytes: {}", why[0].1));
        }
        Err(FetchError::Unavailable(why)) => findings.note(name.clone(), false, why[0].1.to_string()),
        Err(other) => return Err(other.into()),
    }
    Ok(())
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
