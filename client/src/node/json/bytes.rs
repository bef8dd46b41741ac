//! Bytes: base64 with the standard alphabet and padding. Go writes `null` for no bytes at all, and reads `null` and `""` alike.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes; none are `null`.
#[allow(clippy::module_inception)] // the form is called what it is a form of
pub mod bytes {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::*;

    /// Writes base64, or `null` for no bytes.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if bytes.is_empty() { serializer.serialize_none() } else { serializer.serialize_str(&STANDARD.encode(bytes)) }
    }

    /// Reads base64 or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Option::<std::borrow::Cow<str>>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)
    }
}

/// Bytes that may be absent: `None` is `null` and empty is `""`.
pub mod bytes_option {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::*;

    /// Writes base64 or `null`.
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads base64 or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text)).transpose().map_err(de::Error::custom)
    }
}

/// A list of byte strings; `null` is an empty one.
pub mod bytes_list {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::super::BytesJson;
    use super::*;

    /// Writes an array, or `null` for an empty list.
    pub fn serialize<S: Serializer>(list: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        if list.is_empty() {
            serializer.serialize_none()
        } else {
            serializer.collect_seq(list.iter().map(|bytes| STANDARD.encode(bytes)))
        }
    }

    /// Reads an array or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let list = Option::<Vec<BytesJson>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(list.into_iter().map(|item| item.0).collect())
    }
}
