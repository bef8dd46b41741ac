//! What storage costs a provider. Simpler than on public networks: pledge is at the official cap always, and what is
//! derived there from estimated block rewards is derived here from the pledge. Nothing depends on who else is around.

use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use crate::policy::{CREATE_MINER_POWER, DAY};

/// Pledge per byte: 1 FIL per 32 GiB, rounded down (the official cap).
const PLEDGE_PER_BYTE: i64 = 1_000_000_000_000_000_000 / (32 << 30);
/// A pre-commit deposit is this part of the pledge.
const DEPOSIT_PART: i64 = 8;
/// A day's block reward is taken to be this part of the pledge.
const DAY_REWARD_PART: i64 = 400;
/// Days over which a deposit or reward vests.
const VESTING_DAYS: i64 = 180;

/// Initial pledge of so many bytes.
pub fn pledge(bytes: u64) -> TokenAmount {
    TokenAmount::from_atto(BigInt::from(PLEDGE_PER_BYTE) * bytes)
}

/// What creating a miner locks (FIP-0077).
pub fn create_miner_deposit() -> TokenAmount {
    pledge(CREATE_MINER_POWER as u64)
}

/// What pre-committing a sector locks.
pub fn pre_commit_deposit(sector_size: u64) -> TokenAmount {
    pledge(sector_size).div_floor(DEPOSIT_PART)
}

fn day_reward(bytes: u64) -> TokenAmount {
    pledge(bytes).div_floor(DAY_REWARD_PART)
}

/// Fee for so many bytes that stay faulty over a window: 3.51 days of reward.
pub fn fault_fee(bytes: u64) -> TokenAmount {
    (day_reward(bytes) * 351u32).div_floor(100)
}

/// Daily fee of a sector (FIP-0100): a fraction of the circulating supply.
pub fn daily_fee(supply: &TokenAmount, sector_size: u64) -> TokenAmount {
    let denominator = BigInt::from(10u8).pow(30);
    TokenAmount::from_atto(supply.atto() * sector_size * 161_817u32 / denominator)
}

/// What of the daily fees is payable: no more than half of a day's reward.
pub fn daily_fee_payable(fees: &TokenAmount, live_bytes: u64) -> TokenAmount {
    fees.clone().min(day_reward(live_bytes).div_floor(2))
}

/// Fee for ending a sector early (FIP-0098): 8.5 % of its pledge from 140 days of age on, less before; at least 2 %,
/// and at least 1.05 times the fault fee.
pub fn termination_fee(pledge: &TokenAmount, age: ChainEpoch, fault_fee: &TokenAmount) -> TokenAmount {
    let full = (pledge * 85u32).div_floor(1000);
    let by_age = (&full * age).div_floor(140 * DAY);
    let minimum = (pledge * 2u32).div_floor(100).max((fault_fee * 105u32).div_floor(100));
    full.min(by_age).max(minimum)
}

/// Money that becomes free, by epoch, in order.
pub type Vesting = Vec<(ChainEpoch, TokenAmount)>;

/// Locks an amount: every day of the next 180 sets a part free.
pub fn lock(funds: &mut Vesting, amount: &TokenAmount, now: ChainEpoch) {
    let mut vested = TokenAmount::default();
    for day in 1..=VESTING_DAYS {
        let target = (amount * day).div_floor(VESTING_DAYS);
        let part = &target - &vested;
        vested = target;
        if part.is_positive() {
            let epoch = now + day * DAY;
            match funds.binary_search_by_key(&epoch, |f| f.0) {
                Ok(at) => funds[at].1 += part,
                Err(at) => funds.insert(at, (epoch, part)),
            }
        }
    }
}

/// Takes what is free at `now`.
pub fn take_vested(funds: &mut Vesting, now: ChainEpoch) -> TokenAmount {
    let due = funds.partition_point(|f| f.0 < now);
    funds.drain(..due).map(|f| f.1).sum()
}

/// Takes up to `amount` of what is not free yet, the earliest first.
pub fn take_unvested(funds: &mut Vesting, amount: &TokenAmount) -> TokenAmount {
    let mut taken = TokenAmount::default();
    for (_, part) in funds.iter_mut() {
        let take = part.clone().min(amount - &taken);
        *part -= &take;
        taken += take;
    }
    funds.retain(|f| f.1.is_positive());
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atto(n: u64) -> TokenAmount {
        TokenAmount::from_atto(n)
    }

    #[test]
    fn amounts_are_those_of_the_official_caps() {
        assert_eq!(create_miner_deposit(), atto(5_937_181_320));
        assert_eq!(pledge(2048), atto(59_604_643_840));
        assert_eq!(pre_commit_deposit(2048), atto(7_450_580_480));
    }

    #[test]
    fn a_termination_fee_grows_with_age_between_its_bounds() {
        let (p, none) = (TokenAmount::from_whole(1000), TokenAmount::default());
        assert_eq!(termination_fee(&p, 0, &none), TokenAmount::from_whole(20));
        assert_eq!(termination_fee(&p, 70 * DAY, &none), TokenAmount::from_nano(42_500_000_000u64));
        assert_eq!(termination_fee(&p, 900 * DAY, &none), TokenAmount::from_whole(85));
        assert_eq!(termination_fee(&p, 900 * DAY, &TokenAmount::from_whole(100)), TokenAmount::from_whole(105));
    }

    #[test]
    fn vesting_neither_makes_nor_loses_money() {
        let mut funds = vec![];
        lock(&mut funds, &atto(1_000_003), 100);
        lock(&mut funds, &atto(77), 100 + DAY);
        let total: TokenAmount = funds.iter().map(|f| f.1.clone()).sum();
        assert_eq!(total, atto(1_000_080));
        assert!(take_vested(&mut funds, 100 + DAY).is_zero());
        let first = take_vested(&mut funds, 100 + DAY + 1);
        assert_eq!(first, atto(5555));
        let early = take_unvested(&mut funds, &atto(20_000));
        assert_eq!(early, atto(20_000));
        assert_eq!(take_vested(&mut funds, 100 + 182 * DAY), atto(1_000_080 - 5555 - 20_000));
        assert!(take_unvested(&mut funds, &atto(1)).is_zero() && funds.is_empty());
    }
}
