//! Encoding, decoding, and the checks that belong to a value wherever it is met.

use std::fmt;

use fvm_ipld_encoding::{from_slice, to_vec};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value of the wire: a DAG-CBOR form and the bounds that every decoder checks.
pub trait Wire: Serialize + DeserializeOwned {
    /// Checks what the form alone does not say: lengths, ranges, CID kinds.
    fn check(&self) -> Result<(), OutOfBounds> {
        Ok(())
    }
}

/// Names the field that is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBounds(pub &'static str);

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of bounds: {}", self.0)
    }
}

impl std::error::Error for OutOfBounds {}

/// Why bytes are not a value of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// The bytes are not the DAG-CBOR form of this type.
    Malformed(String),
    /// The form is right, a bound is not kept.
    OutOfBounds(OutOfBounds),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "not the expected CBOR: {why}"),
            Self::OutOfBounds(what) => what.fmt(f),
        }
    }
}

impl std::error::Error for WireError {}

impl From<OutOfBounds> for WireError {
    fn from(e: OutOfBounds) -> Self {
        Self::OutOfBounds(e)
    }
}

/// Decodes one value and checks its bounds.
///
/// A value has one form, so that every body of the actor takes the same bytes: what does not encode to the same bytes again (amounts
/// with leading zeros, a number where the library would take it for an empty list) is malformed.
///
/// Errors: [`WireError::Malformed`] (another form, trailing bytes), [`WireError::OutOfBounds`].
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
    let malformed = |why: String| WireError::Malformed(why);
    let value: T = from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
    if to_vec(&value).map_err(|e| malformed(e.to_string()))? != bytes {
        return Err(malformed("not the one form of this value".into()));
    }
    value.check()?;
    Ok(value)
}

/// Encodes one value after checking its bounds, so that nobody sends what every decoder refuses.
///
/// Errors: [`WireError::OutOfBounds`].
pub fn encode<T: Wire>(value: &T) -> Result<Vec<u8>, WireError> {
    value.check()?;
    to_vec(value).map_err(|e| WireError::Malformed(e.to_string()))
}

/// Returns an error naming `field` unless `ok`.
pub(crate) fn ensure(ok: bool, field: &'static str) -> Result<(), OutOfBounds> {
    if ok { Ok(()) } else { Err(OutOfBounds(field)) }
}
