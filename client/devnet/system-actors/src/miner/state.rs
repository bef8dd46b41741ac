//! What a miner keeps. [`State`], [`Info`], [`SectorInfo`] and [`PreCommit`] have the official fields in the official
//! order; what hangs on `deadlines`, `pre_commits` and `clean_ups` is our own.

use cid::Cid;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_encoding::{BytesDe, strict_bytes};
use fvm_shared::address::Address;
use fvm_shared::bigint::{BigInt, bigint_ser};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::{RegisteredPoStProof, RegisteredSealProof, SectorNumber, SectorSize};

use super::deadline::Deadline;
use super::money::{Vesting, take_unvested, take_vested};
use super::partition::Queue;
use crate::blocks::{array, element, empty_array, get, put};
use crate::failure::{Failure, Result, ensure, failure, insufficient_funds, not_found};

/// Exit 1000: a miner's locked money exceeds its balance.
pub const BALANCE_INVARIANTS_BROKEN: u32 = 1000;

/// Root state of a miner.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct State {
    /// [`Info`].
    pub info: Cid,
    /// Locked for pre-committed sectors.
    pub pre_commit_deposits: TokenAmount,
    /// Locked until it vests.
    pub locked_funds: TokenAmount,
    /// First vesting part, and the CID of the others.
    pub vesting_funds: Option<((ChainEpoch, TokenAmount), Cid)>,
    /// Owed, and not yet paid for lack of money.
    pub fee_debt: TokenAmount,
    /// Locked for live sectors.
    pub initial_pledge: TokenAmount,
    /// Array of [`PreCommit`] by sector number.
    pub pre_commits: Cid,
    /// [`Queue`] of pre-committed sectors that lose their deposit.
    pub clean_ups: Cid,
    /// Bit field of all sector numbers ever used.
    pub allocated_sectors: Cid,
    /// Array of [`SectorInfo`] by sector number.
    pub sectors: Cid,
    /// Start of a proving period: the current one while deadline cron runs.
    pub proving_period_start: ChainEpoch,
    /// Deadline: the current one while deadline cron runs.
    pub current_deadline: u64,
    /// Array of [`Deadline`] by index; missing means empty.
    pub deadlines: Cid,
    /// Deadlines with terminations still to be processed: always empty, they are processed at once.
    pub early_terminations: BitField,
    /// Whether this miner has something for cron to look at.
    pub deadline_cron_active: bool,
}

/// Who a miner is.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct Info {
    /// Owner, an id address.
    pub owner: Address,
    /// Worker, an id address.
    pub worker: Address,
    /// Control addresses, id addresses.
    pub control: Vec<Address>,
    /// Next worker, and when.
    pub pending_worker: Option<(Address, ChainEpoch)>,
    /// libp2p peer id.
    #[serde(with = "strict_bytes")]
    pub peer: Vec<u8>,
    /// Binary multiaddresses.
    pub multiaddrs: Vec<BytesDe>,
    /// Proof type.
    pub post_proof: RegisteredPoStProof,
    /// Sector size.
    pub sector_size: SectorSize,
    /// Sectors of a full partition.
    pub partition_sectors: u64,
    /// Always -1: consensus faults are not served.
    pub consensus_fault_elapsed: ChainEpoch,
    /// Proposed owner: always null.
    pub pending_owner: Option<Address>,
    /// Who gets withdrawn money: always the owner.
    pub beneficiary: Address,
    /// Quota, used quota, expiration: always 0.
    pub beneficiary_term: (TokenAmount, TokenAmount, ChainEpoch),
    /// Always null.
    pub pending_beneficiary: Option<Cid>,
}

impl Info {
    /// Owner, worker and control addresses: those who may send the miner's messages.
    pub fn controllers(&self) -> Vec<u64> {
        self.control.iter().chain([&self.worker, &self.owner]).filter_map(|a| a.id().ok()).collect()
    }

    /// Sector size in bytes.
    pub fn bytes(&self) -> u64 {
        self.sector_size as u64
    }
}

/// A sector that was announced, as it came in.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct PreCommitInfo {
    /// Seal proof type.
    pub seal_proof: RegisteredSealProof,
    /// Sector number.
    pub sector: SectorNumber,
    /// CommR.
    pub sealed_cid: Cid,
    /// Epoch of the seal randomness.
    pub seal_rand_epoch: ChainEpoch,
    /// Always empty: deals are activated by notification.
    pub deal_ids: Vec<u64>,
    /// Expiration of the sector.
    pub expiration: ChainEpoch,
    /// CommD; null is the all-zero sector.
    pub unsealed_cid: Option<Cid>,
}

/// A sector that was announced.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct PreCommit {
    /// As it came in.
    pub info: PreCommitInfo,
    /// What it locks.
    pub deposit: TokenAmount,
    /// When it was announced.
    pub epoch: ChainEpoch,
}

/// A proven sector.
#[derive(Debug, Clone, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct SectorInfo {
    /// Sector number.
    pub number: SectorNumber,
    /// Seal proof type.
    pub seal_proof: RegisteredSealProof,
    /// CommR.
    pub sealed_cid: Cid,
    /// Always empty.
    pub deprecated_deal_ids: Vec<u64>,
    /// When it was proven.
    pub activation: ChainEpoch,
    /// Nominal expiration.
    pub expiration: ChainEpoch,
    /// Bytes of pieces, times epochs.
    #[serde(with = "bigint_ser")]
    pub deal_weight: BigInt,
    /// Always 0.
    #[serde(with = "bigint_ser")]
    pub verified_deal_weight: BigInt,
    /// What it locks.
    pub initial_pledge: TokenAmount,
    /// Unused.
    pub expected_day_reward: Option<TokenAmount>,
    /// Unused.
    pub expected_storage_pledge: Option<TokenAmount>,
    /// When its power was last computed.
    pub power_base_epoch: ChainEpoch,
    /// Unused.
    pub replaced_day_reward: Option<TokenAmount>,
    /// Unused: no snap deals.
    pub sector_key_cid: Option<Cid>,
    /// 1: simple quality-adjusted power.
    pub flags: u32,
    /// What it costs a day.
    pub daily_fee: TokenAmount,
}

/// Nothing is locked twice and nothing is locked that is not there.
fn broken(why: &'static str) -> Failure {
    failure(fvm_shared::error::ExitCode::new(BALANCE_INVARIANTS_BROKEN), why)
}

impl State {
    /// A new miner.
    pub fn new(store: &impl Blockstore, info: &Info, period_start: ChainEpoch, deadline: u64) -> Result<Self> {
        let empty = empty_array(store)?;
        Ok(Self {
            info: put(store, info)?,
            pre_commit_deposits: TokenAmount::default(),
            locked_funds: TokenAmount::default(),
            vesting_funds: None,
            fee_debt: TokenAmount::default(),
            initial_pledge: TokenAmount::default(),
            pre_commits: empty,
            clean_ups: put(store, &Queue::new())?,
            allocated_sectors: put(store, &BitField::new())?,
            sectors: empty,
            proving_period_start: period_start,
            current_deadline: deadline,
            deadlines: empty,
            early_terminations: BitField::new(),
            deadline_cron_active: false,
        })
    }

    /// Deadline `index`; an empty one where nothing was ever assigned.
    pub fn deadline(&self, store: &impl Blockstore, index: u64) -> Result<Deadline> {
        Ok(element(store, &self.deadlines, index)?.unwrap_or_default())
    }

    /// Replaces deadline `index`.
    pub fn set_deadline(&mut self, store: &impl Blockstore, index: u64, deadline: Deadline) -> Result<()> {
        let mut deadlines = array(store, &self.deadlines)?;
        deadlines.set(index, deadline)?;
        self.deadlines = deadlines.flush()?;
        Ok(())
    }

    /// Deadline and partition of a sector.
    pub fn locate(&self, store: &impl Blockstore, sector: SectorNumber) -> Result<Option<(u64, u64)>> {
        let mut found = None;
        array::<Deadline, _>(store, &self.deadlines)?.for_each_while(|index, deadline| {
            found = deadline.partitions.iter().position(|p| p.sectors.get(sector)).map(|p| (index, p as u64));
            Ok(found.is_none())
        })?;
        Ok(found)
    }

    /// A proven sector, even if it is dead by now.
    pub fn sector(&self, store: &impl Blockstore, number: SectorNumber) -> Result<Option<SectorInfo>> {
        element(store, &self.sectors, number)
    }

    /// Proven sectors. Exit 17: one of them is not.
    pub fn sectors(&self, store: &impl Blockstore, numbers: &BitField) -> Result<Vec<SectorInfo>> {
        let sectors = array::<SectorInfo, _>(store, &self.sectors)?;
        numbers.iter().map(|n| sectors.get(n)?.cloned().ok_or_else(|| not_found("no such sector"))).collect()
    }

    /// Adds or replaces sectors.
    pub fn put_sectors(&mut self, store: &impl Blockstore, infos: Vec<SectorInfo>) -> Result<()> {
        let mut sectors = array(store, &self.sectors)?;
        for info in infos {
            sectors.set(info.number, info)?;
        }
        self.sectors = sectors.flush()?;
        Ok(())
    }

    // --- money -------------------------------------------------------------------------------------------------------

    /// What vests, in order.
    pub fn vesting(&self, store: &impl Blockstore) -> Result<Vesting> {
        let Some((head, tail)) = &self.vesting_funds else { return Ok(vec![]) };
        let mut funds: Vesting = get(store, tail)?;
        funds.insert(0, head.clone());
        Ok(funds)
    }

    /// Replaces what vests.
    pub fn set_vesting(&mut self, store: &impl Blockstore, mut funds: Vesting) -> Result<()> {
        self.locked_funds = funds.iter().map(|f| f.1.clone()).sum();
        self.vesting_funds = match funds.is_empty() {
            true => None,
            false => Some((funds.remove(0), put(store, &funds)?)),
        };
        Ok(())
    }

    /// Frees what has vested at `now`.
    pub fn unlock_vested(&mut self, store: &impl Blockstore, now: ChainEpoch) -> Result<()> {
        if self.vesting_funds.as_ref().is_some_and(|(head, _)| head.0 < now) {
            let mut funds = self.vesting(store)?;
            take_vested(&mut funds, now);
            self.set_vesting(store, funds)?;
        }
        Ok(())
    }

    /// Balance that is not locked.
    pub fn unlocked(&self, balance: &TokenAmount) -> Result<TokenAmount> {
        let unlocked = balance - &self.locked_funds - &self.pre_commit_deposits - &self.initial_pledge;
        ensure(!unlocked.is_negative(), || broken("negative unlocked balance"))?;
        Ok(unlocked)
    }

    /// Balance that is neither locked nor owed.
    pub fn available(&self, balance: &TokenAmount) -> Result<TokenAmount> {
        Ok(self.unlocked(balance)? - &self.fee_debt)
    }

    /// Takes the whole debt, to be burnt. Exit 19: there is not enough money.
    pub fn repay_debt(&mut self, balance: &TokenAmount) -> Result<TokenAmount> {
        ensure(self.unlocked(balance)? >= self.fee_debt, || insufficient_funds("cannot repay the fee debt"))?;
        Ok(std::mem::take(&mut self.fee_debt))
    }

    /// Takes as much of the debt as there is money for, to be burnt: from what vests first.
    pub fn repay_some_debt(
        &mut self,
        store: &impl Blockstore,
        balance: &TokenAmount,
        now: ChainEpoch,
    ) -> Result<TokenAmount> {
        self.unlock_vested(store, now)?;
        if self.fee_debt.is_positive() && self.locked_funds.is_positive() {
            let mut funds = self.vesting(store)?;
            take_unvested(&mut funds, &self.fee_debt);
            self.set_vesting(store, funds)?;
        }
        let pay = self.unlocked(balance)?.min(self.fee_debt.clone());
        self.fee_debt -= &pay;
        Ok(pay)
    }

    /// Checks that what is locked is there. Exit 1000 otherwise.
    pub fn check_balance(&self, balance: &TokenAmount) -> Result<()> {
        let parts = [&self.pre_commit_deposits, &self.locked_funds, &self.initial_pledge, &self.fee_debt];
        ensure(parts.iter().all(|p| !p.is_negative()), || broken("negative amount"))?;
        self.unlocked(balance).map(|_| ())
    }

    /// Whether cron has something to look at.
    pub fn needs_cron(&self) -> bool {
        [&self.pre_commit_deposits, &self.initial_pledge, &self.locked_funds].iter().any(|p| p.is_positive())
    }
}
