//! How long a list may be that a call answers with. Real nodes know no such bound: there a call of this kind takes minutes
//! and gigabytes. Here one thread makes tipsets and answers, so whoever asks for everything would keep it from everybody.

use super::RpcError;

/// Entries of a list.
pub(super) const LISTED: usize = 20_000;

/// Entries that are gone through for one answer.
pub(super) const SEARCHED: u64 = 200_000;

/// There are more than [`SEARCHED`].
pub(super) fn not_gone_through(what: &str) -> RpcError {
    RpcError::limit(format!("there are more than {SEARCHED} {what}: they are not gone through here"))
}

/// There are more than [`LISTED`].
pub(super) fn too_many(what: &str, instead: &str) -> RpcError {
    RpcError::limit(format!("there are more than {LISTED} {what}, and no list is longer here: {instead}"))
}
