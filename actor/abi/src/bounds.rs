//! Maxima of everything a caller can make grow, in bytes or elements.

use fvm_shared::clock::ChainEpoch;

use crate::EPOCHS_IN_DAY;

/// Longest age recipient (hybrid post-quantum ones are about 2,000 characters).
pub const MAX_RECIPIENT: usize = 2_300;
/// Files registered by one call.
pub const MAX_FILES_PER_CALL: usize = 64;
/// Bytes of encrypted metadata of one file.
pub const MAX_METADATA: usize = 1_024;
/// Bytes of one wrapped file key (age stanzas).
pub const MAX_WRAP: usize = 2_048;
/// Grants given by one call.
pub const MAX_GRANTS_PER_CALL: usize = 32;
/// Grants taken back by one call.
pub const MAX_REVOKES_PER_CALL: usize = 32;
/// Elements returned by one listing.
pub const MAX_LIST: u64 = 100;
/// Replicas that one bounty pays for.
pub const MAX_REPLICAS: u64 = 16;
/// Providers named by one bounty.
pub const MAX_PROVIDERS: usize = 16;
/// Bytes of a bounty's source (where a provider can fetch the piece).
pub const MAX_SOURCE: usize = 256;
/// Bytes of a bounty's note.
pub const MAX_NOTE: usize = 256;
/// Claims that one bounty ever records.
pub const MAX_CLAIMS: usize = 64;
/// Claims settled by one call.
pub const MAX_SETTLEMENTS_PER_CALL: usize = 32;
/// Bytes of a sector's location (FIP-0112 `aux`).
pub const MAX_LOCATION: usize = 64;
/// Pieces of one notification that are looked at; what comes after them is answered `true` and not used.
pub const MAX_NOTIFIED_PIECES: usize = 256;
/// Bytes of a notification's payload that may be a bounty id.
pub const MAX_NOTIFICATION_PAYLOAD: usize = 9;
/// Longest claim: a sector lives 1,278 days at most.
pub const MAX_DURATION: ChainEpoch = 1_278 * EPOCHS_IN_DAY;
/// What a deal has to have left, and more, when it becomes a claim. Within its last 30 days a sector may give up a verified piece while the deal
/// still runs (until network version 28), and with no deal's time left any piece; a deal never outlives the sector it was activated in.
pub const MIN_DEAL_LEFT: ChainEpoch = 30 * EPOCHS_IN_DAY;
/// Furthest claim deadline from the bounty's creation: a year.
pub const MAX_CLAIM_WINDOW: ChainEpoch = 365 * EPOCHS_IN_DAY;
/// Largest piece: 64 GiB, in padded bytes.
pub const MAX_PADDED_SIZE: u64 = 64 << 30;
/// The whole of a reward, in basis points.
pub const BASIS_POINTS: u64 = 10_000;
/// No amount exceeds all FIL that there will ever be: 2,000,000,000 FIL.
pub const MAX_FIL: i64 = 2_000_000_000;
