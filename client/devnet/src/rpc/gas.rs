//! Estimates.

use bauta_client::node::json::{AddressJson, MessageJson, SendSpec, TokenJson};

use super::args::answer;
use super::chain::find;
use super::{Answer, Args, Method};
use crate::chain::Chain;
use crate::estimate;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.GasEstimateMessageGas", 3, message),
    Method::read("Filecoin.GasEstimateGasLimit", 2, limit),
    Method::read("Filecoin.GasEstimateFeeCap", 3, fee_cap),
    Method::read("Filecoin.GasEstimateGasPremium", 4, premium),
];

fn message(chain: &mut Chain, args: &Args) -> Answer {
    let mut draft: MessageJson = args.get(0)?;
    let spec: SendSpec = args.get::<Option<SendSpec>>(1)?.unwrap_or_default();
    find(chain, &args.key(2)?)?;
    let (state, epoch) = (chain.head().state, chain.epoch() + 1);
    estimate::fill(chain, state, epoch, &mut draft.message)?;
    estimate::cap(&mut draft.message, &spec.max_fee, spec.maximize_fee_cap);
    answer(draft)
}

fn limit(chain: &mut Chain, args: &Args) -> Answer {
    let draft: MessageJson = args.get(0)?;
    find(chain, &args.key(1)?)?;
    answer(estimate::gas_use(chain, chain.head().state, chain.epoch() + 1, &draft.message)?)
}

fn fee_cap(chain: &mut Chain, args: &Args) -> Answer {
    let (draft, blocks): (MessageJson, i64) = (args.get(0)?, args.get(1)?);
    find(chain, &args.key(2)?)?;
    answer(TokenJson(estimate::fee_cap(&draft.message.gas_premium, blocks)))
}

fn premium(chain: &mut Chain, args: &Args) -> Answer {
    let blocks: u64 = args.get(0)?;
    args.get::<Option<AddressJson>>(1)?;
    args.get::<i64>(2)?;
    let at = find(chain, &args.key(3)?)?;
    answer(TokenJson(estimate::premium(chain, &at, blocks)?))
}
