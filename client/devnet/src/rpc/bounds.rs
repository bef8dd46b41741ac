//! How long a list may be that a call answers with. Real nodes know no such bound: there a call of this kind takes minutes
//! and gigabytes. Here one thread makes tipsets and answers, so whoever asks for everything would keep it from everybody.

use fvm_shared::clock::ChainEpoch;

use super::RpcError;

/// Entries of a list.
pub(super) const LISTED: usize = 20_000;

/// Entries that are gone through for one answer.
pub(super) const SEARCHED: u64 = 200_000;

/// Epochs in one search for events.
///
/// Source: lotus `node/config/def.go`, `MaxFilterHeightRange`.
pub(super) const EPOCHS: ChainEpoch = 2880;

/// Events in one answer, unless they are of one tipset.
///
/// Source: lotus `node/config/def.go`, `MaxFilterResults`.
pub(super) const EVENTS: usize = 10_000;

/// More than [`EVENTS`] were found.
pub(super) fn too_many_events() -> RpcError {
    RpcError::application("failed to get events: filter matches too many events, try a more restricted filter")
}

/// There are more than [`SEARCHED`].
pub(super) fn not_gone_through(what: &str) -> RpcError {
    RpcError::limit(format!("there are more than {SEARCHED} {what}: they are not gone through here"))
}

/// There are more than [`LISTED`].
pub(super) fn too_many(what: &str, instead: &str) -> RpcError {
    RpcError::limit(format!("there are more than {LISTED} {what}, and no list is longer here: {instead}"))
}
