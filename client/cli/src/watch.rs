//! `bauta watch`: renews and repairs on a schedule. Each round looks at every file anew; nothing but the deals' book is carried over, so it can be
//! stopped and started at any time.

use std::fmt;
use std::time::Duration;

use bauta_abi::FileId;
use bauta_client::access::{Access, AccessError};
use bauta_client::actor::Actor;
use bauta_client::home::FileError;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Watch;
use crate::context::Context;
use crate::exit::{Exit, Failure, exit_of, sentence};
use crate::mend::{Carer, Subject, carer};
use crate::output::{self, Output, clean};
use crate::progress;
use crate::status::records;

/// Files that a round tells of, at most; the others are counted.
const TOLD: usize = 20;
/// How long to wait after a round that the network broke; doubled each time, up to the interval.
const AGAIN: Duration = Duration::from_secs(30);

/// One look at everything.
#[derive(Serialize)]
struct Round {
    epoch: ChainEpoch,
    files: Vec<Tended>,
    /// Files that were made ours by others, do not open, and are not looked after.
    strange: usize,
}

/// One file in a round.
#[derive(Serialize)]
struct Tended {
    file_id: FileId,
    name: Option<String>,
    wanted: usize,
    good_before: usize,
    good: usize,
    repaired: Vec<String>,
    renewed: Vec<String>,
    refused: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Tended {
    fn is_well(&self) -> bool {
        self.error.is_none() && self.good >= self.wanted
    }

    fn is_news(&self) -> bool {
        !self.is_well() || !self.repaired.is_empty() || !self.renewed.is_empty() || !self.refused.is_empty()
    }
}

impl fmt::Display for Tended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().map(|name| format!(" {}", clean(name))).unwrap_or_default();
        write!(f, "file {}{name}: {} of {} copies good", self.file_id, self.good, self.wanted)?;
        for (what, who) in
            [("repaired with", &self.repaired), ("renewed with", &self.renewed), ("refused by", &self.refused)]
        {
            if !who.is_empty() {
                write!(f, "; {what} {}", who.join(", "))?;
            }
        }
        self.error.iter().try_for_each(|error| write!(f, "; {}", clean(error)))
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let well = self.files.iter().filter(|file| file.is_well()).count();
        writeln!(f, "epoch {}: {well} of {} files well", self.epoch, self.files.len())?;
        let news: Vec<&Tended> = self.files.iter().filter(|file| file.is_news()).collect();
        news.iter().take(TOLD).try_for_each(|file| writeln!(f, "  {file}"))?;
        if let more @ 1.. = news.len().saturating_sub(TOLD) {
            writeln!(f, "  and {more} more")?;
        }
        match self.strange {
            0 => Ok(()),
            strange => {
                writeln!(f, "  {strange} that do not open to you are left alone: name them to have them looked after")
            }
        }
    }
}

/// Looks after files until it is interrupted, or once.
pub async fn watch(context: &mut Context, args: Watch) -> anyhow::Result<Output> {
    if context.json() && !args.once {
        return Err(Failure::usage(
            "--json prints one document: give --once as well, and repeat it by cron or a timer",
        ));
    }
    let _lock = match context.home().lock("watch") {
        Err(FileError::Busy(_)) => {
            return Err(Failure::because(Exit::Failed, "another `bauta watch` runs with this home already"));
        }
        other => other?,
    };
    if args.once {
        let round = round(context, &args).await?;
        let (well, all) = (round.files.iter().filter(|file| file.is_well()).count(), round.files.len());
        let output = Output::new(&round);
        return Ok(match well == all {
            true => output,
            false => output.but(Exit::Partly, format!("{} of {all} files are not well", all - well)),
        });
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        result = rounds(context, &args) => result?,
        _ = interrupt.recv() => drop(progress::interrupt()),
        _ = terminate.recv() => drop(progress::interrupt()),
    }
    Ok(Output::streamed())
}

/// Round after round. What may pass is waited for; what cannot, such as a command line that makes no sense, ends it.
async fn rounds(context: &mut Context, args: &Watch) -> anyhow::Result<()> {
    let (mut again, mut first) = (AGAIN, true);
    loop {
        let pause = match round(context, args).await {
            Ok(round) => {
                output::announce(Output::new(&round), false);
                again = AGAIN;
                args.every
            }
            // Later it is a passphrase that could not be had for once.
            Err(error) if first && exit_of(&error) == Exit::Usage => return Err(error),
            Err(error) => {
                let pause = again.min(args.every);
                again = (again * 2).min(args.every.max(AGAIN));
                context.notes().say(format_args!("{}; trying again in {} s", sentence(&error), pause.as_secs()));
                pause
            }
        };
        first = false;
        // A chain in this process is free for others in between, and a node that went away is looked for anew.
        context.close().await?;
        tokio::time::sleep(pause).await;
    }
}

async fn round(context: &mut Context, args: &Watch) -> anyhow::Result<Round> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let home = context.home().clone();
    let carer = carer(context, &actor, &sender, &home, &args.deals).await?;
    let (ids, strange) = match args.file_id.is_empty() {
        false => (args.file_id.clone(), 0),
        true => own(context, &actor, &carer).await?,
    };
    let mut files = Vec::new();
    for id in ids {
        let mut tended = Tended {
            file_id: id,
            name: None,
            wanted: 0,
            good_before: 0,
            good: 0,
            repaired: Vec::new(),
            renewed: Vec::new(),
            refused: Vec::new(),
            error: None,
        };
        if let Err(error) = tend(context, &actor, &carer, args, &mut tended).await {
            // One file that cannot be helped, or is gone, keeps nobody from the next; a node that is gone does.
            actor.node().chain_head().await?;
            tended.error = Some(sentence(&error));
        }
        files.push(tended);
    }
    Ok(Round { epoch: actor.node().chain_head().await?.height, files, strange })
}

/// Whoever asks' own files, and how many are only on their hands: anybody can make somebody the owner of a file, and care costs. Strange is what does
/// not open to them, and of which they have asked for no copies on this machine: whoever seals it for their published key is not kept out so.
async fn own(context: &mut Context, actor: &Actor, carer: &Carer<'_>) -> anyhow::Result<(Vec<FileId>, usize)> {
    let (mut own, mut strange) = (Vec::new(), 0);
    let opener = context.me().and_then(|me| Ok((me, context.identities()?))).ok();
    for (id, record) in records(context, actor, &[]).await? {
        // What cannot be read is told of that file, and ends no round.
        let wished = carer.care.kept(&record.file.piece_cid).map_or(true, |kept| kept.copies.is_some());
        let opens = match &opener {
            Some((me, identities)) if !wished => Access::open_record(actor, id, record, me, identities).await.map(drop),
            // Where the key is locked, nobody can tell.
            _ => Ok(()),
        };
        match opens {
            Err(AccessError::WrongKey { .. }) => strange += 1,
            _ => own.push(id),
        }
    }
    Ok((own, strange))
}

async fn tend(
    context: &mut Context,
    actor: &Actor,
    carer: &Carer<'_>,
    args: &Watch,
    tended: &mut Tended,
) -> anyhow::Result<()> {
    let subject = &Subject::file(context, actor, tended.file_id).await?;
    tended.name.clone_from(&subject.name);
    let _lock = carer.care.lock(&subject.piece.piece_cid)?;
    let network = carer.sender.network();
    let mut looked = carer.look(context, subject).await?;
    (tended.wanted, tended.good_before) = (looked.0.wanted(), looked.0.good());
    tended.good = tended.good_before;
    let before = looked.0.now.saturating_add(args.within.0);
    let renewed = carer.renew(context, &looked, before).await?;
    if !renewed.made.is_empty() {
        looked = carer.look(context, subject).await?;
    }
    let repaired = carer.repair(context, subject, &looked, tended.wanted, args.grace).await?;
    if !repaired.made.is_empty() {
        looked = carer.look(context, subject).await?;
    }
    tended.good = looked.0.good();
    let who = |deal: &bauta_client::store::DealEntry| network.show(&deal.provider);
    tended.renewed = renewed.made.iter().map(who).collect();
    tended.repaired = repaired.made.iter().map(who).collect();
    let failed = renewed.failed.iter().chain(&repaired.failed);
    tended.refused = failed.map(|(provider, why)| format!("{} ({why})", network.show(provider))).collect();
    Ok(())
}
