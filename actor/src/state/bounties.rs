//! Rules of bounties: money in, money back. What claims earn is in [`super::claims`].

use bauta_abi::{
    BountyClaim, BountyId, BountyRecord, ClaimId, ClaimStatus, ListBountiesReturn, ListBountyClaimsReturn,
    MAX_CLAIM_WINDOW, Terms, is_past,
};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use super::{Log, Map, State, Transfer, blocks};
use crate::error::{Error, Result};

/// Bounty and funder to the funder's share, until it is refunded.
pub type Funders = Map<(BountyId, ActorID), TokenAmount, 16, 8, 8>;

/// `[log, escrowed, funders]`.
#[derive(Debug, Clone, Default, Serialize_tuple, Deserialize_tuple)]
pub struct Bounties {
    /// Bounty number to its block.
    pub(super) log: Log,
    /// What the actor holds for all bounties together.
    pub(super) escrowed: TokenAmount,
    pub(super) funders: Funders,
}

/// `[terms, creator, created, cancelled, funded, paid, refunded, escrowed, shares, claims]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BountyBlock {
    /// The block of the terms: up to a kilobyte that never changes.
    pub terms: Cid,
    pub creator: ActorID,
    pub created: ChainEpoch,
    pub cancelled: bool,
    pub funded: TokenAmount,
    pub paid: TokenAmount,
    pub refunded: TokenAmount,
    pub escrowed: TokenAmount,
    /// The shares of those who have not been refunded.
    pub shares: TokenAmount,
    pub claims: Vec<BountyClaim>,
}

impl BountyBlock {
    pub fn count(&self, status: ClaimStatus) -> u64 {
        self.claims.iter().filter(|claim| claim.status == status).count() as u64
    }

    /// What open claims may still earn.
    pub fn reserved(&self, terms: &Terms) -> TokenAmount {
        self.claims.iter().map(|claim| claim.reserved(terms)).sum()
    }

    /// Replicas that nobody keeps or has kept to the end.
    pub fn replicas_left(&self, terms: &Terms) -> u64 {
        terms.replicas - self.count(ClaimStatus::Open) - self.count(ClaimStatus::Completed)
    }

    /// Money that no open claim may still earn.
    pub fn free(&self, terms: &Terms) -> TokenAmount {
        &self.escrowed - self.reserved(terms)
    }

    /// Tells whether nothing more can be earned, now or later.
    pub fn is_ended(&self, terms: &Terms, now: ChainEpoch) -> bool {
        let all_earned = self.count(ClaimStatus::Completed) >= terms.replicas;
        let no_more_claims = is_past(terms.claim_deadline, now) || all_earned;
        self.cancelled || (no_more_claims && self.count(ClaimStatus::Open) == 0)
    }

    fn into_record(self, terms: Terms, now: ChainEpoch) -> BountyRecord {
        BountyRecord {
            creator: self.creator,
            created: self.created,
            cancelled: self.cancelled,
            reserved: self.reserved(&terms),
            claims: self.claims.len() as u64,
            ended: self.is_ended(&terms, now),
            terms,
            funded: self.funded,
            paid: self.paid,
            refunded: self.refunded,
            escrowed: self.escrowed,
        }
    }
}

impl<S: Blockstore> State<'_, S> {
    /// Offers a bounty, with whatever money came along.
    pub fn create_bounty(
        &mut self,
        creator: ActorID,
        terms: Terms,
        value: &TokenAmount,
        now: ChainEpoch,
    ) -> Result<BountyId> {
        let last = now.saturating_add(MAX_CLAIM_WINDOW);
        if is_past(terms.claim_deadline, now) || terms.claim_deadline > last {
            return Err(Error::OutOfBounds("claim_deadline"));
        }
        let none = TokenAmount::default;
        let mut bounty = BountyBlock {
            terms: blocks::put(self.store, &terms)?,
            creator,
            created: now,
            cancelled: false,
            funded: none(),
            paid: none(),
            refunded: none(),
            escrowed: none(),
            shares: none(),
            claims: vec![],
        };
        let mut bounties = self.bounties()?;
        let id = bounties.log.len() + 1;
        if value.is_positive() {
            bounties.put_in(self.store, id, &mut bounty, &terms, creator, value)?;
        }
        let link = blocks::put(self.store, &bounty)?;
        bounties.log.append(self.store, link)?;
        self.save_bounties(&bounties)?;
        Ok(id)
    }

    /// Adds money to a bounty.
    pub fn fund_bounty(&mut self, funder: ActorID, id: BountyId, value: &TokenAmount, now: ChainEpoch) -> Result<()> {
        let mut bounties = self.bounties()?;
        let (mut bounty, terms) = bounties.get(self.store, id)?;
        if is_past(terms.claim_deadline, now) {
            return Err(Error::BountyClosed("its deadline has passed"));
        }
        if bounty.is_ended(&terms, now) {
            return Err(Error::BountyClosed("it has ended"));
        }
        bounties.put_in(self.store, id, &mut bounty, &terms, funder, value)?;
        bounties.replace(self.store, id, &bounty)?;
        self.save_bounties(&bounties)
    }

    /// Ends a bounty that nobody has claimed.
    pub fn cancel_bounty(&mut self, caller: ActorID, id: BountyId, now: ChainEpoch) -> Result<()> {
        let mut bounties = self.bounties()?;
        let (mut bounty, terms) = bounties.get(self.store, id)?;
        if bounty.creator != caller {
            return Err(Error::Forbidden("the bounty is another's"));
        }
        if !bounty.claims.is_empty() {
            return Err(Error::BountyHasClaims);
        }
        if bounty.is_ended(&terms, now) {
            return Err(Error::BountyClosed("it has ended"));
        }
        bounty.cancelled = true;
        bounties.replace(self.store, id, &bounty)?;
        self.save_bounties(&bounties)
    }

    /// Gives a funder their part of what was not earned: by share, rounded down, the rest to the last.
    pub fn refund_bounty(&mut self, funder: ActorID, id: BountyId, now: ChainEpoch) -> Result<Transfer> {
        let mut bounties = self.bounties()?;
        let (mut bounty, terms) = bounties.get(self.store, id)?;
        let share = bounties.funders.get(self.store, &(id, funder))?.ok_or(Error::NothingToRefund)?;
        if !bounty.is_ended(&terms, now) {
            return Err(Error::BountyNotEnded);
        }
        let amount = part(&bounty.escrowed, &share, &bounty.shares);
        bounty.shares -= &share;
        bounty.escrowed -= &amount;
        bounty.refunded += &amount;
        bounties.escrowed -= &amount;
        bounties.funders.remove(self.store, (id, funder))?;
        bounties.replace(self.store, id, &bounty)?;
        self.save_bounties(&bounties)?;
        Ok(Transfer { to: funder, amount })
    }

    /// Reads a bounty.
    pub fn bounty(&self, id: BountyId, now: ChainEpoch) -> Result<Option<BountyRecord>> {
        match self.bounties()?.get(self.store, id) {
            Ok((bounty, terms)) => Ok(Some(bounty.into_record(terms, now))),
            Err(Error::NotFound(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Reads a page of bounties, oldest first. The cursor is the next number.
    pub fn list_bounties(&self, cursor: Option<u64>, limit: u64, now: ChainEpoch) -> Result<ListBountiesReturn> {
        let all = self.bounties()?;
        let first = cursor.unwrap_or(1).max(1);
        let (end, cursor) = page(first, limit, all.log.len().saturating_add(1));
        let mut bounties = vec![];
        for id in first..end {
            let (bounty, terms) = all.get(self.store, id)?;
            bounties.push((id, bounty.into_record(terms, now)));
        }
        Ok(ListBountiesReturn { bounties, cursor })
    }

    /// Reads a page of a bounty's claims, oldest first. The cursor is the next number.
    pub fn list_bounty_claims(&self, id: BountyId, cursor: Option<u64>, limit: u64) -> Result<ListBountyClaimsReturn> {
        let (bounty, _) = self.bounties()?.get(self.store, id)?;
        let first = cursor.unwrap_or_default();
        let (end, cursor) = page(first, limit, bounty.claims.len() as u64);
        let claims = (first..end).map(|at| (at as ClaimId, bounty.claims[at as usize].clone())).collect();
        Ok(ListBountyClaimsReturn { claims, cursor })
    }

    pub(super) fn bounties(&self) -> Result<Bounties> {
        blocks::get(self.store, &self.root.bounties)
    }

    pub(super) fn save_bounties(&mut self, bounties: &Bounties) -> Result<()> {
        self.root.bounties = blocks::put(self.store, bounties)?;
        Ok(())
    }
}

impl Bounties {
    pub(super) fn get(&self, store: &impl Blockstore, id: BountyId) -> Result<(BountyBlock, Terms)> {
        let index = id.checked_sub(1).ok_or(Error::NotFound("bounty"))?;
        let link = self.log.get(store, index)?.ok_or(Error::NotFound("bounty"))?;
        let bounty: BountyBlock = blocks::get(store, &link)?;
        let terms = blocks::get(store, &bounty.terms)?;
        Ok((bounty, terms))
    }

    pub(super) fn replace(&mut self, store: &impl Blockstore, id: BountyId, bounty: &BountyBlock) -> Result<()> {
        let link = blocks::put(store, bounty)?;
        self.log.set(store, id - 1, Some(link))
    }

    /// Puts money into a bounty; no more than it could ever pay out: what a claim got that has died is missing for the one in its place.
    fn put_in(
        &mut self,
        store: &impl Blockstore,
        id: BountyId,
        bounty: &mut BountyBlock,
        terms: &Terms,
        funder: ActorID,
        value: &TokenAmount,
    ) -> Result<()> {
        if bounty.free(terms) + value > &terms.reward_per_replica * bounty.replicas_left(terms) {
            return Err(Error::Overfunded);
        }
        bounty.funded += value;
        bounty.escrowed += value;
        bounty.shares += value;
        self.escrowed += value;
        let share = self.funders.get(store, &(id, funder))?.unwrap_or_default() + value;
        self.funders.set(store, (id, funder), share)
    }
}

/// `escrowed * share / shares`, rounded down; all of it for whoever holds the last share.
fn part(escrowed: &TokenAmount, share: &TokenAmount, shares: &TokenAmount) -> TokenAmount {
    TokenAmount::from_atto(escrowed.atto() * share.atto() / shares.atto())
}

/// From where to where a page goes, and where the next one starts.
fn page(first: u64, limit: u64, end: u64) -> (u64, Option<u64>) {
    let stop = first.saturating_add(limit).min(end);
    (stop, Some(stop).filter(|stop| *stop < end && *stop > first))
}
