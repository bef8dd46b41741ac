//! The duty that follows from having sectors: a window proof for each deadline in every proving period, and recovery
//! after faults.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::SectorNumber;

use super::book::{Book, Sector, SectorState};
use super::messages::{
    self, CHALLENGE_WINDOW, DECLARATION_CUTOFF, DECLARE_FAULTS_RECOVERED, Location, PARTITIONS_PER_POST,
    PROVING_PERIOD, SUBMIT_WINDOWED_POST, Standing, TERMINATE_SECTORS,
};
use super::sealing::{News, news, standing};
use super::shop::Shop;
use crate::deadlines::MinerState;
use crate::duties::{Ledger, LedgerView, state};

/// What need not outlive the process.
#[derive(Default)]
pub struct Proofs {
    /// Epoch of the start of any proving period, modulo its length.
    phase: Option<ChainEpoch>,
    /// For each deadline, when the window opened that was proven last.
    proven: BTreeMap<u64, ChainEpoch>,
    /// Deadlines whose sectors may be faulty without our knowing.
    suspects: BTreeSet<u64>,
    /// Proofs that are on their way, and the deadlines they are for.
    posts: Vec<(Cid, u64)>,
    /// Declared recoveries that are on their way.
    recoveries: Vec<(Cid, Vec<SectorNumber>)>,
    /// Terminations that are on their way.
    terminations: Vec<(Cid, Vec<SectorNumber>)>,
}

/// A deadline's window at some epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    /// Open since.
    Open(ChainEpoch),
    /// Closed; opens at.
    Closed(ChainEpoch),
}

fn window(phase: ChainEpoch, deadline: u64, at: ChainEpoch) -> Window {
    let start = phase + ChainEpoch::try_from(deadline).unwrap_or(0) * CHALLENGE_WINDOW;
    let since = (at - start).rem_euclid(PROVING_PERIOD);
    if since < CHALLENGE_WINDOW { Window::Open(at - since) } else { Window::Closed(at - since + PROVING_PERIOD) }
}

/// The first epoch from `from` on in which recoveries of a deadline can be declared.
fn mutable_from(phase: ChainEpoch, deadline: u64, from: ChainEpoch) -> ChainEpoch {
    match window(phase, deadline, from) {
        Window::Open(open) => open + CHALLENGE_WINDOW,
        Window::Closed(open) if open - from <= DECLARATION_CUTOFF => open + CHALLENGE_WINDOW,
        Window::Closed(_) => from,
    }
}

fn live(book: &Book, deadline: u64) -> impl Iterator<Item = (&SectorNumber, &Sector)> {
    book.sectors.iter().filter(move |(_, s)| s.deadline == deadline && s.state != SectorState::Dead)
}

fn deadlines(book: &Book) -> BTreeSet<u64> {
    book.sectors.values().filter(|s| s.state != SectorState::Dead).map(|s| s.deadline).collect()
}

fn place(sector: &Sector) -> Location {
    Location { deadline: sector.deadline, partition: sector.partition }
}

impl Proofs {
    /// Nothing is known of the sectors: ask about all.
    pub fn suspect_all(&mut self, book: &Book) {
        self.suspects = deadlines(book);
    }

    /// The earliest epoch after `head` in which there is something to do.
    pub fn next(&self, book: &Book, head: ChainEpoch) -> Option<ChainEpoch> {
        let from = head + 1;
        if self.is_awaited(book) {
            return Some(from);
        }
        let phase = match self.phase {
            Some(phase) => phase,
            None => return deadlines(book).first().map(|_| from),
        };
        if !book.conduct.proving {
            return None;
        }
        let proofs = deadlines(book).into_iter().map(|deadline| match window(phase, deadline, from) {
            Window::Open(open) if self.proven.get(&deadline) != Some(&open) => from,
            Window::Open(open) => open + PROVING_PERIOD,
            Window::Closed(open) => open,
        });
        let declarations = self.suspects.iter().map(|deadline| mutable_from(phase, *deadline, from));
        proofs.chain(declarations).min()
    }

    /// Whether somebody waits for what comes next.
    pub fn is_awaited(&self, book: &Book) -> bool {
        !book.to_terminate.is_empty() || !self.terminations.is_empty()
    }

    /// Does what is due in the epoch being produced. Says whether the book has changed.
    pub fn step(&mut self, shop: &Shop, book: &mut Book, ledger: &mut dyn Ledger) -> Result<bool> {
        let Some(miner) = book.miner.map(Address::new_id) else { return Ok(false) };
        if book.sectors.is_empty() {
            return Ok(false);
        }
        let mut dirty = self.follow(book, ledger.view(), &miner)?;
        dirty |= self.terminate(shop, book, ledger, &miner)?;
        let Some(phase) = self.phase(ledger.view(), &miner)? else { return Ok(dirty) };
        if !book.conduct.proving {
            return Ok(dirty);
        }
        let now = ledger.epoch();
        for deadline in self.suspects.clone() {
            if mutable_from(phase, deadline, now) == now {
                self.suspects.remove(&deadline);
                dirty |= self.recover(shop, book, ledger, &miner, deadline)?;
            }
        }
        for deadline in deadlines(book) {
            if let Window::Open(open) = window(phase, deadline, now)
                && self.proven.get(&deadline) != Some(&open)
            {
                self.proven.insert(deadline, open);
                dirty |= self.prove(shop, book, ledger, deadline, open)?;
            }
        }
        Ok(dirty)
    }

    fn phase(&mut self, view: &dyn LedgerView, miner: &Address) -> Result<Option<ChainEpoch>> {
        if self.phase.is_none() {
            let state: Option<MinerState> = state(view, miner)?;
            self.phase = state.map(|state| state.10.rem_euclid(PROVING_PERIOD));
        }
        Ok(self.phase)
    }

    /// Takes note of what the messages on their way came to.
    fn follow(&mut self, book: &mut Book, view: &dyn LedgerView, miner: &Address) -> Result<bool> {
        let mut dirty = false;
        for (message, deadline) in std::mem::take(&mut self.posts) {
            match news(view, &message)? {
                News::Waiting => self.posts.push((message, deadline)),
                News::Included(included) if included.receipt.exit_code.is_success() => {
                    let recovering = |s: &&mut Sector| s.deadline == deadline && s.state == SectorState::Recovering;
                    for sector in book.sectors.values_mut().filter(recovering) {
                        sector.state = SectorState::Active;
                        dirty = true;
                    }
                }
                News::Included(_) | News::Lost => drop(self.suspects.insert(deadline)),
            }
        }
        for (message, sectors) in std::mem::take(&mut self.recoveries) {
            let state = match news(view, &message)? {
                News::Waiting => {
                    self.recoveries.push((message, sectors));
                    continue;
                }
                News::Included(included) if included.receipt.exit_code.is_success() => SectorState::Recovering,
                News::Included(_) | News::Lost => SectorState::Faulty,
            };
            for number in sectors {
                if let Some(sector) = book.sectors.get_mut(&number) {
                    sector.state = state;
                    dirty = true;
                }
            }
        }
        for (message, sectors) in std::mem::take(&mut self.terminations) {
            if let News::Waiting = news(view, &message)? {
                self.terminations.push((message, sectors));
                continue;
            }
            for number in sectors {
                refresh(book, view, miner, number)?;
                dirty = true;
            }
        }
        Ok(dirty)
    }

    /// Ends the sectors that are to be ended.
    fn terminate(&mut self, shop: &Shop, book: &mut Book, ledger: &mut dyn Ledger, miner: &Address) -> Result<bool> {
        let numbers = std::mem::take(&mut book.to_terminate);
        if numbers.is_empty() {
            return Ok(false);
        }
        let sectors: Vec<_> = numbers.iter().filter_map(|n| Some((*n, place(book.sectors.get(n)?)))).collect();
        let params = messages::declare(&sectors)?;
        let sent = ledger.submit(&shop.worker, miner, TERMINATE_SECTORS, &TokenAmount::default(), params);
        match sent {
            Ok(message) => self.terminations.push((message, numbers.into_iter().collect())),
            Err(e) => tracing::warn!("provider {}: ending sectors {numbers:?}: {e:#}", shop.index),
        }
        Ok(true)
    }

    /// Finds the faulty sectors of a deadline and declares them recovered.
    fn recover(
        &mut self,
        shop: &Shop,
        book: &mut Book,
        ledger: &mut dyn Ledger,
        miner: &Address,
        deadline: u64,
    ) -> Result<bool> {
        let numbers: Vec<SectorNumber> = live(book, deadline).map(|(number, _)| *number).collect();
        for number in &numbers {
            refresh(book, ledger.view(), miner, *number)?;
        }
        let faulty: Vec<_> = live(book, deadline)
            .filter(|(_, sector)| sector.state == SectorState::Faulty)
            .map(|(number, sector)| (*number, place(sector)))
            .collect();
        if faulty.is_empty() {
            return Ok(!numbers.is_empty());
        }
        let params = messages::declare(&faulty)?;
        match ledger.submit(&shop.worker, miner, DECLARE_FAULTS_RECOVERED, &TokenAmount::default(), params) {
            Ok(message) => self.recoveries.push((message, faulty.into_iter().map(|(number, _)| number).collect())),
            Err(e) => tracing::warn!("provider {}: declaring recoveries: {e:#}", shop.index),
        }
        Ok(true)
    }

    /// Proves all partitions of a deadline that have sectors to prove.
    fn prove(
        &mut self,
        shop: &Shop,
        book: &mut Book,
        ledger: &mut dyn Ledger,
        deadline: u64,
        open: ChainEpoch,
    ) -> Result<bool> {
        let miner = book.miner.unwrap_or_default();
        let to = Address::new_id(miner);
        let now = ledger.epoch();
        let expired: Vec<SectorNumber> =
            live(book, deadline).filter(|(_, s)| s.expiration <= now).map(|(number, _)| *number).collect();
        for number in &expired {
            refresh(book, ledger.view(), &to, *number)?;
        }
        for partitions in provable(book, deadline).chunks(PARTITIONS_PER_POST) {
            let indexes: Vec<u64> = partitions.iter().map(|(index, _)| *index).collect();
            let sectors: Vec<SectorNumber> = partitions.iter().flat_map(|(_, sectors)| sectors.clone()).collect();
            let params = messages::window_post(miner, deadline, &indexes, &sectors, open, now)?;
            match ledger.submit(&shop.worker, &to, SUBMIT_WINDOWED_POST, &TokenAmount::default(), params) {
                Ok(message) => self.posts.push((message, deadline)),
                // After a restart it may have been proven in this window already.
                Err(e) => {
                    tracing::debug!("provider {}: proving deadline {deadline}: {e:#}", shop.index);
                    self.suspects.insert(deadline);
                }
            }
        }
        Ok(!expired.is_empty())
    }
}

/// The partitions of a deadline with something to prove, each with the sectors that its proof is over: all that it ever
/// had, in order, a good one in the place of each that cannot be proven.
fn provable(book: &Book, deadline: u64) -> Vec<(u64, Vec<SectorNumber>)> {
    let mut partitions: BTreeMap<u64, Vec<(SectorNumber, bool)>> = BTreeMap::new();
    for (number, sector) in book.sectors.iter().filter(|(_, sector)| sector.deadline == deadline) {
        let good = matches!(sector.state, SectorState::Active | SectorState::Recovering);
        partitions.entry(sector.partition).or_default().push((*number, good));
    }
    partitions
        .into_iter()
        .filter_map(|(index, sectors)| {
            let (stand_in, _) = *sectors.iter().find(|(_, good)| *good)?;
            Some((index, sectors.iter().map(|(number, good)| if *good { *number } else { stand_in }).collect()))
        })
        .collect()
}

/// Writes down what the miner says of a sector. A recovery that it was told of counts as one.
pub fn refresh(book: &mut Book, view: &dyn LedgerView, miner: &Address, number: SectorNumber) -> Result<()> {
    let Some(answer) = standing(view, miner, number)? else { return Ok(()) };
    if let Some(sector) = book.sectors.get_mut(&number) {
        match answer {
            Standing::Dead => sector.state = SectorState::Dead,
            Standing::Active(at) | Standing::Faulty(at) => {
                (sector.deadline, sector.partition) = (at.deadline, at.partition);
                sector.state = match answer {
                    Standing::Active(_) => SectorState::Active,
                    _ => SectorState::Faulty,
                };
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
