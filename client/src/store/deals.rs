//! The deals of a put: as many at once as copies are wanted.

use std::sync::Arc;

use bauta_abi::FileId;
use fvm_shared::clock::ChainEpoch;

use super::handout::{DealBook, Failures, Handout, wait_for_seals};
use super::job::{DealEntry, DealProgress, Job, Outbox, Place};
use super::{Request, Store, StoreError, Watch};
use crate::care::KeptDeal;
use crate::deal::Proposal;
use crate::fetch::{self, Source, piece_of};
use crate::home::FileError;
use crate::piece::PieceInfo;

impl DealEntry {
    /// Whether the provider has the bytes.
    pub fn has_bytes(&self) -> bool {
        matches!(self.state, DealProgress::Stored | DealProgress::Sealed)
    }

    /// Whether it is not going to be.
    pub fn is_over(&self) -> bool {
        matches!(self.state, DealProgress::Failed(_))
    }
}

/// A put's journal as a book of deals.
struct Journal<'a> {
    outbox: &'a Outbox,
    name: &'a str,
    job: &'a mut Job,
    piece: PieceInfo,
}

impl DealBook for Journal<'_> {
    fn begin(&mut self, deal: &DealEntry) -> Result<(), FileError> {
        self.job.deals.retain(|other| other.provider != deal.provider);
        self.job.deals.push(deal.clone());
        self.outbox.save(self.name, self.job)
    }

    fn note(&mut self, deal: &DealEntry) -> Result<(), FileError> {
        if deal.has_bytes() {
            self.outbox.note_piece(&self.piece.piece_cid, &place_of(deal))?;
        }
        for mine in self.job.deals.iter_mut().filter(|mine| mine.id == deal.id) {
            mine.clone_from(deal);
        }
        self.outbox.save(self.name, self.job)
    }
}

impl Store<'_> {
    /// Hands the piece to as many providers as are wanted: first those of an earlier run, then the next ones. Gives who did not take it.
    ///
    /// Errors: nobody has it. That fewer have it than wanted shows in the job.
    pub(super) async fn deal(
        &self,
        name: &str,
        job: &mut Job,
        request: &Request,
        watch: &Arc<dyn Watch>,
    ) -> Result<Failures, StoreError> {
        if request.copies == 0 {
            return Ok(Failures::new());
        }
        let piece = piece_of(job.file.as_ref().expect("packed before it is dealt"));
        // A repair may have brought copies to others since.
        let kept = self.book.load(&piece.piece_cid)?;
        let ours = |provider| job.deals.iter().any(|deal| deal.provider == provider);
        let elsewhere: Vec<_> = kept.standing().map(|deal| deal.provider).filter(|who| !ours(*who)).collect();
        let have = elsewhere.len() + job.deals.iter().filter(|deal| deal.has_bytes()).count();
        let want = request.copies.saturating_sub(have);
        let mut failures = Failures::new();
        if want > 0 {
            let begun: Vec<_> = job.deals.iter().filter(|deal| deal.state == DealProgress::Begun).cloned().collect();
            let tried = |source: &Source| match source {
                Source::Provider { miner, .. } => {
                    elsewhere.contains(miner)
                        || job.deals.iter().any(|deal| deal.provider == *miner && deal.has_bytes())
                }
                Source::Here(_) => true,
            };
            let candidates: Vec<Source> = request.providers.iter().filter(|source| !tried(source)).cloned().collect();
            if !begun.is_empty() || !candidates.is_empty() {
                self.bring_car(name, job, &piece).await?;
            }
            let handout = Handout {
                key: self.sender.key(),
                prefix: self.sender.network().prefix(),
                proposal: Proposal::upload(piece.clone(), request.duration),
                car: self.outbox.car(name),
                watch: watch.clone(),
            };
            let mut journal = Journal { outbox: &self.outbox, name, job, piece };
            failures = handout.run(&mut journal, begun, &candidates, want).await?;
        }
        let stored = !elsewhere.is_empty() || job.deals.iter().any(DealEntry::has_bytes);
        // A file that is registered already is not made worse by a copy that fails.
        match stored || job.registered.is_some() {
            true => Ok(failures),
            false if failures.is_empty() => Err(StoreError::NoProvider),
            false => Err(StoreError::NotStored(failures)),
        }
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

    /// Asks until the deals are sealed, or patience is over.
    pub(super) async fn wait_for_seals(&self, name: &str, job: &mut Job, request: &Request) -> Result<(), StoreError> {
        let mut deals = job.deals.clone();
        let piece = piece_of(job.file.as_ref().expect("packed before it is dealt"));
        let (sender, piece_cid) = (self.sender, piece.piece_cid);
        let mut journal = Journal { outbox: &self.outbox, name, job, piece };
        Ok(wait_for_seals(&mut deals, sender, piece_cid, request.patience, &mut |deal| journal.note(deal)).await?)
    }

    /// How many copies of a file's present version are wished for, as far as this machine knows.
    ///
    /// Errors: NoSuchFile; the chain's and the disk's.
    pub async fn wished(&self, id: FileId) -> Result<Option<usize>, StoreError> {
        let record = self.actor.file(id).await?.ok_or(StoreError::NoSuchFile(id))?;
        Ok(self.book.load(&record.file.piece_cid)?.copies.filter(|copies| *copies > 0))
    }

    /// Remembers how many copies are wished for and where they are, for whoever looks after the file later. `since` is an epoch before the deals.
    pub(super) fn remember(&self, job: &Job, request: &Request, since: ChainEpoch) -> Result<(), StoreError> {
        let piece_cid = job.file.as_ref().expect("packed before it is remembered").piece_cid;
        let mut kept = self.book.load(&piece_cid)?;
        // The same put again without a number does not take back what was wished for before.
        kept.copies = Some(kept.copies.unwrap_or(0).max(request.copies));
        for deal in job.deals.iter().filter(|deal| deal.has_bytes()) {
            kept.note(KeptDeal::new(deal.clone(), since, request.duration));
        }
        Ok(self.book.save(&piece_cid, &kept)?)
    }
}

/// Where the piece of a deal lies, for whoever fetches it later.
pub(crate) fn place_of(deal: &DealEntry) -> Place {
    Place::Provider {
        miner: crate::address::Prefix::Mainnet.show(&deal.provider),
        url: deal.url.clone(),
        deal: deal.id.to_string(),
    }
}
