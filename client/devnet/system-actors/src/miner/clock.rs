//! When deadlines open and close. Every miner's proving period starts at its own epoch, modulo a period.

use fvm_shared::clock::ChainEpoch;

use crate::policy::{CHALLENGE_LOOKBACK, CHALLENGE_WINDOW, DEADLINES, DECLARATION_CUTOFF, PROVING_PERIOD};

/// One occurrence of one deadline: proofs are taken in `[open, close)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First epoch of the proving period.
    pub period_start: ChainEpoch,
    /// Deadline, below [`DEADLINES`].
    pub index: u64,
    /// First epoch that takes proofs.
    pub open: ChainEpoch,
    /// First epoch that does not any more.
    pub close: ChainEpoch,
}

impl Window {
    /// Deadline `index` of the period that starts at `period_start`.
    pub fn new(period_start: ChainEpoch, index: u64) -> Self {
        let open = period_start + index as ChainEpoch * CHALLENGE_WINDOW;
        Self { period_start, index, open, close: open + CHALLENGE_WINDOW }
    }

    /// The window that `now` is in. `seed`: the start of any of the miner's periods.
    pub fn current(seed: ChainEpoch, now: ChainEpoch) -> Self {
        let progress = (now - seed).rem_euclid(PROVING_PERIOD);
        Self::new(now - progress, (progress / CHALLENGE_WINDOW) as u64)
    }

    /// The first window of deadline `index` that is not over at `now`.
    pub fn next(seed: ChainEpoch, index: u64, now: ChainEpoch) -> Self {
        let this_period = Self::new(Self::current(seed, now).period_start, index);
        if now < this_period.close { this_period } else { Self::new(this_period.period_start + PROVING_PERIOD, index) }
    }

    /// Last epoch that takes proofs; here cron looks at the deadline.
    pub fn last(&self) -> ChainEpoch {
        self.close - 1
    }

    /// Epoch at which the challenge is drawn.
    pub fn challenge(&self) -> ChainEpoch {
        self.open - CHALLENGE_LOOKBACK
    }

    /// Whether it is too late to declare faults and recoveries for this window.
    pub fn is_declaration_late(&self, now: ChainEpoch) -> bool {
        now >= self.open - DECLARATION_CUTOFF
    }

    /// Whether sectors can be added to, or terminated in, the deadline: not while it, or the one before it, is open.
    pub fn is_mutable(&self, now: ChainEpoch) -> bool {
        now < self.open - CHALLENGE_WINDOW
    }

    /// The end of this deadline's window, in any period, that is not before `epoch`: nothing happens in between.
    pub fn round_up(&self, epoch: ChainEpoch) -> ChainEpoch {
        epoch + (self.last() - epoch).rem_euclid(PROVING_PERIOD)
    }
}

/// First epoch of the period that `now` is in, for a miner whose periods are `offset` epochs off.
pub fn first_period(offset: ChainEpoch, now: ChainEpoch) -> ChainEpoch {
    now - (now - offset).rem_euclid(PROVING_PERIOD)
}

/// Whether there is such a deadline.
pub fn is_deadline(index: u64) -> bool {
    index < DEADLINES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_found_from_any_start_of_a_period() {
        for seed in [-2880 + 17, 17, 17 + 2880 * 5] {
            let w = Window::current(seed, 17 + 2880 + 60);
            assert_eq!((w.period_start, w.index, w.open, w.last(), w.challenge()), (2897, 1, 2957, 3016, 2937));
            assert_eq!(Window::current(seed, 17 + 2880 + 119), w);
            assert_eq!(Window::current(seed, 17 + 2880 + 120).index, 2);
            assert_eq!(Window::current(seed, 17 + 2879), Window::new(17, 47));
        }
    }

    #[test]
    fn next_is_this_period_until_the_window_is_over() {
        assert_eq!(Window::next(0, 1, 60), Window::new(0, 1));
        assert_eq!(Window::next(0, 1, 119), Window::new(0, 1));
        assert_eq!(Window::next(0, 1, 120), Window::new(2880, 1));
        assert_eq!(Window::next(0, 0, 2880), Window::new(2880, 0));
    }

    #[test]
    fn boundaries_are_the_official_ones() {
        let w = Window::new(2880, 2); // open at 3000
        assert!(!w.is_declaration_late(2929) && w.is_declaration_late(2930));
        assert!(w.is_mutable(2939) && !w.is_mutable(2940));
    }

    #[test]
    fn rounding_goes_to_the_last_epoch_of_the_deadline() {
        let w = Window::new(0, 0); // last 59
        assert_eq!([0, 59, 60, 2939, 2940].map(|e| w.round_up(e)), [59, 59, 2939, 2939, 5819]);
        assert_eq!(w.round_up(-1), 59);
    }

    #[test]
    fn the_first_period_contains_now() {
        for now in [0, 1, 16, 17, 18, 2880, 100_000] {
            let start = first_period(17, now);
            assert!(start <= now && now < start + 2880 && (start - 17) % 2880 == 0);
        }
    }
}
