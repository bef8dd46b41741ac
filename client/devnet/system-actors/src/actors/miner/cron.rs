//! The end of a deadline: missed proofs are faults, what is due goes, fees are paid.

use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::from_slice;
use fvm_sdk::message;
use fvm_shared::econ::TokenAmount;

use super::admin::change_pending_worker;
use super::{change_pledge, change_power, enroll, info};
use crate::abi::{DeferredCronEventParams, SectorsTerminateParams};
use crate::blocks::{array, get, put};
use crate::failure::{Result, illegal_state};
use crate::method::market;
use crate::miner::clock::Window;
use crate::miner::partition::Queue;
use crate::miner::{PreCommit, State, money};
use crate::policy::{DEADLINES, FAULT_MAX_AGE, PROVING_PERIOD};
use crate::runtime::{
    Answer, Event, MARKET, POWER, SYSTEM, Store, balance, block, burn, caller_is, done, load, now, save, send,
};

/// The one reason to be called back.
pub const PROVING_DEADLINE: i64 = 1;

#[inline(never)]
pub fn on_deferred_cron_event(params: DeferredCronEventParams) -> Answer {
    caller_is(&[POWER])?;
    let (reason,): (i64,) = from_slice(&params.payload).map_err(|_| illegal_state("unreadable cron payload"))?;
    if reason == PROVING_DEADLINE {
        close_deadline()?;
    }
    load::<State>()?.check_balance(&balance())?;
    done()
}

fn close_deadline() -> Result<()> {
    let now = now();
    let mut state: State = load()?;
    let mut miner = info(&state)?;
    if change_pending_worker(&mut miner) {
        state.info = put(&Store, &miner)?;
    }
    forget_pre_commits(&mut state)?;

    let window = Window::current(state.proving_period_start, now);
    state.current_deadline = (window.index + 1) % DEADLINES;
    if state.current_deadline == 0 {
        state.proving_period_start = window.period_start + PROVING_PERIOD;
    }
    let mut power = 0;
    let mut freed = TokenAmount::default();
    let mut given_up = BitField::new();
    let mut deadline = state.deadline(&Store, window.index)?;
    if !deadline.partitions.is_empty() {
        let closed = deadline.close(window.last(), window.last() + FAULT_MAX_AGE)?;
        power = closed.power.net();
        given_up = closed.given_up;
        // On time: the pledge is free. Given up: it pays the termination fee first.
        for sector in state.sectors(&Store, &closed.expired)? {
            freed += &sector.initial_pledge;
            deadline.daily_fee -= &sector.daily_fee;
        }
        for sector in state.sectors(&Store, &given_up)? {
            deadline.daily_fee -= &sector.daily_fee;
        }
        state.initial_pledge -= &freed;
        let live = deadline.count().1 * miner.bytes();
        state.fee_debt += money::fault_fee(closed.faulty_before * miner.bytes());
        state.fee_debt += money::daily_fee_payable(&deadline.daily_fee, live);
        state.set_deadline(&Store, window.index, deadline)?;
    }
    let fee = state.repay_some_debt(&Store, &balance(), now)?;
    let go_on = state.needs_cron();
    state.deadline_cron_active = go_on;
    let next = Window::current(state.proving_period_start, now + 1).last();
    save(&state)?;

    change_power(power, miner.bytes())?;
    burn(fee)?;
    change_pledge(&-freed)?;
    if go_on {
        enroll(next)?;
    }
    end_early(&given_up)
}

/// Pre-committed sectors that were never proven lose their deposit.
fn forget_pre_commits(state: &mut State) -> Result<()> {
    let mut queue: Queue = get(&Store, &state.clean_ups)?;
    let due = queue.partition_point(|e| e.0 <= now());
    if due == 0 {
        return Ok(());
    }
    let mut pre_commits = array::<PreCommit, _>(&Store, &state.pre_commits)?;
    for (_, sectors) in queue.drain(..due) {
        for sector in sectors.iter() {
            if let Some(pre_commit) = pre_commits.delete(sector)? {
                state.pre_commit_deposits -= &pre_commit.deposit;
                state.fee_debt += pre_commit.deposit;
            }
        }
    }
    state.pre_commits = pre_commits.flush()?;
    state.clean_ups = put(&Store, &queue)?;
    Ok(())
}

/// The price of sectors that ended early: the fee, the pledge back, their deals terminated.
pub fn end_early(sectors: &BitField) -> Result<()> {
    if sectors.is_empty() {
        return Ok(());
    }
    let now = now();
    let mut state: State = load()?;
    let bytes = info(&state)?.bytes();
    let mut freed = TokenAmount::default();
    let mut with_data = BitField::new();
    for sector in state.sectors(&Store, sectors)? {
        let age = now - sector.activation;
        state.fee_debt += money::termination_fee(&sector.initial_pledge, age, &money::fault_fee(bytes));
        freed += &sector.initial_pledge;
        if sector.deal_weight != Default::default() {
            with_data.set(sector.number);
        }
    }
    state.initial_pledge -= &freed;
    let fee = state.repay_some_debt(&Store, &balance(), now)?;
    save(&state)?;
    burn(fee)?;
    change_pledge(&-freed)?;

    if !with_data.is_empty() {
        let params = SectorsTerminateParams { epoch: now, sectors: with_data };
        let told = send(MARKET, market::ON_MINER_SECTORS_TERMINATE, block(&params)?, TokenAmount::default());
        // In cron, the market's trouble must not become the miner's.
        if message::origin() != SYSTEM {
            told?;
        }
    }
    for sector in sectors.iter() {
        Event::of("sector-terminated")?.indexed("sector", &sector)?.emit()?;
    }
    Ok(())
}
