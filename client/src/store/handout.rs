//! Handing one piece to several providers at once. Each deal is named and written down before it is proposed, and proposed under that name until
//! it has an end; who fails is replaced by the next one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cid::Cid;
use futures::stream::{FuturesUnordered, StreamExt};
use fvm_shared::address::Address;

use super::Watch;
use super::job::{DealEntry, DealProgress};
use crate::address::Prefix;
use crate::deal::{
    Curio, DealError, DealId, DealState, DealStatus, Origin, Proposal, StorageProvider, Timeouts, Witness, deliver,
};
use crate::fetch::Source;
use crate::home::FileError;
use crate::sender::Sender;
use crate::wallet::Key;

/// How long a provider may take to fetch the bytes by itself before it is left to it.
const PULL_PATIENCE: Duration = Duration::from_secs(60);

/// Where deals are written down.
pub(crate) trait DealBook: Send {
    /// Writes a new deal down; only then it is proposed.
    fn begin(&mut self, deal: &DealEntry) -> Result<(), FileError>;

    /// Writes down how a deal stands.
    fn note(&mut self, deal: &DealEntry) -> Result<(), FileError>;
}

/// One piece on its way to providers.
pub(crate) struct Handout<'a> {
    /// Signs what is asked of providers.
    pub key: &'a Key,
    /// How their network prints addresses.
    pub prefix: Prefix,
    /// What is asked of each.
    pub proposal: Proposal,
    /// The bytes, where they are uploaded.
    pub car: PathBuf,
    /// Who wants to know.
    pub watch: Arc<dyn Watch>,
}

/// Who did not take it, and why; in the order that they were asked in.
pub(crate) type Failures = Vec<(Address, DealError)>;

impl Handout<'_> {
    /// Brings `want` providers the piece: first those of `begun`, deals that an earlier run wrote down, then the next of `candidates`. As many as
    /// are missing are served at once.
    ///
    /// Errors: the book cannot be written. That fewer took it than wanted shows in the book.
    pub async fn run(
        &self,
        book: &mut dyn DealBook,
        begun: Vec<DealEntry>,
        candidates: &[Source],
        want: usize,
    ) -> Result<Failures, FileError> {
        let (mut begun, mut next) = (begun.into_iter(), candidates.iter());
        let mut running = FuturesUnordered::new();
        let (mut have, mut failures, mut asked) = (0, Failures::new(), Vec::new());
        loop {
            while have + running.len() < want {
                let deal = match begun.next() {
                    Some(deal) => at_its_place(deal, candidates),
                    None => {
                        let is_new = |source: &&Source| matches!(source, Source::Provider { miner, .. } if !asked.contains(miner));
                        let Some(Source::Provider { miner, url }) = next.find(is_new) else { break };
                        let (provider, url) = (*miner, url.clone());
                        let deal = DealEntry { provider, url, id: DealId::generate(), state: DealProgress::Begun };
                        book.begin(&deal)?;
                        deal
                    }
                };
                asked.push(deal.provider);
                running.push(self.one(deal));
            }
            let Some((mut deal, delivered)) = running.next().await else {
                failures.sort_by_key(|(provider, _)| asked.iter().position(|one| one == provider));
                return Ok(failures);
            };
            deal.state = match delivered {
                // Whether it is sealed is asked of the chain, afterwards.
                Ok(status) if status.state == DealState::Uploading => DealProgress::Begun,
                Ok(_) => DealProgress::Stored,
                Err(why) => {
                    self.watch.failed(&deal.provider, &why);
                    // What may pass is tried again under the same name; what is refused is over.
                    let state =
                        if why.is_passing() { DealProgress::Begun } else { DealProgress::Failed(why.to_string()) };
                    failures.push((deal.provider, why));
                    state
                }
            };
            have += usize::from(deal.has_bytes());
            book.note(&deal)?;
        }
    }

    /// Takes one deal as far as the bytes.
    async fn one(&self, deal: DealEntry) -> (DealEntry, Result<DealStatus, DealError>) {
        let (watch, miner, size) = (self.watch.clone(), deal.provider, self.proposal.piece.payload_size);
        let told = Arc::new(move |bytes| watch.uploading(&miner, bytes, size));
        let delivered = match provider_of(&deal, self.key, self.prefix) {
            Ok(provider) => match deliver(&provider, deal.id, &self.proposal, &self.car, Some(told)).await {
                Ok(status) if matches!(self.proposal.origin, Origin::Http(_)) => {
                    pulled(&provider, deal.id, status).await
                }
                other => other,
            },
            Err(error) => Err(error),
        };
        (deal, delivered)
    }
}

/// A deal of an earlier run, at the place where its provider is now: a devnet's providers get a new port with each start.
fn at_its_place(mut deal: DealEntry, candidates: &[Source]) -> DealEntry {
    let now = candidates.iter().find_map(|source| match source {
        Source::Provider { miner, url } if *miner == deal.provider => Some(url),
        _ => None,
    });
    if let Some(url) = now {
        deal.url.clone_from(url);
    }
    deal
}

/// Waits until a provider that fetches the bytes by itself has them.
async fn pulled(provider: &Curio, id: DealId, mut status: DealStatus) -> Result<DealStatus, DealError> {
    let deadline = tokio::time::Instant::now() + PULL_PATIENCE;
    let mut pause = Duration::from_millis(25);
    while status.state == DealState::Accepted {
        if tokio::time::Instant::now() >= deadline {
            return Err(DealError::TooSlow { provider: provider.name(), patience: PULL_PATIENCE });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(2));
        if let Some(now) = provider.status(id).await? {
            status = now;
        }
    }
    match status.state {
        DealState::Failed => {
            Err(DealError::Failed { provider: provider.name(), why: status.error.unwrap_or_default() })
        }
        _ => Ok(status),
    }
}

/// The provider of a deal.
pub(crate) fn provider_of(deal: &DealEntry, key: &Key, prefix: Prefix) -> Result<Curio, DealError> {
    Ok(Curio::new(&deal.url, deal.provider, key.clone(), Timeouts::default())?.with_prefix(prefix))
}

/// Asks the providers of deals whose bytes are there, until all are sealed, or failed, or patience is over. `note` is told of every change.
/// A seal is what the chain shows of one, too.
///
/// A provider that cannot be asked now changes nothing: how the seal goes is news, not part of the work.
pub(crate) async fn wait_for_seals(
    deals: &mut [DealEntry],
    sender: &Sender,
    piece: Cid,
    patience: Duration,
    note: &mut (dyn FnMut(&DealEntry) -> Result<(), FileError> + Send),
) -> Result<(), FileError> {
    let (key, prefix) = (sender.key(), sender.network().prefix());
    let witness = &Witness::new(sender.node().clone(), piece);
    let deadline = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(25);
    loop {
        let waiting: Vec<&mut DealEntry> = deals.iter_mut().filter(|deal| deal.state == DealProgress::Stored).collect();
        let asked = waiting.into_iter().map(|deal| async move {
            let status = match provider_of(deal, key, prefix) {
                Ok(provider) => provider.with_witness(witness.clone()).status(deal.id).await.ok().flatten(),
                Err(_) => None,
            };
            (deal, status)
        });
        for (deal, status) in futures::future::join_all(asked).await {
            let state = match status {
                Some(status) if status.state == DealState::Failed => {
                    DealProgress::Failed(status.error.unwrap_or_default())
                }
                Some(status) => progress_of(status.state),
                None => continue,
            };
            if state != deal.state {
                deal.state = state;
                note(deal)?;
            }
        }
        let is_over = deals.iter().all(|deal| deal.state != DealProgress::Stored);
        if is_over || tokio::time::Instant::now() + pause > deadline {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(5));
    }
}

fn progress_of(state: DealState) -> DealProgress {
    match state {
        DealState::Complete | DealState::Indexing => DealProgress::Sealed,
        DealState::Uploading => DealProgress::Begun,
        _ => DealProgress::Stored,
    }
}

#[cfg(test)]
mod tests;
