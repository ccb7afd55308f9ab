//! Exclusive use of one guest.

use std::sync::Arc;
use std::time::Instant;

use crate::admission::{Amount, Ticket};
use crate::pool::shelf::Idle;
use crate::pool::{Berth, Pool, Tenant};

/// Room for a guest that is still to be made; dropping it gives the room back.
#[must_use]
pub(crate) struct Vacancy<'a, G: Send + 'static> {
    pool: &'a Pool<G>,
    room: Ticket<'a>,
    berth: Berth<'a, G>,
    lane: usize,
}

impl<'a, G: Send + 'static> Vacancy<'a, G> {
    pub(super) fn new(pool: &'a Pool<G>, berth: Berth<'a, G>, room: Ticket<'a>, lane: usize) -> Self {
        Self { pool, room, berth, lane }
    }

    /// Returns the room that there is.
    pub(crate) fn granted(&self) -> Amount {
        self.room.amount()
    }

    /// Puts the new guest in; what of the room it does not need is given back.
    pub(crate) fn fill(mut self, guest: G, used: Amount) -> Lease<'a, G> {
        self.room.shrink_to(used);
        self.pool.tally.created(self.lane);
        Lease {
            guest: Some(guest),
            pool: self.pool,
            room: Some(self.room),
            berth: Some(self.berth),
            uses: 0,
            lane: self.lane,
        }
    }
}

/// Exclusive use of one guest; dropping it discards the guest.
#[must_use]
pub(crate) struct Lease<'a, G: Send + 'static> {
    guest: Option<G>,
    pool: &'a Pool<G>,
    room: Option<Ticket<'a>>,
    berth: Option<Berth<'a, G>>,
    uses: u64,
    pub(super) lane: usize,
}

impl<'a, G: Send + 'static> Lease<'a, G> {
    pub(super) fn again(pool: &'a Pool<G>, idle: Idle<G>) -> Self {
        let Idle { guest, room, lane, uses, .. } = idle;
        let room = pool.gate().ticket(room);
        Self { guest: Some(guest), pool, room: Some(room), berth: Some(Berth(Some(pool))), uses, lane }
    }

    /// Takes the guest elsewhere, with all that it holds; none when it is not one that is kept.
    pub(crate) fn carry(mut self) -> Option<Carried<G>> {
        let pool = self.pool.me.upgrade()?;
        let (guest, room, berth) = (self.guest.take()?, self.room.take()?, self.berth.take()?);
        // Counted until it is leased again.
        std::mem::forget(berth);
        let (room, lane, uses) = (room.keep(), self.lane, self.uses);
        Some(Carried {
            pool,
            idle: Some(Idle { guest, room, tenant: None, lane, uses, since: Instant::now() }),
        })
    }

    /// Counts more uses than the one that a release counts.
    pub(crate) fn add_uses(&mut self, more: u64) {
        self.uses = self.uses.saturating_add(more);
    }

    pub(crate) fn guest(&mut self) -> &mut G {
        self.guest.as_mut().expect("the guest leaves with the lease")
    }

    /// Gives the guest back after a call that finished; it is kept for its tenant, or discarded when it has
    /// served often enough or somebody waits for its room. `now` is when the call ended.
    pub(crate) fn release(self, tenant: Tenant, now: Instant) {
        self.release_under(tenant, now, ());
    }

    /// Does what [`release`](Self::release) does; the lock is held until the guest is kept, and not while one ends.
    pub(crate) fn release_under(mut self, tenant: Tenant, now: Instant, lock: impl Sized) {
        self.pool.tally.served(self.lane);
        self.uses += 1;
        let keep = self.pool.keep;
        if self.uses >= keep.max_uses || self.pool.gate().waiting() > 0 {
            drop(lock);
            return self.part();
        }
        let mut shelf = self.pool.shelf.lock();
        if shelf.closed {
            return;
        }
        let (guest, room) = (self.guest.take(), self.room.take());
        if let (Some(guest), Some(room)) = (guest, room) {
            shelf.idle.push(Idle {
                guest,
                room: room.keep(),
                tenant,
                lane: self.lane,
                uses: self.uses,
                since: now,
            });
        }
        // The guest lives on, so it stays counted.
        std::mem::forget(self.berth.take());
        drop(shelf);
        drop(lock);
        // A time-out beyond what the clock can count never comes.
        if let Some(expiry) = now.checked_add(keep.idle_timeout) {
            self.pool.keeper.expect(expiry);
        }
        // Shelved first, looked second: who came for room in between has either found this guest or is seen now.
        if self.pool.gate().waiting() > 0 {
            self.pool.discard_oldest();
        }
    }

    /// Ends the guest after a call that finished: here, or by the stagehand if that takes long.
    fn part(mut self) {
        let Some(guest) = self.guest.take() else { return };
        match (self.room.take(), self.berth.take()) {
            (Some(room), Some(berth)) if self.pool.is_heavy() => {
                self.pool.hand_over(guest, room, berth, self.lane);
            }
            // The guest goes first: only then is its room free.
            _room => self.pool.end(guest, self.lane),
        }
    }
}

impl<G: Send + 'static> Drop for Lease<'_, G> {
    fn drop(&mut self) {
        // The guest goes first: only then is its room free.
        if let Some(guest) = self.guest.take() {
            let _leaving = self.pool.tally.leaving(self.lane);
            drop(guest);
        }
    }
}

/// A guest on its way to who leases it next; dropping it discards the guest.
pub(crate) struct Carried<G: Send + 'static> {
    pool: Arc<Pool<G>>,
    idle: Option<Idle<G>>,
}

impl<G: Send + 'static> Carried<G> {
    /// Returns how often the guest has served.
    pub(crate) fn uses(&self) -> u64 {
        self.idle.as_ref().map_or(0, |idle| idle.uses)
    }

    /// Leases the guest again; once.
    pub(crate) fn lease(&mut self) -> Option<Lease<'_, G>> {
        self.idle.take().map(|idle| Lease::again(&self.pool, idle))
    }
}

impl<G: Send + 'static> Drop for Carried<G> {
    fn drop(&mut self) {
        drop(self.lease());
    }
}
