//! Gas: what a message would use, and what to offer for it.
//!
//! Source: lotus `node/impl/gasutils`, `node/impl/full/gas.go`, `chain/messagepool` (`CapGasFee`): limit = use x 1.25, premium
//! by what was paid lately and at least 100,000 attoFIL, fee cap = base fee after twenty full blocks plus premium. Unlike
//! there, no noise is added to the premium: it is meant for miners who compete, of which there are none.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context, Result};
use bauta_client::address::Prefix;
use bauta_client::message::{self, Message};
use cid::Cid;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use num_traits::Zero;

use crate::chain::Chain;
use crate::mempool::Pending;
use crate::records::TipsetRecord;
use crate::state::State;
use crate::vm::{BASE_FEE, BLOCK_GAS, Outcome, Revert, Vm, named};

/// attoFIL per gas for the block's miner, at least.
pub const PREMIUM: u64 = 100_000;
/// Gas that a block is meant to hold.
const BLOCK_GAS_TARGET: u64 = BLOCK_GAS / 2;
/// How many blocks are looked at for premiums, at most, by half.
const MAX_HISTORY: u64 = 128;
/// How soon a message is to be in a block, and how many full blocks it may have to wait, where nobody says.
const SOON: u64 = 10;
const QUEUE: i64 = 20;
/// Tipsets whose premiums are remembered.
const MAX_REMEMBERED: usize = 512;
/// Lotus's default bound of a message's fee: 0.07 FIL.
const DEFAULT_MAX_FEE_MILLI: u64 = 70;

/// Why there is no estimate.
#[derive(Debug, thiserror::Error)]
pub enum EstimateError {
    /// The sender is not on chain.
    #[error("gas estimation failed: CallWithGas failed: sender {sender} not found on chain: sender validation failed", sender = Prefix::Testnet.show(.0))]
    NoSender(Address),
    /// More gas than a block has.
    #[error("call ran out of gas")]
    OutOfGas,
    /// The sender is no account.
    #[error("message execution failed (exit=[{}], vm error=[{failure}]): sender validation failed", named(*.exit))]
    Sender {
        /// The exit code.
        exit: ExitCode,
        /// The VM's words.
        failure: String,
    },
    /// The message would fail.
    #[error(transparent)]
    Fails(#[from] Revert),
    /// The node itself failed.
    #[error("{0:#}")]
    Node(#[from] anyhow::Error),
}

/// Runs a message after the sender's waiting ones, up to that whose nonce it has, with all the gas of a block and for free.
/// Leaves no trace.
pub fn simulate(chain: &Chain, state: Cid, epoch: ChainEpoch, draft: &Message) -> Result<Outcome, EstimateError> {
    let sender = State::at(chain.store(), &state)?.actor(&draft.from)?.ok_or(EstimateError::NoSender(draft.from))?;
    let mut nonce = sender.sequence;
    let mut earlier = Vec::new();
    for Pending { signed, .. } in chain.pool.runnable(&chain.key_address(&draft.from)?, nonce) {
        if signed.message.sequence == draft.sequence {
            break;
        }
        earlier.push((signed.message.clone(), signed.on_chain_len()));
        nonce = signed.message.sequence + 1;
    }
    let mut message = draft.clone();
    message.sequence = nonce;
    message.gas_limit = BLOCK_GAS;
    message.gas_fee_cap = TokenAmount::zero();
    message.gas_premium = TokenAmount::zero();
    let length = on_chain_length(&message);
    Ok(after(chain, state, epoch, earlier, |state| {
        Vm::open_free(chain.store(), &chain.rules, state, epoch)?.explicit(message, length)
    })?)
}

/// Runs messages, each with its length on chain, at the prices that it has there, then does something with the state that
/// they leave, which is forgotten afterwards.
pub(crate) fn after<T>(
    chain: &Chain,
    state: Cid,
    epoch: ChainEpoch,
    messages: Vec<(Message, usize)>,
    run: impl FnOnce(Cid) -> Result<T>,
) -> Result<T> {
    if messages.is_empty() {
        return run(state);
    }
    chain.store().in_passing(|| {
        let mut vm = Vm::open(chain.store(), &chain.rules, state, epoch)?;
        for (message, length) in messages {
            let _ = vm.explicit(message, length)?;
        }
        run(vm.flush()?)
    })
}

/// The length of a message on chain before it is signed: secp256k1 signatures are stored with it, BLS ones are not.
pub fn on_chain_length(message: &Message) -> usize {
    const ARRAY_AND_SIGNATURE: usize = 1 + 2 + 66;
    let own = message::to_bytes(message).len();
    if message.from.protocol() == Protocol::BLS { own } else { own + ARRAY_AND_SIGNATURE }
}

/// The gas that a message would use.
pub fn gas_use(chain: &Chain, state: Cid, epoch: ChainEpoch, draft: &Message) -> Result<u64, EstimateError> {
    let outcome = simulate(chain, state, epoch, draft)?;
    match outcome.exit {
        ExitCode::OK => Ok(outcome.gas),
        ExitCode::SYS_OUT_OF_GAS => Err(EstimateError::OutOfGas),
        ExitCode::SYS_SENDER_INVALID => Err(EstimateError::Sender { exit: outcome.exit, failure: outcome.error() }),
        _ => Err(Revert::of(&outcome).into()),
    }
}

/// Premium and gas limit of each message of a tipset.
type Paid = Rc<[(TokenAmount, u64)]>;

/// What messages paid lately, by the tipset's block.
#[derive(Default)]
pub(crate) struct Prices(RefCell<HashMap<Cid, Paid>>);

impl Prices {
    fn of(&self, chain: &Chain, tipset: &TipsetRecord) -> Result<Paid> {
        if let Some(known) = self.0.borrow().get(&tipset.block) {
            return Ok(known.clone());
        }
        let paid = |cid| chain.stored_message(cid).map(|(message, _)| (message.gas_premium, message.gas_limit));
        let prices: Paid = tipset.messages.iter().map(paid).collect::<Result<_>>()?;
        let mut known = self.0.borrow_mut();
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(tipset.block, prices.clone());
        Ok(prices)
    }
}

/// The premium to offer for a place in one of the next `blocks` blocks, by the messages before the tipset `at`.
pub fn premium(chain: &Chain, at: &TipsetRecord, blocks: u64) -> Result<TokenAmount> {
    let blocks = blocks.clamp(1, MAX_HISTORY);
    let mut prices = Vec::new();
    let mut seen = 0;
    let mut height = at.height;
    while seen < blocks * 2 && height > 0 {
        let parent = chain.store().tipset_at_or_before(height - 1)?.context("a tipset is missing")?;
        prices.extend(chain.prices.of(chain, &parent)?.iter().cloned());
        height = parent.height;
        seen += 1;
    }
    let least = match blocks {
        1 => PREMIUM * 2,
        2 => PREMIUM * 3 / 2,
        _ => PREMIUM,
    };
    let median = median(prices, seen);
    Ok(if median < TokenAmount::from_atto(PREMIUM) { TokenAmount::from_atto(least) } else { median })
}

/// A little below the median, if blocks were as full as they are meant to be.
fn median(mut prices: Vec<(TokenAmount, u64)>, blocks: u64) -> TokenAmount {
    prices.sort_by(|(one, _), (other, _)| other.cmp(one));
    let mut at = i128::from(BLOCK_GAS_TARGET * blocks / 2 + BLOCK_GAS_TARGET * blocks / 40);
    let (mut last, mut before) = (TokenAmount::zero(), TokenAmount::zero());
    for (price, limit) in prices {
        before = std::mem::replace(&mut last, price);
        at -= i128::from(limit);
        if at < 0 {
            break;
        }
    }
    if before.is_zero() { last } else { (last + before).div_floor(2) }
}

/// The fee cap to offer with a premium, if `blocks` full blocks may come first: each lets the base fee grow by an eighth.
pub fn fee_cap(premium: &TokenAmount, blocks: i64) -> TokenAmount {
    // In 256ths, as Lotus computes it.
    let factor = (1.125f64.powf(blocks as f64) * 256.0) as u64;
    TokenAmount::from_atto(BigInt::from(BASE_FEE) * factor / 256) + premium
}

/// Fills those gas fields that are zero.
pub fn fill(chain: &Chain, state: Cid, epoch: ChainEpoch, draft: &mut Message) -> Result<(), EstimateError> {
    if draft.gas_limit == 0 {
        let gas = gas_use(chain, state, epoch, draft)?;
        draft.gas_limit = (gas + gas / 4).min(BLOCK_GAS);
    }
    if draft.gas_premium.is_zero() {
        draft.gas_premium = premium(chain, chain.head(), SOON)?;
    }
    if draft.gas_fee_cap.is_zero() {
        draft.gas_fee_cap = fee_cap(&draft.gas_premium, QUEUE);
    }
    Ok(())
}

/// Lowers the fee cap until the highest fee is within `max` (zero: Lotus's default), or takes all of it with `maximize`; a
/// premium above the fee cap is lowered, too.
pub fn cap(draft: &mut Message, max: &TokenAmount, maximize: bool) {
    let max = if max.is_zero() {
        TokenAmount::from_atto(u128::from(DEFAULT_MAX_FEE_MILLI) * 1_000_000_000_000_000)
    } else {
        max.clone()
    };
    if draft.gas_limit != 0 && (maximize || message::max_fee(draft) > max) {
        draft.gas_fee_cap = max.div_floor(draft.gas_limit);
    }
    draft.gas_premium = draft.gas_premium.clone().min(draft.gas_fee_cap.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atto(n: u64) -> TokenAmount {
        TokenAmount::from_atto(n)
    }

    #[test]
    fn fee_caps_follow_the_base_fee() {
        // 100 x floor(256 x 1.125^n) / 256.
        for (blocks, cap) in [(0, 100), (1, 112), (20, 1054), (100, 13039238)] {
            assert_eq!(fee_cap(&atto(0), blocks), atto(cap), "{blocks}");
        }
        assert_eq!(fee_cap(&atto(7), 0), atto(107));
        // Absurd ones are bounded, and not an error.
        assert_eq!(fee_cap(&atto(0), i64::MIN), atto(0));
        assert_eq!(fee_cap(&atto(0), i64::MAX), TokenAmount::from_atto(BigInt::from(u64::MAX) * 100 / 256));
    }

    /// Cases of lotus `node/impl/gasutils/gasutils_test.go` (`TestMedian`), with its arguments.
    #[test]
    fn medians() {
        let (whole, half) = (BLOCK_GAS_TARGET, BLOCK_GAS_TARGET / 2);
        let of = |prices: &[(u64, u64)], blocks| median(prices.iter().map(|(p, l)| (atto(*p), *l)).collect(), blocks);
        assert_eq!(of(&[(5, whole)], 1), atto(5));
        assert_eq!(of(&[(5, whole), (10, whole)], 1), atto(10));
        assert_eq!(of(&[(10, half), (20, half)], 1), atto(15));
        assert_eq!(of(&[(10, half), (20, half), (30, half)], 1), atto(25));
        assert_eq!(of(&[(10, half), (20, half), (30, half)], 2), atto(15));
        assert_eq!(of(&[], 10), atto(0));
    }

    #[test]
    fn fees_are_capped() {
        let mut draft =
            message::draft(Address::new_id(1), Address::new_id(2), atto(0), 0, message::RawBytes::default());
        (draft.gas_limit, draft.gas_fee_cap, draft.gas_premium) = (1000, atto(50), atto(40));
        let capped = |max, maximize| {
            let mut draft = draft.clone();
            cap(&mut draft, &atto(max), maximize);
            (draft.gas_fee_cap, draft.gas_premium)
        };
        assert_eq!(capped(0, false), (atto(50), atto(40)));
        assert_eq!(capped(50_000, false), (atto(50), atto(40)));
        assert_eq!(capped(49_999, false), (atto(49), atto(40)));
        assert_eq!(capped(30_000, false), (atto(30), atto(30)));
        assert_eq!(capped(100_000, true), (atto(100), atto(40)));
    }
}
