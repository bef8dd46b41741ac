//! Deals: each is named and written down before it is proposed, and proposed under that name until it has an end.

use std::sync::Arc;
use std::time::Instant;

use fvm_shared::address::Address;

use super::job::{DealEntry, DealProgress, Job, Place};
use super::{Request, Store, StoreError, Watch};
use crate::deal::{Curio, DealError, DealId, DealState, Proposal, StorageProvider, Timeouts, deliver};
use crate::fetch::{self, Source, piece_of};
use crate::piece::PieceInfo;

impl DealEntry {
    /// Whether the provider has the bytes.
    pub fn has_bytes(&self) -> bool {
        matches!(self.state, DealProgress::Stored | DealProgress::Sealed)
    }
}

impl Store<'_> {
    /// Hands the piece to as many providers as are wanted: first those of an earlier run, then the next ones.
    ///
    /// Errors: nobody has it. That fewer have it than wanted shows in the job.
    pub(super) async fn deal(
        &self,
        name: &str,
        job: &mut Job,
        request: &Request,
        watch: &Arc<dyn Watch>,
    ) -> Result<(), StoreError> {
        if request.copies == 0 {
            return Ok(());
        }
        let piece = piece_of(job.file.as_ref().expect("packed before it is dealt"));
        let mut failures = Vec::new();
        for index in 0..job.deals.len() {
            if job.deals[index].state == DealProgress::Begun {
                self.go_on(name, job, index, &piece, request, watch, &mut failures).await?;
            }
        }
        for source in &request.providers {
            let have = job.deals.iter().filter(|deal| deal.has_bytes()).count();
            let Source::Provider { miner, url } = source else { continue };
            let tried = job.deals.iter().any(|deal| deal.provider == *miner && !is_over(deal));
            if have >= request.copies || tried || failures.iter().any(|(who, _)| who == miner) {
                continue;
            }
            let id = DealId::generate();
            job.deals.retain(|deal| deal.provider != *miner);
            job.deals.push(DealEntry { provider: *miner, url: url.clone(), id, state: DealProgress::Begun });
            self.outbox.save(name, job)?;
            let index = job.deals.len() - 1;
            self.go_on(name, job, index, &piece, request, watch, &mut failures).await?;
        }
        let stored = job.deals.iter().any(DealEntry::has_bytes);
        // A file that is registered already is not made worse by a copy that fails.
        match stored || job.registered.is_some() {
            true => Ok(()),
            false if failures.is_empty() => Err(StoreError::NoProvider),
            false => Err(StoreError::NotStored(failures)),
        }
    }

    /// Takes one deal as far as the bytes.
    #[allow(clippy::too_many_arguments)] // The step's place in the job, and where its failure goes.
    async fn go_on(
        &self,
        name: &str,
        job: &mut Job,
        index: usize,
        piece: &PieceInfo,
        request: &Request,
        watch: &Arc<dyn Watch>,
        failures: &mut Vec<(Address, DealError)>,
    ) -> Result<(), StoreError> {
        self.bring_car(name, job, piece).await?;
        let deal = job.deals[index].clone();
        let told = {
            let (watch, miner, size) = (watch.clone(), deal.provider, piece.payload_size);
            Arc::new(move |bytes| watch.uploading(&miner, bytes, size))
        };
        let proposal = Proposal::upload(piece.clone(), request.duration);
        let delivered = match self.provider(&deal) {
            Ok(provider) => deliver(&provider, deal.id, &proposal, &self.outbox.car(name), Some(told)).await,
            Err(error) => Err(error),
        };
        job.deals[index].state = match delivered {
            Ok(status) => progress_of(status.state),
            Err(why) => {
                watch.failed(&deal.provider, &why);
                // What may pass is tried again under the same name; what is refused is over.
                let state = if why.is_passing() { DealProgress::Begun } else { DealProgress::Failed(why.to_string()) };
                failures.push((deal.provider, why));
                state
            }
        };
        if job.deals[index].has_bytes() {
            self.outbox.note_piece(&piece.piece_cid, &place_of(&deal))?;
        }
        Ok(self.outbox.save(name, job)?)
    }

    /// Fetches the CAR back where an earlier run has removed it and one more copy is wanted.
    async fn bring_car(&self, name: &str, job: &Job, piece: &PieceInfo) -> Result<(), StoreError> {
        let car = self.outbox.car(name);
        if car.exists() {
            return Ok(());
        }
        let holder = |deal: &DealEntry| Source::Provider { miner: deal.provider, url: deal.url.clone() };
        let sources: Vec<Source> = job.deals.iter().filter(|deal| deal.has_bytes()).map(holder).collect();
        fetch::fetch(piece, &sources, &car, &fetch::Quiet).await.map_err(StoreError::CarGone)?;
        Ok(())
    }

    fn provider(&self, deal: &DealEntry) -> Result<Curio, DealError> {
        let curio = Curio::new(&deal.url, deal.provider, self.sender.key().clone(), Timeouts::default())?;
        Ok(curio.with_prefix(self.sender.network().prefix()))
    }

    /// Asks until the deals are sealed, or patience is over.
    pub(super) async fn wait_for_seals(&self, name: &str, job: &mut Job, request: &Request) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut pause = std::time::Duration::from_millis(25);
        loop {
            let mut waiting = false;
            for deal in job.deals.iter_mut().filter(|deal| deal.state == DealProgress::Stored) {
                // How the seal goes is news, not part of the work: a provider that cannot be asked now changes nothing.
                let Ok(provider) = self.provider(deal).map_err(drop) else { continue };
                match provider.status(deal.id).await {
                    Ok(Some(status)) if status.state == DealState::Failed => {
                        deal.state = DealProgress::Failed(status.error.unwrap_or_default());
                    }
                    Ok(Some(status)) => deal.state = progress_of(status.state),
                    Ok(None) | Err(_) => {}
                }
                waiting |= deal.state == DealProgress::Stored;
            }
            self.outbox.save(name, job)?;
            if !waiting || begun.elapsed() + pause > request.patience {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(std::time::Duration::from_secs(5));
        }
    }
}

fn progress_of(state: DealState) -> DealProgress {
    match state {
        DealState::Complete | DealState::Indexing => DealProgress::Sealed,
        DealState::Uploading => DealProgress::Begun,
        _ => DealProgress::Stored,
    }
}

fn is_over(deal: &DealEntry) -> bool {
    matches!(deal.state, DealProgress::Failed(_))
}

fn place_of(deal: &DealEntry) -> Place {
    Place::Provider {
        miner: crate::address::Prefix::Mainnet.show(&deal.provider),
        url: deal.url.clone(),
        deal: deal.id.to_string(),
    }
}
