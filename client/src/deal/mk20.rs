//! The JSON forms of Curio's Market 2.0, as far as a `ddo_v1` deal needs them.
//!
//! Source: Curio `market/mk20/{types,utils,ddo_v1,retrieval_v1}.go`.

mod upload;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use super::{DealId, Origin, Proposal};
use crate::address::{self, Prefix};
use crate::piece::piece_cid_v2;

pub use upload::{MAX_CHUNK, MAX_REQUEST, MIN_CHUNK, StartUpload, UploadStatus, chunk_count, chunk_of};

/// The path under which a provider's market stands.
pub const MARKET_PATH: &str = "/market/mk20";

/// A deal as it is posted to `/market/mk20/deal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deal {
    /// The client's name for the deal.
    #[serde(with = "ulid_text")]
    pub identifier: Ulid,
    /// The client's address, with the network's letter; the same as in the signature.
    pub client: String,
    /// What to store and where to get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// What is asked for.
    pub products: Products,
}

/// What to store and where to get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// The piece, v2 form.
    #[serde(with = "cid_json")]
    pub piece_cid: Cid,
    /// What the bytes are.
    pub format: Format,
    /// They are fetched from one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_http: Option<SourceHttp>,
    /// They arrive by other means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_offline: Option<Empty>,
    /// They are put together by the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_aggregate: Option<serde_json::Value>,
    /// The client uploads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_http_put: Option<Empty>,
}

/// `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// What the bytes of a piece are: exactly one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// A CAR file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub car: Option<Empty>,
    /// Several pieces with an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// Anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Empty>,
}

/// Pieces that were put together after FRC-0058.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// 1: FRC-0058.
    pub r#type: u64,
    /// The pieces inside, in the order of the index.
    #[serde(default, deserialize_with = "null_is_default")]
    pub sub: Vec<Data>,
}

/// Where bytes can be fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHttp {
    /// Up to ten places.
    pub urls: Vec<HttpUrl>,
}

/// One place where bytes can be fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpUrl {
    /// The URL.
    pub url: String,
    /// Headers to send, up to ten.
    #[serde(default, deserialize_with = "null_is_default")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// Lower is tried earlier.
    #[serde(default)]
    pub priority: i64,
    /// Only if all others fail.
    #[serde(default)]
    pub fallback: bool,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Products {
    /// A place in a sealed sector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddo_v1: Option<DdoV1>,
    /// Serving it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieval_v1: Option<RetrievalV1>,
    /// Hot storage under an Ethereum contract; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pdp_v1: Option<serde_json::Value>,
}

/// A place in a sealed sector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DdoV1 {
    /// The miner actor.
    #[serde(with = "address_text")]
    pub provider: Address,
    /// The epoch by which the sector must be active.
    #[serde(default)]
    pub start_epoch: Option<ChainEpoch>,
    /// Epochs of storage.
    pub duration: ChainEpoch,
    /// A verified allocation; never set here, because they ended with FIP-0118.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation_id: Option<u64>,
    /// An Ethereum contract that may reject the deal; empty for none.
    #[serde(default)]
    pub market_address: String,
    /// The deal's number in that contract.
    #[serde(default)]
    pub market_deal_id: Option<u64>,
    /// The actor that the miner tells of the piece.
    #[serde(default, with = "optional_address", skip_serializing_if = "Option::is_none")]
    pub notification_address: Option<Address>,
    /// What it passes on.
    #[serde(default, with = "optional_base64", skip_serializing_if = "Option::is_none")]
    pub notification_payload: Option<Vec<u8>>,
}

/// Serving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrievalV1 {
    /// Blocks of the CAR can be asked for one by one.
    pub indexing: bool,
    /// Their CIDs are published.
    pub announce_payload: bool,
    /// The piece CID is published; not for `ddo_v1`.
    pub announce_piece: bool,
}

impl Deal {
    /// The form of a proposal of a CAR to the miner `provider`. `letter` is the one that the provider's network prints.
    pub fn of(id: DealId, client: &Address, provider: Address, proposal: &Proposal, letter: Prefix) -> Self {
        let (source_http, source_http_put) = match &proposal.origin {
            Origin::Upload => (None, Some(Empty {})),
            Origin::Http(url) => {
                (Some(SourceHttp { urls: vec![HttpUrl { url: url.clone(), ..HttpUrl::default() }] }), None)
            }
        };
        let (notification_address, notification_payload) = match &proposal.notify {
            Some((address, payload)) => (Some(*address), Some(payload.clone())),
            None => (None, None),
        };
        Self {
            identifier: id.0,
            client: letter.show(client),
            data: Some(Data {
                piece_cid: piece_cid_v2(&proposal.piece),
                format: Format { car: Some(Empty {}), ..Format::default() },
                source_http,
                source_offline: None,
                source_aggregate: None,
                source_http_put,
            }),
            products: Products {
                ddo_v1: Some(DdoV1 {
                    provider,
                    start_epoch: None,
                    duration: proposal.duration,
                    allocation_id: None,
                    market_address: String::new(),
                    market_deal_id: None,
                    notification_address,
                    notification_payload,
                }),
                // The blocks of an encrypted CAR mean nothing to anybody who was not told its root.
                retrieval_v1: Some(RetrievalV1 { indexing: true, announce_payload: false, announce_piece: false }),
                pdp_v1: None,
            },
        }
    }
}

/// How far a deal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DealState {
    /// Taken; the provider fetches the bytes.
    Accepted,
    /// Taken; the client is to upload the bytes.
    Uploading,
    /// The bytes are being checked.
    Processing,
    /// The bytes go into a sector.
    Sealing,
    /// The sector is active; blocks are being indexed.
    Indexing,
    /// It is not going to be.
    Failed,
    /// The sector is active.
    Complete,
    /// Never on the wire: the provider says that the sector is active, and the chain does not.
    #[serde(skip)]
    Unproven,
}

/// What `/market/mk20/status/{id}` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// Of the sealed copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddo_v1: Option<ProductStatus>,
}

/// What `/market/mk20/products` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportedProducts {
    /// Their names: `ddo_v1`, `retrieval_v1`, `pdp_v1`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub products: Vec<String>,
}

/// What `/market/mk20/sources` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportedSources {
    /// Their names: `http`, `put`, `offline`, `aggregate`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub sources: Vec<String>,
}

/// What `/market/mk20/contracts` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupportedContracts {
    /// Ethereum addresses; Go writes none of them as `null`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub contracts: Vec<String>,
}

/// How far one product has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductStatus {
    /// How far.
    pub status: DealState,
    /// Why not; empty if all is well.
    #[serde(rename = "errorMsg", default)]
    pub error: String,
}

fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

mod ulid_text {
    use super::*;

    pub fn serialize<S: Serializer>(id: &Ulid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Ulid, D::Error> {
        Ulid::from_string(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

mod cid_json {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Link {
        #[serde(rename = "/")]
        cid: String,
    }

    pub fn serialize<S: Serializer>(cid: &Cid, to: S) -> Result<S::Ok, S::Error> {
        Link { cid: cid.to_string() }.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Cid, D::Error> {
        Cid::try_from(Link::deserialize(from)?.cid).map_err(D::Error::custom)
    }
}

mod address_text {
    use super::*;

    // Go's parser takes either letter.
    pub fn serialize<S: Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Prefix::Testnet.show(address))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        address::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

mod optional_address {
    use super::*;

    pub fn serialize<S: Serializer>(address: &Option<Address>, to: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => address_text::serialize(address, to),
            None => to.serialize_str(""),
        }
    }

    // Go writes an absent address as "<empty>".
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Address>, D::Error> {
        match Option::<String>::deserialize(from)?.as_deref() {
            None | Some("" | "<empty>") => Ok(None),
            Some(text) => address::parse(text).map(Some).map_err(D::Error::custom),
        }
    }
}

mod optional_base64 {
    use super::*;

    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_str(&STANDARD.encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| STANDARD.decode(text).map_err(D::Error::custom)).transpose()
    }
}
