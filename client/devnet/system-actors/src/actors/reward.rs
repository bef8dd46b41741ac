//! f02: pays block rewards. The reward per epoch is constant, the baseline stands still.

use fvm_ipld_encoding::tuple::*;
use fvm_shared::MethodNum;
use fvm_shared::address::Address;
use fvm_shared::bigint::BigInt;
use fvm_shared::bigint::bigint_ser::BigIntDe;
use fvm_shared::econ::TokenAmount;

use crate::abi::{ApplyRewardParams, EpochReward, Estimate};
use crate::failure::{illegal_argument, illegal_state, not_found};
use crate::method::{CONSTRUCTOR, miner, reward};
use crate::runtime::{
    Answer, POWER, Params, SYSTEM, balance, block, burn, caller_is, done, load, reply, resolve, save, send, unhandled,
};

/// FIL per epoch, for all winners together.
const EPOCH_REWARD_FIL: i64 = 60;
/// Winners expected per epoch.
const EXPECTED_LEADERS: i64 = 5;
/// Gas penalties are multiplied by this.
const PENALTY_MULTIPLIER: i64 = 3;
/// Power the network is meant to have: 2.5 EiB.
const BASELINE: i64 = 5 << 59;

/// Total paid out as block rewards.
type State = (TokenAmount,);

#[derive(Serialize_tuple, Deserialize_tuple)]
struct AwardParams {
    miner: Address,
    penalty: TokenAmount,
    gas_reward: TokenAmount,
    win_count: i64,
}

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            let _power: BigIntDe = params.get()?;
            caller_is(&[SYSTEM])?;
            save(&(TokenAmount::default(),))?;
            done()
        }
        reward::AWARD_BLOCK_REWARD => award(params.get()?),
        reward::THIS_EPOCH_REWARD => {
            params.none()?;
            reply(&EpochReward {
                smoothed: Estimate::of(TokenAmount::from_whole(EPOCH_REWARD_FIL).atto()),
                baseline: BigInt::from(BASELINE),
            })
        }
        reward::UPDATE_NETWORK_KPI => {
            let _power: BigIntDe = params.get()?;
            caller_is(&[POWER])?;
            done()
        }
        _ => unhandled(),
    }
}

fn award(AwardParams { miner, penalty, gas_reward, win_count }: AwardParams) -> Answer {
    caller_is(&[SYSTEM])?;
    if penalty.is_negative() || gas_reward.is_negative() || win_count <= 0 {
        return Err(illegal_argument("invalid reward"));
    }
    let funds = balance();
    if funds < gas_reward {
        return Err(illegal_state("balance below the gas reward"));
    }
    let to = resolve(&miner).ok_or_else(|| not_found("no such miner"))?;
    let reward = (TokenAmount::from_whole(EPOCH_REWARD_FIL) * win_count).div_floor(EXPECTED_LEADERS);
    let total = funds.min(&gas_reward + reward);
    let (mut paid,): State = load()?;
    paid += &total - &gas_reward;
    save(&(paid,))?;
    let params = ApplyRewardParams { reward: total.clone(), penalty: penalty * PENALTY_MULTIPLIER };
    if send(to, miner::APPLY_REWARDS, block(&params)?, total.clone()).is_err() {
        // The miner's fault: the chain goes on.
        burn(total)?;
    }
    done()
}
