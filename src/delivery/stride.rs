//! How many messages are taken for a batch at a time.
//!
//! A batch may have ten thousand messages, and a message eight million bytes: what is taken is in memory as a whole, and
//! what does not fit is given back to be taken again. So no more are taken than will fit, if they are like the last ones.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::broker::Lease;
use crate::delivery::Batch;

/// How many are taken while nothing is known of their size.
const FIRST: usize = 32;

/// How large the last messages of a channel were, on average.
#[derive(Default)]
pub(super) struct Stride(AtomicUsize);

impl Stride {
    /// Returns how many more to take for a batch that has so many messages and bytes.
    pub(super) fn next(&self, batch: Batch, (count, bytes): (usize, usize)) -> usize {
        let fitting = match self.0.load(Relaxed) {
            0 => FIRST,
            average => (batch.bytes.saturating_sub(bytes) / average).max(1),
        };
        fitting.min(batch.most - count)
    }

    /// Notes what was taken, and returns how many bytes that were.
    pub(super) fn note(&self, leases: &[Lease]) -> usize {
        let bytes = leases.iter().map(|lease| lease.payload.len()).sum();
        self.note_bytes(bytes, leases.len());
        bytes
    }

    fn note_bytes(&self, bytes: usize, count: usize) {
        if let Some(average) = bytes.checked_div(count) {
            self.0.store(average.max(1), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_taken_as_will_fit() {
        let (stride, batch) = (Stride::default(), Batch::of(10_000).bytes(1_000_000));
        assert_eq!(stride.next(batch, (0, 0)), FIRST, "nothing is known yet");
        assert_eq!(stride.next(Batch::of(7), (0, 0)), 7);
        stride.note_bytes(10 * 50_000, 10);
        assert_eq!(stride.next(batch, (0, 0)), 20);
        assert_eq!(stride.next(batch, (10, 500_000)), 10);
        assert_eq!(stride.next(batch, (10, 2_000_000)), 1);
        stride.note_bytes(0, 0);
        assert_eq!(stride.next(batch, (0, 0)), 20, "nothing came");
        stride.note_bytes(10, 100);
        assert_eq!(stride.next(batch, (1, 10)), 9_999);
    }
}
