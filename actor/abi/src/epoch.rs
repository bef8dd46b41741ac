//! Boundaries in time, each written once.

use fvm_shared::clock::ChainEpoch;

/// The expiration of what never expires.
pub const EPOCH_NEVER: ChainEpoch = ChainEpoch::MAX;

/// Epochs in a day (30 seconds each).
pub const EPOCHS_IN_DAY: ChainEpoch = 2_880;

/// Tells whether something that expires at `at` has expired at `now`: the epoch `at` is the first one without it.
pub const fn is_expired(at: ChainEpoch, now: ChainEpoch) -> bool {
    now >= at
}

/// Tells whether a deadline has passed: the epoch `deadline` is the last one within it.
pub const fn is_past(deadline: ChainEpoch, now: ChainEpoch) -> bool {
    now > deadline
}
