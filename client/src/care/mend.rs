//! New deals for a piece that some have: to bring it back to the wished number of copies, or to prolong one that ends.
//!
//! Nothing is decrypted and nothing is packed anew: the bytes come from whoever serves them, are verified, and go on under the same piece CID. A
//! sector's life is the provider's to prolong, not ours, so a copy is prolonged by another deal, at the same provider if it takes one.

use std::sync::Arc;
use std::time::Duration;

use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

use super::{Book, Care, CareError, Copy, KeptDeal, Survey};
use crate::deal::{Origin, Proposal, piece_path};
use crate::fetch::{self, FetchError, Source};
use crate::home::{FileError, create_private_folder, remove};
use crate::piece::PieceInfo;
use crate::sender::Sender;
use crate::store::handout::{DealBook, Handout, wait_for_seals};
use crate::store::{self, DealEntry, DealProgress, place_of};

/// What is to be done for a piece.
#[derive(Clone, Debug)]
pub struct Order {
    /// How many further copies.
    pub want: usize,
    /// Who may take one, the first ones first.
    pub candidates: Vec<Source>,
    /// Whose copy is over and is not counted on any more.
    pub over: Vec<Address>,
    /// Epochs of storage.
    pub duration: ChainEpoch,
    /// How the bytes get there.
    pub way: Way,
    /// Whom the miners shall tell, and what: so earns a bounty who takes a copy of its piece.
    pub notify: Option<(Address, Vec<u8>)>,
    /// How long to wait for the seals.
    pub patience: Duration,
}

/// How the bytes get to a new provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through this machine, verified here.
    Through,
    /// The provider fetches them from one that was just seen to serve them.
    Pull,
    /// The provider fetches them from this URL.
    PullFrom(String),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Mended {
    /// The deals of this run whose providers have the bytes.
    pub made: Vec<DealEntry>,
    /// Who did not take it, and why.
    pub failed: Vec<(Address, String)>,
}

impl Order {
    /// Brings a piece to `copies` copies: with the providers `named`, else with those of `known` that have nothing to do with it yet. A provider that
    /// is silent for less than `grace` is waited for.
    pub fn repair(survey: &Survey, copies: usize, grace: Duration, known: &[Source], named: &[Source]) -> Self {
        let counts =
            |miner: &Address| survey.copies.iter().any(|copy| copy.provider == *miner && copy.health(survey).counts());
        let over = survey.copies.iter().filter(|copy| copy.health(survey).is_over()).map(|copy| copy.provider);
        let candidates = match named {
            // Who is named may have lost it once.
            [_, ..] => providers(named, |miner| !counts(miner)),
            [] => providers(known, |miner| survey.copies.iter().all(|copy| copy.provider != *miner)),
        };
        let want = copies.saturating_sub(survey.good() + survey.waited_for(grace));
        Self { over: over.collect(), ..Self::of(want, candidates) }
    }

    /// Prolongs the copies that end before an epoch, as many as are not replaced already: with the providers `named`, else with those that have them, and
    /// if they do not want to, with those of `known` that have none.
    pub fn renewal(survey: &Survey, before: ChainEpoch, known: &[Source], named: &[Source]) -> Self {
        let lasts =
            |miner: &Address| survey.copies.iter().any(|copy| copy.provider == *miner && copy.lasts(survey, before));
        let candidates = match named {
            [_, ..] => providers(named, |miner| !lasts(miner)),
            [] => {
                let same = survey.ending(before).into_iter().filter_map(Copy::source);
                let others = providers(known, |miner| survey.copies.iter().all(|copy| copy.provider != *miner));
                same.chain(others).collect()
            }
        };
        Self::of(survey.to_prolong(before), candidates)
    }

    fn of(want: usize, candidates: Vec<Source>) -> Self {
        let (over, duration, patience) = (Vec::new(), crate::deal::MIN_DURATION, Duration::from_secs(60));
        Self { want, candidates, over, duration, way: Way::Through, notify: None, patience }
    }
}

fn providers(sources: &[Source], fits: impl Fn(&Address) -> bool) -> Vec<Source> {
    let is = |source: &&Source| matches!(source, Source::Provider { miner, .. } if fits(miner));
    sources.iter().filter(is).cloned().collect()
}

/// The book of one piece's deals.
struct Ledger<'a> {
    care: &'a Care<'a>,
    book: &'a Book,
    piece_cid: Cid,
    since: ChainEpoch,
    duration: ChainEpoch,
}

impl DealBook for Ledger<'_> {
    fn begin(&mut self, deal: &DealEntry) -> Result<(), FileError> {
        self.note(deal)
    }

    fn note(&mut self, deal: &DealEntry) -> Result<(), FileError> {
        if deal.has_bytes() {
            self.care.outbox.note_piece(&self.piece_cid, &place_of(deal))?;
        }
        let mut kept = self.book.load(&self.piece_cid)?;
        kept.note(KeptDeal::new(deal.clone(), self.since, self.duration));
        self.book.save(&self.piece_cid, &kept)
    }
}

impl Care<'_> {
    /// Makes the deals of an order, or goes on with those that an earlier run began. The piece's [`lock`](Self::lock) should be held.
    ///
    /// Errors: nobody serves the piece; our own files. That fewer took it than wanted shows in the result.
    pub async fn mend<W>(
        &self,
        sender: &Sender,
        survey: &Survey,
        order: &Order,
        watch: Arc<W>,
    ) -> Result<Mended, CareError>
    where
        W: store::Watch + fetch::Watch + 'static,
    {
        let piece = &survey.piece;
        if order.want == 0 {
            return Ok(Mended::default());
        }
        let begun: Vec<DealEntry> = survey.kept.begun().map(|kept| kept.deal.clone()).collect();
        if begun.is_empty() && order.candidates.is_empty() {
            return Ok(Mended::default());
        }
        let car = self.car(&piece.piece_cid)?;
        let origin = self.origin(survey, order, &car, &watch).await?;
        let handout = Handout {
            key: sender.key(),
            prefix: self.network.prefix(),
            proposal: Proposal { piece: piece.clone(), origin, duration: order.duration, notify: order.notify.clone() },
            car: car.clone(),
            watch,
        };
        let (since, duration, piece_cid) = (survey.now, order.duration, piece.piece_cid);
        let mut ledger = Ledger { care: self, book: &self.book, piece_cid, since, duration };
        let ran = handout.run(&mut ledger, begun.clone(), &order.candidates, order.want).await;
        // What is begun is fetched again when it is gone on with: a copy of the piece is not left lying about.
        remove(&car)?;
        let failed = ran?.into_iter().map(|(who, why)| (who, why.to_string())).collect();

        let known = |deal: &DealEntry| {
            survey.kept.deals.iter().any(|kept| kept.deal.id == deal.id && kept.deal.state != DealProgress::Begun)
        };
        let standing: Vec<DealEntry> = self.book.load(&piece_cid)?.standing().cloned().collect();
        let mut made: Vec<DealEntry> = standing.into_iter().filter(|deal| !known(deal)).collect();
        wait_for_seals(&mut made, sender, piece_cid, order.patience, &mut |deal| ledger.note(deal)).await?;
        made.retain(|deal| !deal.is_over());
        if !made.is_empty() {
            self.give_up(&piece_cid, survey, &order.over)?;
        }
        Ok(Mended { made, failed })
    }

    /// Where the bytes come from: out of a file that holds them, verified, or from a provider that was just seen to serve them.
    async fn origin<W: fetch::Watch + 'static>(
        &self,
        survey: &Survey,
        order: &Order,
        car: &std::path::Path,
        watch: &Arc<W>,
    ) -> Result<Origin, CareError> {
        let (piece, sources) = (&survey.piece, survey.sources());
        match &order.way {
            Way::Through => {
                self.bring(piece, &sources, car, watch).await?;
                Ok(Origin::Upload)
            }
            Way::Pull => {
                let served = sources.iter().find_map(|source| match source {
                    Source::Provider { url, .. } => Some(url),
                    Source::Here(_) => None,
                });
                let url = served.ok_or(FetchError::NoSource)?;
                Ok(Origin::Http(format!("{}{}", url.trim_end_matches('/'), piece_path(piece))))
            }
            Way::PullFrom(url) => Ok(Origin::Http(url.clone())),
        }
    }

    /// Fetches the piece, every byte of it verified.
    async fn bring<W: fetch::Watch + 'static>(
        &self,
        piece: &PieceInfo,
        sources: &[Source],
        car: &std::path::Path,
        watch: &Arc<W>,
    ) -> Result<(), CareError> {
        if let Some(folder) = car.parent() {
            create_private_folder(folder)?;
        }
        fetch::fetch(piece, sources, car, &Told(watch.clone())).await?;
        Ok(())
    }

    /// Strikes out the deals of providers that were replaced.
    fn give_up(&self, piece_cid: &Cid, survey: &Survey, over: &[Address]) -> Result<(), FileError> {
        let mut kept = self.book.load(piece_cid)?;
        for mine in kept.deals.iter_mut().filter(|mine| over.contains(&mine.deal.provider) && mine.deal.has_bytes()) {
            // What was made since the survey is the replacement.
            if survey.kept.deals.iter().any(|seen| seen.deal.id == mine.deal.id) {
                let seen = survey.copies.iter().find(|copy| copy.provider == mine.deal.provider);
                let why = seen.map_or("gone", |copy| copy.health(survey).word());
                mine.deal.state = DealProgress::Failed(format!("replaced at epoch {}: {why}", survey.now));
            }
        }
        self.book.save(piece_cid, &kept)
    }
}

/// Passes on what a fetch says.
struct Told<W>(Arc<W>);

impl<W> Clone for Told<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: fetch::Watch> fetch::Watch for Told<W> {
    fn asking(&self, source: &Source) {
        self.0.asking(source);
    }

    fn received(&self, bytes: u64) {
        self.0.received(bytes);
    }

    fn dropped(&self, source: &Source, why: &crate::deal::DealError) {
        self.0.dropped(source, why);
    }
}

impl fetch::Watch for store::Quiet {}
