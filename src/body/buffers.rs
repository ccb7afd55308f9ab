//! How many bytes of requests are kept at once, over all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

    /// Takes more, if there is as much; answers the limit where there is not.
    pub(crate) fn grow(&self, bytes: u64) -> Result<(), u64> {
        let limit = self.buffers.limit;
        let grown = |kept: u64| kept.checked_add(bytes).filter(|kept| *kept <= limit);
        self.buffers.kept.fetch_update(Relaxed, Relaxed, grown).map_err(|_| limit)?;
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
        assert_eq!((first.grow(4), second.grow(6)), (Ok(()), Ok(())));
        assert_eq!((first.grow(1), first.grow(0), first.grow(u64::MAX)), (Err(10), Ok(()), Err(10)));
        drop(second);
        assert_eq!((first.grow(6), first.grow(1)), (Ok(()), Err(10)));
        drop(first);
        assert_eq!(Share::none_of(&buffers).grow(10), Ok(()));
    }
}
