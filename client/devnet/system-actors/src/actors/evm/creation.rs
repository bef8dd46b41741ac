//! CREATE, CREATE2, SELFDESTRUCT.

use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_sdk::sself;
use fvm_shared::MethodNum;
use fvm_shared::address::Address;
use fvm_shared::sys::SendFlags;
use revm_interpreter::interpreter_types::ReturnData;
use revm_interpreter::primitives::U256;
use revm_interpreter::{InstructionResult, popn, push};

use super::accounts::{bytes, writable};
use super::calls::returned;
use super::contract::gas_for_creation;
use super::exit;
use super::machine::{Context, Step, fail, or_fail};
use crate::actors::eam::{Create2Params, CreateParams, Return};
use crate::eth::{EthAddress, tokens};
use crate::failure::{Result, failure};
use crate::method::eam;
use crate::runtime::{EAM, block, decode};

pub(super) fn create(mut context: Context<'_>) -> Step {
    popn!([value, offset, length], context.interpreter);
    writable(&context)?;
    let initcode = bytes(&mut context, offset, length)?;
    let params = block(&CreateParams { initcode, nonce: context.host.nonce });
    make(context, eam::CREATE, params, value)
}

pub(super) fn create2(mut context: Context<'_>) -> Step {
    popn!([value, offset, length, salt], context.interpreter);
    writable(&context)?;
    let initcode = bytes(&mut context, offset, length)?;
    let params = block(&Create2Params { initcode, salt: salt.to_be_bytes() });
    make(context, eam::CREATE2, params, value)
}

/// Has the address manager make it. The nonce counts attempts, as on Ethereum, but not those that cannot be paid for.
fn make(mut context: Context<'_>, method: MethodNum, params: Result<Option<IpldBlock>>, value: U256) -> Step {
    let params = or_fail(&mut context, params)?;
    context.interpreter.return_data.clear();
    let value = tokens(value);
    if value > sself::current_balance() {
        push!(context.interpreter, U256::ZERO);
        return Ok(());
    }
    context.host.count_creation();
    let gas = Some(gas_for_creation());
    let made = context.host.send(&Address::new_id(EAM), method, params, value, gas, SendFlags::default());
    let address = match made {
        Ok(block) => {
            let answer: Return = or_fail(&mut context, decode(block))?;
            answer.address.word()
        }
        Err(why) => {
            // Data always is the constructor's.
            if let Some(data) = why.data {
                context.interpreter.return_data.set_buffer(returned(data).into());
            }
            U256::ZERO
        }
    };
    push!(context.interpreter, address);
    Ok(())
}

/// Gives all money away; the contract is dead once the message is over.
pub(super) fn self_destruct(mut context: Context<'_>) -> Step {
    popn!([heir], context.interpreter);
    writable(&context)?;
    let heir = EthAddress::from_word(heir).into();
    if context.host.pay(&heir, sself::current_balance()).is_err() {
        return fail(&mut context, failure(exit::SELFDESTRUCT_FAILED, "the money cannot be given away"));
    }
    context.host.mark_destroyed();
    Err(InstructionResult::Stop)
}
