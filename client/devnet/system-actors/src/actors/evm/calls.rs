//! CALL, STATICCALL, DELEGATECALL.

use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{BytesDe, DAG_CBOR, to_vec};
use fvm_sdk::message;
use fvm_shared::IPLD_RAW;
use fvm_shared::address::Address;
use fvm_shared::bigint::Zero;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ErrorNumber;
use fvm_shared::sys::SendFlags;
use revm_interpreter::interpreter_types::ReturnData;
use revm_interpreter::primitives::U256;
use revm_interpreter::{popn, push};

use super::accounts::{Kind, bytes, code_of, kind_at, region, writable};
use super::contract::{Contract, gas_for_call};
use super::machine::{Context, Step, or_fail};
use super::{Delegated, precompiles};
use crate::eth::{EthAddress, tokens};
use crate::failure::Result;
use crate::method::evm;

/// What Solidity's `transfer` gives is too little for the VM: this is enough for money to arrive.
const TRANSFER_GAS: u64 = 10_000_000;
/// The stipend by which `transfer` is recognized.
const STIPEND: u64 = 2300;

/// How somebody is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// In its own name.
    Call,
    /// Without changes.
    Static,
    /// Its code in our name.
    Delegate,
}

/// A call as the code asks for it.
pub(super) struct Call {
    /// How.
    pub how: How,
    /// At most so much gas.
    pub gas: U256,
    /// attoFIL.
    pub value: U256,
}

pub(super) fn call(context: Context<'_>) -> Step {
    popn!([gas, to, value, from, length, out, out_length], context.interpreter);
    run(context, to, Call { how: How::Call, gas, value }, (from, length), (out, out_length))
}

pub(super) fn static_call(context: Context<'_>) -> Step {
    popn!([gas, to, from, length, out, out_length], context.interpreter);
    run(context, to, Call { how: How::Static, gas, value: U256::ZERO }, (from, length), (out, out_length))
}

pub(super) fn delegate_call(context: Context<'_>) -> Step {
    popn!([gas, to, from, length, out, out_length], context.interpreter);
    run(context, to, Call { how: How::Delegate, gas, value: U256::ZERO }, (from, length), (out, out_length))
}

fn run(mut context: Context<'_>, to: U256, call: Call, input: (U256, U256), output: (U256, U256)) -> Step {
    if !call.value.is_zero() {
        writable(&context)?;
    }
    let input = bytes(&mut context, input.0, input.1)?;
    let to = EthAddress::from_word(to);
    let (done, data) = if precompiles::is_reserved(&to) {
        // A precompile that fails says nothing.
        precompiles::call(context.host, &to, &input, &call).map_or((false, vec![]), |data| (true, data))
    } else {
        let answer = match call.how {
            How::Delegate => delegate(context.host, to, input, &call),
            _ => invoke(context.host, to, input, &call),
        };
        let (done, block) = or_fail(&mut context, answer)?;
        (done, block.map(returned).unwrap_or_default())
    };
    let region = region(&mut context, output.0, output.1)?;
    let copied = region.len().min(data.len());
    if copied > 0 {
        context.interpreter.memory.set(region.start, &data[..copied]);
    }
    context.interpreter.return_data.set_buffer(data.into());
    push!(context.interpreter, U256::from(done));
    Ok(())
}

/// The bytes in a block, or the block as it is: who is called may return anything.
pub(super) fn returned(block: IpldBlock) -> Vec<u8> {
    match block.deserialize() {
        Ok(BytesDe(bytes)) => bytes,
        Err(_) => block.data,
    }
}

/// Whether it succeeded, and what came back.
type Called = Result<(bool, Option<IpldBlock>)>;

fn invoke(contract: &mut Contract, to: EthAddress, input: Vec<u8>, call: &Call) -> Called {
    let mut gas = call.gas;
    if (gas.is_zero() && !call.value.is_zero()) || (gas == U256::from(STIPEND) && call.value.is_zero()) {
        gas = U256::from(TRANSFER_GAS);
    }
    let params = (!input.is_empty()).then_some(IpldBlock { codec: IPLD_RAW, data: input });
    let flags = if call.how == How::Static { SendFlags::READ_ONLY } else { SendFlags::default() };
    let gas = Some(gas_for_call(gas));
    let unwritable = contract.readonly || call.how == How::Static;
    match contract.send_raw(&to.into(), evm::INVOKE_CONTRACT, params, tokens(call.value), gas, flags)? {
        Ok(response) => Ok((response.exit_code.is_success(), response.return_data)),
        // Nobody there: as on Ethereum, a success. In a static call nobody can be created for it either.
        Err(ErrorNumber::NotFound) => Ok((true, None)),
        Err(ErrorNumber::ReadOnly) if unwritable => Ok((true, None)),
        Err(_) => Ok((false, None)),
    }
}

/// Calls ourselves with the other's code: every frame is an actor's call of its own.
fn delegate(contract: &mut Contract, to: EthAddress, input: Vec<u8>, call: &Call) -> Called {
    let code = match kind_at(&to) {
        Kind::Contract(id) => code_of(contract, id)?,
        Kind::Account | Kind::Nobody => None,
        Kind::Native | Kind::Precompile => return Ok((false, None)),
    };
    let Some(code) = code else { return Ok((true, None)) };
    let (caller, value) = (contract.frame.caller, contract.frame.value.clone());
    let params = IpldBlock { codec: DAG_CBOR, data: to_vec(&Delegated { code, input, caller, value })? };
    let ourselves = Address::new_id(message::receiver());
    let gas = Some(gas_for_call(call.gas));
    let flags = SendFlags::default();
    let method = evm::INVOKE_CONTRACT_DELEGATE;
    match contract.send(&ourselves, method, Some(params), TokenAmount::zero(), gas, flags) {
        Ok(block) => Ok((true, block)),
        Err(why) => Ok((false, why.data)),
    }
}
