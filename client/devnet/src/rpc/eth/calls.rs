//! Calls that leave no trace, and how much gas they would take.

use bauta_client::address::EthAddress;
use bauta_client::message::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL, INVOKE_CONTRACT, params};
use bauta_client::message::{self, Message};
use cid::Cid;
use fvm::trace::ExecutionEvent;
use fvm_shared::METHOD_SEND;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::bigint::Zero;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use serde::Deserialize;

use super::forms::{self, Amount, Data};
use super::{Answer, Args, RpcError, accounts, answer, block_param};
use crate::chain::Chain;
use crate::estimate::{self, EstimateError};
use crate::state::State;
use crate::vm::{BLOCK_GAS, Outcome, Revert, SYSTEM, Vm};

/// A call as it is asked for. Gas and prices are read by nobody: calls are free.
#[derive(Deserialize)]
struct Call {
    from: Option<forms::Address>,
    to: Option<forms::Address>,
    value: Option<Amount>,
    /// Two names of the same.
    data: Option<Data>,
    input: Option<Data>,
}

impl Call {
    fn message(self) -> Result<Message, RpcError> {
        let from = self.from.map_or(EthAddress([0; 20]), |from| from.0).to_filecoin();
        if from.protocol() != Protocol::Delegated {
            return Err(RpcError::application(format!("expected a class 4 address, got: {}", from.protocol() as u8)));
        }
        let (to, method) = match self.to {
            Some(to) => (to.0.to_filecoin(), INVOKE_CONTRACT),
            None => (ADDRESS_MANAGER, CREATE_EXTERNAL),
        };
        let data = self.input.or(self.data).unwrap_or_default();
        let value = self.value.unwrap_or_default().0;
        Ok(message::draft(from, to, value, method, params(&data.0)))
    }
}

/// Runs a message for free with this much gas. A sender without an actor gets one for the time; contracts can be senders.
fn run(chain: &Chain, state: Cid, epoch: ChainEpoch, mut draft: Message, gas: u64) -> Result<Outcome, RpcError> {
    let mut vm = Vm::open_free_tracing(chain.store(), &chain.rules, state, epoch)?;
    if vm.actor(&draft.from)?.is_none() {
        vm.implicit(&SYSTEM, &draft.from, METHOD_SEND, &TokenAmount::zero(), Default::default())?.ok()?;
    }
    let sender = vm.actor(&draft.from)?.ok_or_else(|| RpcError::unresolved(draft.from))?;
    draft.sequence = sender.sequence;
    draft.gas_limit = gas;
    if accounts::is_contract(chain, &sender)? {
        return Ok(vm.unpaid(draft)?);
    }
    let length = estimate::on_chain_length(&draft);
    Ok(vm.explicit(draft, length)?)
}

/// What was returned, or why it failed, with the reason that the contract gives.
fn returned(outcome: &Outcome) -> Result<Vec<u8>, RpcError> {
    if outcome.exit.is_success() {
        return Ok(outcome.output().unwrap_or_default());
    }
    Err(Revert::of(outcome).into())
}

pub(super) fn call(chain: &mut Chain, args: &Args) -> Answer {
    let message = args.get::<Call>(0)?.message().map_err(|error| RpcError {
        message: format!("failed to convert ethcall to filecoin message: {}", error.message),
        ..error
    })?;
    let record = match args.get::<Option<serde_json::Value>>(1)? {
        None => block_param::latest(chain)?,
        Some(_) => block_param::find(chain, args, 1, false)?,
    };
    let creates = message.to == ADDRESS_MANAGER;
    let outcome = run(chain, record.state, record.height, message, BLOCK_GAS)?;
    let data = returned(&outcome)?;
    // What the address manager returns is no call's output.
    answer(forms::bytes(if creates { &[] } else { &data }))
}

/// True if the sender is an account on the chain: for any other, Lotus leaves out what only accounts can fail at.
fn is_account(chain: &Chain, state: Cid, from: &Address) -> Result<bool, RpcError> {
    match State::at(chain.store(), &state)?.actor(from)? {
        Some(sender) => Ok(!accounts::is_contract(chain, &sender)?),
        None => Ok(false),
    }
}

/// A quarter more than it uses; more where a nested call gets too little of that.
///
/// Errors as Lotus has them: a message that fails is code 3 with its reason; one of an account that needs more than a block, or that
/// fails only with less gas than a block's, is code 1 and a sentence.
pub(super) fn estimate(chain: &mut Chain, args: &Args) -> Answer {
    let message = args.get::<Call>(0)?.message()?;
    let (state, epoch) = match args.get::<Option<serde_json::Value>>(1)? {
        None => (chain.head().state, chain.epoch() + 1),
        Some(_) => {
            let record = block_param::find(chain, args, 1, false)?;
            (record.state, record.height + 1)
        }
    };
    let outcome = run(chain, state, epoch, message.clone(), BLOCK_GAS)?;
    if outcome.exit == ExitCode::SYS_OUT_OF_GAS && is_account(chain, state, &message.from)? {
        return Err(RpcError::application(format!("failed to estimate gas: {}", EstimateError::OutOfGas)));
    }
    returned(&outcome)?;
    let more = |gas: u64| (gas + gas / 4).min(BLOCK_GAS);
    let limit = more(outcome.gas);
    let suffices = |gas: u64| run(chain, state, epoch, message.clone(), gas);
    let tried = suffices(limit)?;
    if tried.exit.is_success() {
        return answer(forms::quantity(limit));
    }
    if !ran_dry(&tried) {
        return Err(RpcError::application(format!("gas search failed: {}", Revert::of(&tried))));
    }
    let (mut low, mut high) = (limit, limit);
    while !suffices(high)?.exit.is_success() {
        if high == BLOCK_GAS {
            return Err(RpcError::application(
                "gas search failed: gas estimation search failed: it needs more than a block",
            ));
        }
        (low, high) = (high, high.saturating_mul(2).min(BLOCK_GAS));
    }
    while high - low > high / 100 {
        let middle = low + (high - low) / 2;
        if suffices(middle)?.exit.is_success() {
            high = middle;
        } else {
            low = middle;
        }
    }
    answer(forms::quantity(more(high)))
}

/// True if some call, however deep, ended for want of gas.
fn ran_dry(outcome: &Outcome) -> bool {
    outcome.exit == ExitCode::SYS_OUT_OF_GAS
        || outcome.trace.iter().any(|event| match event {
            ExecutionEvent::CallReturn(exit, _) => *exit == ExitCode::SYS_OUT_OF_GAS,
            ExecutionEvent::CallError(error) => error.1 == fvm_shared::error::ErrorNumber::LimitExceeded,
            _ => false,
        })
}
