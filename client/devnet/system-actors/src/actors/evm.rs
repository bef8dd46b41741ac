//! Contracts: code for the Ethereum VM, run by `revm-interpreter`, with storage as the official actor lays it out.
//!
//! The interpreter computes; whatever meets the chain is ours: storage and transient storage ([`contract`]), calls, creation
//! and what is known of other actors ([`calls`], [`creation`], [`accounts`]), precompiles ([`precompiles`]). Gas is the
//! VM's, which counts the Wasm that runs here; the interpreter itself charges nothing.
//!
//! Semantics: FIP-0054, built-in actors v18 `actors/evm`.

mod accounts;
mod calls;
mod contract;
mod creation;
mod host;
mod machine;
mod precompiles;
mod reader;

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_encoding::{BytesDe, BytesSer, CBOR, DAG_CBOR, strict_bytes, to_vec};
use fvm_sdk::message;
use fvm_shared::MethodNum;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;

use self::contract::{Contract, State};
use self::machine::{Frame, Output};
use self::reader::Reader;
use crate::actors::eam::Construct;
use crate::eth::{EthAddress, Word};
use crate::failure::{Failure, Result, failure, forbidden, illegal_argument, illegal_state};
use crate::method::{CONSTRUCTOR, evm};
use crate::runtime::{Answer, EAM, INIT, Params, SYSTEM, Store, caller_is, done, reply, unhandled};

/// Exit codes of contracts, beside those of every actor.
pub(crate) mod exit {
    use super::ExitCode;

    /// REVERT; the data comes along.
    pub const REVERTED: ExitCode = ExitCode::new(33);
    /// INVALID.
    pub const INVALID_INSTRUCTION: ExitCode = ExitCode::new(34);
    /// No such instruction.
    pub const UNDEFINED_INSTRUCTION: ExitCode = ExitCode::new(35);
    /// The stack has too few words.
    pub const STACK_UNDERFLOW: ExitCode = ExitCode::new(36);
    /// The stack has more than 1,024 words.
    pub const STACK_OVERFLOW: ExitCode = ExitCode::new(37);
    /// Beyond the end of memory or of returned data.
    pub const ILLEGAL_MEMORY_ACCESS: ExitCode = ExitCode::new(38);
    /// A jump to where none may go.
    pub const BAD_JUMPDEST: ExitCode = ExitCode::new(39);
    /// SELFDESTRUCT could not give the money away.
    pub const SELFDESTRUCT_FAILED: ExitCode = ExitCode::new(40);
}

/// Methods up to this number are never a contract's own.
pub(crate) const MAX_RESERVED_METHOD: MethodNum = 1023;
/// keccak256("handle_filecoin_method(uint64,uint64,bytes)"), the first four bytes.
const NATIVE_SELECTOR: [u8; 4] = [0x86, 0x8e, 0x10, 0xc4];

/// What a contract is told when it runs another's code.
#[derive(Serialize_tuple, Deserialize_tuple)]
struct Delegated {
    /// The code.
    code: Cid,
    /// Call data.
    #[serde(with = "strict_bytes")]
    input: Vec<u8>,
    /// Who called the contract.
    caller: EthAddress,
    /// With how much.
    value: TokenAmount,
}

/// A storage slot.
#[derive(Serialize_tuple, Deserialize_tuple)]
struct StorageKey {
    key: Word,
}

/// Entry point. Anybody may call.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            let construct = params.required()?;
            caller_is(&[INIT])?;
            initialize(Contract::create()?, construct)
        }
        evm::RESURRECT => {
            let construct = params.required()?;
            caller_is(&[EAM])?;
            initialize(Contract::resurrect()?, construct)
        }
        evm::GET_BYTECODE => {
            params.none()?;
            let state = State::load()?;
            let code = (!state.is_dead()).then_some(state.bytecode);
            // DAG-CBOR: whoever asks may then read the block.
            Ok(Some(IpldBlock { codec: DAG_CBOR, data: to_vec(&code)? }))
        }
        evm::GET_BYTECODE_HASH => {
            params.none()?;
            let state = State::load()?;
            let hash = if state.is_dead() { contract::EMPTY_HASH } else { state.bytecode_hash };
            reply(&BytesSer(&hash))
        }
        evm::GET_STORAGE_AT => {
            let StorageKey { key } = params.required()?;
            caller_is(&[SYSTEM])?;
            reply(&Contract::load()?.slot(key.0)?)
        }
        evm::INVOKE_CONTRACT_DELEGATE => {
            let delegated: Delegated = params.coded(DAG_CBOR)?;
            caller_is(&[message::receiver()])?;
            let mut contract = Contract::load()?;
            let Delegated { code, input, caller, value } = delegated;
            let output = run(&mut contract, &code, caller, value, input)?;
            reply(&BytesSer(&output))
        }
        evm::INVOKE_CONTRACT => {
            let input = params.block().map(|block| block.deserialize::<BytesDe>()).transpose();
            let input = input.map_err(|_| failure(ExitCode::USR_SERIALIZATION, "params do not decode"))?;
            reply(&BytesSer(&called(input.map(|bytes| bytes.0).unwrap_or_default())?))
        }
        ..=MAX_RESERVED_METHOD => unhandled(),
        _ => answer(&called(question(method, params.block()))?),
    }
}

/// Runs code that makes the code, and keeps it.
fn initialize(mut contract: Contract, construct: Construct) -> Answer {
    let receiver = EthAddress::of(message::receiver());
    if receiver.as_id().is_some() {
        return Err(forbidden("a contract needs an f410 address"));
    }
    if !construct.initcode.is_empty() {
        let value = message::value_received();
        let frame = Frame { caller: construct.creator, receiver, value };
        match machine::run(&mut contract, construct.initcode.to_vec(), frame, vec![])? {
            Output::Returned(code) => contract.set_code(&code)?,
            Output::Reverted(data) => return Err(reverted(&data)?),
        }
    }
    contract.flush()?;
    done()
}

/// Runs the contract's code as it was called.
fn called(input: Vec<u8>) -> Result<Vec<u8>> {
    let mut contract = Contract::load()?;
    let Some(code) = contract.code() else { return Ok(vec![]) };
    run(&mut contract, &code, EthAddress::of(message::caller()), message::value_received(), input)
}

fn run(contract: &mut Contract, code: &Cid, caller: EthAddress, value: TokenAmount, input: Vec<u8>) -> Result<Vec<u8>> {
    let code = Store.get(code).ok().flatten().ok_or_else(|| illegal_state("bytecode is missing"))?;
    if code.is_empty() {
        return Ok(vec![]);
    }
    let frame = Frame { caller, receiver: EthAddress::of(message::receiver()), value };
    match machine::run(contract, code, frame, input)? {
        Output::Returned(data) => {
            contract.flush()?;
            Ok(data)
        }
        Output::Reverted(data) => Err(reverted(&data)?),
    }
}

fn reverted(data: &[u8]) -> Result<Failure> {
    let data = IpldBlock { codec: CBOR, data: to_vec(&BytesSer(data))? };
    Ok(failure(exit::REVERTED, "contract reverted").with(Some(data)))
}

// --- Filecoin's methods ----------------------------------------------------------------------------------------------

/// Call data of `handle_filecoin_method(method, codec, params)`.
fn question(method: MethodNum, params: Option<&IpldBlock>) -> Vec<u8> {
    let (codec, params) = params.map_or((0, &[][..]), |block| (block.codec, &block.data[..]));
    let mut input = NATIVE_SELECTOR.to_vec();
    for number in [method, codec, 96, params.len() as u64] {
        input.extend([0; 24]);
        input.extend(number.to_be_bytes());
    }
    input.extend(params);
    input.resize(4 + 4 * 32 + params.len().next_multiple_of(32), 0);
    input
}

/// What `handle_filecoin_method` returns: exit code, codec and data; nothing at all stands for success without data.
fn answer(output: &[u8]) -> Answer {
    if output.is_empty() {
        return Ok(None);
    }
    let malformed = |_| failure(ExitCode::USR_SERIALIZATION, "not an answer of handle_filecoin_method");
    let mut reader = Reader::new(output);
    let exit = ExitCode::new(reader.u32().map_err(malformed)?);
    let codec = reader.u64().map_err(malformed)?;
    let offset = reader.u32().map_err(malformed)?;
    reader.seek(offset as usize);
    let length = reader.u32().map_err(malformed)?;
    let data = reader.bytes(length as usize);
    let block = match codec {
        0 if length == 0 => None,
        CBOR => Some(IpldBlock { codec, data }),
        _ => return Err(failure(ExitCode::USR_SERIALIZATION, "unsupported codec")),
    };
    if exit.is_success() { Ok(block) } else { Err(failure(exit, "the contract's own exit code").with(block)) }
}

/// Exit 16: a contract's code is refused.
fn bad_code(why: &'static str) -> Failure {
    illegal_argument(why)
}
