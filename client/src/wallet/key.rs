//! One key in memory: the secret is wiped when it is dropped and never printed.

use std::fmt;

use bls_signatures::Serialize as _;
use fvm_shared::address::Address;
use k256::ecdsa::SigningKey;
use rand::RngCore;
use rand::rngs::OsRng;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::address::{EthAddress, keccak256};
use crate::message::eth::{EthError, EthTransaction};
use crate::message::{self, Message, Signature, SignatureKind, SignedMessage};

/// The kinds of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA over secp256k1; addresses begin with `f1`.
    Secp256k1,
    /// BLS12-381; addresses begin with `f3`.
    Bls,
    /// ECDSA over secp256k1 as Ethereum has it; addresses begin with `f410`, or `0x`. What such an account says is an Ethereum transaction:
    /// it calls contracts and creates them, but cannot name a method of any other actor.
    Delegated,
}

impl KeyKind {
    /// The name in key files and on the command line.
    pub fn name(self) -> &'static str {
        self.signature().name()
    }

    /// Finds a kind by its name in key files.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "secp256k1" => Some(Self::Secp256k1),
            "bls" => Some(Self::Bls),
            "delegated" => Some(Self::Delegated),
            _ => None,
        }
    }

    fn signature(self) -> SignatureKind {
        match self {
            Self::Secp256k1 => SignatureKind::Secp256k1,
            Self::Bls => SignatureKind::Bls,
            Self::Delegated => SignatureKind::Delegated,
        }
    }
}

/// A secret key and the address that it speaks for.
#[derive(Clone)]
pub struct Key {
    kind: KeyKind,
    secret: Zeroizing<[u8; 32]>,
    address: Address,
}

/// Why something is not a key. The sentences never hold the secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not 32 bytes.
    #[error("a {kind} key has 32 bytes, not {got}")]
    Length {
        /// The kind's name.
        kind: &'static str,
        /// What was found.
        got: usize,
    },
    /// Zero, or not below the order of the curve.
    #[error("these bytes are not a {0} key: they are zero or above the order of the curve")]
    OutOfRange(&'static str),
    /// Not hex.
    #[error("a Lotus key file is one line of hexadecimal digits; this is not")]
    NotHex,
    /// The hex does not hold `{"Type":…,"PrivateKey":…}`.
    #[error("the key file's hexadecimal digits do not hold a Lotus key: {0}")]
    NotLotus(&'static str),
    /// A kind of key that signs no messages.
    #[error("`{0}` keys are not supported: use a secp256k1, a bls or a delegated key")]
    Unsupported(String),
    /// The message is from somebody else.
    #[error("the message is from another address than the key's")]
    NotTheSender,
    /// An f410 account signs for one chain.
    #[error("a delegated key signs for one chain: its chain id is needed")]
    NeedsChain,
    /// What an f410 account cannot say.
    #[error("an f410 account (0x…) can only call contracts, create them and pay: {0}")]
    NoTransaction(EthError),
}

impl Key {
    /// Makes a new key from the operating system's randomness.
    pub fn generate(kind: KeyKind) -> Self {
        let mut seed = Zeroizing::new([0u8; 32]);
        OsRng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(kind, seed.as_slice())
    }

    /// Derives a key from a seed: the same seed gives the same key, which is how a devnet's accounts come to be. A seed is as secret as the
    /// key, and has to have 32 random bytes where money is at stake.
    ///
    /// Form: secret = blake2b-256("bauta/v1 key " ‖ kind ‖ counter ‖ seed) for the first counter (one byte) that gives a valid key; for
    /// BLS that hash goes through the KeyGen of the BLS draft.
    pub fn from_seed(kind: KeyKind, seed: &[u8]) -> Self {
        for counter in 0u8..=u8::MAX {
            let mut input = Zeroizing::new(Vec::with_capacity(32 + seed.len()));
            input.extend_from_slice(b"bauta/v1 key ");
            input.extend_from_slice(kind.name().as_bytes());
            input.push(counter);
            input.extend_from_slice(seed);
            let hash = Zeroizing::new(message::blake2b_256(&input));
            let candidate = match kind {
                KeyKind::Secp256k1 | KeyKind::Delegated => hash,
                KeyKind::Bls => bls_bytes(&bls_signatures::PrivateKey::new(hash.as_slice())),
            };
            if let Ok(key) = Self::from_secret(kind, candidate.as_slice()) {
                return key;
            }
        }
        unreachable!("256 hashes in a row above the order of the curve: the chance is below 2^-30000")
    }

    /// Takes the 32 secret bytes: big-endian for secp256k1 and delegated keys, little-endian for BLS, as Lotus stores them.
    ///
    /// Errors: another length; zero; not below the order of the curve.
    pub fn from_secret(kind: KeyKind, secret: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] =
            secret.try_into().map_err(|_| KeyError::Length { kind: kind.name(), got: secret.len() })?;
        let secret = Zeroizing::new(bytes);
        if secret.iter().all(|byte| *byte == 0) {
            return Err(KeyError::OutOfRange(kind.name()));
        }
        let address = match kind {
            KeyKind::Secp256k1 | KeyKind::Delegated => {
                let key = SigningKey::from_slice(secret.as_slice()).map_err(|_| KeyError::OutOfRange(kind.name()))?;
                let public = key.verifying_key().to_encoded_point(false);
                if kind == KeyKind::Delegated {
                    EthAddress::of_public_key(public.as_bytes()).to_filecoin()
                } else {
                    Address::new_secp256k1(public.as_bytes())
                        .expect("an uncompressed public key has the 65 bytes that are asked for")
                }
            }
            KeyKind::Bls => {
                let key = bls_signatures::PrivateKey::from_bytes(secret.as_slice())
                    .map_err(|_| KeyError::OutOfRange(kind.name()))?;
                Address::new_bls(&key.public_key().as_bytes())
                    .expect("a compressed G1 point has the 48 bytes that are asked for")
            }
        };
        Ok(Self { kind, secret, address })
    }

    /// The kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The address that the key speaks for (f1, f3 or f410).
    pub fn address(&self) -> Address {
        self.address
    }

    /// The 32 secret bytes in Lotus's order. For showing a devnet's accounts and for export only.
    pub fn expose_secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Signs some bytes. All kinds are deterministic.
    pub fn sign_bytes(&self, data: &[u8]) -> Signature {
        let bytes = match self.kind {
            KeyKind::Secp256k1 => self.sign_hash(&message::blake2b_256(data)),
            KeyKind::Delegated => self.sign_hash(&keccak256(data)),
            KeyKind::Bls => bls_signatures::PrivateKey::from_bytes(self.secret.as_slice())
                .expect("checked when the key was made")
                .sign(data)
                .as_bytes(),
        };
        Signature::new(self.kind.signature(), bytes).expect("each kind signs with its own length")
    }

    /// r, s, v.
    fn sign_hash(&self, hash: &[u8; 32]) -> Vec<u8> {
        let key = SigningKey::from_slice(self.secret.as_slice()).expect("checked when the key was made");
        let (signature, recovery) = key
            .sign_prehash_recoverable(hash)
            .expect("signing fails only for a hash of less than half the curve's length");
        let mut bytes = signature.to_vec();
        bytes.push(recovery.to_byte());
        bytes
    }

    /// Signs a message for the chain with this id. It has to be from this key's address; f1 and f3 keys also sign for the ID address that
    /// stands for them.
    ///
    /// Errors: the message is from another key's address; NoTransaction: an f410 account cannot say this.
    pub fn sign_on(&self, message: Message, chain_id: u64) -> Result<SignedMessage, KeyError> {
        if self.kind != KeyKind::Delegated {
            return self.sign(message);
        }
        if message.from != self.address {
            return Err(KeyError::NotTheSender);
        }
        let transaction = EthTransaction::of_message(&message, chain_id).map_err(KeyError::NoTransaction)?;
        let signature = self.sign_bytes(&transaction.signing_bytes());
        Ok(SignedMessage { message, signature })
    }

    /// Signs a message that is from this key's address, or from the ID address that stands for it.
    ///
    /// Errors: the message is from another key's address; NeedsChain: delegated keys sign with [`Key::sign_on`].
    pub fn sign(&self, message: Message) -> Result<SignedMessage, KeyError> {
        if self.kind == KeyKind::Delegated {
            return Err(KeyError::NeedsChain);
        }
        let is_id = message.from.protocol() == fvm_shared::address::Protocol::ID;
        if message.from != self.address && !is_id {
            return Err(KeyError::NotTheSender);
        }
        let signature = self.sign_bytes(&message::cid(&message).to_bytes());
        Ok(SignedMessage { message, signature })
    }
}

fn bls_bytes(key: &bls_signatures::PrivateKey) -> Zeroizing<[u8; 32]> {
    let mut bytes = key.as_bytes();
    let array = Zeroizing::new(bytes.as_slice().try_into().expect("a BLS scalar has 32 bytes"));
    bytes.zeroize();
    array
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // The address is a commitment to the secret.
        self.kind == other.kind && self.address == other.address
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kind", &self.kind).field("address", &self.address).finish_non_exhaustive()
    }
}
