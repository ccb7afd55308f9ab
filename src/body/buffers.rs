//! How many bytes of requests are kept at once, over all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::error::{ErrorKind, ThrottleReason};

/// Requests that are kept have usually ended by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A bound on the bytes that are kept at once.
#[derive(Debug)]
pub(crate) struct Buffers {
    limit: u64,
    kept: AtomicU64,
}

/// What one body has of it; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    buffers: Arc<Buffers>,
    bytes: AtomicU64,
}

impl Buffers {
    #[cfg(feature = "http")]
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, kept: AtomicU64::new(0) }
    }
}

impl Share {
    #[cfg(feature = "http")]
    pub(crate) fn none_of(buffers: &Arc<Buffers>) -> Self {
        Self { buffers: Arc::clone(buffers), bytes: AtomicU64::new(0) }
    }

    /// Takes more, or says that there is not as much.
    pub(crate) fn grow(&self, bytes: usize) -> Result<(), ErrorKind> {
        let (limit, bytes) = (self.buffers.limit, bytes as u64);
        let grown = |kept: u64| kept.checked_add(bytes).filter(|kept| *kept <= limit);
        if self.buffers.kept.fetch_update(Relaxed, Relaxed, grown).is_err() {
            let reason = ThrottleReason::BuffersFull { limit };
            return Err(ErrorKind::Throttled { reason, retry_after: RETRY_AFTER });
        }
        self.bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.buffers.kept.fetch_sub(*self.bytes.get_mut(), Relaxed);
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_may_be_until_a_share_is_given_back() {
        let buffers = Arc::new(Buffers::new(10));
        let (first, second) = (Share::none_of(&buffers), Share::none_of(&buffers));
        let grows = |share: &Share, bytes| share.grow(bytes).is_ok();
        assert!(grows(&first, 4) && grows(&second, 6));
        assert!(!grows(&first, 1) && grows(&first, 0) && !grows(&first, usize::MAX));
        drop(second);
        assert!(grows(&first, 6) && !grows(&first, 1));
        drop(first);
        assert!(grows(&Share::none_of(&buffers), 10));
    }
}
