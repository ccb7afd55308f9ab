//! How guests end: small ones at once, large ones off the path of their event.
//!
//! An event that made its guest in 2 us drops it in as many; a language's engine takes 24 to 48. So the pool
//! looks now and then how long it takes, and hands large guests to the [`Stagehand`](crate::pool::Stagehand), unless
//! events run on all cores. Until it has come to them they live, and hold their room; they are the first to go when
//! room is wanted. A guest whose call was cut off is dropped by whoever cut it off, so that its room is free then.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::admission::Ticket;
use crate::pool::shelf::Idle;
use crate::pool::{Berth, Pool};

/// Handing a guest over costs a lock and sometimes a wake-up; less than this is not worth it.
const HEAVY: Duration = Duration::from_micros(15);
/// How many of one function wait at most: each keeps its memory resident, and the next guest needs another place.
/// The thread keeps up with more than one event in 50 us, so few ever wait.
const MOST_SPENT: usize = 4;
/// The first ones are all timed, then one of so many.
const TIMED_FIRST: u64 = 16;
const TIMED_EVERY: u64 = 64;
/// How many times are compared.
const WINDOW: u32 = 8;

/// How long guests of one function take to drop.
pub(crate) struct Weight {
    times: u32,
    fastest: Duration,
}

impl Default for Weight {
    fn default() -> Self {
        Self { times: 0, fastest: Duration::MAX }
    }
}

impl Weight {
    /// Notes a time; after each window tells whether they are heavy.
    ///
    /// The fastest of a window counts: a thread that is stopped midway takes milliseconds for anything.
    pub(super) fn note(&mut self, took: Duration) -> Option<bool> {
        self.times += 1;
        self.fastest = self.fastest.min(took);
        if self.times < WINDOW {
            return None;
        }
        Some(std::mem::take(self).fastest > HEAVY)
    }
}

impl<G: Send + 'static> Pool<G> {
    /// Drops the guest, and counts it off; its room is free only after that.
    pub(super) fn end(&self, guest: G, lane: usize) {
        let earlier = self.tally.discarded_of(lane);
        let _leaving = self.tally.leaving(lane);
        if earlier < TIMED_FIRST || earlier.is_multiple_of(TIMED_EVERY) || self.is_heavy() {
            self.end_timed(guest);
        } else {
            drop(guest);
        }
    }

    /// Drops a guest that serves nobody first, and gives its room back second.
    ///
    /// It may be anybody's thread that does so, which is not to suffer when that panics.
    pub(super) fn discard(&self, idle: Idle<G>) {
        let Idle { guest, room, lane, .. } = idle;
        let room = self.gate().ticket(room);
        let ended = catch_unwind(AssertUnwindSafe(|| self.end(guest, lane)));
        drop(room);
        if ended.is_err() && !self.panicked.swap(true, Relaxed) {
            tracing::error!("dropping a guest panicked; its room is free all the same");
        }
        self.call_if_wanting();
    }

    fn end_timed(&self, guest: G) {
        let started = Instant::now();
        drop(guest);
        let noted = self.weight.lock().note(started.elapsed());
        let Some(heavy) = noted else { return };
        if heavy != self.is_heavy() {
            self.set_heavy(heavy);
        }
    }

    pub(super) fn set_heavy(&self, heavy: bool) {
        if heavy {
            self.keeper.stagehand().start();
        }
        self.heavy.store(heavy, Relaxed);
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.heavy.load(Relaxed)
    }

    /// Leaves a guest to the stagehand, or drops it here when that would keep somebody waiting.
    pub(super) fn hand_over(&self, guest: G, room: Ticket<'_>, berth: Berth<'_, G>, lane: usize) {
        let stagehand = self.keeper.stagehand();
        let (out, total) = (self.gate().out(), self.gate().total());
        // Memory that a guest grows by is not waited for, so what spent ones hold must not come to lack.
        let is_roomy = out.units() * 2 <= total.units() && out.pages() * 2 <= total.pages();
        let mut shelf = self.shelf.lock();
        let is_full = shelf.closed || shelf.spent.len() >= MOST_SPENT || self.gate().waiting() > 0;
        if is_full || !is_roomy || !berth.is_counted() || !stagehand.is_free() {
            drop(shelf);
            self.end(guest, lane);
            return drop((room, berth));
        }
        let room = room.keep();
        shelf.spent.push(Idle { guest, room, tenant: None, lane, uses: 0, since: self.born });
        // The guest lives until it is dropped, so it stays counted.
        std::mem::forget(berth);
        drop(shelf);
        stagehand.list_spent(self.me.clone());
        stagehand.call();
        // Put there first, looked second: who closes the stagehand, or came for room, has either found this guest
        // or is seen now.
        if self.gate().waiting() > 0 || !stagehand.works() {
            self.clear_one();
        }
    }

    /// Drops a guest that waits for its end; tells whether there was one.
    pub(super) fn clear_one(&self) -> bool {
        let mut shelf = self.shelf.lock();
        let Some(spent) = shelf.take_spent() else { return false };
        let is_last = shelf.spent.is_empty();
        drop(shelf);
        if !is_last {
            // Who waits for room is to find the others while this one is dropped.
            self.keeper.stagehand().list_spent(self.me.clone());
        }
        self.discard(spent);
        true
    }
}
