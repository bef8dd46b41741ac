//! Ethereum's precompiles 01 to 05.

use fvm_shared::bigint::BigUint;
use fvm_shared::crypto::hash::SupportedHashes;
use num_traits::{One, Zero};

use super::{Failed, Output};
use crate::actors::evm::calls::Call;
use crate::actors::evm::contract::Contract;
use crate::actors::evm::reader::Reader;

/// The order of secp256k1.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Who signed a hash: an address, or nothing.
pub(super) fn ec_recover(_: &mut Contract, input: &[u8], _: &Call) -> Output {
    Ok(recover(input).unwrap_or_default())
}

fn recover(input: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(input);
    let hash: [u8; 32] = reader.fixed();
    let parity = match reader.u64().ok()? {
        v @ 27..=28 => (v - 27) as u8,
        _ => return None,
    };
    let (r, s): ([u8; 32], [u8; 32]) = (reader.fixed(), reader.fixed());
    let valid = |scalar: &[u8; 32]| *scalar != [0; 32] && *scalar < ORDER;
    if !valid(&r) || !valid(&s) {
        return None;
    }
    let mut signature = [0; 65];
    signature[..32].copy_from_slice(&r);
    signature[32..64].copy_from_slice(&s);
    signature[64] = parity;
    let key = fvm_sdk::crypto::recover_secp_public_key(&hash, &signature).ok()?;
    let mut address = fvm_sdk::crypto::hash_owned(SupportedHashes::Keccak256, &key[1..]);
    address[..12].fill(0);
    Some(address)
}

pub(super) fn sha256(_: &mut Contract, input: &[u8], _: &Call) -> Output {
    Ok(fvm_sdk::crypto::hash_owned(SupportedHashes::Sha2_256, input))
}

pub(super) fn ripemd160(_: &mut Contract, input: &[u8], _: &Call) -> Output {
    let mut word = vec![0; 12];
    word.extend(fvm_sdk::crypto::hash_owned(SupportedHashes::Ripemd160, input));
    Ok(word)
}

/// base ^ exponent mod modulus (EIP-198).
pub(super) fn mod_exp(_: &mut Contract, input: &[u8], _: &Call) -> Output {
    let mut reader = Reader::new(input);
    let mut length = || Ok::<_, Failed>(reader.u32()? as usize);
    let (base, exponent, modulus) = (length()?, length()?, length()?);
    if base == 0 && modulus == 0 {
        return Ok(vec![]);
    }
    let mut number = |length| BigUint::from_bytes_be(&reader.bytes(length));
    let (base, exponent, limit) = (number(base), number(exponent), number(modulus));
    let mut word = vec![0; modulus];
    if limit.is_zero() || limit.is_one() {
        return Ok(word);
    }
    let power = base.modpow(&exponent, &limit).to_bytes_be();
    word[modulus - power.len()..].copy_from_slice(&power);
    Ok(word)
}
