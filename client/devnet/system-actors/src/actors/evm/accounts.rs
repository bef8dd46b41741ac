//! Instructions that look at the chain: hashes, balances, other contracts' code, past blocks, gas, storage, logs.

use std::ops::Range;

use fvm_ipld_blockstore::Blockstore;
use fvm_sdk::{actor, network, sself};
use fvm_shared::address::Address;
use fvm_shared::bigint::Zero;
use fvm_shared::crypto::hash::SupportedHashes;
use fvm_shared::econ::TokenAmount;
use fvm_shared::event::{ActorEvent, Entry, Flags};
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, IPLD_RAW};
use revm_interpreter::interpreter_types::MemoryTr;
use revm_interpreter::primitives::U256;
use revm_interpreter::{InstructionResult, popn, popn_top, push};

use super::contract::{Contract, EMPTY_HASH};
use super::machine::{Context, Step, fail, or_fail};
use super::precompiles;
use crate::eth::{EthAddress, word_of};
use crate::failure::{Result, illegal_state};
use crate::method::evm;
use crate::runtime::{Store, decode, kind, kind_of};

/// keccak256 of `fe`, which stands for the code of actors that are no contracts.
const NATIVE_HASH: [u8; 32] = [
    0xbc, 0xc9, 0x0f, 0x2d, 0x6d, 0xad, 0xa5, 0xb1, 0x8e, 0x15, 0x5c, 0x17, 0xa1, 0xc0, 0xa5, 0x59, 0x20, 0xaa, 0xe9,
    0x4f, 0x39, 0x85, 0x7d, 0x39, 0xd0, 0xd8, 0xed, 0x07, 0xae, 0x8f, 0x22, 0x8b,
];
/// How many past blocks have a hash.
const HASHED_BLOCKS: i64 = 256;
/// Keys of an event's topics and data.
const TOPICS: [&str; 4] = ["t1", "t2", "t3", "t4"];
const DATA: &str = "d";

/// What stands at an address.
pub(super) enum Kind {
    /// A precompile.
    Precompile,
    /// A contract.
    Contract(ActorID),
    /// An account, or an address without an actor that has money.
    Account,
    /// Any other actor.
    Native,
    /// Nothing.
    Nobody,
}

/// Looks up what stands at an address.
pub(super) fn kind_at(address: &EthAddress) -> Kind {
    if precompiles::exists(address) {
        return Kind::Precompile;
    }
    let Some(id) = actor::resolve_address(&(*address).into()) else { return Kind::Nobody };
    if actor::get_actor_code_cid(&Address::new_id(id)).is_none() {
        return Kind::Nobody;
    }
    match kind_of(id) {
        Some(kind::ACCOUNT | kind::PLACEHOLDER | kind::ETH_ACCOUNT) => Kind::Account,
        Some(kind::EVM) => Kind::Contract(id),
        _ => Kind::Native,
    }
}

/// The CID of a contract's code; none of a dead one.
pub(super) fn code_of(contract: &mut Contract, id: ActorID) -> Result<Option<cid::Cid>> {
    decode(ask(contract, id, evm::GET_BYTECODE)?)
}

fn code_bytes(contract: &mut Contract, id: ActorID) -> Result<Vec<u8>> {
    match code_of(contract, id)? {
        Some(cid) => Store.get(&cid).ok().flatten().ok_or_else(|| illegal_state("bytecode is missing")),
        None => Ok(vec![]),
    }
}

fn ask(contract: &mut Contract, id: ActorID, method: u64) -> crate::runtime::Answer {
    contract.send(&Address::new_id(id), method, None, TokenAmount::zero(), None, SendFlags::READ_ONLY)
}

/// A part of memory, which grows to have it.
pub(super) fn region(context: &mut Context<'_>, offset: U256, length: U256) -> Step<Range<usize>> {
    let length = u32::try_from(length).map_err(|_| InstructionResult::OutOfOffset)?;
    if length == 0 {
        return Ok(0..0);
    }
    let offset = u32::try_from(offset).map_err(|_| InstructionResult::OutOfOffset)?;
    let end = offset.checked_add(length).ok_or(InstructionResult::OutOfOffset)?;
    context.interpreter.resize_memory(&context.host.prices, offset as usize, length as usize)?;
    Ok(offset as usize..end as usize)
}

/// The bytes of a part of memory.
pub(super) fn bytes(context: &mut Context<'_>, offset: U256, length: U256) -> Step<Vec<u8>> {
    let region = region(context, offset, length)?;
    Ok(if region.is_empty() { vec![] } else { context.interpreter.memory.slice(region).to_vec() })
}

pub(super) fn keccak256(mut context: Context<'_>) -> Step {
    popn!([offset, length], context.interpreter);
    let data = bytes(&mut context, offset, length)?;
    let mut hash = [0; 32];
    fvm_sdk::crypto::hash_into(SupportedHashes::Keccak256, &data, &mut hash);
    push!(context.interpreter, U256::from_be_bytes(hash));
    Ok(())
}

pub(super) fn balance(context: Context<'_>) -> Step {
    popn_top!([], top, context.interpreter);
    let id = actor::resolve_address(&EthAddress::from_word(*top).into());
    *top = id.and_then(actor::balance_of).map(|balance| word_of(&balance)).unwrap_or_default();
    Ok(())
}

pub(super) fn self_balance(context: Context<'_>) -> Step {
    push!(context.interpreter, word_of(&sself::current_balance()));
    Ok(())
}

pub(super) fn code_size(mut context: Context<'_>) -> Step {
    popn!([address], context.interpreter);
    let size = match kind_at(&EthAddress::from_word(address)) {
        Kind::Contract(id) => {
            let code = code_bytes(context.host, id);
            or_fail(&mut context, code)?.len()
        }
        Kind::Native => 1,
        _ => 0,
    };
    push!(context.interpreter, U256::from(size));
    Ok(())
}

pub(super) fn code_copy(mut context: Context<'_>) -> Step {
    popn!([address, to, from, length], context.interpreter);
    let code = match kind_at(&EthAddress::from_word(address)) {
        Kind::Contract(id) => {
            let code = code_bytes(context.host, id);
            or_fail(&mut context, code)?
        }
        Kind::Native => vec![0xfe],
        _ => vec![],
    };
    let region = region(&mut context, to, length)?;
    if !region.is_empty() {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        context.interpreter.memory.set_data(region.start, from, region.len(), &code);
    }
    Ok(())
}

pub(super) fn code_hash(mut context: Context<'_>) -> Step {
    popn!([address], context.interpreter);
    let hash = match kind_at(&EthAddress::from_word(address)) {
        Kind::Contract(id) => {
            let answer = ask(context.host, id, evm::GET_BYTECODE_HASH).and_then(decode);
            let fvm_ipld_encoding::BytesDe(hash) = or_fail(&mut context, answer)?;
            match U256::try_from_be_slice(&hash) {
                Some(hash) => hash,
                None => return fail(&mut context, illegal_state("a hash has 32 bytes")),
            }
        }
        Kind::Native => U256::from_be_bytes(NATIVE_HASH),
        Kind::Account | Kind::Precompile => U256::from_be_bytes(EMPTY_HASH),
        Kind::Nobody => U256::ZERO,
    };
    push!(context.interpreter, hash);
    Ok(())
}

pub(super) fn block_hash(context: Context<'_>) -> Step {
    popn_top!([], top, context.interpreter);
    let now = network::curr_epoch();
    let asked = i64::try_from(*top).ok().filter(|epoch| (now - HASHED_BLOCKS..now).contains(epoch));
    let cid = asked.and_then(|epoch| network::tipset_cid(epoch).ok());
    *top = cid.map(|cid| U256::from_be_slice(cid.hash().digest())).unwrap_or_default();
    Ok(())
}

pub(super) fn gas(context: Context<'_>) -> Step {
    push!(context.interpreter, U256::from(fvm_sdk::gas::available()));
    Ok(())
}

// --- storage and logs ------------------------------------------------------------------------------------------------

pub(super) fn sload(mut context: Context<'_>) -> Step {
    popn!([key], context.interpreter);
    let value = context.host.slot(key);
    let value = or_fail(&mut context, value)?;
    push!(context.interpreter, value.0);
    Ok(())
}

pub(super) fn sstore(mut context: Context<'_>) -> Step {
    popn!([key, value], context.interpreter);
    writable(&context)?;
    let written = context.host.set_slot(key, value);
    or_fail(&mut context, written)
}

pub(super) fn tload(mut context: Context<'_>) -> Step {
    popn!([key], context.interpreter);
    let value = context.host.transient_slot(key);
    let value = or_fail(&mut context, value)?;
    push!(context.interpreter, value.0);
    Ok(())
}

pub(super) fn tstore(mut context: Context<'_>) -> Step {
    popn!([key, value], context.interpreter);
    writable(&context)?;
    let written = context.host.set_transient_slot(key, value);
    or_fail(&mut context, written)
}

/// An actor event: topics under `t1` to `t4`, data under `d`, left out if there is none.
pub(super) fn log<const TOPIC_COUNT: usize>(mut context: Context<'_>) -> Step {
    popn!([offset, length], context.interpreter);
    let Some(topics) = context.interpreter.stack.popn::<TOPIC_COUNT>() else {
        return Err(InstructionResult::StackUnderflow);
    };
    writable(&context)?;
    let data = bytes(&mut context, offset, length)?;
    let entry = |key: &str, value| Entry { flags: Flags::FLAG_INDEXED_ALL, key: key.into(), codec: IPLD_RAW, value };
    let mut entries: Vec<Entry> =
        TOPICS.iter().zip(topics).map(|(key, topic)| entry(key, topic.to_be_bytes_vec())).collect();
    if !data.is_empty() {
        entries.push(entry(DATA, data));
    }
    let emitted = crate::runtime::emit(&ActorEvent::from(entries));
    or_fail(&mut context, emitted)
}

/// Stops what would change something in a static call.
pub(super) fn writable(context: &Context<'_>) -> Step {
    if context.host.readonly { Err(InstructionResult::StateChangeDuringStaticCall) } else { Ok(()) }
}
