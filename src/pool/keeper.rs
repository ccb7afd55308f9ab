//! Watches the pools of one runtime: discards guests that stood idle or ready too long, or whose room is wanted.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::admission::Gate;
use crate::pool::{Pool, Stagehand};

/// No guest is expected to expire.
const NEVER: u64 = u64::MAX;
/// The longest sleep, so that the thread notices pools that are gone.
const NAP: Duration = Duration::from_secs(60);

/// Watches the pools of one runtime, and knows the room that they share.
///
/// Its thread starts with the first pool that keeps guests and ends with [`close`](Self::close).
pub(crate) struct Keeper {
    room: Arc<Gate>,
    stagehand: Arc<Stagehand>,
    born: Instant,
    /// When the thread looks next, in nanoseconds since `born`.
    next: AtomicU64,
    watch: Mutex<Watch>,
    changed: Condvar,
}

#[derive(Default)]
struct Watch {
    pools: Vec<Weak<dyn Idlers>>,
    thread: Option<thread::JoinHandle<()>>,
    closed: bool,
}

/// What the keeper needs of a pool.
pub(crate) trait Idlers: Send + Sync {
    /// Since when the oldest one is idle.
    fn idle_since(&self) -> Option<Instant>;
    /// Discards the oldest one; tells whether there was one.
    fn discard_oldest(&self) -> bool;
    /// Since when no event has come for those that stand ready.
    fn ready_since(&self) -> Option<Instant>;
    /// Discards one that stands ready; tells whether there was one.
    fn discard_ready(&self) -> bool;
    /// Discards whoever is idle or ready too long, and answers when the next one will be.
    fn expire(&self, now: Instant) -> Option<Instant>;
    /// Discards all and keeps none any more.
    fn close(&self);
}

impl<G: Send + 'static> Idlers for Pool<G> {
    fn idle_since(&self) -> Option<Instant> {
        self.shelf.lock().idle.first().map(|idle| idle.since)
    }

    fn discard_oldest(&self) -> bool {
        Self::discard_oldest(self)
    }

    fn ready_since(&self) -> Option<Instant> {
        let shelf = self.shelf.lock();
        if shelf.ready.is_empty() { None } else { Some(shelf.order.latest()) }
    }

    fn discard_ready(&self) -> bool {
        Self::discard_ready(self)
    }

    fn expire(&self, now: Instant) -> Option<Instant> {
        let timeout = self.keep.idle_timeout;
        if let Some(since) = now.checked_sub(timeout) {
            loop {
                let expired = self.shelf.lock().take_older_than(since);
                match expired {
                    Some(idle) => self.discard(idle),
                    None => break,
                }
            }
        }
        let idle = self.idle_since().and_then(|since| since.checked_add(timeout));
        let ready = if self.prepares() { self.expire_ready(now) } else { None };
        idle.into_iter().chain(ready).min()
    }

    fn close(&self) {
        Self::close(self);
    }
}

impl Keeper {
    pub(crate) fn new(room: Arc<Gate>, stagehand: Arc<Stagehand>) -> Arc<Self> {
        Arc::new(Self {
            room,
            stagehand,
            born: Instant::now(),
            next: AtomicU64::new(NEVER),
            watch: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn room(&self) -> &Gate {
        &self.room
    }

    pub(crate) fn stagehand(&self) -> &Arc<Stagehand> {
        &self.stagehand
    }

    /// Watches from now on.
    pub(crate) fn watch(self: &Arc<Self>, pool: Weak<dyn Idlers>) {
        self.mind(pool);
        self.start();
    }

    /// Watches once there is a thread for it.
    pub(crate) fn mind(&self, pool: Weak<dyn Idlers>) {
        let mut watch = self.watch.lock();
        watch.pools.retain(|known| known.strong_count() > 0);
        watch.pools.push(pool);
    }

    /// Starts the thread, if there is none.
    pub(crate) fn start(self: &Arc<Self>) {
        let mut watch = self.watch.lock();
        if watch.thread.is_none() && !watch.closed {
            let keeper = Arc::clone(self);
            let thread = thread::Builder::new().name("fnhost-keeper".into()).spawn(move || keeper.run());
            // Without the thread idle guests stay until their room is wanted: slower to go, never wrong.
            watch.thread =
                thread.inspect_err(|error| tracing::warn!(%error, "no thread for idle guests")).ok();
        }
    }

    /// Notes that a guest will have been idle too long at the given time.
    pub(crate) fn expect(&self, expiry: Instant) {
        let expiry = self.nanos(expiry);
        if expiry < self.next.load(SeqCst) {
            let watch = self.watch.lock();
            self.next.fetch_min(expiry, SeqCst);
            self.changed.notify_all();
            drop(watch);
        }
    }

    /// Discards a guest that serves nobody, of whatever pool; tells whether there was one.
    pub(crate) fn make_way(&self) -> bool {
        self.stagehand.clear_one() || self.discard_longest_idle()
    }

    /// Discards the guest that has been idle longest, of whatever pool, or one that stands ready where no event
    /// has come for longest; tells whether there was one.
    pub(super) fn discard_longest_idle(&self) -> bool {
        let pools = self.pools();
        let longest = |since: fn(&dyn Idlers) -> Option<Instant>| {
            let waiting = pools.iter().filter_map(|pool| Some((since(&**pool)?, pool)));
            waiting.min_by_key(|(since, _)| *since).map(|(_, pool)| pool)
        };
        longest(|pool| pool.idle_since()).is_some_and(|pool| pool.discard_oldest())
            || pools.iter().any(|pool| pool.discard_oldest())
            || longest(|pool| pool.ready_since()).is_some_and(|pool| pool.discard_ready())
            || pools.iter().any(|pool| pool.discard_ready())
    }

    /// Discards all idle guests, keeps none any more, and ends the thread.
    pub(crate) fn close(&self) -> Option<thread::JoinHandle<()>> {
        let thread = {
            let mut watch = self.watch.lock();
            watch.closed = true;
            watch.thread.take()
        };
        self.changed.notify_all();
        self.pools().iter().for_each(|pool| pool.close());
        thread
    }

    fn pools(&self) -> Vec<Arc<dyn Idlers>> {
        self.watch.lock().pools.iter().filter_map(Weak::upgrade).collect()
    }

    fn run(&self) {
        loop {
            // Forget first, look second: a guest that is shelved from now on is either seen by the look or
            // finds `next` late enough to tell of itself.
            self.next.store(NEVER, SeqCst);
            let next = self.pools().iter().filter_map(|pool| pool.expire(Instant::now())).min();
            let mut watch = self.watch.lock();
            if watch.closed {
                return;
            }
            let next = next.map_or(NEVER, |at| self.nanos(at));
            let next = self.next.fetch_min(next, SeqCst).min(next);
            let wake = self.born + Duration::from_nanos(next).min(self.born.elapsed() + NAP);
            self.changed.wait_until(&mut watch, wake);
        }
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.born).as_nanos()).unwrap_or(NEVER - 1)
    }
}
