//! Runs code: `revm-interpreter` with our own instructions for whatever meets the chain.

use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use revm_interpreter::bytecode::{Bytecode, opcode};
use revm_interpreter::interpreter::{EthInterpreter, ExtBytecode, STACK_LIMIT};
use revm_interpreter::primitives::hardfork::SpecId;
use revm_interpreter::{
    CallInput, GasTable, InputsImpl, Instruction, InstructionContext, InstructionResult, InstructionTable, Interpreter,
    InterpreterAction, SharedMemory, instruction_table,
};

use super::contract::Contract;
use super::{accounts, calls, creation, exit};
use crate::eth::{EthAddress, word_of};
use crate::failure::{Failure, Result, failure};

/// What an instruction of ours works on.
pub(super) type Context<'a> = InstructionContext<'a, Contract, EthInterpreter>;
/// How it ends.
pub(super) type Step<T = ()> = std::result::Result<T, InstructionResult>;

/// One call of a contract.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Who calls.
    pub caller: EthAddress,
    /// The contract.
    pub receiver: EthAddress,
    /// With how much.
    pub value: TokenAmount,
}

impl Default for Frame {
    fn default() -> Self {
        let nobody = EthAddress([0; 20]);
        Self { caller: nobody, receiver: nobody, value: TokenAmount::default() }
    }
}

/// How code ends that ends by itself.
pub(super) enum Output {
    /// RETURN, STOP, SELFDESTRUCT, or the end of the code.
    Returned(Vec<u8>),
    /// REVERT.
    Reverted(Vec<u8>),
}

/// The VM counts gas: nothing costs any here.
const FREE: GasTable = [0; 256];
/// More memory than Wasm has.
const MEMORY: u64 = u32::MAX as u64 - 31;

/// The instructions of the FEVM: those of Osaka without CALLCODE and blobs.
fn instructions() -> InstructionTable<EthInterpreter, Contract> {
    let mut table = instruction_table();
    let ours: [(u8, fn(Context<'_>) -> Step); 22] = [
        (opcode::KECCAK256, accounts::keccak256),
        (opcode::BALANCE, accounts::balance),
        (opcode::SELFBALANCE, accounts::self_balance),
        (opcode::EXTCODESIZE, accounts::code_size),
        (opcode::EXTCODECOPY, accounts::code_copy),
        (opcode::EXTCODEHASH, accounts::code_hash),
        (opcode::BLOCKHASH, accounts::block_hash),
        (opcode::GAS, accounts::gas),
        (opcode::SLOAD, accounts::sload),
        (opcode::SSTORE, accounts::sstore),
        (opcode::TLOAD, accounts::tload),
        (opcode::TSTORE, accounts::tstore),
        (opcode::LOG0, accounts::log::<0>),
        (opcode::LOG1, accounts::log::<1>),
        (opcode::LOG2, accounts::log::<2>),
        (opcode::LOG3, accounts::log::<3>),
        (opcode::LOG4, accounts::log::<4>),
        (opcode::CALL, calls::call),
        (opcode::STATICCALL, calls::static_call),
        (opcode::DELEGATECALL, calls::delegate_call),
        (opcode::CREATE, creation::create),
        (opcode::CREATE2, creation::create2),
    ];
    for (code, run) in ours {
        table[code as usize] = Instruction::new(run);
    }
    table[opcode::SELFDESTRUCT as usize] = Instruction::new(creation::self_destruct);
    for code in [
        opcode::CALLCODE,
        opcode::BLOBHASH,
        opcode::BLOBBASEFEE,
        opcode::SLOTNUM,
        opcode::DUPN,
        opcode::SWAPN,
        opcode::EXCHANGE,
    ] {
        table[code as usize] = Instruction::unknown();
    }
    table
}

/// Runs code in a frame.
pub(super) fn run(contract: &mut Contract, code: Vec<u8>, frame: Frame, input: Vec<u8>) -> Result<Output> {
    let inputs = InputsImpl {
        target_address: frame.receiver.evm(),
        bytecode_address: None,
        caller_address: frame.caller.evm(),
        input: CallInput::Bytes(input.into()),
        call_value: word_of(&frame.value),
        depth: 0,
    };
    contract.frame = frame;
    let memory = SharedMemory::new_with_memory_limit(MEMORY);
    let code = ExtBytecode::new(Bytecode::new_legacy(code.into()));
    let mut interpreter = Interpreter::new(memory, code, inputs, contract.readonly, SpecId::OSAKA, u64::MAX);
    let InterpreterAction::Return(end) = interpreter.run_plain(&instructions(), &FREE, contract) else {
        return Err(failure(ExitCode::USR_ASSERTION_FAILED, "calls are made by our own instructions"));
    };
    match end.result {
        InstructionResult::Return | InstructionResult::Stop => Ok(Output::Returned(end.output.into())),
        InstructionResult::Revert => Ok(Output::Reverted(end.output.into())),
        // The interpreter calls it an overflow, too, when DUP or SWAP reach below the stack.
        InstructionResult::StackOverflow if interpreter.stack.len() < STACK_LIMIT => {
            Err(stopped(InstructionResult::StackUnderflow))
        }
        other => Err(contract.failure.take().unwrap_or_else(|| stopped(other))),
    }
}

fn stopped(by: InstructionResult) -> Failure {
    match by {
        InstructionResult::InvalidFEOpcode => failure(exit::INVALID_INSTRUCTION, "invalid instruction"),
        InstructionResult::OpcodeNotFound | InstructionResult::NotActivated => {
            failure(exit::UNDEFINED_INSTRUCTION, "undefined instruction")
        }
        InstructionResult::StackUnderflow => failure(exit::STACK_UNDERFLOW, "stack underflow"),
        InstructionResult::StackOverflow => failure(exit::STACK_OVERFLOW, "stack overflow"),
        InstructionResult::InvalidJump => failure(exit::BAD_JUMPDEST, "jump to a place that is none"),
        InstructionResult::OutOfOffset
        | InstructionResult::InvalidOperandOOG
        | InstructionResult::MemoryOOG
        | InstructionResult::MemoryLimitOOG => failure(exit::ILLEGAL_MEMORY_ACCESS, "beyond the end of memory"),
        InstructionResult::StateChangeDuringStaticCall | InstructionResult::CallNotAllowedInsideStatic => {
            failure(ExitCode::USR_READ_ONLY, "a change in a static call")
        }
        _ => failure(ExitCode::USR_ASSERTION_FAILED, "the interpreter stopped"),
    }
}

// --- for instructions ------------------------------------------------------------------------------------------------

/// Ends the call with a failure.
pub(super) fn fail<T>(context: &mut Context<'_>, why: Failure) -> Step<T> {
    context.host.failure = Some(why);
    Err(InstructionResult::FatalExternalError)
}

/// Goes on with a value, or ends the call with a failure.
pub(super) fn or_fail<T>(context: &mut Context<'_>, result: Result<T>) -> Step<T> {
    match result {
        Ok(value) => Ok(value),
        Err(why) => fail(context, why),
    }
}
