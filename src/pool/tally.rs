//! How many guests were made, served and discarded.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

/// Counters, one set for each lane, so that threads do not fight over them.
pub(crate) struct Tally(Box<[CachePadded<Lane>]>);

#[derive(Default)]
struct Lane {
    created: AtomicU64,
    discarded: AtomicU64,
    served: AtomicU64,
}

impl Tally {
    pub(crate) fn new(lanes: usize) -> Self {
        Self((0..lanes.max(1)).map(|_| CachePadded::default()).collect())
    }

    fn lane(&self, lane: usize) -> &Lane {
        &self.0[lane % self.0.len()]
    }

    pub(crate) fn lanes(&self) -> usize {
        self.0.len()
    }

    /// Returns how many of a lane were discarded so far.
    pub(crate) fn discarded_of(&self, lane: usize) -> u64 {
        self.lane(lane).discarded.load(Relaxed)
    }

    pub(crate) fn created(&self, lane: usize) {
        self.lane(lane).created.fetch_add(1, Relaxed);
    }

    /// Counts one as discarded when the answer is dropped: after the guest, also one whose drop panics.
    pub(crate) fn leaving(&self, lane: usize) -> Leaving<'_> {
        Leaving(&self.lane(lane).discarded)
    }

    pub(crate) fn served(&self, lane: usize) {
        self.lane(lane).served.fetch_add(1, Relaxed);
    }

    /// Returns how many were created, discarded and served.
    pub(crate) fn sums(&self) -> (u64, u64, u64) {
        // What was discarded is read first: a guest is created before it is discarded, so the difference
        // never falls below zero.
        let discarded = self.0.iter().map(|lane| lane.discarded.load(Relaxed)).sum();
        let created = self.0.iter().map(|lane| lane.created.load(Relaxed)).sum();
        let served = self.0.iter().map(|lane| lane.served.load(Relaxed)).sum();
        (created, discarded, served)
    }
}

/// A guest on its way out.
#[must_use]
pub(crate) struct Leaving<'a>(&'a AtomicU64);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}
