//! Ethereum's addresses and 256-bit words, as contracts know actors and as the chain keeps storage.

use std::borrow::Cow;
use std::fmt;

use fvm_ipld_encoding::strict_bytes;
use fvm_ipld_kamt::{AsHashedKey, HashedKey};
use fvm_sdk::actor;
use fvm_shared::ActorID;
use fvm_shared::address::{Address, Payload};
use fvm_shared::bigint::{BigInt, Sign};
use fvm_shared::econ::TokenAmount;
use revm_interpreter::primitives::{Address as EvmAddress, U256};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::runtime::EAM;

/// An actor's address in Ethereum's form: 20 bytes of an f410 address, or `ff`, eleven zeros and the id of an actor that
/// has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EthAddress(#[serde(with = "strict_bytes")] pub [u8; 20]);

impl EthAddress {
    /// The form of an actor without an f410 address.
    pub fn from_id(id: ActorID) -> Self {
        let mut bytes = [0; 20];
        bytes[0] = 0xff;
        bytes[12..].copy_from_slice(&id.to_be_bytes());
        Self(bytes)
    }

    /// The lower 20 bytes of a word.
    pub fn from_word(word: U256) -> Self {
        Self(word.to_be_bytes::<32>()[12..].try_into().expect("32 - 12 = 20"))
    }

    /// The id, if it is one in disguise.
    pub fn as_id(&self) -> Option<ActorID> {
        match self.0 {
            [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, id @ ..] => Some(ActorID::from_be_bytes(id)),
            _ => None,
        }
    }

    /// True for the addresses that no contract may have: precompiles (`00…nn`, `fe…nn`) and ids in disguise.
    pub fn is_reserved(&self) -> bool {
        let [prefix, middle @ .., _] = self.0;
        (matches!(prefix, 0x00 | 0xfe) && middle == [0; 18]) || self.as_id().is_some()
    }

    /// The f410 address that it is, where it is one.
    pub fn of_f410(address: &Address) -> Option<Self> {
        match address.payload() {
            Payload::Delegated(delegated) if delegated.namespace() == EAM => {
                delegated.subaddress().try_into().ok().map(Self)
            }
            _ => None,
        }
    }

    /// The address by which contracts know an actor.
    pub fn of(id: ActorID) -> Self {
        actor::lookup_delegated_address(id).and_then(|f4| Self::of_f410(&f4)).unwrap_or_else(|| Self::from_id(id))
    }

    /// As a word.
    pub fn word(&self) -> U256 {
        U256::from_be_slice(&self.0)
    }

    /// As the interpreter has it.
    pub fn evm(&self) -> EvmAddress {
        EvmAddress::from(self.0)
    }
}

impl From<EthAddress> for Address {
    fn from(address: EthAddress) -> Self {
        match address.as_id() {
            Some(id) => Address::new_id(id),
            None => Address::new_delegated(EAM, &address.0).expect("20 bytes fit into an f4 address"),
        }
    }
}

/// A storage key or value: a byte string without leading zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
pub struct Word(pub U256);

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.to_be_bytes::<32>();
        serializer.serialize_bytes(&bytes[self.0.leading_zeros() / 8..])
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("at most 32 bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Word, E> {
                match U256::try_from_be_slice(bytes) {
                    Some(word) if bytes.len() <= 32 => Ok(Word(word)),
                    _ => Err(E::invalid_length(bytes.len(), &self)),
                }
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Keys go into the tree in the order of their value, so that neighbouring slots share nodes.
#[derive(Debug)]
pub struct ByValue;

impl AsHashedKey<Word, 32> for ByValue {
    fn as_hashed_key(key: &Word) -> Cow<'_, HashedKey<32>> {
        Cow::Owned(key.0.to_be_bytes::<32>())
    }
}

/// attoFIL of a word.
pub fn tokens(word: U256) -> TokenAmount {
    TokenAmount::from_atto(BigInt::from_bytes_be(Sign::Plus, &word.to_be_bytes::<32>()))
}

/// A word of attoFIL; amounts on chain fit into 128 bits.
pub fn word_of(amount: &TokenAmount) -> U256 {
    U256::from_be_slice(&amount.atto().to_bytes_be().1)
}
