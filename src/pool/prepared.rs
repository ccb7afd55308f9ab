//! Guests made before their events come.
//!
//! A pool with a [`Factory`] keeps up to `prepared` guests ready. It promises that each of them goes to one
//! event only; that they count as live, and none is begun when `most` live; that room for one is taken
//! only when it is free and nobody waits for it; and that all of them are given back when no event has come for
//! the idle time-out. Who makes them is the [`Stagehand`](crate::pool::Stagehand).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::admission::{Amount, Ticket};
use crate::error::ErrorKind;
use crate::pool::shelf::{Found, Idle};
use crate::pool::{Berth, Pool, Tenant};

/// How long a pool waits that found no room, or whose guest had to make room.
const CROWDED: Duration = Duration::from_millis(50);

/// Makes guests of one function.
pub(crate) trait Factory<G>: Send + Sync {
    /// Names the function, for those who read the log.
    fn function(&self) -> &str;

    /// Tells what room a guest needs.
    fn need(&self) -> Amount;

    /// Makes a guest in the room granted, and says what it used of it; it may take its time.
    fn make(&self, lane: usize, granted: Amount) -> Result<(G, Amount), ErrorKind>;
}

/// How long an event that took a guest has before the next one is made, unless it ends earlier.
const GRACE: Duration = Duration::from_millis(2);

impl<G: Send + 'static> Pool<G> {
    /// Has the stagehand make guests ready from now on.
    pub(crate) fn prepare_with(&self, factory: Box<dyn Factory<G>>) {
        // The second one of a pool would be a mistake; the first one goes on.
        let _ = self.factory.set(factory);
        self.keeper.stagehand().enlist(self.me.clone());
    }

    /// Returns how many guests stand ready.
    pub(crate) fn ready(&self) -> usize {
        if self.prepares() { self.shelf.lock().ready.len() } else { 0 }
    }

    /// Tells whether guests are to stand ready.
    pub(crate) fn prepares(&self) -> bool {
        self.keep.prepared > 0
    }

    /// Calls the stagehand if a guest is wanted.
    pub(super) fn call_if_wanting(&self) {
        if !self.prepares() {
            return;
        }
        if let Some(due) = self.wants(Instant::now()) {
            self.keeper.stagehand().call_for(due);
        }
    }

    /// Takes what the shelf has for an event, and has the stagehand replace it.
    pub(super) fn take_noting(&self, tenant: &Tenant, lane: usize) -> Found<G> {
        let now = Instant::now();
        let mut shelf = self.shelf.lock();
        shelf.order.note(lane, now);
        let found = shelf.take(tenant, lane, self.keep.most);
        let wants = shelf.wants(&self.keep, now);
        drop(shelf);
        if let Some(due) = wants {
            // Most events are over by then; making a guest beside one slows its page faults by half.
            self.keeper.stagehand().call_for(due.max(now + GRACE));
        }
        found
    }

    /// Tells from when on a guest is to be made.
    pub(super) fn wants(&self, now: Instant) -> Option<Instant> {
        self.shelf.lock().wants(&self.keep, now)
    }

    /// Makes one guest and lets it stand ready, unless somebody else has better use of its room.
    pub(super) fn refill(&self) {
        let Some(factory) = self.factory.get() else { return };
        let Some((berth, lane)) = self.begin() else { return };
        let started = Instant::now();
        let made = catch_unwind(AssertUnwindSafe(|| self.make(&**factory, lane)));
        let panicked = || ErrorKind::Engine { reason: "making a guest panicked".into() };
        match made.unwrap_or_else(|_| Err(panicked())) {
            Ok(Some((guest, room))) => self.stand((guest, room, berth), lane, started),
            Ok(None) => self.shelf.lock().order.put_off(CROWDED, Instant::now()),
            Err(kind) => self.failed(factory.function(), &kind, started),
        }
    }

    /// Makes one, if there is room.
    fn make(&self, factory: &dyn Factory<G>, lane: usize) -> Result<Option<(G, Ticket<'_>)>, ErrorKind> {
        let Some(mut room) = self.gate().try_take(factory.need()) else { return Ok(None) };
        let (guest, used) = factory.make(lane, room.amount())?;
        room.shrink_to(used);
        Ok(Some((guest, room)))
    }

    /// Counts the guest that is to be made.
    fn begin(&self) -> Option<(Berth<'_, G>, usize)> {
        let mut shelf = self.shelf.lock();
        shelf.wants(&self.keep, Instant::now())?;
        shelf.live += 1;
        Some((Berth(Some(self)), shelf.order.next_lane() % self.tally.lanes()))
    }

    /// Lets the guest stand ready, or discards it.
    fn stand(&self, (guest, room, berth): (G, Ticket<'_>, Berth<'_, G>), lane: usize, started: Instant) {
        let now = Instant::now();
        let mut shelf = self.shelf.lock();
        shelf.order.succeeded(now.duration_since(started), now);
        // While it was made, events may have come that are counted too.
        if shelf.closed || shelf.live > self.keep.most || self.gate().waiting() > 0 {
            shelf.order.put_off(CROWDED, now);
            drop(shelf);
            drop(guest);
            return drop((room, berth));
        }
        self.tally.created(lane);
        let room = room.keep();
        shelf.ready.push(Idle { guest, room, tenant: None, lane, uses: 0, since: now });
        let expiry = shelf.order.latest().checked_add(self.keep.idle_timeout);
        // The guest lives on, so it stays counted.
        std::mem::forget(berth);
        drop(shelf);
        if let Some(expiry) = expiry {
            self.keeper.expect(expiry);
        }
        // Put there first, looked second: as with a guest that is released.
        if self.gate().waiting() > 0 {
            self.discard_ready();
        }
    }

    fn failed(&self, function: &str, kind: &ErrorKind, started: Instant) {
        let is_first = self.shelf.lock().order.failed(started.elapsed(), Instant::now());
        if is_first && !matches!(kind, ErrorKind::ShuttingDown) {
            tracing::warn!(function, error = %kind, "no guest can be prepared; events make their own meanwhile");
        }
    }

    /// Discards a guest that stands ready, as its room is wanted; tells whether there was one.
    pub(super) fn discard_ready(&self) -> bool {
        let ready = {
            let mut shelf = self.shelf.lock();
            shelf.order.put_off(CROWDED, Instant::now());
            shelf.take_ready()
        };
        ready.map(|ready| self.discard(ready)).is_some()
    }

    /// Gives all guests that stand ready back when no event has come for too long; answers when that will be.
    pub(super) fn expire_ready(&self, now: Instant) -> Option<Instant> {
        loop {
            let mut shelf = self.shelf.lock();
            if !shelf.order.is_stale(self.keep.idle_timeout, now) {
                let is_any = !shelf.ready.is_empty();
                return shelf.order.latest().checked_add(self.keep.idle_timeout).filter(|_| is_any);
            }
            let stale = shelf.take_ready();
            drop(shelf);
            self.discard(stale?);
        }
    }
}
