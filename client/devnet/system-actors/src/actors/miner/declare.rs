//! What a provider says about its sectors: faulty, recovered, over, or for longer.

use std::collections::BTreeMap;

use fvm_ipld_bitfield::BitField;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::error::ExitCode;

use super::commit::check_expiration;
use super::cron::end_early;
use super::{burn_and_check, by_controller, change_power, info};
use crate::failure::{Result, ensure, failure, forbidden, illegal_argument, illegal_state};
use crate::miner::State;
use crate::miner::clock::{Window, is_deadline};
use crate::miner::partition::Change;
use crate::policy::{ADDRESSED_MAX, FAULT_MAX_AGE};
use crate::runtime::{Answer, Store, balance, done, load, now, reply, save};

/// Deadline, partition, sectors.
type Declaration = (u64, u64, BitField);

/// Sectors by deadline and partition. Exit 16: no such deadline, or too much.
fn grouped(declarations: Vec<Declaration>) -> Result<BTreeMap<u64, BTreeMap<u64, BitField>>> {
    let mut by_deadline: BTreeMap<u64, BTreeMap<u64, BitField>> = BTreeMap::new();
    for (deadline, partition, sectors) in declarations {
        ensure(is_deadline(deadline), || illegal_argument("invalid deadline"))?;
        *by_deadline.entry(deadline).or_default().entry(partition).or_default() |= &sectors;
    }
    let partitions: u64 = by_deadline.values().map(|p| p.len() as u64).sum();
    let sectors: u64 = by_deadline.values().flat_map(|p| p.values()).map(BitField::len).sum();
    ensure(partitions <= ADDRESSED_MAX.0 && sectors <= ADDRESSED_MAX.1, || illegal_argument("too many sectors"))?;
    Ok(by_deadline)
}

#[inline(never)]
pub fn faults((declarations,): (Vec<Declaration>,)) -> Answer {
    let declared = grouped(declarations)?;
    let mut state: State = load()?;
    let miner = info(&state)?;
    by_controller(&miner)?;
    let mut power = Change::default();
    for (index, partitions) in declared {
        let window = declaration_window(&state, index)?;
        let mut deadline = state.deadline(&Store, index)?;
        for (partition, sectors) in partitions {
            power.add(deadline.partition(partition)?.fault(&sectors, window.last() + FAULT_MAX_AGE)?);
        }
        state.set_deadline(&Store, index, deadline)?;
    }
    save(&state)?;
    change_power(power.net(), miner.bytes())?;
    done()
}

#[inline(never)]
pub fn recovered((declarations,): (Vec<Declaration>,)) -> Answer {
    let declared = grouped(declarations)?;
    let mut state: State = load()?;
    let fee = state.repay_debt(&balance())?;
    by_controller(&info(&state)?)?;
    for (index, partitions) in declared {
        declaration_window(&state, index)?;
        let mut deadline = state.deadline(&Store, index)?;
        for (partition, sectors) in partitions {
            deadline.partition(partition)?.declare_recovered(&sectors)?;
        }
        state.set_deadline(&Store, index, deadline)?;
    }
    save(&state)?;
    burn_and_check(fee)?;
    done()
}

/// The window a declaration is for. Exit 16: it is too late for it.
fn declaration_window(state: &State, index: u64) -> Result<Window> {
    let window = Window::next(state.proving_period_start, index, now());
    ensure(!window.is_declaration_late(now()), || illegal_argument("late fault or recovery declaration"))?;
    Ok(window)
}

#[inline(never)]
pub fn terminate((declarations,): (Vec<Declaration>,)) -> Answer {
    let declared = grouped(declarations)?;
    let mut state: State = load()?;
    let miner = info(&state)?;
    by_controller(&miner)?;
    let mut power = Change::default();
    let mut all = BitField::new();
    for (index, partitions) in declared {
        let window = Window::next(state.proving_period_start, index, now());
        ensure(window.is_mutable(now()), || illegal_argument("cannot terminate sectors in immutable deadline"))?;
        let mut deadline = state.deadline(&Store, index)?;
        for (partition, sectors) in partitions {
            power.add(deadline.partition(partition)?.terminate(&sectors)?);
            for sector in state.sectors(&Store, &sectors)? {
                deadline.daily_fee -= sector.daily_fee;
            }
            all |= &sectors;
        }
        state.set_deadline(&Store, index, deadline)?;
    }
    save(&state)?;
    end_early(&all)?;
    load::<State>()?.check_balance(&balance())?;
    change_power(power.net(), miner.bytes())?;
    reply(&(true,))
}

/// Deadline, partition, sectors, sectors with claims and what to do with the claims, new expiration.
type Extension = (u64, u64, BitField, Vec<(u64, Vec<u64>, Vec<u64>)>, ChainEpoch);

#[inline(never)]
pub fn extend((extensions,): (Vec<Extension>,)) -> Answer {
    let now = now();
    for (deadline, _, _, with_claims, _) in &extensions {
        ensure(is_deadline(*deadline), || illegal_argument("invalid deadline"))?;
        // There are no claims to maintain or drop.
        let no_claims = |(_, keep, drop): &(u64, Vec<u64>, Vec<u64>)| keep.is_empty() && drop.is_empty();
        ensure(with_claims.iter().all(no_claims), || illegal_argument("invalid claims"))?;
    }
    let mut state: State = load()?;
    by_controller(&info(&state)?)?;
    for (index, partition, mut sectors, with_claims, expiration) in extensions {
        sectors |= &BitField::try_from_bits(with_claims.into_iter().map(|(sector, ..)| sector))
            .map_err(|_| illegal_argument("sector number out of range"))?;
        let mut infos = state.sectors(&Store, &sectors)?;
        for sector in &mut infos {
            ensure(sector.expiration >= now, || forbidden("cannot extend expired sector"))?;
            ensure(expiration >= sector.expiration, || illegal_argument("cannot reduce expiration"))?;
            check_expiration(expiration, sector.activation, now)?;
            // The official actor divides by what is left, and stops.
            ensure(expiration > now, || {
                failure(ExitCode::USR_ASSERTION_FAILED, "a sector cannot be extended by nothing")
            })?;
            let duration = sector.expiration - sector.power_base_epoch;
            ensure(duration > 0, || illegal_state("sector without duration"))?;
            sector.deal_weight = &sector.deal_weight * (sector.expiration - now) / duration;
            sector.expiration = expiration;
            sector.power_base_epoch = now;
        }
        let mut deadline = state.deadline(&Store, index)?;
        let end = Window::new(state.proving_period_start, index).round_up(expiration);
        deadline.partition(partition)?.extend(&sectors, end)?;
        state.set_deadline(&Store, index, deadline)?;
        state.put_sectors(&Store, infos)?;
    }
    save(&state)?;
    done()
}
