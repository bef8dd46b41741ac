//! Quantities, hashes and bytes as Ethereum's JSON has them.

use bauta_client::address::EthAddress;
use cid::Cid;
use fvm_ipld_encoding::DAG_CBOR;
use fvm_shared::bigint::{BigInt, Sign};
use fvm_shared::econ::TokenAmount;
use multihash_codetable::{Code, Multihash};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number: hex without leading zeros.
pub(super) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// An amount of attoFIL.
pub(super) fn amount(amount: &TokenAmount) -> String {
    format!("{:#x}", amount.atto())
}

/// Bytes.
pub(super) fn bytes(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// An address, in small letters as nodes print it.
pub(super) fn address(address: &EthAddress) -> String {
    bytes(&address.0)
}

/// 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hash(pub [u8; 32]);

impl Hash {
    /// The digest of a CID.
    pub fn of(cid: &Cid) -> Option<Self> {
        cid.hash().digest().try_into().ok().map(Self)
    }

    /// The CID of a block of the chain with this digest.
    pub fn to_cid(self) -> Cid {
        let digest = Multihash::wrap(Code::Blake2b256.into(), &self.0).expect("a digest of 32 bytes fits");
        Cid::new_v1(DAG_CBOR, digest)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| de::Error::custom("a hash begins with 0x"))?;
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map_err(|e| de::Error::custom(format!("not a hash: {e}")))?;
        Ok(Self(hash))
    }
}

/// An address in Ethereum's form, whatever the case of its letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(pub EthAddress);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?.to_ascii_lowercase();
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// Bytes in hex; an odd number of digits gets a zero in front, as on Lotus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Data(pub Vec<u8>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digits = text.strip_prefix("0x").unwrap_or(&text).to_owned();
        if digits.len() % 2 == 1 {
            digits.insert(0, '0');
        }
        hex::decode(digits).map(Self).map_err(|e| de::Error::custom(format!("not bytes in hex: {e}")))
    }
}

/// A number: hex, or decimal as text or number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quantity(pub u64);

impl Quantity {
    /// Reads a text.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("0x") {
            // `from_str_radix` would take a sign.
            Some(digits) if digits.starts_with('+') => None,
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None if text.starts_with('+') => None,
            None => text.parse().ok(),
        }
        .map(Self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(number) => Ok(Self(number)),
            Form::Text(text) => Self::parse(&text).ok_or_else(|| de::Error::custom("not a number of 64 bits")),
        }
    }
}

/// An amount of attoFIL, up to 256 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount(pub TokenAmount);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Data(bytes) = Data::deserialize(deserializer)?;
        if bytes.len() > 32 {
            return Err(de::Error::custom("an amount has at most 256 bits"));
        }
        Ok(Self(TokenAmount::from_atto(BigInt::from_bytes_be(Sign::Plus, &bytes))))
    }
}
