//! Deals and escrow. What is locked of an escrow is promised to a deal.

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_hamt::Hamt;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::SectorNumber;

use super::deal::{DealState, EXPIRED, Proposal};
use crate::blocks::{array, element, empty_array};
use crate::failure::{Result, ensure, failure, illegal_state, insufficient_funds, not_found};
use crate::policy::DEAL_UPDATES_INTERVAL;

/// Id of a deal.
pub type DealId = u64;

/// Root state of the market.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct State {
    /// Array of [`Proposal`] by deal id, with id addresses.
    pub proposals: Cid,
    /// Array of [`DealState`] by deal id: activated deals.
    pub states: Cid,
    /// Set of the CIDs of proposals that must not be published again.
    pub pending: Cid,
    /// Array of balances by actor id, with what is locked.
    pub escrow: Cid,
    /// Array of locked balances by actor id.
    pub locked: Cid,
    /// Id of the next deal.
    pub next_id: DealId,
    /// Array of deal ids by the epoch at which cron looks at them.
    pub by_epoch: Cid,
    /// Last epoch that cron has looked at.
    pub last_cron: ChainEpoch,
    /// Array, by provider's actor id, of arrays of deal ids by sector number.
    pub by_provider: Cid,
}

/// What is known of a deal that was published.
pub enum PublishedDeal {
    /// Waits for a sector.
    Published(Proposal),
    /// Is in a sector.
    Active(Proposal, DealState),
}

/// What settling a deal came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// Paid to the provider.
    pub payment: TokenAmount,
    /// The deal is over, and gone.
    pub completed: bool,
    /// Taken from the provider, to be burnt; set where the deal was never activated.
    pub missed: Option<TokenAmount>,
}

impl State {
    /// An empty market.
    pub fn new(store: &impl Blockstore) -> Result<Self> {
        let empty = empty_array(store)?;
        Ok(Self {
            proposals: empty,
            states: empty,
            pending: Hamt::<_, ()>::new_with_bit_width(store, fvm_shared::HAMT_BIT_WIDTH).flush()?,
            escrow: empty,
            locked: empty,
            next_id: 0,
            by_epoch: empty,
            last_cron: -1,
            by_provider: empty,
        })
    }

    // --- escrow ------------------------------------------------------------------------------------------------------

    /// Balance of an actor, and how much of it is locked.
    pub fn balance(&self, store: &impl Blockstore, who: ActorID) -> Result<(TokenAmount, TokenAmount)> {
        let of = |table| Ok::<_, crate::failure::Failure>(element(store, table, who)?.unwrap_or_default());
        Ok((of(&self.escrow)?, of(&self.locked)?))
    }

    /// Whether an actor's free balance covers an amount.
    pub fn covers(&self, store: &impl Blockstore, who: ActorID, amount: &TokenAmount) -> Result<bool> {
        let (balance, locked) = self.balance(store, who)?;
        Ok(locked + amount <= balance)
    }

    /// Adds to an actor's balance.
    pub fn deposit(&mut self, store: &impl Blockstore, who: ActorID, amount: &TokenAmount) -> Result<()> {
        self.escrow = add(store, &self.escrow, who, amount)?;
        Ok(())
    }

    /// Takes from an actor's free balance, up to all of it. Returns what was taken.
    pub fn withdraw(&mut self, store: &impl Blockstore, who: ActorID, amount: &TokenAmount) -> Result<TokenAmount> {
        let (balance, locked) = self.balance(store, who)?;
        let taken = amount.clone().min(balance - locked);
        self.escrow = add(store, &self.escrow, who, &-&taken)?;
        Ok(taken)
    }

    fn lock(&mut self, store: &impl Blockstore, who: ActorID, amount: &TokenAmount) -> Result<()> {
        ensure(self.covers(store, who, amount)?, || insufficient_funds("not enough balance to lock"))?;
        self.locked = add(store, &self.locked, who, amount)?;
        Ok(())
    }

    fn unlock(&mut self, store: &impl Blockstore, who: ActorID, amount: &TokenAmount) -> Result<()> {
        self.locked = add(store, &self.locked, who, &-amount)?;
        Ok(())
    }

    /// Takes locked money: the payer's.
    fn spend(&mut self, store: &impl Blockstore, who: ActorID, amount: &TokenAmount) -> Result<()> {
        self.unlock(store, who, amount)?;
        self.escrow = add(store, &self.escrow, who, &-amount)?;
        Ok(())
    }

    // --- deals -------------------------------------------------------------------------------------------------------

    /// A deal that was published and is not over. Exit 17: no such deal was ever published; 32: it is over.
    pub fn deal(&self, store: &impl Blockstore, id: DealId) -> Result<PublishedDeal> {
        let proposal = self.proposal(store, id)?;
        Ok(match element(store, &self.states, id)? {
            Some(state) => PublishedDeal::Active(proposal, state),
            None => PublishedDeal::Published(proposal),
        })
    }

    /// The proposal of such a deal. Exit 17, 32: as [`State::deal`].
    pub fn proposal(&self, store: &impl Blockstore, id: DealId) -> Result<Proposal> {
        let gone = || if id < self.next_id { failure(EXPIRED, "deal is over") } else { not_found("no such deal") };
        element(store, &self.proposals, id)?.ok_or_else(gone)
    }

    /// Whether a proposal was published and must not be again.
    pub fn is_pending(&self, store: &impl Blockstore, proposal: &Cid) -> Result<bool> {
        let pending = Hamt::<_, ()>::load_with_bit_width(&self.pending, store, fvm_shared::HAMT_BIT_WIDTH)?;
        Ok(pending.contains_key(&proposal.to_bytes())?)
    }

    fn set_pending(&mut self, store: &impl Blockstore, proposal: &Cid, is: bool) -> Result<()> {
        let mut pending = Hamt::<_, ()>::load_with_bit_width(&self.pending, store, fvm_shared::HAMT_BIT_WIDTH)?;
        match is {
            true => drop(pending.set(proposal.to_bytes().into(), ())?),
            false => drop(pending.delete(&proposal.to_bytes())?),
        }
        self.pending = pending.flush()?;
        Ok(())
    }

    /// Publishes a proposal with id addresses: locks the money of both sides. Returns the deal's id.
    pub fn publish(&mut self, store: &impl Blockstore, proposal: Proposal, cid: &Cid) -> Result<DealId> {
        self.lock(store, id(&proposal.client)?, &proposal.client_lockup())?;
        self.lock(store, id(&proposal.provider)?, &proposal.provider_collateral)?;
        self.set_pending(store, cid, true)?;
        let deal = self.next_id;
        self.next_id += 1;
        self.schedule(store, deal, proposal.start)?;
        let mut proposals = array(store, &self.proposals)?;
        proposals.set(deal, proposal)?;
        self.proposals = proposals.flush()?;
        Ok(deal)
    }

    /// Has cron look at a deal at an epoch of the deal's own, not before `earliest`.
    fn schedule(&mut self, store: &impl Blockstore, deal: DealId, earliest: ChainEpoch) -> Result<()> {
        let epoch = earliest + (deal as ChainEpoch - earliest).rem_euclid(DEAL_UPDATES_INTERVAL);
        let mut by_epoch = array::<Vec<DealId>, _>(store, &self.by_epoch)?;
        let mut deals = by_epoch.get(epoch as u64)?.cloned().unwrap_or_default();
        deals.push(deal);
        by_epoch.set(epoch as u64, deals)?;
        self.by_epoch = by_epoch.flush()?;
        Ok(())
    }

    /// The deals that cron has to look at up to `now`.
    pub fn take_scheduled(&mut self, store: &impl Blockstore, now: ChainEpoch) -> Result<Vec<DealId>> {
        let mut by_epoch = array::<Vec<DealId>, _>(store, &self.by_epoch)?;
        let (mut deals, mut epochs) = (vec![], vec![]);
        by_epoch.for_each_while(|epoch, ids| {
            let due = epoch <= now as u64;
            if due {
                deals.extend(ids);
                epochs.push(epoch);
            }
            Ok(due)
        })?;
        self.last_cron = now;
        if !epochs.is_empty() {
            by_epoch.batch_delete(epochs, true)?;
            self.by_epoch = by_epoch.flush()?;
        }
        Ok(deals)
    }

    /// Records that a deal's piece has come into a sector.
    pub fn activate(
        &mut self,
        store: &impl Blockstore,
        deal: DealId,
        provider: ActorID,
        sector: SectorNumber,
        now: ChainEpoch,
    ) -> Result<()> {
        let mut states = array(store, &self.states)?;
        states.set(deal, DealState::new(sector, now))?;
        self.states = states.flush()?;
        let mut providers = array::<Cid, _>(store, &self.by_provider)?;
        let sectors = providers.get(provider)?.copied().map_or_else(|| empty_array(store), Ok)?;
        let mut sectors = array::<Vec<DealId>, _>(store, &sectors)?;
        let mut deals = sectors.get(sector)?.cloned().unwrap_or_default();
        deals.push(deal);
        sectors.set(sector, deals)?;
        providers.set(provider, sectors.flush()?)?;
        self.by_provider = providers.flush()?;
        Ok(())
    }

    /// Forgets which deals a sector holds; returns them.
    pub fn take_sector_deals(
        &mut self,
        store: &impl Blockstore,
        provider: ActorID,
        sector: SectorNumber,
    ) -> Result<Vec<DealId>> {
        let mut providers = array::<Cid, _>(store, &self.by_provider)?;
        let Some(sectors) = providers.get(provider)?.copied() else { return Ok(vec![]) };
        let mut sectors = array::<Vec<DealId>, _>(store, &sectors)?;
        let Some(deals) = sectors.delete(sector)? else { return Ok(vec![]) };
        providers.set(provider, sectors.flush()?)?;
        self.by_provider = providers.flush()?;
        Ok(deals)
    }

    /// Pays what a deal has earned until `now`; ends it when it is over, or was not activated in time.
    pub fn settle(
        &mut self,
        store: &impl Blockstore,
        deal: DealId,
        cid: impl FnOnce(&Proposal) -> Result<Cid>,
        now: ChainEpoch,
    ) -> Result<Settled> {
        let none = Settled { payment: TokenAmount::default(), completed: false, missed: None };
        match self.deal(store, deal)? {
            // Exactly at its start a deal can still be activated later in the same epoch, but the official actor ends it.
            PublishedDeal::Published(proposal) if now >= proposal.start => {
                self.unlock(store, id(&proposal.client)?, &proposal.client_lockup())?;
                self.spend(store, id(&proposal.provider)?, &proposal.provider_collateral)?;
                self.set_pending(store, &cid(&proposal)?, false)?;
                self.forget(store, deal)?;
                Ok(Settled { missed: Some(proposal.provider_collateral), ..none })
            }
            PublishedDeal::Active(proposal, mut state) if now >= proposal.start => {
                if state.last_updated < 0 {
                    self.set_pending(store, &cid(&proposal)?, false)?;
                }
                let (client, provider) = (id(&proposal.client)?, id(&proposal.provider)?);
                let payment = proposal.due(&state, now);
                self.spend(store, client, &payment)?;
                self.deposit(store, provider, &payment)?;
                let completed = now >= proposal.end;
                if completed {
                    self.unlock(store, provider, &proposal.provider_collateral)?;
                    self.unlock(store, client, &proposal.client_collateral)?;
                    self.forget(store, deal)?;
                    self.remove_from_sector(store, provider, state.sector, deal)?;
                } else {
                    state.last_updated = now;
                    let mut states = array(store, &self.states)?;
                    states.set(deal, state)?;
                    self.states = states.flush()?;
                }
                Ok(Settled { payment, completed, missed: None })
            }
            _ => Ok(none),
        }
    }

    /// Ends an active deal early: the provider is paid until `now` and loses its collateral, the client gets the rest.
    /// Returns what is to be burnt.
    pub fn terminate(
        &mut self,
        store: &impl Blockstore,
        deal: DealId,
        (proposal, state): (&Proposal, &DealState),
        cid: &Cid,
        now: ChainEpoch,
    ) -> Result<TokenAmount> {
        let (client, provider) = (id(&proposal.client)?, id(&proposal.provider)?);
        self.set_pending(store, cid, false)?;
        let payment = proposal.due(state, now);
        self.spend(store, client, &payment)?;
        self.deposit(store, provider, &payment)?;
        self.unlock(store, client, &(proposal.remaining(now) + &proposal.client_collateral))?;
        self.spend(store, provider, &proposal.provider_collateral)?;
        self.forget(store, deal)?;
        Ok(proposal.provider_collateral.clone())
    }

    /// Drops a deal from the pending ones: it can only be published again under the same CID from here on.
    pub fn no_longer_pending(&mut self, store: &impl Blockstore, cid: &Cid) -> Result<()> {
        self.set_pending(store, cid, false)
    }

    fn remove_from_sector(&mut self, store: &impl Blockstore, provider: ActorID, sector: u64, deal: u64) -> Result<()> {
        let mut providers = array::<Cid, _>(store, &self.by_provider)?;
        let Some(sectors) = providers.get(provider)?.copied() else { return Ok(()) };
        let mut sectors = array::<Vec<DealId>, _>(store, &sectors)?;
        let Some(mut deals) = sectors.get(sector)?.cloned() else { return Ok(()) };
        deals.retain(|d| *d != deal);
        match deals.is_empty() {
            true => drop(sectors.delete(sector)?),
            false => sectors.set(sector, deals)?,
        }
        providers.set(provider, sectors.flush()?)?;
        self.by_provider = providers.flush()?;
        Ok(())
    }

    fn forget(&mut self, store: &impl Blockstore, deal: DealId) -> Result<()> {
        let mut proposals = array::<Proposal, _>(store, &self.proposals)?;
        proposals.delete(deal)?;
        self.proposals = proposals.flush()?;
        let mut states = array::<DealState, _>(store, &self.states)?;
        if states.delete(deal)?.is_some() {
            self.states = states.flush()?;
        }
        Ok(())
    }
}

/// Adds to a balance. Exit 20: it would become negative.
fn add(store: &impl Blockstore, table: &Cid, who: ActorID, amount: &TokenAmount) -> Result<Cid> {
    if amount.is_zero() {
        return Ok(*table);
    }
    let mut table = array::<TokenAmount, _>(store, table)?;
    let balance = table.get(who)?.cloned().unwrap_or_default() + amount;
    ensure(!balance.is_negative(), || illegal_state("negative balance"))?;
    match balance.is_zero() {
        true => drop(table.delete(who)?),
        false => table.set(who, balance)?,
    }
    Ok(table.flush()?)
}

fn id(address: &Address) -> Result<ActorID> {
    address.id().map_err(|_| illegal_state("not an id address"))
}

#[cfg(test)]
mod tests;
