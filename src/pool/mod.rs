//! A bounded set of guests.
//!
//! A [`Pool`] hands out one guest at a time to each event: one that stands idle, or room to make one. It
//! promises that a guest serves one event at a time; that dropping a [`Lease`] discards its guest and only
//! [`Lease::release`] gives it back; that a guest that served a tenant serves no other; that live guests never
//! outnumber `most`; that room is given back only after the guest is gone; and that an idle guest makes way
//! when somebody waits for room, of whatever function. It does not know what a guest is, nor how one is made.

mod keeper;
mod lease;
mod shelf;
mod tally;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;

use crate::admission::{Amount, Gate, Refused, Ticket};
pub(crate) use crate::pool::keeper::{Idlers, Keeper};
pub(crate) use crate::pool::lease::{Lease, Vacancy};
use crate::pool::shelf::{Idle, Shelf};
pub(crate) use crate::pool::tally::Tally;

/// Whose guest it is; "nobody's" is one of them.
pub(crate) type Tenant = Option<Arc<str>>;

/// How guests are kept between events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// How many events one guest serves; 1 keeps none.
    pub(crate) max_uses: u64,
    /// How long a guest may stand idle.
    pub(crate) idle_timeout: Duration,
    /// How many guests may live.
    pub(crate) most: usize,
}

/// A bounded set of guests.
pub(crate) struct Pool<G: Send + 'static> {
    keeper: Arc<Keeper>,
    keep: Keep,
    shelf: Mutex<Shelf<G>>,
    tally: Tally,
}

/// What an event gets.
pub(crate) enum Seat<'a, G: Send + 'static> {
    /// A guest that has served before.
    Taken(Lease<'a, G>),
    /// Room for a new one.
    Empty(Vacancy<'a, G>),
}

impl<G: Send + 'static> Pool<G> {
    pub(crate) fn new(keeper: Arc<Keeper>, keep: Keep, lanes: usize) -> Arc<Self> {
        let pool = Arc::new(Self { keeper, keep, shelf: Mutex::default(), tally: Tally::new(lanes) });
        if pool.keeps() {
            pool.keeper.watch(Arc::downgrade(&pool) as _);
        }
        pool
    }

    /// Does what [`checkout`](Self::checkout) does, if that needs no waiting.
    pub(crate) fn try_checkout(&self, tenant: &Tenant, lane: usize, need: Amount) -> Option<Seat<'_, G>> {
        let berth = match self.berth(tenant, lane) {
            Ok(lease) => return Some(Seat::Taken(lease)),
            Err(berth) => berth,
        };
        let room = self.gate().try_take(need)?;
        Some(Seat::Empty(Vacancy::new(self, berth, room, lane)))
    }

    /// Takes an idle guest of this tenant, or else room for a new one, for which idle guests make way.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives everything back.
    pub(crate) async fn checkout(
        &self,
        tenant: &Tenant,
        lane: usize,
        need: Amount,
    ) -> Result<Seat<'_, G>, Refused> {
        let berth = match self.berth(tenant, lane) {
            Ok(lease) => return Ok(Seat::Taken(lease)),
            Err(berth) => berth,
        };
        let room = self.room(need).await?;
        Ok(Seat::Empty(Vacancy::new(self, berth, room, lane)))
    }

    /// Takes an idle guest of this tenant, or else the right to have one more.
    fn berth(&self, tenant: &Tenant, lane: usize) -> Result<Lease<'_, G>, Berth<'_, G>> {
        if !self.keeps() {
            return Err(Berth(None));
        }
        let (taken, displaced) = self.shelf.lock().take(tenant, lane, self.keep.most);
        if let Some(displaced) = displaced {
            self.discard(displaced);
        }
        taken.map(|idle| Lease::again(self, idle)).ok_or_else(|| Berth(Some(&self.shelf)))
    }

    /// Waits for room, and discards whoever has been idle longest as long as there is none.
    async fn room(&self, need: Amount) -> Result<Ticket<'_>, Refused> {
        let gate = self.keeper.room();
        if let Some(ticket) = gate.try_take(need) {
            return Ok(ticket);
        }
        let mut waiting = pin!(gate.take(need));
        poll_fn(|cx| {
            loop {
                match waiting.as_mut().poll(cx) {
                    Poll::Pending if self.keeper.discard_longest_idle() => {}
                    polled => return polled,
                }
            }
        })
        .await
    }

    /// Discards all idle guests and keeps none from now on.
    pub(crate) fn close(&self) {
        self.shelf.lock().closed = true;
        self.clear();
    }

    /// Discards all idle guests.
    fn clear(&self) {
        while self.discard_oldest() {}
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(crate) fn idle(&self) -> usize {
        self.shelf.lock().idle.len()
    }

    fn keeps(&self) -> bool {
        self.keep.max_uses > 1
    }

    fn discard_oldest(&self) -> bool {
        let oldest = self.shelf.lock().take_oldest();
        oldest.map(|idle| self.discard(idle)).is_some()
    }

    /// Drops the guest first and gives its room back second.
    fn discard(&self, idle: Idle<G>) {
        let Idle { guest, room, lane, .. } = idle;
        drop(guest);
        self.tally.discarded(lane);
        self.gate().give_back(room);
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    fn gate(&self) -> &Gate {
        self.keeper.room()
    }
}

impl<G: Send + 'static> Drop for Pool<G> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Counts as one of the live guests of a pool that keeps some; dropping it counts it off.
struct Berth<'a, G>(Option<&'a Mutex<Shelf<G>>>);

impl<G> Drop for Berth<'_, G> {
    fn drop(&mut self) {
        if let Some(shelf) = self.0 {
            shelf.lock().live -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
