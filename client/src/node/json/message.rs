//! Messages and signed messages.

use ::cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::forms;
use crate::message::{self, Message, Signature, SignatureKind, SignedMessage};

/// A message in the Lotus dialect.
///
/// Form: `Version, To, From, Nonce, Value, GasLimit, GasFeeCap, GasPremium, Method, Params, CID`. Read in any order; everything but `To` and `From` may
/// be absent, and a `CID` is ignored. Written with the message's own CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageJson {
    /// The message.
    pub message: Message,
    /// How empty params are written: `null` as Go's nil, or `""`. A node echoes what it was given.
    pub null_params: bool,
}

impl From<Message> for MessageJson {
    fn from(message: Message) -> Self {
        Self { message, null_params: true }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    #[serde(default)]
    version: u64,
    #[serde(with = "forms::address")]
    to: Address,
    #[serde(with = "forms::address")]
    from: Address,
    #[serde(default)]
    nonce: u64,
    #[serde(default, with = "forms::token")]
    value: Tokens,
    #[serde(default)]
    gas_limit: i64,
    #[serde(default, with = "forms::token")]
    gas_fee_cap: Tokens,
    #[serde(default, with = "forms::token")]
    gas_premium: Tokens,
    #[serde(default)]
    method: u64,
    #[serde(default, with = "forms::bytes_option")]
    params: Option<Vec<u8>>,
    #[serde(rename = "CID", default, skip_deserializing, with = "forms::cid_option")]
    cid: Option<Cid>,
}

type Tokens = TokenAmount;

impl Serialize for MessageJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = &self.message;
        let params = message.params.bytes();
        Fields {
            version: message.version,
            to: message.to,
            from: message.from,
            nonce: message.sequence,
            value: message.value.clone(),
            // Above i64 the chain takes no message; saturating keeps a printout of one readable.
            gas_limit: i64::try_from(message.gas_limit).unwrap_or(i64::MAX),
            gas_fee_cap: message.gas_fee_cap.clone(),
            gas_premium: message.gas_premium.clone(),
            method: message.method_num,
            params: if params.is_empty() && self.null_params { None } else { Some(params.to_vec()) },
            cid: Some(message::cid(message)),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MessageJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let null_params = fields.params.is_none();
        let message = Message {
            version: fields.version,
            from: fields.from,
            to: fields.to,
            sequence: fields.nonce,
            value: fields.value,
            method_num: fields.method,
            params: RawBytes::new(fields.params.unwrap_or_default()),
            gas_limit: u64::try_from(fields.gas_limit).map_err(|_| de::Error::custom("GasLimit is negative"))?,
            gas_fee_cap: fields.gas_fee_cap,
            gas_premium: fields.gas_premium,
        };
        Ok(Self { message, null_params })
    }
}

/// A signature: `{"Type":1|2|3,"Data":base64}`. FRC-0104 also allows the type by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureJson(pub Signature);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignatureFields {
    r#type: KindJson,
    #[serde(with = "forms::bytes")]
    data: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KindJson {
    Number(u8),
    Name(String),
}

impl Serialize for SignatureJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.0.data().to_vec();
        SignatureFields { r#type: KindJson::Number(self.0.kind() as u8), data }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignatureJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = SignatureFields::deserialize(deserializer)?;
        let kind = match &fields.r#type {
            KindJson::Number(number) => SignatureKind::from_byte(*number),
            KindJson::Name(name) => match name.to_ascii_lowercase().as_str() {
                "secp256k1" => Some(SignatureKind::Secp256k1),
                "bls" => Some(SignatureKind::Bls),
                "delegated" => Some(SignatureKind::Delegated),
                _ => None,
            },
        };
        let kind = kind.ok_or_else(|| de::Error::custom("signature Type is none of 1, 2, 3"))?;
        Signature::new(kind, fields.data).map(Self).map_err(de::Error::custom)
    }
}

/// A signed message: `{"Message":…,"Signature":…,"CID":…}`. A `CID` that is read is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMessageJson(pub SignedMessage);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignedFields {
    message: MessageJson,
    signature: SignatureJson,
    #[serde(rename = "CID", default, skip_deserializing, with = "forms::cid_option")]
    cid: Option<Cid>,
}

impl Serialize for SignedMessageJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SignedFields {
            message: MessageJson::from(self.0.message.clone()),
            signature: SignatureJson(self.0.signature.clone()),
            cid: Some(self.0.cid()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignedMessageJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = SignedFields::deserialize(deserializer)?;
        Ok(Self(SignedMessage { message: fields.message.message, signature: fields.signature.0 }))
    }
}
