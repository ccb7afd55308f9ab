//! A function's code on one shard, with all that its guests need to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::admission::Gate;
use crate::clock::Face;
use crate::context::Facts;
#[cfg(feature = "http")]
use crate::outbound::Outbound;
use crate::pool::Keeper;
use crate::wasm::contract::http::Sender;
use crate::wasm::program::Mapped;
use crate::wasm::recipe::Recipe;

/// A function's code on one shard, with all that its guests need to know.
///
/// Everything that is counted by reference is counted here once for each shard, so that threads of different
/// shards never write to the same count.
pub(crate) struct Linked {
    pub(crate) mapped: Arc<Mapped>,
    pub(crate) recipe: Arc<Recipe>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) face: Arc<Face>,
    pub(crate) room: Arc<Gate>,
    pub(crate) keeper: Arc<Keeper>,
    /// What sends the requests of guests; none where they make none.
    #[cfg(feature = "http")]
    pub(crate) outbound: Option<Outbound>,
    pub(crate) imports_wasi: bool,
    /// An instance can be made without a fiber.
    pub(crate) is_quiet: bool,
    /// It is a snapshot: what init did is in its memories, and must not be done again.
    pub(crate) is_initialized: bool,
    pub(crate) fuel: bool,
}

impl Linked {
    /// Makes what sends a guest's requests, where it may make some.
    #[cfg(feature = "http")]
    pub(crate) fn sender(&self) -> Option<Sender> {
        self.outbound.as_ref().map(Sender::new)
    }

    /// Makes what sends a guest's requests, where it may make some.
    #[cfg(not(feature = "http"))]
    pub(crate) fn sender(&self) -> Option<Sender> {
        None
    }

    /// Returns the host's async runtime, if there is one here and something of the host may be called.
    pub(crate) fn host(&self) -> Option<tokio::runtime::Handle> {
        if self.recipe.grants.is_empty() { None } else { tokio::runtime::Handle::try_current().ok() }
    }
}

/// Where a shard's code stands while it is mapped there.
#[derive(Default)]
pub(crate) struct Slot {
    linked: ArcSwapOption<Linked>,
    /// When it was last used, in nanoseconds since the mappings began.
    used: AtomicU64,
}

impl Slot {
    /// Returns the code, if it is mapped, for use now.
    pub(crate) fn take(&self, now: Duration) -> Option<Arc<Linked>> {
        let linked = self.linked.load_full()?;
        self.used.store(nanos(now), Relaxed);
        Some(linked)
    }

    pub(crate) fn put(&self, linked: &Arc<Linked>, now: Duration) {
        self.used.store(nanos(now), Relaxed);
        self.linked.store(Some(Arc::clone(linked)));
    }

    /// Forgets the code; guests that run on it keep it until they go.
    pub(crate) fn clear(&self) {
        self.linked.store(None);
    }

    /// Returns since when nobody uses the code; none when it is in use, or not there.
    pub(crate) fn idle_since(&self) -> Option<Duration> {
        let linked = self.linked.load();
        let is_idle = linked.as_ref().is_some_and(|linked| Arc::strong_count(linked) == 1);
        is_idle.then(|| Duration::from_nanos(self.used.load(Relaxed)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.linked.load().is_none()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
