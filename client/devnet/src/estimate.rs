//! Gas: what a message would use, and what to offer for it.
//!
//! Source: lotus `node/impl/gasutils`: limit = use x 1.25, premium at least 100,000 attoFIL, fee cap = base fee after twenty
//! full blocks plus premium.

use anyhow::Result;
use bauta_client::message::{self, Message};
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use num_traits::Zero;

use crate::chain::Chain;
use crate::vm::{BASE_FEE, BLOCK_GAS, Outcome, Vm};

/// attoFIL per gas for the block's miner.
pub const PREMIUM: u64 = 100_000;
/// 100 x 1.125^20, rounded up.
const BASE_FEE_AFTER_TWENTY_FULL_BLOCKS: u64 = 1_055;
/// Lotus's default bound of a message's fee: 0.07 FIL.
const DEFAULT_MAX_FEE_MILLI: u64 = 70;

/// Why there is no estimate.
#[derive(Debug, thiserror::Error)]
pub enum EstimateError {
    /// The sender is not on chain.
    #[error("resolution lookup failed ({0}): resolve address {0}: actor not found")]
    NoSender(Address),
    /// The message would fail.
    #[error("message execution failed (exit=[{exit}], vm error=[{failure}])")]
    Fails {
        /// The exit code.
        exit: u32,
        /// The VM's words.
        failure: String,
    },
    /// The node itself failed.
    #[error("{0:#}")]
    Node(#[from] anyhow::Error),
}

/// Runs a message after the sender's waiting ones, with all the gas of a block and for free. Leaves no trace.
pub fn simulate(chain: &Chain, state: Cid, epoch: ChainEpoch, draft: &Message) -> Result<Outcome, EstimateError> {
    let mut vm = Vm::open(chain.store(), &chain.rules, state, epoch)?;
    let sender = vm.actor(&draft.from)?.ok_or(EstimateError::NoSender(draft.from))?;
    let mut nonce = sender.sequence;
    for earlier in chain.pool.runnable(&draft.from, nonce) {
        let _ = vm.explicit(earlier.signed.message.clone(), earlier.signed.on_chain_len())?;
        nonce = earlier.signed.message.sequence + 1;
    }
    let mut message = draft.clone();
    message.sequence = nonce;
    message.gas_limit = BLOCK_GAS;
    message.gas_fee_cap = TokenAmount::zero();
    message.gas_premium = TokenAmount::zero();
    let length = on_chain_length(&message);
    Ok(vm.explicit(message, length)?)
}

/// The length of a message on chain before it is signed: secp256k1 signatures are stored with it, BLS ones are not.
pub fn on_chain_length(message: &Message) -> usize {
    const ARRAY_AND_SIGNATURE: usize = 1 + 2 + 66;
    let own = message::to_bytes(message).len();
    if message.from.protocol() == fvm_shared::address::Protocol::BLS { own } else { own + ARRAY_AND_SIGNATURE }
}

/// The gas limit to offer for a message.
pub fn gas_limit(chain: &Chain, state: Cid, epoch: ChainEpoch, draft: &Message) -> Result<u64, EstimateError> {
    let outcome = simulate(chain, state, epoch, draft)?;
    if !outcome.exit.is_success() {
        return Err(EstimateError::Fails { exit: outcome.exit.value(), failure: outcome.failure.trim().to_owned() });
    }
    Ok((outcome.gas + outcome.gas / 4).min(BLOCK_GAS))
}

/// The premium to offer.
pub fn premium() -> TokenAmount {
    TokenAmount::from_atto(PREMIUM)
}

/// The fee cap to offer with a premium.
pub fn fee_cap(premium: &TokenAmount) -> TokenAmount {
    premium + TokenAmount::from_atto(BASE_FEE_AFTER_TWENTY_FULL_BLOCKS.max(BASE_FEE))
}

/// Fills those gas fields that are zero.
pub fn fill(chain: &Chain, state: Cid, epoch: ChainEpoch, draft: &mut Message) -> Result<(), EstimateError> {
    if draft.gas_limit == 0 {
        draft.gas_limit = gas_limit(chain, state, epoch, draft)?;
    }
    if draft.gas_premium.is_zero() {
        draft.gas_premium = premium();
    }
    if draft.gas_fee_cap.is_zero() {
        draft.gas_fee_cap = fee_cap(&draft.gas_premium);
    }
    Ok(())
}

/// Lowers fee cap and premium until the highest fee is within `max` (zero: Lotus's default).
pub fn cap(draft: &mut Message, max: &TokenAmount) {
    let max = if max.is_zero() {
        TokenAmount::from_atto(u128::from(DEFAULT_MAX_FEE_MILLI) * 1_000_000_000_000_000)
    } else {
        max.clone()
    };
    if draft.gas_limit == 0 || message::max_fee(draft) <= max {
        return;
    }
    draft.gas_fee_cap = max.div_floor(draft.gas_limit);
    draft.gas_premium = draft.gas_premium.clone().min(draft.gas_fee_cap.clone());
}
