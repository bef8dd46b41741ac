//! Addresses in Ethereum's form: 20 bytes, `0x…` in text.
//!
//! Two kinds of actors have one: those with an f410 address (its 20 bytes), and every other actor by its id, as `ff`, eleven zeros and
//! eight bytes of id. Source: FIP-0055; text: EIP-55.

use std::fmt;
use std::str::FromStr;

use fvm_shared::ActorID;
use fvm_shared::address::{Address, Payload};
use sha3::{Digest, Keccak256};

use super::AddressError;

/// The actor whose namespace Ethereum's addresses are: f010, so f410.
pub const ETH_NAMESPACE: ActorID = 10;

/// An address in Ethereum's form. In text: `0x` and 40 hexadecimal digits, with the checksum of EIP-55 in the case of the letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EthAddress(pub [u8; 20]);

impl EthAddress {
    /// The form of an actor that is known by its id only.
    pub fn from_id(id: ActorID) -> Self {
        let mut bytes = [0; 20];
        bytes[0] = 0xff;
        bytes[12..].copy_from_slice(&id.to_be_bytes());
        Self(bytes)
    }

    /// The form of an f0 or f410 address; f1, f2 and f3 have to be resolved to their id first.
    pub fn of(address: &Address) -> Option<Self> {
        match address.payload() {
            Payload::ID(id) => Some(Self::from_id(*id)),
            Payload::Delegated(delegated) if delegated.namespace() == ETH_NAMESPACE => {
                let address = Self(delegated.subaddress().try_into().ok()?);
                // Such an f410 address could never be told from an id.
                address.as_id().is_none().then_some(address)
            }
            _ => None,
        }
    }

    /// The address of an uncompressed public key: 65 bytes, `04` first.
    pub fn of_public_key(key: &[u8]) -> Self {
        let hash = keccak256(&key[1..]);
        Self(hash[12..].try_into().expect("32 - 12 = 20"))
    }

    /// The id, if it stands for one.
    pub fn as_id(&self) -> Option<ActorID> {
        match self.0 {
            [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, id @ ..] => Some(ActorID::from_be_bytes(id)),
            _ => None,
        }
    }

    /// Filecoin's form: f0 or f410.
    pub fn to_filecoin(self) -> Address {
        match self.as_id() {
            Some(id) => Address::new_id(id),
            None => Address::new_delegated(ETH_NAMESPACE, &self.0).expect("20 bytes fit into an f4 address"),
        }
    }
}

/// keccak-256, Ethereum's hash.
pub fn keccak256(data: &[u8]) -> [u8; 32] {
    Keccak256::digest(data).into()
}

impl fmt::Display for EthAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.0);
        let hash = hex::encode(keccak256(digits.as_bytes()));
        f.write_str("0x")?;
        for (digit, mark) in digits.chars().zip(hash.chars()) {
            let shown = if mark >= '8' { digit.to_ascii_uppercase() } else { digit };
            write!(f, "{shown}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for EthAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EthAddress {
    type Err = AddressError;

    /// Reads `0x` and 40 digits. Letters of both cases must have the checksum of EIP-55; letters of one case have none.
    ///
    /// Errors: Ethereum: no `0x`; not 40 digits; another checksum.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError::Ethereum { text: text.chars().take(100).collect(), reason };
        let digits = text.strip_prefix("0x").ok_or_else(|| wrong("it does not begin with 0x"))?;
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| wrong("it needs 40 hexadecimal digits after 0x"))?;
        let address = Self(bytes);
        let mixed =
            digits.contains(|c: char| c.is_ascii_lowercase()) && digits.contains(|c: char| c.is_ascii_uppercase());
        if mixed && address.to_string() != text {
            return Err(wrong("its checksum (upper and lower case, EIP-55) is wrong: a digit was changed"));
        }
        Ok(address)
    }
}
