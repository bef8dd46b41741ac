//! P-256 (EIP-7951): whether a signature of the curve secp256r1 is good.

use p256::EncodedPoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};

use super::Output;

/// Hash, r, s, and the key's x and y.
const INPUT: usize = 160;

/// One, or nothing for whatever is not a good signature; it never fails.
pub(super) fn verify(input: &[u8]) -> Output {
    let mut word = vec![0; 32];
    word[31] = 1;
    Ok(is_good(input).unwrap_or(false).then_some(word).unwrap_or_default())
}

fn is_good(input: &[u8]) -> Option<bool> {
    if input.len() != INPUT {
        return None;
    }
    let (hash, rest) = input.split_at(32);
    let (signature, key) = rest.split_at(64);
    let signature = Signature::from_slice(signature).ok()?;
    let point = EncodedPoint::from_untagged_bytes(key.into());
    let key = VerifyingKey::from_encoded_point(&point).ok()?;
    Some(key.verify_prehash(hash, &signature).is_ok())
}
