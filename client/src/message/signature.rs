//! Signatures: their kinds, their bytes, and checking them against an address.

use bls_signatures::Serialize as _;
use fvm_ipld_encoding::strict_bytes;
use fvm_shared::address::{Address, Payload};
use k256::ecdsa::{RecoveryId, Signature as EcdsaSignature, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::address::{EthAddress, keccak256};

/// The kind of a signature; the number is the type byte on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SignatureKind {
    /// ECDSA over secp256k1 with recovery: r, s, v, 65 bytes.
    Secp256k1 = 1,
    /// BLS12-381, a compressed G2 point, 96 bytes.
    Bls = 2,
    /// An f410 account's: r, s, v, 65 bytes; in messages of legacy Ethereum transactions a byte more before and v in up to eight.
    Delegated = 3,
}

impl SignatureKind {
    /// Finds the kind of a type byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Secp256k1),
            2 => Some(Self::Bls),
            3 => Some(Self::Delegated),
            _ => None,
        }
    }

    /// The name that key files and error sentences use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secp256k1 => "secp256k1",
            Self::Bls => "bls",
            Self::Delegated => "delegated",
        }
    }

    /// The length of a signature without its type byte.
    pub fn data_len(self) -> usize {
        match self {
            Self::Secp256k1 | Self::Delegated => 65,
            Self::Bls => 96,
        }
    }

    /// The greatest length: longer than [`SignatureKind::data_len`] only for legacy Ethereum transactions.
    pub fn max_data_len(self) -> usize {
        match self {
            Self::Delegated => 1 + 64 + 8,
            other => other.data_len(),
        }
    }
}

/// A signature. On the wire: one byte string, type byte first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    kind: SignatureKind,
    bytes: Vec<u8>,
}

/// Why a signature does not hold.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// The type byte is none of 1, 2, 3.
    #[error("signature type {0} does not exist")]
    Kind(u8),
    /// No type byte.
    #[error("the signature is empty")]
    Empty,
    /// Not the length of its kind.
    #[error("a {kind} signature has {want} bytes, not {got}")]
    Length {
        /// The kind's name.
        kind: &'static str,
        /// Its length.
        want: usize,
        /// What was found.
        got: usize,
    },
    /// The bytes are no signature on the curve.
    #[error("the signature's bytes are not on the curve")]
    Malformed,
    /// The signature's kind cannot belong to the sender's address.
    #[error("a {kind} signature cannot come from this kind of address")]
    WrongAddress {
        /// The kind's name.
        kind: &'static str,
    },
    /// It was made by another key or over other bytes.
    #[error("the signature was not made by the sender over this message")]
    Mismatch,
    /// A message of an f410 account is signed as the transaction that it is on one chain.
    #[error("a delegated signature over a message can only be checked for a chain id")]
    NeedsChain,
}

impl Signature {
    /// Takes a kind and its bytes.
    ///
    /// Errors: the length is not the kind's.
    pub fn new(kind: SignatureKind, bytes: Vec<u8>) -> Result<Self, SignatureError> {
        if (kind.data_len()..=kind.max_data_len()).contains(&bytes.len()) {
            Ok(Self { kind, bytes })
        } else {
            Err(SignatureError::Length { kind: kind.name(), want: kind.data_len(), got: bytes.len() })
        }
    }

    /// Reads the wire form: type byte, then the signature.
    ///
    /// Errors: Empty; Kind: no kind has this type byte; as [`Signature::new`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        let (&first, rest) = bytes.split_first().ok_or(SignatureError::Empty)?;
        let kind = SignatureKind::from_byte(first).ok_or(SignatureError::Kind(first))?;
        Self::new(kind, rest.to_vec())
    }

    /// Writes the wire form: type byte, then the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.bytes.len());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    /// The kind.
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The bytes without the type byte.
    pub fn data(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks that the key behind `signer` (f1, f3 or f410) made this signature over `data`.
    ///
    /// secp256k1: ECDSA over blake2b-256 of `data`, the public key recovered and its address compared. BLS: over `data` itself. Delegated:
    /// ECDSA over keccak-256 of `data`.
    ///
    /// Errors: WrongAddress: no such address signs with this kind; Malformed: no signature on the curve; Mismatch: another key or other bytes.
    pub fn verify(&self, data: &[u8], signer: &Address) -> Result<(), SignatureError> {
        match (self.kind, signer.payload()) {
            (SignatureKind::Secp256k1, Payload::Secp256k1(_)) => self.verify_secp256k1(data, signer),
            (SignatureKind::Bls, Payload::BLS(public)) => self.verify_bls(data, public),
            (SignatureKind::Delegated, Payload::Delegated(_)) => {
                let signature = self.bytes.as_slice().try_into().map_err(|_| SignatureError::Malformed)?;
                let recovered = recover_eth(signature, data)?;
                if recovered.to_filecoin() == *signer { Ok(()) } else { Err(SignatureError::Mismatch) }
            }
            _ => Err(SignatureError::WrongAddress { kind: self.kind.name() }),
        }
    }

    fn verify_secp256k1(&self, data: &[u8], signer: &Address) -> Result<(), SignatureError> {
        let bytes = self.bytes.as_slice().try_into().map_err(|_| SignatureError::Malformed)?;
        let public = recover(bytes, &blake2b_256(data))?;
        let recovered = Address::new_secp256k1(public.to_encoded_point(false).as_bytes())
            .expect("an uncompressed public key has the 65 bytes that are asked for");
        if recovered == *signer { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    fn verify_bls(&self, data: &[u8], public: &[u8]) -> Result<(), SignatureError> {
        let public = bls_signatures::PublicKey::from_bytes(public)
            .map_err(|_| SignatureError::WrongAddress { kind: self.kind.name() })?;
        let signature = bls_signatures::Signature::from_bytes(&self.bytes).map_err(|_| SignatureError::Malformed)?;
        if public.verify(signature, data) { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

/// The public key that signed a hash.
fn recover(signature: &[u8; 65], hash: &[u8; 32]) -> Result<VerifyingKey, SignatureError> {
    let (rs, v) = signature.split_at(64);
    let signature = EcdsaSignature::from_slice(rs).map_err(|_| SignatureError::Malformed)?;
    let recovery = RecoveryId::from_byte(v[0]).ok_or(SignatureError::Malformed)?;
    VerifyingKey::recover_from_prehash(hash, &signature, recovery).map_err(|_| SignatureError::Malformed)
}

/// The address in Ethereum's form whose key signed the keccak-256 of some bytes.
pub(super) fn recover_eth(signature: &[u8; 65], data: &[u8]) -> Result<EthAddress, SignatureError> {
    let public = recover(signature, &keccak256(data))?;
    Ok(EthAddress::of_public_key(public.to_encoded_point(false).as_bytes()))
}

/// blake2b with 32 bytes of output: the hash that secp256k1 signatures are made over.
pub(crate) fn blake2b_256(data: &[u8]) -> [u8; 32] {
    let digest = blake2b_simd::Params::new().hash_length(32).hash(data);
    digest.as_bytes().try_into().expect("32 bytes were asked for")
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        strict_bytes::Serialize::serialize(&self.to_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = strict_bytes::Deserialize::deserialize(deserializer)?;
        Self::from_bytes(&bytes).map_err(de::Error::custom)
    }
}
