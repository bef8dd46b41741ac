//! What gas costs.

use fvm_shared::econ::TokenAmount;
use serde_json::json;

use super::forms::{self, Quantity};
use super::{Answer, Args, RpcError, answer, block_param};
use crate::chain::Chain;
use crate::estimate::{self, PREMIUM};
use crate::rpc::chain::find_message;
use crate::tipset;
use crate::vm::{BASE_FEE, BLOCK_GAS};

/// Blocks in one answer.
const MAX_BLOCKS: u64 = 1024;
/// Percentiles in one question.
const MAX_PERCENTILES: usize = 100;

pub(super) fn base_fee(_: &mut Chain, _: &Args) -> Answer {
    answer(forms::quantity(BASE_FEE))
}

pub(super) fn gas_price(chain: &mut Chain, _: &Args) -> Answer {
    answer(forms::amount(&(premium(chain)? + TokenAmount::from_atto(BASE_FEE))))
}

pub(super) fn priority_fee(chain: &mut Chain, _: &Args) -> Answer {
    answer(forms::amount(&premium(chain)?))
}

/// For a place in the next block.
fn premium(chain: &Chain) -> Result<TokenAmount, RpcError> {
    Ok(estimate::premium(chain, chain.head(), 1)?)
}

/// Base fees, how full blocks were, and what was tipped, oldest first.
pub(super) fn history(chain: &mut Chain, args: &Args) -> Answer {
    let count = args.get::<Quantity>(0)?.0;
    if count > MAX_BLOCKS {
        return Err(RpcError::application("block count should be smaller than 1024"));
    }
    let newest = args.get::<String>(1)?;
    let percentiles: Option<Vec<f64>> = args.get(2)?;
    let asked = percentiles.clone().unwrap_or_default();
    if asked.len() > MAX_PERCENTILES {
        return Err(RpcError::application("length of the reward percentile array cannot be greater than 100"));
    }
    if asked.iter().any(|p| !(0.0..=100.0).contains(p)) || asked.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err(RpcError::application("reward percentiles rise from 0 to 100"));
    }
    let mut record = block_param::by_number(chain, &newest, false)
        .ok_or_else(|| args.refuse(1, format!("failed to parse block number: {newest:.80}")))??;
    let (mut oldest, mut ratios, mut rewards) = (1, vec![], vec![]);
    while (ratios.len() as u64) < count && record.height > 0 {
        let mut used = vec![];
        for (cid, receipt) in record.messages.iter().zip(tipset::read_receipts(chain.store(), &record.receipts)?) {
            let message = find_message(chain, cid)?;
            let room = &message.gas_fee_cap - TokenAmount::from_atto(BASE_FEE);
            used.push((message.gas_premium.min(room), receipt.gas_used));
        }
        used.sort();
        let total: u64 = used.iter().map(|(_, gas)| gas).sum();
        // A ratio is a number for people; the chain has none.
        #[allow(clippy::cast_precision_loss)]
        let ratio = total as f64 / BLOCK_GAS as f64;
        ratios.push(ratio);
        rewards.push(asked.iter().map(|p| percentile(&used, total, *p)).collect::<Vec<_>>());
        oldest = record.height.unsigned_abs();
        let parent = chain.store().tipset_at_or_before(record.height - 1)?;
        record = parent.ok_or_else(|| RpcError::application("cannot load the parent tipset"))?;
    }
    ratios.reverse();
    rewards.reverse();
    let mut history = json!({
        "oldestBlock": forms::quantity(oldest),
        "baseFeePerGas": vec![forms::quantity(BASE_FEE); ratios.len() + 1],
        "gasUsedRatio": ratios,
    });
    if percentiles.is_some() {
        history["reward"] = json!(rewards);
    }
    answer(history)
}

/// The premium that this many percent of a block's gas paid at most.
#[allow(clippy::cast_precision_loss)]
fn percentile(used: &[(TokenAmount, u64)], total: u64, percent: f64) -> String {
    let threshold = total as f64 * percent / 100.0;
    let mut sum = 0;
    let mut chosen = None;
    for (premium, gas) in used {
        chosen = Some(premium);
        sum += gas;
        if sum as f64 >= threshold {
            break;
        }
    }
    chosen.map_or_else(|| forms::quantity(PREMIUM), forms::amount)
}
