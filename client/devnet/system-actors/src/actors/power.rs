//! f04: who has how much storage power, and cron for miners.

use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_encoding::tuple::*;
use fvm_sdk::message;
use fvm_shared::bigint::bigint_ser::BigIntSer;
use fvm_shared::bigint::{BigInt, bigint_ser};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::{RegisteredPoStProof, StoragePower};
use fvm_shared::{ActorID, MethodNum};

use crate::abi::{
    CreateMinerParams, Created, DeferredCronEventParams, EnrollCronEventParams, EpochReward, Estimate, ExecParams,
    MinerConstructorParams, Power, TotalPower,
};
use crate::blocks::{array, element, empty_array};
use crate::failure::{Result, ensure, forbidden, illegal_argument, illegal_state, not_found};
use crate::method::{CONSTRUCTOR, init, miner, power, reward};
use crate::policy::{MIN_CONSENSUS_MINERS, MIN_CONSENSUS_POWER};
use crate::runtime::{
    Answer, CRON, INIT, Params, REWARD, SYSTEM, Store, ask, block, caller_is, caller_is_miner, decode, done, kind,
    load, now, reply, save, send, unhandled,
};

#[derive(Serialize_tuple, Deserialize_tuple)]
struct State {
    /// Array of [`Claim`] by actor id.
    claims: Cid,
    miner_count: i64,
    miners_above_minimum: i64,
    /// Of all miners.
    committed: Power,
    /// Of miners above the minimum.
    counted: Power,
    pledge: TokenAmount,
    /// As they were at the last tick: constant while an epoch's messages run.
    this_epoch: Power,
    this_epoch_pledge: TokenAmount,
    /// Calls that miners asked for, in order of their epoch.
    events: Vec<(ChainEpoch, ActorID, RawBytes)>,
}

#[derive(Clone, Serialize_tuple, Deserialize_tuple)]
struct Claim {
    post_proof: RegisteredPoStProof,
    #[serde(with = "bigint_ser")]
    raw: StoragePower,
    #[serde(with = "bigint_ser")]
    quality_adjusted: StoragePower,
}

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            params.none()?;
            caller_is(&[SYSTEM])?;
            save(&State {
                claims: empty_array(&Store)?,
                miner_count: 0,
                miners_above_minimum: 0,
                committed: Power::default(),
                counted: Power::default(),
                pledge: TokenAmount::default(),
                this_epoch: Power::default(),
                this_epoch_pledge: TokenAmount::default(),
                events: vec![],
            })?;
            done()
        }
        power::CREATE_MINER | power::CREATE_MINER_EXPORTED => create_miner(params.get()?),
        power::UPDATE_CLAIMED_POWER => update_claimed_power(params.get()?),
        power::ENROLL_CRON_EVENT => enroll_cron_event(params.get()?),
        power::ON_EPOCH_TICK_END => {
            params.none()?;
            on_epoch_tick_end()
        }
        power::UPDATE_PLEDGE_TOTAL => update_pledge_total(params.get()?),
        power::CURRENT_TOTAL_POWER => {
            params.none()?;
            let State { this_epoch, this_epoch_pledge, .. } = load()?;
            let smoothed = Estimate::of(&this_epoch.quality_adjusted);
            reply(&TotalPower {
                raw: this_epoch.raw,
                quality_adjusted: this_epoch.quality_adjusted,
                pledge: this_epoch_pledge,
                smoothed,
                ramp_start_epoch: 0,
                ramp_duration_epochs: 0,
            })
        }
        power::NETWORK_RAW_POWER => {
            params.none()?;
            reply(&BigIntSer(&load::<State>()?.this_epoch.raw))
        }
        power::MINER_RAW_POWER => {
            let state: State = load()?;
            let claim = state.claim(params.get()?)?.ok_or_else(|| illegal_argument("no claim for actor"))?;
            let meets = meets_minimum(&claim.raw, state.miners_above_minimum);
            reply(&(BigIntSer(&claim.raw), meets))
        }
        power::MINER_COUNT => {
            params.none()?;
            reply(&load::<State>()?.miner_count)
        }
        power::MINER_CONSENSUS_COUNT => {
            params.none()?;
            reply(&load::<State>()?.miners_above_minimum)
        }
        power::MINER_POWER => {
            let claim = load::<State>()?.claim(params.get()?)?.ok_or_else(|| not_found("miner not found"))?;
            reply(&Power { raw: claim.raw, quality_adjusted: claim.quality_adjusted })
        }
        _ => unhandled(),
    }
}

/// Whether power counts: it is enough, or there are too few miners with enough.
fn meets_minimum(raw: &StoragePower, miners_above: i64) -> bool {
    *raw >= BigInt::from(MIN_CONSENSUS_POWER)
        || (miners_above < MIN_CONSENSUS_MINERS && raw.sign() == fvm_shared::bigint::Sign::Plus)
}

impl State {
    fn claim(&self, miner: ActorID) -> Result<Option<Claim>> {
        element(&Store, &self.claims, miner)
    }

    fn set_claim(&mut self, miner: ActorID, claim: Option<Claim>) -> Result<()> {
        let mut claims = array(&Store, &self.claims)?;
        match claim {
            Some(claim) => claims.set(miner, claim)?,
            None => {
                claims.delete(miner)?;
            }
        }
        self.claims = claims.flush()?;
        Ok(())
    }

    fn add_power(&mut self, miner: ActorID, delta: &Power) -> Result<()> {
        let mut claim = self.claim(miner)?.ok_or_else(|| not_found("no claim for actor"))?;
        let minimum = BigInt::from(MIN_CONSENSUS_POWER);
        if claim.raw >= minimum {
            self.miners_above_minimum -= 1;
            self.counted.raw -= &claim.raw;
            self.counted.quality_adjusted -= &claim.quality_adjusted;
        }
        claim.raw += &delta.raw;
        claim.quality_adjusted += &delta.quality_adjusted;
        self.committed.raw += &delta.raw;
        self.committed.quality_adjusted += &delta.quality_adjusted;
        let zero = BigInt::from(0);
        ensure(claim.raw >= zero && claim.quality_adjusted >= zero, || illegal_state("negative claimed power"))?;
        if claim.raw >= minimum {
            self.miners_above_minimum += 1;
            self.counted.raw += &claim.raw;
            self.counted.quality_adjusted += &claim.quality_adjusted;
        }
        self.set_claim(miner, Some(claim))
    }
}

#[inline(never)]
fn create_miner(params: CreateMinerParams) -> Answer {
    let CreateMinerParams { owner, worker, post_proof, peer, multiaddrs } = params;
    let constructor = MinerConstructorParams { owner, worker, control: vec![], post_proof, peer, multiaddrs };
    let exec = ExecParams {
        code: fvm_sdk::actor::get_code_cid_for_type(kind::MINER),
        constructor_params: RawBytes::serialize(&constructor)?,
    };
    let created: Created = decode(send(INIT, init::EXEC, block(&exec)?, message::value_received())?)?;
    let id = created.id.id().map_err(|_| illegal_state("init returned no id"))?;
    let mut state: State = load()?;
    state.set_claim(id, Some(Claim { post_proof, raw: BigInt::from(0), quality_adjusted: BigInt::from(0) }))?;
    state.miner_count += 1;
    save(&state)?;
    reply(&created)
}

#[inline(never)]
fn update_claimed_power(delta: Power) -> Answer {
    let miner = caller_is_miner()?;
    let mut state: State = load()?;
    state.add_power(miner, &delta)?;
    save(&state)?;
    done()
}

#[inline(never)]
fn enroll_cron_event(params: EnrollCronEventParams) -> Answer {
    let miner = caller_is_miner()?;
    ensure(params.epoch >= 0, || illegal_argument("cron event before the first epoch"))?;
    let mut state: State = load()?;
    let at = state.events.partition_point(|(epoch, ..)| *epoch <= params.epoch);
    state.events.insert(at, (params.epoch, miner, params.payload));
    save(&state)?;
    done()
}

#[inline(never)]
fn on_epoch_tick_end() -> Answer {
    caller_is(&[CRON])?;
    let reward: EpochReward = ask(REWARD, reward::THIS_EPOCH_REWARD, None)?;

    let mut state: State = load()?;
    let due = state.events.partition_point(|(epoch, ..)| *epoch <= now());
    let rest = state.events.split_off(due);
    let events = std::mem::replace(&mut state.events, rest);
    if !events.is_empty() {
        save(&state)?;
    }
    let smoothed = Estimate::of(&state.this_epoch.quality_adjusted);
    let mut failed = vec![];
    for (_, miner, payload) in events {
        if state.claim(miner)?.is_none() {
            continue;
        }
        let params = DeferredCronEventParams {
            payload: payload.to_vec(),
            reward: reward.smoothed.clone(),
            power: smoothed.clone(),
        };
        if send(miner, miner::ON_DEFERRED_CRON_EVENT, block(&params)?, TokenAmount::default()).is_err() {
            failed.push(miner);
        }
    }

    let mut state: State = load()?;
    for miner in failed {
        // A miner whose cron fails is frozen: it loses its power, and cron forgets it.
        if let Some(claim) = state.claim(miner)? {
            state.add_power(miner, &Power { raw: -claim.raw, quality_adjusted: -claim.quality_adjusted })?;
            state.set_claim(miner, None)?;
            state.miner_count -= 1;
        }
    }
    let few = state.miners_above_minimum < MIN_CONSENSUS_MINERS;
    state.this_epoch = if few { state.committed.clone() } else { state.counted.clone() };
    state.this_epoch_pledge = state.pledge.clone();
    save(&state)?;
    send(REWARD, reward::UPDATE_NETWORK_KPI, block(&BigIntSer(&state.this_epoch.raw))?, TokenAmount::default())?;
    done()
}

#[inline(never)]
fn update_pledge_total(delta: TokenAmount) -> Answer {
    let miner = caller_is_miner()?;
    let mut state: State = load()?;
    ensure(state.claim(miner)?.is_some(), || forbidden("unknown miner"))?;
    state.pledge += delta;
    ensure(!state.pledge.is_negative(), || illegal_state("negative total pledge"))?;
    save(&state)?;
    done()
}
