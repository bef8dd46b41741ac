//! Keys: whom can I share with?

use fvm_ipld_encoding::tuple::*;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

use crate::wire::ensure;
use crate::{MAX_RECIPIENT, OutOfBounds, Wire};

/// `[recipient]`. Caller: anybody. Effects: replaces the caller's key by a next version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PublishKeyParams {
    /// An age recipient: `age1` and lower-case letters and digits, up to 2,300 characters.
    pub recipient: String,
}

impl Wire for PublishKeyParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_recipient(&self.recipient)
    }
}

/// `[address]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct GetKeyParams {
    /// Whose key.
    pub address: Address,
}

impl Wire for GetKeyParams {}

/// `[recipient, version, epoch]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Key {
    /// The age recipient.
    pub recipient: String,
    /// 1 for the first key of an address, then counting up.
    pub version: u64,
    /// When it was published.
    pub epoch: ChainEpoch,
}

impl Wire for Key {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_recipient(&self.recipient)
    }
}

/// The key, or null where the address has published none.
pub type GetKeyReturn = Option<Key>;

impl Wire for GetKeyReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.as_ref().map_or(Ok(()), Wire::check)
    }
}

/// Checks the form of a recipient, not its checksum: `age1` and at least one more lower-case letter or digit.
fn check_recipient(recipient: &str) -> Result<(), OutOfBounds> {
    let fits = recipient.len() <= MAX_RECIPIENT
        && recipient.len() > 4
        && recipient.starts_with("age1")
        && recipient.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    ensure(fits, "recipient")
}
