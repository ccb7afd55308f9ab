//! Counts what runs, and lets others wait until it is less.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// Counts what runs.
#[derive(Default)]
pub(crate) struct Load {
    count: AtomicUsize,
    freed: Notify,
}

/// Counts as running until it is dropped.
#[must_use]
pub(crate) struct Running(Arc<Load>);

impl Load {
    pub(crate) fn run(self: &Arc<Self>) -> Running {
        self.count.fetch_add(1, SeqCst);
        Running(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(SeqCst)
    }

    /// Waits until fewer run than the bound says, which is asked anew each time; answers how many more may.
    pub(crate) async fn room(&self, most: impl Fn() -> usize) -> usize {
        loop {
            let freed = self.freed.notified();
            let room = most().saturating_sub(self.count());
            if room > 0 {
                return room;
            }
            freed.await;
        }
    }

    /// Waits until nothing runs.
    pub(crate) async fn idle(&self) {
        loop {
            let freed = self.freed.notified();
            if self.count() == 0 {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, SeqCst);
        self.0.freed.notify_waiters();
    }
}
