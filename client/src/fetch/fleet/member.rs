//! One provider of a fleet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Peer, Source};

/// A provider, and what is known of it.
pub(super) struct Member {
    pub source: Source,
    pub peer: Arc<Peer>,
    pub state: State,
    /// Orders that it works on.
    pub busy: usize,
    /// What an order of a MiB takes it, as far as is known.
    pub usual: Option<Duration>,
    pub late: u32,
    pub failures: u32,
    pub failing_since: Option<Instant>,
    pub not_before: Instant,
    pub served: u64,
}

/// Whether it is asked.
#[derive(PartialEq)]
pub(super) enum State {
    /// Has not answered the roll call.
    Called,
    /// Serves something else where the root should be.
    Strange,
    Ready,
    Out,
}
