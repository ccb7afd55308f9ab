//! What the requests of a guest hold of their client: a place each, until the answer was read or dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// The requests of a guest that are not over; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// Each until the deadline of its event.
    until: BTreeMap<u64, Instant>,
    next: u64,
}

/// One request that is not over; dropping it says that it is.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hold {
    holdings: Holdings,
    id: u64,
}

impl Holdings {
    /// Notes a request of an event that ends at the deadline.
    pub(crate) fn hold(&self, deadline: Instant) -> Hold {
        let mut held = self.0.lock();
        let id = held.next;
        held.next += 1;
        held.until.insert(id, deadline);
        Hold { holdings: self.clone(), id }
    }

    /// Tells whether a request is not over.
    pub(crate) fn is_any(&self) -> bool {
        !self.0.lock().until.is_empty()
    }

    /// Tells whether a request is not over whose event must be.
    pub(crate) fn is_any_overdue(&self, now: Instant) -> bool {
        self.0.lock().until.values().any(|deadline| *deadline <= now)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holdings.0.lock().until.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_held_is_known_until_it_is_dropped() {
        let (holdings, now) = (Holdings::default(), Instant::now());
        let second = Duration::from_secs(1);
        let first = holdings.hold(now + second);
        let later = holdings.clone().hold(now + 2 * second);
        assert!(holdings.is_any() && !holdings.is_any_overdue(now));
        assert!(holdings.is_any_overdue(now + second));
        drop(first);
        assert!(holdings.is_any() && !holdings.is_any_overdue(now + second));
        drop(later);
        assert!(!holdings.is_any());
    }
}
