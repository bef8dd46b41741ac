//! Addresses that are functions: Ethereum's (`00…nn`) and the FEVM's (`fe…nn`).
//!
//! Not here, unlike in the official actor: BLS12-381 (`0b` to `11`, EIP-2537). Calls of these fail.

mod blake2f;
mod bn254;
mod ethereum;
mod filecoin;
mod p256;

use super::calls::Call;
use super::contract::Contract;
use super::reader::Overflow;
use crate::eth::{EthAddress, tokens};

/// A precompile failed: the call fails and returns nothing.
#[derive(Debug)]
pub(super) struct Failed;

impl From<Overflow> for Failed {
    fn from(_: Overflow) -> Self {
        Self
    }
}

type Output = Result<Vec<u8>, Failed>;
type Precompile = fn(&mut Contract, &[u8], &Call) -> Output;

/// P-256, beyond the row.
const P256: EthAddress = EthAddress([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);

/// True where a precompile is or could be.
pub(super) fn is_reserved(address: &EthAddress) -> bool {
    let [prefix, middle @ .., index] = address.0;
    *address == P256 || (matches!(prefix, 0x00 | 0xfe) && middle == [0; 18] && index > 0)
}

/// True where a precompile is.
pub(super) fn exists(address: &EthAddress) -> bool {
    find(address).is_some()
}

fn find(address: &EthAddress) -> Option<Precompile> {
    if !is_reserved(address) {
        return None;
    }
    if *address == P256 {
        return Some(|_, input, _| p256::verify(input));
    }
    let [prefix, .., index] = address.0;
    Some(match (prefix, index) {
        (0x00, 0x01) => ethereum::ec_recover,
        (0x00, 0x02) => ethereum::sha256,
        (0x00, 0x03) => ethereum::ripemd160,
        (0x00, 0x04) => |_, input, _| Ok(input.to_vec()),
        (0x00, 0x05) => ethereum::mod_exp,
        (0x00, 0x06) => |_, input, _| bn254::add(input),
        (0x00, 0x07) => |_, input, _| bn254::mul(input),
        (0x00, 0x08) => |_, input, _| bn254::pairing(input),
        (0x00, 0x09) => |_, input, _| blake2f::compress(input),
        (0x00, 0x0b..=0x11) => |_, _, _| Err(Failed),
        (0xfe, 0x01) => filecoin::resolve_address,
        (0xfe, 0x02) => filecoin::lookup_delegated_address,
        (0xfe, 0x03) => filecoin::call_actor,
        // 04, get_actor_type, is disabled.
        (0xfe, 0x05) => filecoin::call_actor_id,
        (0xfe, 0x06) => filecoin::randomness,
        _ => return None,
    })
}

/// Calls what is at a reserved address; where nothing is, nothing comes back. Money goes there last.
pub(super) fn call(contract: &mut Contract, address: &EthAddress, input: &[u8], call: &Call) -> Output {
    let output = match find(address) {
        Some(precompile) => precompile(contract, input, call)?,
        None => vec![],
    };
    if !call.value.is_zero() {
        contract.pay(&(*address).into(), tokens(call.value)).map_err(|_| Failed)?;
    }
    Ok(output)
}
