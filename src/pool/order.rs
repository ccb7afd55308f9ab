//! Which guests are to be made ready next: for which lane, and when.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long after the first failure the next attempt is made; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// So many lanes are remembered, the latest.
const MOST_LANES: usize = 64;

/// Which guests are to be made ready next.
pub(crate) struct Order {
    /// When the last event came, or the function.
    latest: Instant,
    /// Nothing is made before.
    due: Instant,
    failures: u32,
    /// The lanes of those who took one, or would have.
    lanes: VecDeque<usize>,
    next_lane: usize,
}

impl Order {
    pub(crate) fn new(now: Instant) -> Self {
        Self { latest: now, due: now, failures: 0, lanes: VecDeque::new(), next_lane: 0 }
    }

    /// Notes an event.
    pub(crate) fn note(&mut self, lane: usize, now: Instant) {
        self.latest = self.latest.max(now);
        if self.lanes.len() == MOST_LANES {
            self.lanes.pop_front();
        }
        self.lanes.push_back(lane);
    }

    /// Tells whether no event has come for so long.
    pub(crate) fn is_stale(&self, timeout: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.latest) >= timeout
    }

    pub(crate) fn latest(&self) -> Instant {
        self.latest
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Answers the lane that the next one is made for: where one was taken, else each in turn.
    pub(crate) fn next_lane(&mut self) -> usize {
        self.lanes.pop_front().unwrap_or_else(|| {
            self.next_lane = self.next_lane.wrapping_add(1);
            self.next_lane
        })
    }

    /// Puts the next attempt off.
    pub(crate) fn put_off(&mut self, pause: Duration, now: Instant) {
        self.due = self.due.max(now + pause);
    }

    /// Notes one that took so long to make: as long, none is made after.
    pub(crate) fn succeeded(&mut self, took: Duration, now: Instant) {
        self.failures = 0;
        self.put_off(took, now);
    }

    /// Tells whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Puts the next attempt off, longer each time; tells whether this is the first failure in a row.
    pub(crate) fn failed(&mut self, took: Duration, now: Instant) -> bool {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.put_off(pause.max(took), now);
        self.failures += 1;
        self.failures == 1
    }
}
