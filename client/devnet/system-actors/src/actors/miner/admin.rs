//! Who the miner is, and its money.

use fvm_ipld_encoding::{BytesDe, BytesSer, to_vec};
use fvm_sdk::{crypto, message};
use fvm_shared::ActorID;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::bigint::bigint_ser::BigIntDe;
use fvm_shared::econ::TokenAmount;

use super::{burn_and_check, by_controller, info};
use crate::abi::{ApplyRewardParams, ControlAddresses, MinerConstructorParams};
use crate::blocks::put;
use crate::failure::{Result, ensure, forbidden, illegal_argument, insufficient_funds};
use crate::method::account;
use crate::miner::clock::{Window, first_period};
use crate::miner::{Info, State, money};
use crate::policy::{CONTROL_ADDRESSES_MAX, FINALITY, MULTIADDRS_MAX, PEER_ID_MAX, PROVING_PERIOD, is_valid_post};
use crate::runtime::{
    Answer, INIT, Params, REWARD, Store, ask, balance, caller_is, done, kind, kind_of, load, now, pay, reply, resolve,
    save,
};

#[inline(never)]
pub fn constructor(params: MinerConstructorParams) -> Answer {
    caller_is(&[INIT])?;
    check_control(&params.control)?;
    check_peer(&params.peer, &params.multiaddrs)?;
    ensure(is_valid_post(params.post_proof), || illegal_argument("proof type not allowed"))?;
    let deposit = money::create_miner_deposit();
    let funds = balance();
    ensure(funds >= deposit, || {
        insufficient_funds(format!(
            "not enough balance to lock for create miner deposit: sent balance {} < deposit {}",
            funds.atto(),
            deposit.atto()
        ))
    })?;
    let owner = resolve(&params.owner).ok_or_else(|| illegal_argument("unable to resolve owner"))?;
    let worker = resolve_worker(&params.worker)?;
    let control = resolve_all(&params.control)?;

    // The start of the proving period is spread over miners by a hash, so that not all prove at once.
    let now = now();
    let mut seed = to_vec(&Address::new_id(message::receiver()))?;
    seed.extend(now.to_be_bytes());
    let [a, b, c, d, e, f, g, h, ..] = crypto::hash_blake2b(&seed);
    let offset = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % PROVING_PERIOD as u64;
    let period_start = first_period(offset as i64, now);

    let unknown = |_| illegal_argument("unknown sector size");
    let info = Info {
        owner: Address::new_id(owner),
        worker: Address::new_id(worker),
        control,
        pending_worker: None,
        peer: params.peer,
        multiaddrs: params.multiaddrs,
        post_proof: params.post_proof,
        sector_size: params.post_proof.sector_size().map_err(unknown)?,
        partition_sectors: params.post_proof.window_post_partition_sectors().map_err(unknown)?,
        consensus_fault_elapsed: -1,
        pending_owner: None,
        beneficiary: Address::new_id(owner),
        beneficiary_term: Default::default(),
        pending_beneficiary: None,
    };
    let mut state = State::new(&Store, &info, period_start, Window::current(period_start, now).index)?;
    lock(&mut state, &deposit)?;
    save(&state)?;
    done()
}

fn lock(state: &mut State, amount: &TokenAmount) -> Result<()> {
    let mut funds = state.vesting(&Store)?;
    money::lock(&mut funds, amount, now());
    state.set_vesting(&Store, funds)
}

#[inline(never)]
pub fn control_addresses(params: &Params) -> Answer {
    let Info { owner, worker, control, .. } = read(params)?.1;
    reply(&ControlAddresses { owner, worker, control })
}

#[inline(never)]
pub fn get_owner(params: &Params) -> Answer {
    let info = read(params)?.1;
    reply(&(info.owner, info.pending_owner))
}

#[inline(never)]
pub fn is_controlling_address(address: Address) -> Answer {
    let Some(id) = resolve(&address) else { return reply(&false) };
    reply(&info(&load()?)?.controllers().contains(&id))
}

#[inline(never)]
pub fn get_sector_size(params: &Params) -> Answer {
    reply(&read(params)?.1.sector_size)
}

#[inline(never)]
pub fn get_available_balance(params: &Params) -> Answer {
    reply(&read(params)?.0.available(&balance())?)
}

#[inline(never)]
pub fn get_vesting_funds(params: &Params) -> Answer {
    reply(&(read(params)?.0.vesting(&Store)?,))
}

#[inline(never)]
pub fn get_peer_id(params: &Params) -> Answer {
    reply(&(BytesSer(&read(params)?.1.peer),))
}

#[inline(never)]
pub fn get_multiaddrs(params: &Params) -> Answer {
    reply(&(read(params)?.1.multiaddrs,))
}

#[inline(never)]
pub fn get_beneficiary(params: &Params) -> Answer {
    let info = read(params)?.1;
    reply(&((info.beneficiary, info.beneficiary_term), info.pending_beneficiary))
}

/// The owner proposes another one, which takes the miner by naming itself.
#[inline(never)]
pub fn change_owner_address((new,): (Address,)) -> Answer {
    ensure(new.protocol() == Protocol::ID, || illegal_argument("owner address must be an ID address"))?;
    let mut state: State = load()?;
    let mut info = info(&state)?;
    let caller = Address::new_id(message::caller());
    match info.pending_owner {
        Some(pending) if caller != info.owner => {
            ensure(caller == pending, || forbidden("caller is not the proposed owner"))?;
            ensure(new == pending, || illegal_argument("expected confirmation of the proposed owner"))?;
            if info.beneficiary == info.owner {
                info.beneficiary = pending;
            }
            (info.owner, info.pending_owner) = (pending, None);
        }
        _ => {
            ensure(caller == info.owner, || forbidden("caller is not the owner"))?;
            info.pending_owner = Some(new).filter(|new| *new != info.owner);
        }
    }
    state.info = put(&Store, &info)?;
    save(&state)?;
    done()
}

#[inline(never)]
pub fn max_termination_fee((power, pledge): (BigIntDe, TokenAmount)) -> Answer {
    let bytes = u64::try_from(power.0).map_err(|_| illegal_argument("power out of range"))?;
    reply(&money::termination_fee(&pledge, i64::from(u32::MAX), &money::fault_fee(bytes)))
}

#[inline(never)]
pub fn initial_pledge(params: &Params) -> Answer {
    reply(&read(params)?.0.initial_pledge)
}

#[inline(never)]
pub fn change_worker((worker, control): (Address, Vec<Address>)) -> Answer {
    check_control(&control)?;
    let worker = Address::new_id(resolve_worker(&worker)?);
    let control = resolve_all(&control)?;
    let (mut state, mut info) = by_owner()?;
    info.control = control;
    if worker != info.worker && info.pending_worker.is_none() {
        info.pending_worker = Some((worker, now() + FINALITY));
    }
    save_info(&mut state, &info)
}

#[inline(never)]
pub fn confirm_change_worker(params: &Params) -> Answer {
    params.none()?;
    let (mut state, mut info) = by_owner()?;
    change_pending_worker(&mut info);
    save_info(&mut state, &info)
}

/// Makes the pending worker the worker when its time has come.
pub fn change_pending_worker(info: &mut Info) -> bool {
    match info.pending_worker {
        Some((worker, effective)) if effective <= now() => {
            info.worker = worker;
            info.pending_worker = None;
            true
        }
        _ => false,
    }
}

#[inline(never)]
pub fn change_peer_id((peer,): (BytesDe,)) -> Answer {
    check_peer(&peer.0, &[])?;
    let (mut state, mut info) = controlled()?;
    info.peer = peer.0;
    save_info(&mut state, &info)
}

#[inline(never)]
pub fn change_multiaddrs((multiaddrs,): (Vec<BytesDe>,)) -> Answer {
    check_peer(&[], &multiaddrs)?;
    let (mut state, mut info) = controlled()?;
    info.multiaddrs = multiaddrs;
    save_info(&mut state, &info)
}

#[inline(never)]
pub fn apply_rewards(ApplyRewardParams { reward, penalty }: ApplyRewardParams) -> Answer {
    ensure(!reward.is_negative() && !penalty.is_negative(), || illegal_argument("negative amount"))?;
    caller_is(&[REWARD])?;
    let mut state: State = load()?;
    // Three quarters of a reward vest over half a year.
    let locked = (reward * 3u32).div_floor(4);
    ensure(state.unlocked(&balance())? >= locked, || insufficient_funds("insufficient funds to lock"))?;
    lock(&mut state, &locked)?;
    state.fee_debt += penalty;
    let fee = state.repay_some_debt(&Store, &balance(), now())?;
    save(&state)?;
    burn_and_check(fee)?;
    done()
}

#[inline(never)]
pub fn withdraw((requested,): (TokenAmount,)) -> Answer {
    ensure(!requested.is_negative(), || illegal_argument("negative amount"))?;
    let (mut state, info) = by_owner()?;
    state.unlock_vested(&Store, now())?;
    let available = state.available(&balance())?;
    let fee = state.repay_debt(&balance())?;
    let amount = available.min(requested);
    save(&state)?;
    if amount.is_positive() {
        pay(info.owner.id().unwrap_or_default(), amount.clone())?;
    }
    burn_and_check(fee)?;
    reply(&amount)
}

#[inline(never)]
pub fn repay_debt(params: &Params) -> Answer {
    params.none()?;
    let (mut state, _) = controlled()?;
    let fee = state.repay_some_debt(&Store, &balance(), now())?;
    save(&state)?;
    burn_and_check(fee)?;
    done()
}

// --- parts -----------------------------------------------------------------------------------------------------------

fn read(params: &Params) -> Result<(State, Info)> {
    params.none()?;
    let state = load()?;
    let info = info(&state)?;
    Ok((state, info))
}

fn controlled() -> Result<(State, Info)> {
    let state = load()?;
    let info = info(&state)?;
    by_controller(&info)?;
    Ok((state, info))
}

fn by_owner() -> Result<(State, Info)> {
    let state = load()?;
    let info = info(&state)?;
    caller_is(&[info.owner.id().unwrap_or_default()])?;
    Ok((state, info))
}

#[inline(never)]
fn save_info(state: &mut State, info: &Info) -> Answer {
    state.info = put(&Store, info)?;
    save(state)?;
    done()
}

fn check_control(control: &[Address]) -> Result<()> {
    ensure(control.len() <= CONTROL_ADDRESSES_MAX, || illegal_argument("too many control addresses"))
}

fn check_peer(peer: &[u8], multiaddrs: &[BytesDe]) -> Result<()> {
    ensure(peer.len() <= PEER_ID_MAX, || illegal_argument("peer id too long"))?;
    ensure(multiaddrs.iter().all(|m| !m.0.is_empty()), || illegal_argument("empty multiaddr"))?;
    let total: usize = multiaddrs.iter().map(|m| m.0.len()).sum();
    ensure(total <= MULTIADDRS_MAX, || illegal_argument("multiaddrs too long"))
}

fn resolve_all(addresses: &[Address]) -> Result<Vec<Address>> {
    let resolve = |a| resolve(a).map(Address::new_id).ok_or_else(|| illegal_argument("unable to resolve address"));
    addresses.iter().map(resolve).collect()
}

/// A worker is an account with a BLS key.
fn resolve_worker(address: &Address) -> Result<ActorID> {
    let id = resolve(address).ok_or_else(|| illegal_argument("unable to resolve worker"))?;
    ensure(kind_of(id) == Some(kind::ACCOUNT), || illegal_argument("worker must be an account"))?;
    if address.protocol() != Protocol::BLS {
        let key: Address = ask(id, account::PUBKEY_ADDRESS, None)?;
        ensure(key.protocol() == Protocol::BLS, || illegal_argument("worker must have a BLS key"))?;
    }
    Ok(id)
}
