//! Which programs are mapped, and which goes when there are too many.
//!
//! Each mapping costs a descriptor, three mappings of the kernel's and some tens of kilobytes, on each shard. A host
//! may deploy ten thousand functions of which few are hot, so no more than a bound stay mapped: past it the one
//! goes that was idle longest. One in use never goes, so while all are, there may be more.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::pool::Idlers;
use crate::wasm::linked::Slot;

/// Without a limit that the system tells.
const SOME: usize = 1_000;
/// Fewer would be mapped again all the time.
const FEWEST: usize = 16;
/// How soon it is looked again after those that cannot go now.
const LOOK: Duration = Duration::from_secs(1);
/// Mappings of the kernel's that one program takes on one shard.
const KERNELS: usize = 3;

/// Which programs are mapped; one on two shards counts twice.
pub(crate) struct Mappings {
    most: usize,
    /// None where nothing brings code back but memory, which unloading would not free.
    unload_after: Option<Duration>,
    born: Instant,
    count: Arc<AtomicUsize>,
    slots: Mutex<Vec<Weak<Slot>>>,
}

/// Counts as one mapping while it lives.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Mappings {
    pub(crate) fn new(most: Option<usize>, unload_after: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            most: most.unwrap_or_else(a_quarter_of_the_limits),
            unload_after,
            born: Instant::now(),
            count: Arc::default(),
            slots: Mutex::default(),
        })
    }

    /// Returns the time by which use is noted.
    pub(crate) fn time(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.born)
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Counts one mapping more.
    pub(crate) fn begin(&self) -> Counted {
        self.count.fetch_add(1, SeqCst);
        Counted(Arc::clone(&self.count))
    }

    /// Notes that a slot was filled; who is idle longest goes while there are too many. Answers when this one
    /// will have been idle too long.
    pub(crate) fn filled(&self, slot: &Arc<Slot>) -> Option<Instant> {
        let this = Arc::downgrade(slot);
        let mut slots = self.slots.lock();
        slots.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&this));
        slots.push(this);
        drop(slots);
        while self.count() > self.most && self.unload(|_| true, slot) {}
        let now = Instant::now();
        if self.count() > self.most { now.checked_add(LOOK) } else { now.checked_add(self.unload_after?) }
    }

    /// Unloads whoever is idle longest, if the time since when suits; tells whether there was one.
    fn unload(&self, suits: impl Fn(Duration) -> bool, but: &Arc<Slot>) -> bool {
        let others = self.slots().into_iter().filter(|slot| !Arc::ptr_eq(slot, but));
        let oldest =
            others.filter_map(|slot| Some((slot.idle_since()?, slot))).min_by_key(|(since, _)| *since);
        let Some((_, slot)) = oldest.filter(|(since, _)| suits(*since)) else { return false };
        // Outside of the lock: unmapping takes its time. An event that came for it meanwhile keeps it.
        slot.clear();
        let gone = Arc::downgrade(&slot);
        let mut slots = self.slots.lock();
        slots.retain(|known| !known.ptr_eq(&gone));
        // One that was mapped again meanwhile stays known.
        if !slot.is_empty() {
            slots.push(gone);
        }
        true
    }
}

impl Mappings {
    /// Unloads who was idle for too long, and answers when the next one will have been.
    fn expire_idle(&self, now: Instant) -> Option<Instant> {
        let (nobody, unload_after) = (Arc::default(), self.unload_after?);
        let limit = self.time(now).checked_sub(unload_after);
        while limit.is_some_and(|limit| self.unload(|since| since <= limit, &nobody)) {}
        let slots = self.slots();
        let filled = slots.iter().filter(|slot| !slot.is_empty());
        // One in use is looked at again after the whole time, and never at once.
        let next = |slot: &Arc<Slot>| match slot.idle_since() {
            Some(since) => self.born.checked_add(since)?.checked_add(unload_after),
            None => now.checked_add(unload_after.max(LOOK)),
        };
        filled.filter_map(next).min()
    }

    /// Returns all slots; they are let go outside of the lock, as whatever they hold may go with them.
    fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl Idlers for Mappings {
    fn idle_since(&self) -> Option<Instant> {
        None
    }

    fn discard_oldest(&self) -> bool {
        // A mapping holds none of the room that somebody may wait for.
        false
    }

    fn ready_since(&self) -> Option<Instant> {
        None
    }

    fn discard_ready(&self) -> bool {
        false
    }

    fn expire(&self, now: Instant) -> Option<Instant> {
        let nobody = Arc::default();
        while self.count() > self.most && self.unload(|_| true, &nobody) {}
        let soon = (self.count() > self.most).then(|| now + LOOK);
        soon.into_iter().chain(self.expire_idle(now)).min()
    }

    fn close(&self) {
        self.slots().iter().for_each(|slot| slot.clear());
    }
}

#[cfg(unix)]
fn a_quarter_of_the_limits() -> usize {
    let number = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let files =
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.map_or(usize::MAX, number);
    let maps = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let maps = maps.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(usize::MAX);
    let quarter = (files / 4).min(maps / 4 / KERNELS);
    if files == usize::MAX && maps == usize::MAX { SOME } else { quarter.max(FEWEST) }
}

#[cfg(not(unix))]
fn a_quarter_of_the_limits() -> usize {
    SOME
}
