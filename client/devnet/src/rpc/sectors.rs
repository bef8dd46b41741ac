//! Sectors, deadlines and partitions of miners.
//!
//! Source: lotus `node/impl/full/state.go`.

use bauta_client::address::Prefix;
use bauta_client::node::json::{CidJson, TokenJson};
use fvm_ipld_bitfield::BitField;
use fvm_shared::sector::SectorNumber;
use serde_json::{Value, json};

use super::args::answer;
use super::bounds::{LISTED, too_many};
use super::{Answer, Args, Method, RpcError, actors};
use crate::chain::Chain;
use crate::sectors::{Miner, Partition, PreCommit, Sector};

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateMinerSectors", 3, sectors),
    Method::read("Filecoin.StateMinerActiveSectors", 2, active_sectors),
    Method::read("Filecoin.StateMinerSectorCount", 2, sector_count),
    Method::read("Filecoin.StateMinerAllocated", 2, allocated),
    Method::read("Filecoin.StateMinerSectorAllocated", 3, is_allocated),
    Method::read("Filecoin.StateMinerDeadlines", 2, deadlines),
    Method::read("Filecoin.StateMinerPartitions", 3, partitions),
    Method::read("Filecoin.StateMinerFaults", 2, faults),
    Method::read("Filecoin.StateMinerRecoveries", 2, recoveries),
    Method::read("Filecoin.StateSectorGetInfo", 3, sector),
    Method::read("Filecoin.StateSectorPreCommitInfo", 3, pre_commit),
    Method::read("Filecoin.StateSectorExpiration", 3, expiration),
    Method::read("Filecoin.StateSectorPartition", 3, partition),
];

/// The highest that there can be.
const MAX_SECTOR_NUMBER: u64 = i64::MAX as u64;

/// The miner of the first param at the tipset of the param `key`.
pub(super) fn miner(chain: &Chain, args: &Args, key: usize) -> Result<Miner, RpcError> {
    let address = args.address(0)?;
    let failed = |e: RpcError| RpcError::application(format!("failed to load miner actor: {}", e.message));
    let state = actors::state_at(chain, &args.key(key)?)?;
    let actor = state.actor(&address)?.ok_or_else(|| failed(RpcError::unresolved(address)))?;
    if actor.code != actors::code(chain, crate::genesis::Kind::Miner)? {
        let shown = Prefix::Testnet.show(&address);
        return Err(RpcError::application(format!("failed to load miner actor state: {shown} is no miner")));
    }
    Ok(Miner::load(chain.store(), &state, &address)?)
}

/// A set of numbers as the lengths of its runs: first of those that are not in it.
///
/// Source: go-bitfield `rlepl`, `MarshalJSON`.
fn runs(bits: &BitField) -> Value {
    let mut lengths = Vec::new();
    let mut end = 0;
    for range in bits.ranges() {
        lengths.push(range.start - end);
        lengths.push(range.end - range.start);
        end = range.end;
    }
    if lengths.is_empty() {
        lengths.push(0);
    }
    json!(lengths)
}

/// A set of numbers from the lengths of its runs; `null` is none at all.
fn wanted(args: &Args, index: usize) -> Result<Option<BitField>, RpcError> {
    let Some(lengths) = args.get::<Option<Vec<u64>>>(index)? else { return Ok(None) };
    let mut ranges = Vec::new();
    let mut at = 0u64;
    for (place, length) in lengths.into_iter().enumerate() {
        let end = at.checked_add(length).filter(|end| *end <= MAX_SECTOR_NUMBER + 1);
        let end = end.ok_or_else(|| args.refuse(index, "the runs go beyond the last sector number"))?;
        if length == 0 && place > 0 {
            return Err(args.refuse(index, "a run of length 0"));
        }
        if place % 2 == 1 {
            ranges.push(at..end);
        }
        at = end;
    }
    Ok(Some(BitField::from_ranges(fvm_ipld_bitfield::iter::Ranges::new(ranges))))
}

fn show(sector: &Sector) -> Value {
    let amount = |amount: &Option<fvm_shared::econ::TokenAmount>| amount.clone().map(TokenJson);
    json!({
        "SectorNumber": sector.number,
        "SealProof": sector.seal_proof,
        "SealedCID": CidJson(sector.sealed_cid),
        "DeprecatedDealIDs": null_if_empty(&sector.deprecated_deal_ids),
        "Activation": sector.activation,
        "Expiration": sector.expiration,
        "DealWeight": sector.deal_weight.to_string(),
        "VerifiedDealWeight": sector.verified_deal_weight.to_string(),
        "InitialPledge": TokenJson(sector.initial_pledge.clone()),
        "ExpectedDayReward": amount(&sector.expected_day_reward),
        "ExpectedStoragePledge": amount(&sector.expected_storage_pledge),
        "PowerBaseEpoch": sector.power_base_epoch,
        "ReplacedDayReward": amount(&sector.replaced_day_reward),
        "SectorKeyCID": sector.sector_key_cid.map(CidJson),
        "Flags": sector.flags,
        "DailyFee": TokenJson(sector.daily_fee.clone()),
    })
}

/// Go writes `null` for a list that was never made.
fn null_if_empty(list: &[u64]) -> Option<&[u64]> {
    (!list.is_empty()).then_some(list)
}

fn sectors(chain: &mut Chain, args: &Args) -> Answer {
    let wanted = wanted(args, 1)?;
    list(&miner(chain, args, 2)?, wanted.as_ref())
}

fn list(miner: &Miner, wanted: Option<&BitField>) -> Answer {
    let found = miner.sectors(wanted, LISTED)?;
    let found = found.ok_or_else(|| too_many("sectors", "name fewer in StateMinerSectors"))?;
    answer(found.iter().map(show).collect::<Vec<_>>())
}

/// A part of all partitions in one set.
fn all(miner: &Miner, part: impl Fn(&Partition) -> BitField) -> Result<BitField, RpcError> {
    let deadlines = miner.deadlines()?;
    let parts: Vec<BitField> = deadlines.iter().flat_map(|deadline| &deadline.partitions).map(part).collect();
    Ok(BitField::union(&parts))
}

fn active_sectors(chain: &mut Chain, args: &Args) -> Answer {
    let miner = miner(chain, args, 1)?;
    let active = all(&miner, Partition::active)?;
    list(&miner, Some(&active))
}

fn sector_count(chain: &mut Chain, args: &Args) -> Answer {
    let miner = miner(chain, args, 1)?;
    let count = |part: fn(&Partition) -> BitField| all(&miner, part).map(|bits| bits.len());
    answer(json!({
        "Live": count(Partition::live)?,
        "Active": count(Partition::active)?,
        "Faulty": count(|p| p.faults.clone())?,
    }))
}

fn allocated(chain: &mut Chain, args: &Args) -> Answer {
    answer(runs(&miner(chain, args, 1)?.allocated()?))
}

fn number(args: &Args) -> Result<SectorNumber, RpcError> {
    args.get(1)
}

fn is_allocated(chain: &mut Chain, args: &Args) -> Answer {
    answer(miner(chain, args, 2)?.allocated()?.get(number(args)?))
}

fn deadlines(chain: &mut Chain, args: &Args) -> Answer {
    let deadlines = miner(chain, args, 1)?.deadlines()?;
    let show = |d: &crate::sectors::Deadline| {
        json!({
            "PostSubmissions": runs(&d.posted),
            "DisputableProofCount": d.disputable,
            "DailyFee": TokenJson(d.daily_fee.clone()),
        })
    };
    answer(deadlines.iter().map(show).collect::<Vec<_>>())
}

fn partitions(chain: &mut Chain, args: &Args) -> Answer {
    let deadline = args.get(1)?;
    let miner = miner(chain, args, 2)?;
    let deadline = miner.deadline(deadline);
    let deadline = deadline.map_err(|e| RpcError::application(format!("failed to load the deadline: {e:#}")))?;
    let show = |p: &Partition| {
        json!({
            "AllSectors": runs(&p.sectors),
            "FaultySectors": runs(&p.faults),
            "RecoveringSectors": runs(&p.recoveries),
            "LiveSectors": runs(&p.live()),
            "ActiveSectors": runs(&p.active()),
        })
    };
    let shown: Vec<Value> = deadline.partitions.iter().map(show).collect();
    answer(if shown.is_empty() { Value::Null } else { Value::Array(shown) })
}

fn faults(chain: &mut Chain, args: &Args) -> Answer {
    answer(runs(&all(&miner(chain, args, 1)?, |p| p.faults.clone())?))
}

fn recoveries(chain: &mut Chain, args: &Args) -> Answer {
    answer(runs(&all(&miner(chain, args, 1)?, |p| p.recoveries.clone())?))
}

fn sector(chain: &mut Chain, args: &Args) -> Answer {
    answer(miner(chain, args, 2)?.sector(number(args)?)?.as_ref().map(show))
}

fn pre_commit(chain: &mut Chain, args: &Args) -> Answer {
    let found = miner(chain, args, 2)?.pre_commit(number(args)?)?;
    answer(found.map(|PreCommit { info, deposit, epoch }| {
        json!({
            "Info": {
                "SealProof": info.seal_proof,
                "SectorNumber": info.number,
                "SealedCID": CidJson(info.sealed_cid),
                "SealRandEpoch": info.seal_rand_epoch,
                "DealIDs": null_if_empty(&info.deal_ids),
                "Expiration": info.expiration,
                "UnsealedCid": info.unsealed_cid.map(CidJson),
            },
            "PreCommitDeposit": TokenJson(deposit),
            "PreCommitEpoch": epoch,
        })
    }))
}

fn expiration(chain: &mut Chain, args: &Args) -> Answer {
    let number = number(args)?;
    let found = miner(chain, args, 2)?.expiration(number)?;
    let found = found.ok_or_else(|| RpcError::application(format!("failed to find sector {number}")))?;
    answer(json!({ "OnTime": found.on_time, "Early": found.early }))
}

fn partition(chain: &mut Chain, args: &Args) -> Answer {
    let number = number(args)?;
    let found = miner(chain, args, 2)?.find(number)?;
    let (deadline, partition) =
        found.ok_or_else(|| RpcError::application(format!("sector {number} not found: not found")))?;
    answer(json!({ "Deadline": deadline, "Partition": partition }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_as_runs() {
        let bits = |numbers: &[u64]| BitField::try_from_bits(numbers.iter().copied()).unwrap();
        assert_eq!(runs(&bits(&[])), json!([0]));
        assert_eq!(runs(&bits(&[0, 1, 2])), json!([0, 3]));
        assert_eq!(runs(&bits(&[5, 6, 9])), json!([5, 2, 2, 1]));
    }
}
