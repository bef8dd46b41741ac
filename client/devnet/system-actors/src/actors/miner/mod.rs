//! A storage miner: created by the power actor, one for each provider.

mod admin;
mod commit;
mod cron;
mod declare;
mod notify;
mod prove;
mod status;

use fvm_ipld_encoding::RawBytes;
use fvm_sdk::message;
use fvm_shared::MethodNum;
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use crate::abi::{EnrollCronEventParams, Power};
use crate::blocks::get;
use crate::failure::{Result, forbidden};
use crate::method::{CONSTRUCTOR, miner as m, power};
use crate::miner::{Info, State};
use crate::runtime::{Answer, POWER, Params, Store, balance, block, burn, load, send, unhandled};

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => admin::constructor(params.get()?),
        m::CONTROL_ADDRESSES => admin::control_addresses(params),
        m::CHANGE_WORKER_ADDRESS | m::CHANGE_WORKER_ADDRESS_EXPORTED => admin::change_worker(params.get()?),
        m::CHANGE_PEER_ID | m::CHANGE_PEER_ID_EXPORTED => admin::change_peer_id(params.get()?),
        m::SUBMIT_WINDOWED_POST => prove::submit_windowed_post(params.get()?),
        m::TERMINATE_SECTORS => declare::terminate(params.get()?),
        m::DECLARE_FAULTS => declare::faults(params.get()?),
        m::DECLARE_FAULTS_RECOVERED => declare::recovered(params.get()?),
        m::ON_DEFERRED_CRON_EVENT => cron::on_deferred_cron_event(params.get()?),
        m::CHECK_SECTOR_PROVEN => status::check_sector_proven(params.get()?),
        m::APPLY_REWARDS => admin::apply_rewards(params.get()?),
        m::WITHDRAW_BALANCE | m::WITHDRAW_BALANCE_EXPORTED => admin::withdraw(params.get()?),
        m::CHANGE_MULTIADDRS | m::CHANGE_MULTIADDRS_EXPORTED => admin::change_multiaddrs(params.get()?),
        m::CONFIRM_CHANGE_WORKER_ADDRESS | m::CONFIRM_CHANGE_WORKER_ADDRESS_EXPORTED => {
            admin::confirm_change_worker(params)
        }
        m::REPAY_DEBT | m::REPAY_DEBT_EXPORTED => admin::repay_debt(params),
        m::PRE_COMMIT_SECTOR_BATCH2 => commit::pre_commit(params.get()?),
        m::GET_BENEFICIARY | m::GET_BENEFICIARY_EXPORTED => admin::get_beneficiary(params),
        m::EXTEND_SECTOR_EXPIRATION2 => declare::extend(params.get()?),
        m::PROVE_COMMIT_SECTORS3 => commit::prove_commit(params.get()?),
        m::GET_OWNER => admin::get_owner(params),
        m::IS_CONTROLLING_ADDRESS => admin::is_controlling_address(params.get()?),
        m::GET_SECTOR_SIZE => admin::get_sector_size(params),
        m::GET_AVAILABLE_BALANCE => admin::get_available_balance(params),
        m::GET_VESTING_FUNDS => admin::get_vesting_funds(params),
        m::GET_PEER_ID => admin::get_peer_id(params),
        m::GET_MULTIADDRS => admin::get_multiaddrs(params),
        m::MAX_TERMINATION_FEE => admin::max_termination_fee(params.get()?),
        m::INITIAL_PLEDGE => admin::initial_pledge(params),
        m::GENERATE_SECTOR_LOCATION => status::generate_sector_location(params.get()?),
        m::VALIDATE_SECTOR_STATUS => status::validate_sector_status(params.get()?),
        m::CHANGE_OWNER_ADDRESS | m::CHANGE_OWNER_ADDRESS_EXPORTED => admin::change_owner_address(params.get()?),
        m::GET_NOMINAL_SECTOR_EXPIRATION => status::get_nominal_sector_expiration(params.get()?),
        _ => unhandled(),
    }
}

fn info(state: &State) -> Result<Info> {
    get(&Store, &state.info)
}

/// Exit 18: the caller does not control this miner.
fn by_controller(info: &Info) -> Result<()> {
    if info.controllers().contains(&message::caller()) {
        Ok(())
    } else {
        Err(forbidden("caller does not control this miner"))
    }
}

/// Tells the power actor about power gained or lost, in sectors.
fn change_power(sectors: i64, sector_size: u64) -> Result<()> {
    if sectors == 0 {
        return Ok(());
    }
    let bytes = BigInt::from(sectors) * sector_size;
    let delta = Power { raw: bytes.clone(), quality_adjusted: bytes };
    send(POWER, power::UPDATE_CLAIMED_POWER, block(&delta)?, TokenAmount::default()).map(|_| ())
}

/// Tells the power actor about pledge locked or freed.
fn change_pledge(delta: &TokenAmount) -> Result<()> {
    if delta.is_zero() {
        return Ok(());
    }
    send(POWER, power::UPDATE_PLEDGE_TOTAL, block(delta)?, TokenAmount::default()).map(|_| ())
}

/// Asks to be called at the last epoch of a deadline.
fn enroll(epoch: ChainEpoch) -> Result<()> {
    let params = EnrollCronEventParams { epoch, payload: RawBytes::serialize((cron::PROVING_DEADLINE,))? };
    send(POWER, power::ENROLL_CRON_EVENT, block(&params)?, TokenAmount::default()).map(|_| ())
}

/// Burns what was owed, then checks that everything locked is still there.
fn burn_and_check(fee: TokenAmount) -> Result<()> {
    burn(fee)?;
    load::<State>()?.check_balance(&balance())
}
