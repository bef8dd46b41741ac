//! The way of a piece into a sector: pre-commit, wait, prove. One sector a piece.
//!
//! Each step rests on what the chain says of the message before it, so it goes on after a restart where it stopped.

use anyhow::Result;
use bauta_client::node::Telling;
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::SectorNumber;

use super::book::{Book, Job, Kind, Sector, SectorState, Stage};
use super::messages::{self, NewSector, SEALING_DELAY, Standing};
use super::shop::Shop;
use super::{market, messages as m};
use crate::duties::{Included, Ledger, LedgerView};

/// Sectors in one message.
const BATCH: usize = 32;
const DAY: ChainEpoch = 2880;
/// Shortest and longest life of a sector.
const LIFE: (ChainEpoch, ChainEpoch) = (180 * DAY, 1278 * DAY);
/// A sector outlives what it is sealed for by the month that its proof may take, and a day.
const MARGIN: ChainEpoch = 31 * DAY + SEALING_DELAY;

/// What is known of a message.
pub enum News {
    /// It waits in the mempool.
    Waiting,
    /// It is not on chain and not waiting: a kill undid it.
    Lost,
    /// It is on chain.
    Included(Included),
}

/// Asks about a message.
pub fn news(view: &dyn LedgerView, message: &Cid) -> Result<News> {
    Ok(match view.receipt(message)? {
        Some(included) => News::Included(included),
        None if view.is_pending(message) => News::Waiting,
        None => News::Lost,
    })
}

/// The earliest epoch after `head` in which there is something to do, and whether somebody waits for it.
pub fn next(book: &Book, head: ChainEpoch) -> Option<ChainEpoch> {
    let idle = book.conduct.telling == Telling::Complete;
    let due = |job: &Job| match &job.stage {
        Stage::Stored if idle => None,
        Stage::Stored
        | Stage::Pledging { .. }
        | Stage::Publishing { .. }
        | Stage::PreCommitting { .. }
        | Stage::Proving { .. } => Some(head + 1),
        Stage::PreCommitted { epoch, .. } => Some((epoch + SEALING_DELAY).max(head + 1)),
        _ => None,
    };
    book.jobs.values().filter_map(due).min()
}

/// Takes back what the book says beyond the chain. Run once after a start.
pub fn reconcile(book: &mut Book, view: &dyn LedgerView) -> Result<bool> {
    let mut dirty = false;
    let lost = |message: &Cid| -> Result<bool> { Ok(matches!(news(view, message)?, News::Lost)) };
    if let Some(creation) = book.creation
        && lost(&creation)?
    {
        (book.creation, book.miner) = (None, None);
        dirty = true;
    }
    let mut gone = Vec::new();
    for job in book.jobs.values_mut() {
        if let Kind::Market { published, .. } = &mut job.kind
            && let Some((_, message)) = published.as_ref()
            && lost(&message.0)?
        {
            *published = None;
        }
        if let Stage::Sealed { sector, pre_commit, message, expiration } = &job.stage
            && lost(message)?
        {
            gone.push(*sector);
            job.stage = before_proof(view, *sector, *expiration, *pre_commit)?;
            dirty = true;
        }
        if let Stage::PreCommitted { message, .. } = &job.stage
            && lost(message)?
        {
            job.stage = Stage::Stored;
            dirty = true;
        }
    }
    for sector in gone {
        book.sectors.remove(&sector);
    }
    Ok(dirty)
}

/// Where a job stands whose proof is not on chain.
fn before_proof(view: &dyn LedgerView, sector: SectorNumber, expiration: ChainEpoch, pre_commit: Cid) -> Result<Stage> {
    Ok(match news(view, &pre_commit)? {
        News::Included(included) if included.receipt.exit_code.is_success() => {
            Stage::PreCommitted { sector, expiration, epoch: included.epoch, message: pre_commit }
        }
        _ => Stage::Stored,
    })
}

/// Does what is due in the epoch being produced. Says whether the book has changed.
pub fn step(shop: &Shop, book: &mut Book, ledger: &mut dyn Ledger) -> Result<bool> {
    let Some(miner) = book.miner else { return Ok(false) };
    let mut dirty = false;
    let names: Vec<String> =
        book.jobs.iter().filter(|(_, job)| !is_resting(&job.stage)).map(|(name, _)| name.clone()).collect();
    for name in names {
        dirty |= follow(book, ledger.view(), Address::new_id(miner), &name)?;
    }
    dirty |= market::step(shop, book, ledger)?;
    let now = ledger.epoch();
    // Who says that everything is done does nothing.
    let idle = book.conduct.telling == Telling::Complete;
    let ready = |job: &Job| !idle && matches!(job.stage, Stage::Stored) && market::is_published(job);
    dirty |= in_batches(book, ready, |book, names| pre_commit(shop, book, ledger, names))?;
    let due = |job: &Job| matches!(job.stage, Stage::PreCommitted { epoch, .. } if epoch + SEALING_DELAY <= now);
    dirty |= in_batches(book, due, |book, names| prove(shop, book, ledger, names))?;
    Ok(dirty)
}

fn is_resting(stage: &Stage) -> bool {
    matches!(
        stage,
        Stage::Uploading
            | Stage::Uploaded
            | Stage::Chunked { .. }
            | Stage::Assembling { .. }
            | Stage::Fetching
            | Stage::Sealed { .. }
            | Stage::Failed { .. }
    )
}

/// Moves a job on by what its message came to.
fn follow(book: &mut Book, view: &dyn LedgerView, miner: Address, name: &str) -> Result<bool> {
    let Some(job) = book.jobs.get_mut(name) else { return Ok(false) };
    let message = match &job.stage {
        Stage::Pledging { message }
        | Stage::Publishing { message }
        | Stage::PreCommitting { message, .. }
        | Stage::Proving { message, .. } => *message,
        _ => return Ok(false),
    };
    let included = match news(view, &message)? {
        News::Waiting => return Ok(false),
        News::Included(included) => Some(included),
        News::Lost => None,
    };
    let exit = included.as_ref().map(|included| included.receipt.exit_code);
    let refused = exit.filter(|exit| !exit.is_success());
    let failed = |what: &str| refused.map(|exit| Stage::failed(format_args!("{what} ended with exit code {exit}")));
    job.stage = match (job.stage.clone(), included) {
        (Stage::Pledging { .. }, _) => failed("AddBalance").unwrap_or(Stage::Stored),
        (Stage::Publishing { .. }, None) => Stage::Stored,
        (Stage::Publishing { .. }, Some(included)) => match failed("PublishStorageDeals") {
            Some(failed) => failed,
            None => market::published(job, &included, message),
        },
        (Stage::PreCommitting { .. }, None) => Stage::Stored,
        (Stage::PreCommitting { sector, expiration, .. }, Some(included)) => failed("PreCommitSectorBatch2")
            .unwrap_or(Stage::PreCommitted { sector, expiration, epoch: included.epoch, message }),
        (Stage::Proving { sector, expiration, pre_commit, .. }, None) => {
            before_proof(view, sector, expiration, pre_commit)?
        }
        (Stage::Proving { sector, expiration, pre_commit, .. }, Some(_)) => match failed("ProveCommitSectors3") {
            Some(failed) => failed,
            None => match standing(view, &miner, sector)? {
                Some(Standing::Active(at) | Standing::Faulty(at)) => {
                    let piece_cid = job.wanted.piece_cid;
                    let (deadline, partition) = (at.deadline, at.partition);
                    let state = SectorState::Active;
                    book.sectors.insert(sector, Sector { piece_cid, expiration, deadline, partition, state });
                    Stage::Sealed { sector, expiration, pre_commit, message }
                }
                _ => Stage::failed("the proof was taken, and the sector is not there"),
            },
        },
        (other, _) => other,
    };
    if let (Some(Job { stage: Stage::Failed { why }, .. }), Some(exit)) = (book.jobs.get(name), refused) {
        tracing::info!("{name}: {why} ({exit})");
    }
    Ok(true)
}

/// Asks the miner about a sector; `None` if it does not answer.
pub fn standing(view: &dyn LedgerView, miner: &Address, sector: SectorNumber) -> Result<Option<Standing>> {
    let outcome = view.query(miner, miner, m::GENERATE_SECTOR_LOCATION, messages::locate(sector))?;
    if outcome.exit.is_success() { messages::standing(&outcome.value).map(Some) } else { Ok(None) }
}

/// Runs `send` over the jobs that are ready, some at a time; a batch that would fail is sent one by one.
fn in_batches(
    book: &mut Book,
    ready: impl Fn(&Job) -> bool,
    mut send: impl FnMut(&mut Book, &[String]) -> Result<(), anyhow::Error>,
) -> Result<bool> {
    let names: Vec<String> = book.jobs.iter().filter(|(_, job)| ready(job)).map(|(name, _)| name.clone()).collect();
    for batch in names.chunks(BATCH) {
        if send(book, batch).is_ok() {
            continue;
        }
        for name in batch {
            if let Err(e) = send(book, std::slice::from_ref(name))
                && let Some(job) = book.jobs.get_mut(name)
            {
                tracing::info!("{name}: {e:#}");
                job.stage = Stage::failed(format_args!("{e:#}"));
            }
        }
    }
    Ok(!names.is_empty())
}

fn pre_commit(shop: &Shop, book: &mut Book, ledger: &mut dyn Ledger, names: &[String]) -> Result<()> {
    let now = ledger.epoch();
    let miner = book.miner.unwrap_or_default();
    let sectors: Vec<NewSector> = names
        .iter()
        .filter_map(|name| book.jobs.get(name))
        .zip(book.next_sector..)
        .map(|(job, number)| new_sector(job, number, expiration(job, now)))
        .collect();
    let params = messages::pre_commit(miner, &sectors, now)?;
    let to = Address::new_id(miner);
    let message = ledger.submit(&shop.worker, &to, m::PRE_COMMIT_SECTOR_BATCH2, &TokenAmount::default(), params)?;
    for (name, sector) in names.iter().zip(&sectors) {
        if let Some(job) = book.jobs.get_mut(name) {
            job.stage = Stage::PreCommitting { sector: sector.number, expiration: sector.expiration, message };
        }
        book.next_sector = book.next_sector.max(sector.number + 1);
    }
    Ok(())
}

fn prove(shop: &Shop, book: &mut Book, ledger: &mut dyn Ledger, names: &[String]) -> Result<()> {
    let miner = Address::new_id(book.miner.unwrap_or_default());
    let mut sectors = Vec::with_capacity(names.len());
    for job in names.iter().filter_map(|name| book.jobs.get(name)) {
        if let Stage::PreCommitted { sector, expiration, message, .. } = job.stage {
            sectors.push((new_sector(job, sector, expiration), message));
        }
    }
    let new: Vec<NewSector> = sectors.iter().map(|(sector, _)| sector.clone()).collect();
    let params = messages::prove_commit(&new);
    let message = ledger.submit(&shop.worker, &miner, m::PROVE_COMMIT_SECTORS3, &TokenAmount::default(), params)?;
    for (name, (sector, pre_commit)) in names.iter().zip(sectors) {
        if let Some(job) = book.jobs.get_mut(name) {
            let (sector, expiration) = (sector.number, sector.expiration);
            job.stage = Stage::Proving { sector, expiration, pre_commit, message };
        }
    }
    Ok(())
}

fn new_sector(job: &Job, number: SectorNumber, expiration: ChainEpoch) -> NewSector {
    let notify = market::notice(job).or_else(|| job.notify.as_ref().map(|n| (n.address, n.payload.clone())));
    NewSector { number, piece: job.wanted.piece_cid, size: job.wanted.size(), expiration, notify }
}

/// When the sector of a job that is pre-committed at `now` ends.
pub fn expiration(job: &Job, now: ChainEpoch) -> ChainEpoch {
    let duration = match &job.kind {
        Kind::Market { end, .. } => end - now,
        _ => job.duration,
    };
    now + (duration.max(LIFE.0) + MARGIN).min(LIFE.1)
}
