//! Rules of claims: who may claim, and what a claim has earned.

use bauta_abi::{BountyClaim, BountyId, ClaimId, ClaimStatus, MAX_CLAIMS, Terms, is_past};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::sector::SectorNumber;

use super::bounties::BountyBlock;
use super::{Bounties, State, Transfer};
use crate::error::{Error, Result};

/// What the chain has proven about a sector: by the miner's own notification, or by a market deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The miner actor.
    pub provider: ActorID,
    /// Its sector.
    pub sector: SectorNumber,
    /// The deal, if it was one that told us.
    pub deal: Option<DealID>,
    /// What is in the sector.
    pub piece: Cid,
    /// How much room it takes there.
    pub size: PaddedPieceSize,
    /// When the sector expires.
    pub expiration: ChainEpoch,
}

/// What a miner says about its sector (FIP-0112).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectorStatus {
    /// Not terminated, not faulty.
    Active,
    /// Faulty.
    Faulty,
    /// Terminated, expired or never there.
    Dead,
}

/// What was seen of a claim's sector at settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Which claim.
    pub claim: ClaimId,
    /// How its sector is.
    pub status: SectorStatus,
    /// When it will expire; of no meaning for a dead one.
    pub expiration: ChainEpoch,
}

/// What a settlement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which claim.
    pub claim: ClaimId,
    /// Whose.
    pub provider: ActorID,
    /// What it has earned since the last settlement.
    pub amount: TokenAmount,
    /// Up to where it is settled now.
    pub until: ChainEpoch,
    /// Where it stands now.
    pub status: ClaimStatus,
}

impl<S: Blockstore> State<'_, S> {
    /// Records claims that fit and passes over the others; returns which bounty was claimed, as what, by which sector.
    pub fn notified(
        &mut self,
        proofs: &[(BountyId, Proof)],
        now: ChainEpoch,
    ) -> Result<Vec<(BountyId, ClaimId, SectorNumber)>> {
        let mut bounties = self.bounties()?;
        let claims: Vec<_> = proofs
            .iter()
            .filter_map(|(id, proof)| Some((*id, bounties.claim(self.store, *id, proof, now).ok()?, proof.sector)))
            .collect();
        if !claims.is_empty() {
            self.save_bounties(&bounties)?;
        }
        Ok(claims)
    }

    /// Records one claim.
    pub fn claim_bounty(&mut self, id: BountyId, proof: &Proof, now: ChainEpoch) -> Result<ClaimId> {
        let mut bounties = self.bounties()?;
        let claim = bounties.claim(self.store, id, proof, now)?;
        self.save_bounties(&bounties)?;
        Ok(claim)
    }

    /// Finds the claims that a settlement names: `(provider, sector)` of each; all must be open.
    pub fn open_claims(&self, id: BountyId, claims: &[ClaimId]) -> Result<Vec<(ActorID, SectorNumber)>> {
        let (bounty, _) = self.bounties()?.get(self.store, id)?;
        claims.iter().map(|claim| bounty.open_claim(*claim).map(|c| (c.provider, c.sector))).collect()
    }

    /// Settles claims; returns a transfer for each miner that has earned something.
    pub fn settle_bounty(
        &mut self,
        id: BountyId,
        observations: &[Observation],
        now: ChainEpoch,
    ) -> Result<(Vec<Settled>, Vec<Transfer>)> {
        let mut bounties = self.bounties()?;
        let (mut bounty, terms) = bounties.get(self.store, id)?;
        let (mut settled, mut transfers) = (vec![], vec![]);
        for observation in observations {
            bounty.open_claim(observation.claim)?;
            let claim = &mut bounty.claims[observation.claim as usize];
            let amount = settle(claim, &terms, observation, now);
            claim.paid += &amount;
            bounty.paid += &amount;
            bounty.escrowed -= &amount;
            bounties.escrowed -= &amount;
            let (provider, until, status) = (claim.provider, claim.settled_until, claim.status);
            if amount.is_positive() {
                transfers.push(Transfer { to: provider, amount: amount.clone() });
            }
            settled.push(Settled { claim: observation.claim, provider, amount, until, status });
        }
        bounties.replace(self.store, id, &bounty)?;
        self.save_bounties(&bounties)?;
        Ok((settled, transfers))
    }
}

impl BountyBlock {
    fn open_claim(&self, claim: ClaimId) -> Result<&BountyClaim> {
        let found = usize::try_from(claim).ok().and_then(|at| self.claims.get(at)).ok_or(Error::NotFound("claim"))?;
        if found.status == ClaimStatus::Open { Ok(found) } else { Err(Error::ClaimClosed(claim)) }
    }
}

impl Bounties {
    fn claim(&mut self, store: &impl Blockstore, id: BountyId, proof: &Proof, now: ChainEpoch) -> Result<ClaimId> {
        let (mut bounty, terms) = self.get(store, id)?;
        fits(&terms, &bounty, proof, now)?;
        let claim = bounty.claims.len() as ClaimId;
        bounty.claims.push(BountyClaim {
            provider: proof.provider,
            sector: proof.sector,
            deal: proof.deal,
            start: now,
            settled_until: now,
            covered: 0,
            activated: false,
            paid: TokenAmount::default(),
            sector_expiration: proof.expiration,
            status: ClaimStatus::Open,
        });
        self.replace(store, id, &bounty)?;
        Ok(claim)
    }
}

/// All that a claim has to keep; the bounty's side first, then the proof's.
fn fits(terms: &Terms, bounty: &BountyBlock, proof: &Proof, now: ChainEpoch) -> Result<()> {
    let open = [
        (!bounty.cancelled, "it is cancelled"),
        (!is_past(terms.claim_deadline, now), "its deadline has passed"),
        (bounty.replicas_left(terms) > 0, "all replicas are claimed"),
        (bounty.claims.len() < MAX_CLAIMS, "it has had too many claims"),
        (bounty.free(terms) >= terms.reward_per_replica, "there is no money for another replica"),
    ];
    let end = now.saturating_add(terms.min_duration);
    let allowed = terms.providers.is_empty() || terms.providers.contains(&Address::new_id(proof.provider));
    let fitting = [
        (proof.piece == terms.piece_cid, "another piece"),
        (proof.size == terms.padded_size, "another size"),
        (allowed, "the provider is not on the list"),
        (bounty.claims.iter().all(|claim| claim.provider != proof.provider), "the provider has claimed already"),
        (proof.expiration >= end, "the sector expires too early"),
    ];
    let broken = |rules: &[(bool, &'static str)]| rules.iter().find(|rule| !rule.0).map(|rule| rule.1);
    match (broken(&open), broken(&fitting)) {
        (Some(why), _) => Err(Error::BountyClosed(why)),
        (None, Some(why)) => Err(Error::DealDoesNotFit(why)),
        (None, None) => Ok(()),
    }
}

/// Moves a claim on to what was observed, and returns what it has earned on the way.
fn settle(claim: &mut BountyClaim, terms: &Terms, seen: &Observation, now: ChainEpoch) -> TokenAmount {
    let end = claim.end(terms);
    let mut until = now.min(end);
    if seen.status != SectorStatus::Dead {
        until = until.min(seen.expiration);
    }
    let until = until.max(claim.settled_until);
    let before = terms.earned(claim.covered);
    let mut amount = TokenAmount::default();
    if seen.status == SectorStatus::Active {
        claim.covered += until - claim.settled_until;
        amount = terms.earned(claim.covered) - before;
        if !claim.activated {
            claim.activated = true;
            amount += terms.activation();
        }
    }
    claim.settled_until = until;
    claim.status = match seen.status {
        SectorStatus::Dead => ClaimStatus::Dead,
        _ if until >= end => ClaimStatus::Completed,
        _ => ClaimStatus::Open,
    };
    amount
}
