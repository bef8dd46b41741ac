//! A miner's sectors, deadlines and partitions, read from its state: in the official layout, or in that of our own actors.
//!
//! The two differ in what hangs on `deadlines` and `pre_commits`, and are told apart by the shape of those blocks.
//! Source: builtin-actors `actors/miner/src/{state,deadline_state,partition_state,expiration_queue}.rs`.

use std::rc::Rc;

use anyhow::{Context, Result, bail};
use cid::Cid;
use fvm_ipld_amt::Amt;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::CborStore;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_hamt::{BytesKey, Hamt};
use fvm_shared::HAMT_BIT_WIDTH;
use fvm_shared::address::Address;
use fvm_shared::bigint::{BigInt, bigint_ser};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::SectorNumber;
use serde::de::IgnoredAny;

use crate::deadlines::MinerState;
use crate::state::State;
use crate::store::Store;

/// Deadlines of a proving period.
pub const DEADLINES: u64 = 48;

/// Raw and quality-adjusted bytes, which nobody here asks for.
type Power = IgnoredAny;

/// A proven sector.
#[derive(Clone, Debug, Serialize_tuple, Deserialize_tuple)]
pub struct Sector {
    /// Sector number.
    pub number: SectorNumber,
    /// Seal proof type.
    pub seal_proof: i64,
    /// CommR.
    pub sealed_cid: Cid,
    /// Unused.
    pub deprecated_deal_ids: Vec<u64>,
    /// When it was proven.
    pub activation: ChainEpoch,
    /// Nominal expiration.
    pub expiration: ChainEpoch,
    /// Bytes of pieces, times epochs.
    #[serde(with = "bigint_ser")]
    pub deal_weight: BigInt,
    /// The same of verified pieces.
    #[serde(with = "bigint_ser")]
    pub verified_deal_weight: BigInt,
    /// What it locks.
    pub initial_pledge: TokenAmount,
    /// Expected reward of a day at activation.
    pub expected_day_reward: Option<TokenAmount>,
    /// Expected reward of twenty days at activation.
    pub expected_storage_pledge: Option<TokenAmount>,
    /// When its power was last computed.
    pub power_base_epoch: ChainEpoch,
    /// Reward of a day before the last extension.
    pub replaced_day_reward: Option<TokenAmount>,
    /// CommR before a snap deal.
    pub sector_key_cid: Option<Cid>,
    /// 1: simple quality-adjusted power.
    pub flags: u32,
    /// What it costs a day.
    pub daily_fee: TokenAmount,
}

/// An announced sector, as it came in.
#[derive(Clone, Debug, Serialize_tuple, Deserialize_tuple)]
pub struct PreCommitInfo {
    /// Seal proof type.
    pub seal_proof: i64,
    /// Sector number.
    pub number: SectorNumber,
    /// CommR.
    pub sealed_cid: Cid,
    /// Epoch of the seal randomness.
    pub seal_rand_epoch: ChainEpoch,
    /// Unused since network version 29.
    pub deal_ids: Vec<u64>,
    /// Expiration of the sector.
    pub expiration: ChainEpoch,
    /// CommD.
    pub unsealed_cid: Option<Cid>,
}

/// An announced sector.
#[derive(Clone, Debug, Serialize_tuple, Deserialize_tuple)]
pub struct PreCommit {
    /// As it came in.
    pub info: PreCommitInfo,
    /// What it locks.
    pub deposit: TokenAmount,
    /// When it was announced.
    pub epoch: ChainEpoch,
}

/// A deadline.
pub struct Deadline {
    /// Its partitions, by index.
    pub partitions: Vec<Partition>,
    /// Indices of the partitions that were proven in this window.
    pub posted: BitField,
    /// Daily fees of its live sectors.
    pub daily_fee: TokenAmount,
    /// Proofs that can be disputed.
    pub disputable: u64,
}

/// Sectors that are proven together.
pub struct Partition {
    /// Every sector that was ever added.
    pub sectors: BitField,
    /// Added since the last window.
    pub unproven: BitField,
    /// Not proven, or declared so.
    pub faults: BitField,
    /// Faulty, and promised for the next proof.
    pub recoveries: BitField,
    /// Terminated or expired.
    pub terminated: BitField,
    queue: Queue,
}

/// When sectors go.
enum Queue {
    /// On time, and for having been faulty.
    Own(Vec<(ChainEpoch, BitField)>, Vec<(ChainEpoch, BitField)>),
    Official(Cid),
}

impl Partition {
    /// Not terminated.
    pub fn live(&self) -> BitField {
        &self.sectors - &self.terminated
    }

    /// Proven, and not faulty.
    pub fn active(&self) -> BitField {
        &(&self.live() - &self.faults) - &self.unproven
    }
}

/// When a sector goes: on time, or early for having been faulty; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiration {
    /// On time.
    pub on_time: ChainEpoch,
    /// For having been faulty.
    pub early: ChainEpoch,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct OwnDeadline {
    partitions: Vec<OwnPartition>,
    posted: BitField,
    daily_fee: TokenAmount,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct OwnPartition {
    sectors: BitField,
    unproven: BitField,
    faults: BitField,
    recoveries: BitField,
    terminated: BitField,
    expirations: Vec<(ChainEpoch, BitField)>,
    fault_limits: Vec<(ChainEpoch, BitField)>,
}

type OfficialDeadline = (Cid, Cid, BitField, IgnoredAny, u64, u64, Power, Cid, Cid, Cid, Cid, Power, TokenAmount);
type OfficialPartition =
    (BitField, BitField, BitField, BitField, BitField, Cid, IgnoredAny, Power, Power, Power, Power);
type OfficialExpirations = (BitField, BitField, IgnoredAny, Power, Power, IgnoredAny);

/// What an AMT holds, only ever read.
#[derive(Clone)]
struct Read<T>(T);

impl<T> serde::Serialize for Read<T> {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("arrays of official actors are not written here"))
    }
}

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Read<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self)
    }
}

/// A miner at one state.
pub struct Miner {
    store: Rc<Store>,
    state: MinerState,
}

impl Miner {
    /// Reads a miner's root state.
    pub fn load(store: &Rc<Store>, state: &State, address: &Address) -> Result<Self> {
        Ok(Self { store: store.clone(), state: state.object(address)? })
    }

    /// All sector numbers that were ever used.
    pub fn allocated(&self) -> Result<BitField> {
        self.store.get_cbor(&self.state.8)?.context("the allocated sector numbers are missing")
    }

    /// A proven sector, even if it is dead by now.
    pub fn sector(&self, number: SectorNumber) -> Result<Option<Sector>> {
        Ok(Amt::<Sector, _>::load(&self.state.9, &self.store)?.get(number)?.cloned())
    }

    /// The proven sectors that `wanted` names, or all; `None` if those are more than `limit`.
    pub fn sectors(&self, wanted: Option<&BitField>, limit: usize) -> Result<Option<Vec<Sector>>> {
        let (mut found, mut are_more) = (Vec::new(), false);
        Amt::<Sector, _>::load(&self.state.9, &self.store)?.for_each_while(|number, sector| {
            if wanted.is_none_or(|wanted| wanted.get(number)) {
                are_more = found.len() == limit;
                if !are_more {
                    found.push(sector.clone());
                }
            }
            Ok(!are_more)
        })?;
        Ok((!are_more).then_some(found))
    }

    /// An announced sector.
    pub fn pre_commit(&self, number: SectorNumber) -> Result<Option<PreCommit>> {
        if let Ok(array) = Amt::<PreCommit, _>::load(&self.state.6, &self.store) {
            return Ok(array.get(number)?.cloned());
        }
        let map: Hamt<_, PreCommit> = Hamt::load_with_bit_width(&self.state.6, &self.store, HAMT_BIT_WIDTH)?;
        Ok(map.get(&BytesKey(varint(number)))?.cloned())
    }

    /// All deadlines, by index.
    pub fn deadlines(&self) -> Result<Vec<Deadline>> {
        (0..DEADLINES).map(|index| self.deadline(index)).collect()
    }

    /// A deadline.
    pub fn deadline(&self, index: u64) -> Result<Deadline> {
        if let Ok(Some((due,))) = self.store.get_cbor::<(Vec<Cid>,)>(&self.state.12) {
            let place = usize::try_from(index).ok().and_then(|index| due.get(index));
            return self.official(place.with_context(|| format!("there is no deadline {index}"))?);
        }
        if index >= DEADLINES {
            bail!("there is no deadline {index}");
        }
        let own = Amt::<Read<OwnDeadline>, _>::load(&self.state.12, &self.store)?;
        let Some(Read(own)) = own.get(index)? else {
            let (posted, daily_fee) = (BitField::new(), TokenAmount::default());
            return Ok(Deadline { partitions: vec![], posted, daily_fee, disputable: 0 });
        };
        let partitions = own.partitions.iter().map(|p| Partition {
            sectors: p.sectors.clone(),
            unproven: p.unproven.clone(),
            faults: p.faults.clone(),
            recoveries: p.recoveries.clone(),
            terminated: p.terminated.clone(),
            queue: Queue::Own(p.expirations.clone(), p.fault_limits.clone()),
        });
        Ok(Deadline {
            partitions: partitions.collect(),
            posted: own.posted.clone(),
            daily_fee: own.daily_fee.clone(),
            disputable: 0,
        })
    }

    fn official(&self, deadline: &Cid) -> Result<Deadline> {
        let deadline: OfficialDeadline = self.store.get_cbor(deadline)?.context("a deadline is missing")?;
        let mut partitions = Vec::new();
        Amt::<Read<OfficialPartition>, _>::load(&deadline.0, &self.store)?.for_each(|_, Read(p)| {
            partitions.push(Partition {
                sectors: p.0.clone(),
                unproven: p.1.clone(),
                faults: p.2.clone(),
                recoveries: p.3.clone(),
                terminated: p.4.clone(),
                queue: Queue::Official(p.5),
            });
            Ok(())
        })?;
        let disputable = Amt::<Read<IgnoredAny>, _>::load(&deadline.10, &self.store)?.count();
        Ok(Deadline { partitions, posted: deadline.2, daily_fee: deadline.12, disputable })
    }

    /// Deadline and partition of a sector that was proven once.
    pub fn find(&self, sector: SectorNumber) -> Result<Option<(u64, u64)>> {
        for (deadline, index) in self.deadlines()?.iter().zip(0..) {
            if let Some(partition) = deadline.partitions.iter().position(|p| p.sectors.get(sector)) {
                return Ok(Some((index, partition as u64)));
            }
        }
        Ok(None)
    }

    /// When a sector goes; `None` where it is gone, or was never there.
    pub fn expiration(&self, sector: SectorNumber) -> Result<Option<Expiration>> {
        let deadlines = self.deadlines()?;
        let mut partitions = deadlines.iter().flat_map(|deadline| &deadline.partitions);
        let Some(partition) = partitions.find(|p| p.live().get(sector)) else { return Ok(None) };
        let mut found = Expiration::default();
        match &partition.queue {
            Queue::Own(on_time, early) => {
                let due = |queue: &[(ChainEpoch, BitField)]| {
                    queue.iter().find(|(_, sectors)| sectors.get(sector)).map_or(0, |(epoch, _)| *epoch)
                };
                found = Expiration { on_time: due(on_time), early: due(early) };
                // The official queue holds a sector once: for being faulty, if that comes first.
                if found.early != 0 && found.on_time <= found.early {
                    found.early = 0;
                } else if found.early != 0 {
                    found.on_time = 0;
                }
            }
            Queue::Official(queue) => {
                Amt::<Read<OfficialExpirations>, _>::load(queue, &self.store)?.for_each(|epoch, Read(set)| {
                    let epoch = ChainEpoch::try_from(epoch)?;
                    if set.0.get(sector) {
                        found.on_time = epoch;
                    }
                    if set.1.get(sector) {
                        found.early = epoch;
                    }
                    Ok(())
                })?;
            }
        }
        Ok((found != Expiration::default()).then_some(found))
    }

    /// Locked money that is free by `epoch`, and has not been unlocked yet.
    pub fn vested(&self, epoch: ChainEpoch) -> Result<TokenAmount> {
        let Some((head, tail)) = &self.state.3 else { return Ok(TokenAmount::default()) };
        let mut parts: Vec<(ChainEpoch, TokenAmount)> =
            self.store.get_cbor(tail)?.context("vesting funds are missing")?;
        parts.push(head.clone());
        Ok(parts.into_iter().filter(|(at, _)| *at < epoch).map(|(_, amount)| amount).sum())
    }

    /// A balance without what is locked and owed.
    pub fn available(&self, balance: &TokenAmount) -> TokenAmount {
        let (deposits, locked, debt, pledge) = (&self.state.1, &self.state.2, &self.state.4, &self.state.5);
        balance - deposits - locked - debt - pledge
    }
}

/// A number as official maps have it for a key.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_official_maps_are_varints() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [127]);
        assert_eq!(varint(128), [0x80, 1]);
        assert_eq!(varint(u64::MAX).len(), 10);
    }

    #[test]
    fn a_partition_tells_live_from_active() {
        let bits = |numbers: &[u64]| BitField::try_from_bits(numbers.iter().copied()).unwrap();
        let partition = Partition {
            sectors: bits(&[1, 2, 3, 4]),
            unproven: bits(&[2]),
            faults: bits(&[3]),
            recoveries: bits(&[]),
            terminated: bits(&[4]),
            queue: Queue::Own(vec![], vec![]),
        };
        assert_eq!((partition.live(), partition.active()), (bits(&[1, 2, 3]), bits(&[1])));
    }
}
