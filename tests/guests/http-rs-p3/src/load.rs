//! How many requests this guest has served, and how many at once.

use std::sync::atomic::{AtomicU64, Ordering};

static SERVED: AtomicU64 = AtomicU64::new(0);
static NOW: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

/// One request, from its beginning until its head is answered.
pub(crate) struct Load;

impl Load {
    pub(crate) fn enter() -> Self {
        SERVED.fetch_add(1, Ordering::Relaxed);
        PEAK.fetch_max(NOW.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        NOW.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn served() -> u64 {
    SERVED.load(Ordering::Relaxed)
}

/// Returns the most that were served at once.
pub(crate) fn peak() -> u64 {
    PEAK.load(Ordering::Relaxed)
}
