//! The FEVM's precompiles: addresses, and calls of any actor's methods (FIP-0054).

use fvm_ipld_encoding::CBOR;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_sdk::{actor, rand};
use fvm_shared::METHOD_SEND;
use fvm_shared::address::Address;
use fvm_shared::sys::SendFlags;
use revm_interpreter::primitives::U256;

use super::{Failed, Output};
use crate::actors::evm::MAX_RESERVED_METHOD;
use crate::actors::evm::calls::{Call, How};
use crate::actors::evm::contract::{Contract, gas_for_call};
use crate::actors::evm::reader::Reader;
use crate::eth::tokens;

/// Bytes of an address -> id as a word; nothing if there is no actor.
pub(super) fn resolve_address(_: &mut Contract, input: &[u8], _: &Call) -> Output {
    let address = Address::from_bytes(input).map_err(|_| Failed)?;
    Ok(actor::resolve_address(&address).map(|id| U256::from(id).to_be_bytes_vec()).unwrap_or_default())
}

/// Id -> bytes of its f4 address; nothing if it has none.
pub(super) fn lookup_delegated_address(_: &mut Contract, input: &[u8], _: &Call) -> Output {
    let id = Reader::new(input).u64()?;
    Ok(actor::lookup_delegated_address(id).map(|address| address.to_bytes()).unwrap_or_default())
}

/// `(uint64 method, uint256 value, uint64 flags, uint64 codec, bytes params, bytes address)` ->
/// `(int256 exit, uint64 codec, bytes data)`; a negative exit is the VM's error.
pub(super) fn call_actor(contract: &mut Contract, input: &[u8], call: &Call) -> Output {
    call_by(contract, input, call, |reader, offset| {
        reader.seek(u32::try_from(offset).map_err(|_| Failed)? as usize);
        let length = reader.u32()?;
        Address::from_bytes(&reader.bytes(length as usize)).map_err(|_| Failed)
    })
}

/// The same with a `uint64 id` in place of the address.
pub(super) fn call_actor_id(contract: &mut Contract, input: &[u8], call: &Call) -> Output {
    call_by(contract, input, call, |_, id| Ok(Address::new_id(id)))
}

fn call_by(
    contract: &mut Contract,
    input: &[u8],
    call: &Call,
    address: fn(&mut Reader<'_>, u64) -> Result<Address, Failed>,
) -> Output {
    // In its own name the precompile would be the caller.
    if call.how != How::Delegate {
        return Err(Failed);
    }
    let mut reader = Reader::new(input);
    let method = reader.u64()?;
    let value = U256::from_be_bytes(reader.fixed::<32>());
    let flags = SendFlags::from_bits(reader.u64()?).ok_or(Failed)?;
    let codec = reader.u64()?;
    let offset = reader.u32()?;
    let address_word = reader.u64()?;
    reader.seek(offset as usize);
    let length = reader.u32()?;
    let params = reader.bytes(length as usize);
    let to = address(&mut reader, address_word)?;
    if method <= MAX_RESERVED_METHOD && method != METHOD_SEND {
        return Err(Failed);
    }
    let params = match codec {
        CBOR => Some(IpldBlock { codec, data: params }),
        0 if params.is_empty() => None,
        _ => return Err(Failed),
    };
    let gas = Some(gas_for_call(call.gas));
    let response = contract.send_raw(&to, method, params, tokens(value), gas, flags).map_err(|_| Failed)?;
    let (exit, block) = match response {
        Ok(response) => (U256::from(response.exit_code.value()), response.return_data),
        Err(number) => (U256::ZERO.wrapping_sub(U256::from(number as u32)), None),
    };
    let (codec, data) = block.map_or((0, vec![]), |block| (block.codec, block.data));
    let mut output = exit.to_be_bytes_vec();
    for word in [codec, 96, data.len() as u64] {
        output.extend(U256::from(word).to_be_bytes::<32>());
    }
    output.extend(data);
    output.resize(output.len().next_multiple_of(32), 0);
    Ok(output)
}

/// Epoch -> its beacon's randomness.
pub(super) fn randomness(_: &mut Contract, input: &[u8], _: &Call) -> Output {
    let epoch = Reader::new(input).u64()?.cast_signed();
    rand::get_beacon_randomness(epoch).map(Vec::from).map_err(|_| Failed)
}
