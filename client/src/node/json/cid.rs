//! CIDs: `{"/":"bafy…"}`.

use ::cid::Cid;
use serde::{Deserialize, Serialize};

/// The object that a CID is written as.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    #[serde(rename = "/")]
    text: String,
}

impl Link {
    fn of(cid: &Cid) -> Self {
        Self { text: cid.to_string() }
    }

    fn read<E: serde::de::Error>(&self) -> Result<Cid, E> {
        self.text.parse().map_err(|error| E::custom(format!("`{}` is not a CID: {error}", self.text)))
    }
}

/// A CID.
#[allow(clippy::module_inception)] // the form is called what it is a form of
pub mod cid {
    use serde::{Deserializer, Serializer};

    use super::*;

    /// Writes `{"/":…}`.
    pub fn serialize<S: Serializer>(cid: &Cid, serializer: S) -> Result<S::Ok, S::Error> {
        Link::of(cid).serialize(serializer)
    }

    /// Reads `{"/":…}`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cid, D::Error> {
        Link::deserialize(deserializer)?.read()
    }
}

/// A CID or `null`.
pub mod cid_option {
    use serde::{Deserializer, Serializer};

    use super::*;

    /// Writes `{"/":…}` or `null`.
    pub fn serialize<S: Serializer>(cid: &Option<Cid>, serializer: S) -> Result<S::Ok, S::Error> {
        cid.as_ref().map(Link::of).serialize(serializer)
    }

    /// Reads `{"/":…}` or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cid>, D::Error> {
        Option::<Link>::deserialize(deserializer)?.as_ref().map(Link::read).transpose()
    }
}
