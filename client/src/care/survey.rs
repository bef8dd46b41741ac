//! Looking at a piece from all sides: what was agreed, what the chain says, what the providers serve.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cid::Cid;
use futures::future::join_all;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::sector::SectorNumber;

use super::copy::{ClaimView, Copy, Health, SectorState, SectorView, Served};
use super::probe::probe;
use super::{Care, CareError, Kept};
use crate::actor::ActorError;
use crate::bounty::sector_status;
use crate::check::Trees;
use crate::fetch::{Source, provider_url};
use crate::home::FileError;
use crate::network::Network;
use crate::node::{NodeError, ProvenSector, WINDOW};
use crate::piece::PieceInfo;
use crate::sender::Sender;
use crate::store::DealProgress;
use crate::store::handout::wait_for_seals;

/// Epochs that are asked for from the one before a deal on: a deal is sealed within days.
const SEALED_WITHIN: ChainEpoch = 10 * WINDOW;

/// A piece, seen from all sides.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The piece.
    pub piece: PieceInfo,
    /// When it was looked at.
    pub now: ChainEpoch,
    /// One entry a provider that was ever asked to keep it, or serves it.
    pub copies: Vec<Copy>,
    /// A CAR on this machine.
    pub here: Option<PathBuf>,
    /// What is remembered of it.
    pub kept: Kept,
    /// Whether the node could say which sectors hold it. Otherwise, providers' words are all there is.
    pub indexed: bool,
}

impl Survey {
    /// The copies that count.
    pub fn good(&self) -> usize {
        self.copies.iter().filter(|copy| copy.health(self).counts()).count()
    }

    /// How many copies are wished for: as was said on this machine; else as many as there ever were, because somebody wanted those.
    pub fn wanted(&self) -> usize {
        let ever = self.copies.iter().filter(|copy| copy.is_bound()).count();
        self.kept.copies.unwrap_or(ever)
    }

    /// How many copies are silent for less than `grace`.
    pub fn waited_for(&self, grace: Duration) -> usize {
        let unix = unix_now();
        let is_new = |copy: &&Copy| copy.silent_since.is_some_and(|since| unix.saturating_sub(since) < grace.as_secs());
        let silent = self.copies.iter().filter(|copy| copy.health(self) == Health::Silent);
        silent.filter(is_new).count()
    }

    /// The copies that count and end before an epoch.
    pub fn ending(&self, before: ChainEpoch) -> Vec<&Copy> {
        let ends = |copy: &&Copy| copy.ends(self).is_some_and(|end| end < before);
        self.copies.iter().filter(|copy| copy.health(self) == Health::Good).filter(ends).collect()
    }

    /// How many of those have to be prolonged: not those in whose place others will be.
    pub fn to_prolong(&self, before: ChainEpoch) -> usize {
        let lasting = self.copies.iter().filter(|copy| copy.lasts(self, before)).count();
        self.ending(before).len().min(self.wanted().saturating_sub(lasting))
    }

    /// Who serves the right bytes, and the CAR that lies here.
    pub fn sources(&self) -> Vec<Source> {
        let here = self.here.iter().cloned().map(Source::Here);
        let right = self.copies.iter().filter(|copy| matches!(copy.served, Served::Right { .. }));
        here.chain(right.filter_map(Copy::source)).collect()
    }
}

impl Copy {
    /// Whether it counts and does not end before an epoch.
    pub(super) fn lasts(&self, survey: &Survey, before: ChainEpoch) -> bool {
        self.health(survey).counts() && self.ends(survey).is_none_or(|end| end >= before)
    }

    /// Where it is to be had.
    pub(super) fn source(&self) -> Option<Source> {
        Some(Source::Provider { miner: self.provider, url: self.url.clone()? })
    }
}

impl Care<'_> {
    /// Looks at a piece. `root` is the CAR's, where that is known; `since` is an epoch in which nobody had the piece yet; `known` are those who may
    /// have it, wherever that is known from.
    ///
    /// Errors: the chain; our own files. What providers do wrong stands in the survey.
    pub async fn survey(
        &self,
        piece: &PieceInfo,
        root: Option<&Cid>,
        since: ChainEpoch,
        known: &[Source],
    ) -> Result<Survey, CareError> {
        let node = &**self.actor.node();
        let now = node.chain_head().await?.height;
        let mut kept = self.book.load(&piece.piece_cid)?;
        // From the first that may have it on, and for each deal of which the sector is still to be found.
        let unsealed = kept.deals.iter().filter(|kept| kept.sector.is_none() && !kept.deal.is_over());
        let earliest = kept.deals.iter().map(|kept| kept.since).chain([since]).min().unwrap_or(since);
        let from: Vec<_> = unsealed.map(|kept| kept.since).chain([earliest]).collect();
        let (proven, indexed) = self.proven(&piece.piece_cid, from, now).await?;
        let claims = self.claims(&piece.piece_cid).await?;
        assign_sectors(&mut kept, &proven, &claims);

        let mut copies: BTreeMap<Address, Copy> = BTreeMap::new();
        let mut sectors: BTreeMap<Address, Vec<SectorNumber>> = BTreeMap::new();
        for found in &proven {
            sectors.entry(found.miner).or_default().push(found.sector);
        }
        for kept in &kept.deals {
            let copy = copies.entry(kept.deal.provider).or_insert_with(|| Copy::of(kept.deal.provider));
            copy.url = Some(kept.deal.url.clone());
            copy.deals.push(kept.clone());
            sectors.entry(kept.deal.provider).or_default().extend(kept.sector);
        }
        for (provider, claim) in claims {
            sectors.entry(provider).or_default().push(claim.sector);
            copies.entry(provider).or_insert_with(|| Copy::of(provider)).claims.push(claim);
        }
        let mut here = None;
        for source in known {
            match source {
                Source::Here(path) => here = Some(path.clone()),
                Source::Provider { miner, url } => {
                    copies.entry(*miner).or_insert_with(|| Copy::of(*miner)).url = Some(url.clone());
                }
            }
        }
        for (provider, mut numbers) in sectors {
            numbers.sort_unstable();
            numbers.dedup();
            let copy = copies.entry(provider).or_insert_with(|| Copy::of(provider));
            let looked = join_all(numbers.into_iter().map(|number| self.sector(provider, number))).await;
            copy.sectors = looked.into_iter().collect::<Result<_, _>>()?;
        }
        let asked = join_all(copies.into_values().map(|copy| self.asked(copy, piece, root))).await;
        let mut copies = asked.into_iter().collect::<Result<Vec<_>, _>>()?;
        // Whoever is neither bound nor has it is a stranger.
        copies.retain(|copy| copy.is_bound() || matches!(copy.served, Served::Right { .. } | Served::Forged(_)));
        let kept = self.remember(piece, kept, &mut copies)?;
        Ok(Survey { piece: piece.clone(), now, copies, here, kept, indexed })
    }

    /// The sectors that were proven with a piece from the epoch before one of these on, and whether the node could say so of all the time that matters.
    async fn proven(
        &self,
        piece_cid: &Cid,
        since: Vec<ChainEpoch>,
        now: ChainEpoch,
    ) -> Result<(Vec<ProvenSector>, bool), NodeError> {
        let node = &**self.actor.node();
        let earliest = since.iter().min().copied().unwrap_or(now);
        // A local chain keeps everything; elsewhere whoever registers has often sealed before.
        let from = if *self.network == Network::Local { 0 } else { (earliest - WINDOW).max(0) };
        match node.sectors_with_piece(piece_cid, None, from, None).await {
            Err(error) if error.is_busy() => return Err(error),
            Err(NodeError::Refused { .. }) => {}
            other => return Ok((other?, true)),
        }
        let (mut all, mut indexed) = (Vec::new(), true);
        for (first, last) in windows(since, now) {
            match node.sectors_with_piece(piece_cid, None, first, Some(last)).await {
                Err(error) if error.is_busy() => return Err(error),
                Err(error) if error.is_unknown_method() => return Ok((all, false)),
                // It may be too long ago for it.
                Err(NodeError::Refused { .. }) => indexed = false,
                other => all.extend(other?),
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok((all, indexed))
    }

    /// Asks the providers of the deals whose sector nobody knows how they stand, and writes that down: a deal that failed promises nothing any more.
    pub async fn ask(&self, sender: &Sender, piece_cid: &Cid) -> Result<(), CareError> {
        let kept = self.book.load(piece_cid)?;
        let unsealed =
            kept.deals.iter().filter(|kept| kept.sector.is_none() && kept.deal.state == DealProgress::Stored);
        let mut deals: Vec<_> = unsealed.map(|kept| kept.deal.clone()).collect();
        wait_for_seals(&mut deals, sender, *piece_cid, Duration::ZERO, &mut |deal| {
            let mut kept = self.book.load(piece_cid)?;
            kept.stands(deal);
            self.book.save(piece_cid, &kept)
        })
        .await?;
        Ok(())
    }

    async fn claims(&self, piece_cid: &Cid) -> Result<Vec<(Address, ClaimView)>, CareError> {
        let mut all = Vec::new();
        for (bounty, record) in self.actor.bounties().await? {
            if record.terms.piece_cid != *piece_cid || record.claims == 0 {
                continue;
            }
            for (claim, one) in self.actor.claims(bounty).await? {
                let (end, status) = (one.end(&record.terms), one.status);
                let view = ClaimView { bounty, claim, sector: one.sector, end, status };
                all.push((Address::new_id(one.provider), view));
            }
        }
        Ok(all)
    }

    /// Errors: the node did not answer, which says nothing of the sector.
    async fn sector(&self, provider: Address, number: SectorNumber) -> Result<SectorView, NodeError> {
        let status = match provider.id() {
            Ok(id) => match sector_status(self.actor, id, number).await {
                Err(ActorError::Node(error)) if is_passing(&error) => return Err(error),
                other => other.map_err(|error| error.to_string()),
            },
            Err(_) => Err("the miner has no ID".into()),
        };
        let life = match self.actor.node().sector_life(&provider, number).await {
            Err(error) if is_passing(&error) => return Err(error),
            other => other,
        };
        let state = match status {
            Ok("active") => SectorState::Active,
            Ok("faulty") => SectorState::Faulty,
            Ok(_) => SectorState::Dead,
            // The miner does not say, and the node has no such sector.
            Err(_) if life == Ok(None) => SectorState::Dead,
            Err(why) => SectorState::Unknown(why),
        };
        // Where the node does not say, it is the deals that say how long.
        Ok(SectorView { number, state, life: life.ok().flatten() })
    }

    /// Asks a provider for the piece.
    async fn asked(&self, mut copy: Copy, piece: &PieceInfo, root: Option<&Cid>) -> Result<Copy, FileError> {
        // What the chain says now is newer than what was noted.
        if copy.is_bound()
            && let Ok(Some(url)) = provider_url(&**self.actor.node(), &copy.provider).await
        {
            copy.url = Some(url);
        }
        if let Some(source) = copy.source() {
            copy.served = probe(&source, piece, root, &Trees::of(self.home)).await?;
        }
        Ok(copy)
    }

    /// Writes down what was learnt, into what the book says by now.
    fn remember(&self, piece: &PieceInfo, learnt: Kept, copies: &mut [Copy]) -> Result<Kept, CareError> {
        let before = self.book.load(&piece.piece_cid)?;
        let mut kept = before.clone();
        for mine in &mut kept.deals {
            if let Some(seen) = learnt.deals.iter().find(|seen| seen.deal.id == mine.deal.id) {
                mine.sector = seen.sector;
                if !mine.deal.is_over() {
                    mine.deal.state = seen.deal.state.clone();
                }
            }
        }
        let unix = unix_now();
        for copy in copies {
            match &copy.served {
                Served::Silent(_) => copy.silent_since = Some(*kept.silent.entry(copy.provider).or_insert(unix)),
                _ => drop(kept.silent.remove(&copy.provider)),
            }
        }
        if kept != before {
            self.book.save(&piece.piece_cid, &kept)?;
        }
        Ok(kept)
    }
}

/// Whether the same question may be answered in a moment.
fn is_passing(error: &NodeError) -> bool {
    matches!(error, NodeError::Unreachable(_)) || error.is_busy()
}

/// The epochs in which sectors may have been proven for deals since these epochs, in parts that every node takes; each epoch once.
fn windows(mut since: Vec<ChainEpoch>, now: ChainEpoch) -> Vec<(ChainEpoch, ChainEpoch)> {
    since.sort_unstable();
    let (mut parts, mut next) = (Vec::new(), 0);
    for since in since {
        let end = since.saturating_add(SEALED_WITHIN).min(now);
        next = next.max(since - WINDOW);
        while next <= end {
            parts.push((next, (next + WINDOW - 1).min(end)));
            next += WINDOW;
        }
        next = next.min(end + 1).max(0);
    }
    parts
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Gives each deal without a sector the first one that its provider proved after it and that is neither another deal's nor a bounty's.
fn assign_sectors(kept: &mut Kept, proven: &[ProvenSector], claims: &[(Address, ClaimView)]) {
    let of_deals = kept.deals.iter().filter_map(|kept| Some((kept.deal.provider, kept.sector?)));
    let of_claims = claims.iter().map(|(provider, claim)| (*provider, claim.sector));
    let mut taken: Vec<(Address, SectorNumber)> = of_deals.chain(of_claims).collect();
    for mine in kept.deals.iter_mut().filter(|mine| mine.sector.is_none() && !mine.deal.is_over()) {
        let fits = |found: &&ProvenSector| {
            let place = (found.miner, found.sector);
            found.miner == mine.deal.provider && found.epoch >= mine.since && !taken.contains(&place)
        };
        if let Some(found) = proven.iter().filter(fits).min_by_key(|found| found.epoch) {
            mine.sector = Some(found.sector);
            mine.deal.state = DealProgress::Sealed;
            taken.push((found.miner, found.sector));
        }
    }
}

#[cfg(test)]
mod tests;
