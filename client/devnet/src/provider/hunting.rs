//! Looking for bounties that a provider can earn, and taking them.
//!
//! An actor with bounties is found by its answers, not by its address: whatever stands at the ids for installed actors and
//! answers `GetBounty` has some.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use bauta_abi::{
    BountyRecord, GetBountyParams, GetBountyReturn, ListBountyClaimsParams, ListBountyClaimsReturn, MAX_CLAIMS, Method,
    decode, encode, notification_payload,
};
use bauta_client::deal;
use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::ActorID;
use fvm_shared::address::Address;

use super::book::{Book, Job, Kind, Notify, Source, Stage, Wanted};
use super::messages::{SEALING_DELAY, SECTOR_SIZE};
use super::shop::Shop;
use crate::chain::INSTALLED_IDS;
use crate::duties::LedgerView;

/// Epochs in which a claim will be there at the latest, once the bytes are.
const LEAD: i64 = SEALING_DELAY + 2;
/// Bounties looked at again whenever something changes: those that had not enough money.
const MAX_WATCHED: usize = 100;
/// Bounties looked at in one go.
const MAX_LOOKS: usize = 1000;

/// What need not outlive the process.
#[derive(Default)]
pub struct Hunter {
    /// For each installed actor: whether it has bounties, and its state when it was looked at last.
    actors: BTreeMap<ActorID, (bool, Option<Cid>)>,
    /// Open bounties that could not be taken yet.
    watched: BTreeSet<(ActorID, u64)>,
    /// Whether what the book says was checked against the chain.
    checked: bool,
}

/// What to do about a bounty.
enum Verdict {
    Take,
    /// It may become worth it.
    Watch,
    Leave,
}

impl Hunter {
    /// Takes what can be taken now; gives the names of new jobs, whose pieces are to be fetched.
    pub fn look(&mut self, shop: &Shop, book: &mut Book, view: &dyn LedgerView) -> Result<Vec<String>> {
        let mut taken = Vec::new();
        if !book.conduct.hunting || book.miner.is_none() {
            return Ok(taken);
        }
        for actor in self.changed(view)? {
            let mut seen = book.bounties_seen.get(&actor).copied().unwrap_or(1);
            if !self.checked {
                // After a kill the chain may have forgotten bounties that the book knows.
                while seen > 1 && bounty(view, actor, seen - 1)?.is_none() {
                    seen -= 1;
                }
            }
            let mut ids: Vec<u64> = self.watched.iter().filter(|(a, _)| *a == actor).map(|(_, id)| *id).collect();
            for id in (seen..).take(MAX_LOOKS) {
                if bounty(view, actor, id)?.is_none() {
                    break;
                }
                ids.push(id);
                seen = id + 1;
            }
            book.bounties_seen.insert(actor, seen);
            for id in ids {
                self.watched.remove(&(actor, id));
                let Some(record) = bounty(view, actor, id)? else { continue };
                let verdict = judge(shop, book, view, actor, id, &record)?;
                if matches!(verdict, Verdict::Take) {
                    taken.push(take(book, actor, id, &record));
                }
                // What is taken is watched, too: another provider may be faster, and money may come for a second replica.
                if !matches!(verdict, Verdict::Leave) && self.watched.len() < MAX_WATCHED {
                    self.watched.insert((actor, id));
                }
            }
        }
        self.checked = true;
        Ok(taken)
    }

    /// The actors with bounties whose state is another than at the last call.
    fn changed(&mut self, view: &dyn LedgerView) -> Result<Vec<ActorID>> {
        let mut changed = Vec::new();
        for id in INSTALLED_IDS {
            let address = Address::new_id(id);
            let Some(actor) = view.actor(&address)? else { break };
            let known = self.actors.get(&id).copied();
            let has_bounties = match known {
                Some((has_bounties, _)) => has_bounties,
                None => bounty(view, id, 1).is_ok(),
            };
            if has_bounties && known.and_then(|(_, state)| state) != Some(actor.state) {
                changed.push(id);
            }
            self.actors.insert(id, (has_bounties, Some(actor.state)));
        }
        Ok(changed)
    }

    /// The first actor with bounties.
    pub fn actor(&mut self, view: &dyn LedgerView) -> Result<Option<ActorID>> {
        for id in INSTALLED_IDS {
            if view.actor(&Address::new_id(id))?.is_none() {
                return Ok(None);
            }
            if bounty(view, id, 1).is_ok() {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

/// Reads a bounty.
fn bounty(view: &dyn LedgerView, actor: ActorID, id: u64) -> Result<Option<BountyRecord>> {
    let address = Address::new_id(actor);
    let params = RawBytes::new(encode(&GetBountyParams { id })?);
    let outcome = view.query(&address, &address, Method::GetBounty.number(), params)?;
    ensure!(outcome.exit.is_success(), "GetBounty ends with exit code {}", outcome.exit);
    Ok(decode::<GetBountyReturn>(outcome.value.bytes())?)
}

fn judge(
    shop: &Shop,
    book: &Book,
    view: &dyn LedgerView,
    actor: ActorID,
    id: u64,
    record: &BountyRecord,
) -> Result<Verdict> {
    let terms = &record.terms;
    let over = record.cancelled || record.ended || view.epoch() + LEAD > terms.claim_deadline;
    let ours = |provider: &Address| book.miner.is_some_and(|miner| *provider == Address::new_id(miner));
    let barred = !terms.providers.is_empty() && !terms.providers.iter().any(ours);
    let too_much = terms.padded_size.0 > SECTOR_SIZE.0 || terms.min_duration > deal::MAX_DURATION;
    let nowhere = terms.source.is_empty() && shop.pieces.find(&wanted(record)).is_none();
    if over || barred || too_much || nowhere {
        return Ok(Verdict::Leave);
    }
    match book.jobs.get(&name(actor, id)).map(|job| &job.stage) {
        None => {}
        Some(Stage::Failed { .. }) => return Ok(Verdict::Leave),
        Some(Stage::Sealed { .. }) if has_claimed(book, view, actor, id)? => return Ok(Verdict::Leave),
        // Sealed in vain: others had claimed all that was paid for by then.
        Some(Stage::Sealed { .. }) => {}
        Some(_) => return Ok(Verdict::Watch),
    }
    let free = &record.escrowed - &record.reserved;
    Ok(if free >= terms.reward_per_replica { Verdict::Take } else { Verdict::Watch })
}

/// Tells whether this provider has a claim in a bounty.
fn has_claimed(book: &Book, view: &dyn LedgerView, actor: ActorID, id: u64) -> Result<bool> {
    let address = Address::new_id(actor);
    let params = encode(&ListBountyClaimsParams { id, cursor: None, limit: MAX_CLAIMS as u64 })?;
    let outcome = view.query(&address, &address, Method::ListBountyClaims.number(), RawBytes::new(params))?;
    ensure!(outcome.exit.is_success(), "ListBountyClaims ends with exit code {}", outcome.exit);
    let listed: ListBountyClaimsReturn = decode(outcome.value.bytes())?;
    Ok(listed.claims.iter().any(|(_, claim)| book.miner == Some(claim.provider)))
}

fn wanted(record: &BountyRecord) -> Wanted {
    let terms = &record.terms;
    Wanted { piece_cid: terms.piece_cid, padded_size: terms.padded_size.0, payload_size: None }
}

fn name(actor: ActorID, id: u64) -> String {
    format!("bounty-{actor}-{id}")
}

/// Makes a job of a bounty.
fn take(book: &mut Book, actor: ActorID, id: u64, record: &BountyRecord) -> String {
    let notify = Notify { address: Address::new_id(actor), payload: notification_payload(id) };
    let source = record.terms.source.as_str();
    let sources = if source.is_empty() { vec![] } else { vec![Source::plain(source)] };
    let job = Job {
        kind: Kind::Bounty { actor, id },
        wanted: wanted(record),
        sources,
        indexed: true,
        duration: record.terms.min_duration,
        notify: Some(notify),
        stage: Stage::Fetching,
    };
    let name = name(actor, id);
    book.jobs.insert(name.clone(), job);
    name
}

/// Takes a bounty because somebody says so, whatever its terms; gives the job's name. What failed before is begun anew.
pub fn take_by_order(book: &mut Book, view: &dyn LedgerView, actor: ActorID, id: u64) -> Result<String> {
    let record = bounty(view, actor, id)?.with_context(|| format!("there is no bounty {id}"))?;
    let name = name(actor, id);
    let busy = book.jobs.get(&name).filter(|job| !matches!(job.stage, Stage::Failed { .. } | Stage::Sealed { .. }));
    ensure!(busy.is_none(), "bounty {id} is being worked for already");
    Ok(take(book, actor, id, &record))
}
