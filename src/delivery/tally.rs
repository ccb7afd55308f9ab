//! Counts what became of events.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::broker::Verdict;
use crate::delivery::Delivery;

/// What delivery does, and has done since the runtime was made; see
/// [`Runtime::delivery_stats`](crate::Runtime::delivery_stats). Of streams only `delivering` and `threads` tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryStats {
    /// Attempts that are under way, each of one event, one batch, or one webhook.
    pub delivering: usize,
    /// Events that were done.
    pub delivered: u64,
    /// Attempts after which an event waits for another one, those that did not count too.
    pub retried: u64,
    /// Events that were given up.
    pub dead: u64,
    /// Threads that deliver: none until there is something to deliver.
    pub threads: usize,
}

/// Counts endings as they are kept.
#[derive(Default)]
pub(super) struct Tally {
    delivered: AtomicU64,
    retried: AtomicU64,
    dead: AtomicU64,
}

impl Tally {
    pub(super) fn note(&self, verdict: &Verdict) {
        let count = match verdict {
            Verdict::Done { .. } => &self.delivered,
            Verdict::Again { .. } => &self.retried,
            Verdict::Dead { .. } => &self.dead,
        };
        count.fetch_add(1, Relaxed);
    }
}

impl Delivery {
    pub(crate) fn stats(&self) -> DeliveryStats {
        DeliveryStats {
            delivering: self.load.count(),
            delivered: self.tally.delivered.load(Relaxed),
            retried: self.tally.retried.load(Relaxed),
            dead: self.tally.dead.load(Relaxed),
            threads: self.hands.count(),
        }
    }
}
