//! Chain messages: bytes, CIDs, signatures, limits; and [`sender`](crate::sender) carries one to the chain.
//!
//! A message is the DAG-CBOR array `[version, to, from, nonce, value, gas limit, gas fee cap, gas premium, method, params]`; its CID is
//! CIDv1, dag-cbor, blake2b-256. What is signed are the 38 bytes of that CID.
//!
//! Source: Filecoin spec, "Messages"; go-state-types; serialization-vectors.

pub mod eth;
mod rlp;
mod signature;
mod signed;

use cid::Cid;
use fvm_ipld_encoding::DAG_CBOR;
pub use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
pub use fvm_shared::econ::TokenAmount;
pub use fvm_shared::message::Message;
use multihash_codetable::{Code, MultihashDigest};
use num_traits::Zero;
use thiserror::Error;

pub(crate) use signature::blake2b_256;
pub use signature::{Signature, SignatureError, SignatureKind};
pub use signed::SignedMessage;

/// The longest signed message that nodes take, in bytes.
pub const MAX_MESSAGE_SIZE: usize = 64 << 10;
/// The gas that fits into one block, and so the highest gas limit.
pub const BLOCK_GAS_LIMIT: u64 = 10_000_000_000;
/// The method of a plain transfer.
pub const METHOD_SEND: u64 = 0;
/// All FIL that can ever exist, in whole FIL.
const TOTAL_FILECOIN: u64 = 2_000_000_000;

/// Why a message cannot go on the chain.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    /// The bytes are not the DAG-CBOR of a message.
    #[error("these bytes are not a message: {0}")]
    Undecodable(String),
    /// The bytes decode, but another spelling of the same message is the canonical one.
    #[error("these bytes are not the canonical form of the message that they hold")]
    NotCanonical,
    /// Only version 0 exists.
    #[error("a message has version 0, not {0}")]
    Version(u64),
    /// Longer than [`MAX_MESSAGE_SIZE`] once signed.
    #[error("the message is {0} bytes long; nodes take at most {MAX_MESSAGE_SIZE}")]
    TooBig(usize),
    /// Value, fee cap or premium is negative or more than there is.
    #[error("the message's {0} is not an amount of FIL that can exist")]
    Amount(&'static str),
    /// The premium is above the fee cap.
    #[error("the gas premium is above the gas fee cap")]
    Premium,
    /// No gas, or more than a block holds.
    #[error("a gas limit of {0} is outside 1..={BLOCK_GAS_LIMIT}")]
    GasLimit(u64),
}

/// Starts a message: version 0, nonce and gas unset.
pub fn draft(from: Address, to: Address, value: TokenAmount, method: u64, params: RawBytes) -> Message {
    Message {
        version: 0,
        from,
        to,
        sequence: 0,
        value,
        method_num: method,
        params,
        gas_limit: 0,
        gas_fee_cap: TokenAmount::zero(),
        gas_premium: TokenAmount::zero(),
    }
}

/// Encodes a message for the chain.
pub fn to_bytes(message: &Message) -> Vec<u8> {
    fvm_ipld_encoding::to_vec(message).expect("a message holds only integers and byte strings, which always encode")
}

/// Decodes a message; only the canonical bytes are taken.
///
/// Errors: Undecodable; Version: not 0; NotCanonical.
pub fn from_bytes(bytes: &[u8]) -> Result<Message, MessageError> {
    let message: Message =
        fvm_ipld_encoding::from_slice(bytes).map_err(|error| MessageError::Undecodable(error.to_string()))?;
    if message.version != 0 {
        return Err(MessageError::Version(message.version));
    }
    if to_bytes(&message) == bytes { Ok(message) } else { Err(MessageError::NotCanonical) }
}

/// The CID of a message without its signature.
pub fn cid(message: &Message) -> Cid {
    cid_of(&to_bytes(message))
}

/// CIDv1, dag-cbor, blake2b-256 of some bytes: how the chain names its objects.
pub fn cid_of(bytes: &[u8]) -> Cid {
    Cid::new_v1(DAG_CBOR, Code::Blake2b256.digest(bytes))
}

/// The most that a message can take from its sender for gas: limit x fee cap.
pub fn max_fee(message: &Message) -> TokenAmount {
    message.gas_fee_cap.clone() * message.gas_limit
}

/// What the sender must own: value and the highest fee.
pub fn required_funds(message: &Message) -> TokenAmount {
    message.value.clone() + max_fee(message)
}

/// Checks what every node checks before it takes a message into a block.
///
/// Errors: Version: not 0; Amount: value, fee cap or premium is negative, or above two billion FIL; Premium: above the fee cap;
/// GasLimit: 0, or above [`BLOCK_GAS_LIMIT`].
///
/// Source: lotus `chain/types/message.go` (`ValidForBlockInclusion`).
pub fn check(message: &Message) -> Result<(), MessageError> {
    if message.version != 0 {
        return Err(MessageError::Version(message.version));
    }
    let supply = TokenAmount::from_whole(TOTAL_FILECOIN);
    for (amount, name) in
        [(&message.value, "value"), (&message.gas_fee_cap, "gas fee cap"), (&message.gas_premium, "gas premium")]
    {
        if amount.is_negative() || *amount > supply {
            return Err(MessageError::Amount(name));
        }
    }
    if message.gas_premium > message.gas_fee_cap {
        return Err(MessageError::Premium);
    }
    if message.gas_limit == 0 || message.gas_limit > BLOCK_GAS_LIMIT {
        return Err(MessageError::GasLimit(message.gas_limit));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
