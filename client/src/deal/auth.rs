//! The header that signs a request to a Curio provider.
//!
//! `Authorization: CurioAuth <kind>:<base64 address bytes>:<base64 signature, type byte first>`. What is signed is
//! sha256(address bytes ‖ METHOD ‖ path ‖ minute), minute in RFC 3339, e.g. `2026-11-22T10:05:00Z`; a signature is good in its minute and
//! the ones beside it.
//!
//! Source: Curio `market/mk20/auth.go`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fvm_shared::address::{Address, Protocol};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::message::Signature;
use crate::wallet::Key;

const SCHEME: &str = "CurioAuth ";

/// Why a header does not let anybody in.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AuthError {
    /// There is none.
    #[error("Missing Authorization header")]
    Missing,
    /// Not of the form above.
    #[error("the Authorization header is not `CurioAuth kind:address:signature`: {0}")]
    Malformed(&'static str),
    /// A kind of key that this side cannot check.
    #[error("keys of kind `{0}` are not supported")]
    Unsupported(String),
    /// The signature is another key's, or over another request, or of another minute.
    #[error("the signature is not this client's over this request and minute")]
    Wrong,
}

/// Makes the header's value for a request at `now`. `path` is the whole path as it stands in the request, without a query.
pub fn authorization(key: &Key, method: &str, path: &str, now: SystemTime) -> String {
    let address = key.address().to_bytes();
    let signature = key.sign_bytes(&digest(&address, method, path, &minute(now))).to_bytes();
    format!("{SCHEME}{}:{}:{}", key.kind().name(), STANDARD.encode(&address), STANDARD.encode(signature))
}

/// Reads the header and gives the client that signed the request.
///
/// Errors: see [`AuthError`].
pub fn verify(header: Option<&str>, method: &str, path: &str, now: SystemTime) -> Result<Address, AuthError> {
    let header = header.ok_or(AuthError::Missing)?;
    let fields = header.strip_prefix(SCHEME).ok_or(AuthError::Malformed("another scheme"))?;
    let mut fields = fields.splitn(3, ':');
    let (Some(kind), Some(address), Some(signature)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(AuthError::Malformed("not three fields"));
    };
    let bytes = STANDARD.decode(address).map_err(|_| AuthError::Malformed("the address is not base64"))?;
    let address = Address::from_bytes(&bytes).map_err(|_| AuthError::Malformed("the address is not one"))?;
    let signature = STANDARD.decode(signature).map_err(|_| AuthError::Malformed("the signature is not base64"))?;
    let signature = Signature::from_bytes(&signature).map_err(|_| AuthError::Malformed("the signature is not one"))?;
    let expected = match kind {
        "secp256k1" => Protocol::Secp256k1,
        "bls" => Protocol::BLS,
        "delegated" => Protocol::Delegated,
        other => return Err(AuthError::Unsupported(other.chars().take(20).collect())),
    };
    if address.protocol() != expected {
        return Err(AuthError::Malformed("the address is of another kind than the key"));
    }
    let step = Duration::from_secs(60);
    let moments = [Some(now), now.checked_sub(step), now.checked_add(step)];
    let good = moments
        .into_iter()
        .flatten()
        .any(|moment| signature.verify(&digest(&bytes, method, path, &minute(moment)), &address).is_ok());
    if good { Ok(address) } else { Err(AuthError::Wrong) }
}

/// What is signed.
pub(super) fn digest(address: &[u8], method: &str, path: &str, minute: &str) -> [u8; 32] {
    let path = if path.is_empty() { "/" } else { path };
    let mut hash = Sha256::new();
    for part in [address, method.to_ascii_uppercase().as_bytes(), path.as_bytes(), minute.as_bytes()] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The minute that a moment lies in, RFC 3339 in UTC.
pub(super) fn minute(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, minutes) = (seconds / 86_400, seconds % 86_400 / 60);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:00Z", minutes / 60, minutes % 60)
}

/// The Gregorian date of a day counted from 1970-01-01.
///
/// Source: H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}
