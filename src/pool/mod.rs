//! A bounded set of guests.
//!
//! A [`Pool`] hands out one guest at a time to each event: one that stands idle, or room to make one. It
//! promises that a guest serves one event at a time; that dropping a [`Lease`] discards its guest and only
//! [`Lease::release`] gives it back; that a guest that served a tenant serves no other; that no more than `most`
//! live; that room is given back only after the guest is gone; and that an idle guest makes way when somebody
//! waits for room, of whatever function. One more lives for a moment when an event comes while a guest is being
//! made ready, which then goes at once. It does not know what a guest is, nor how one is made.

mod keeper;
mod lease;
mod order;
mod prepared;
mod shelf;
mod stagehand;
mod tally;
mod teardown;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::admission::{Amount, Gate, Refused, Ticket};
pub(crate) use crate::pool::keeper::{Idlers, Keeper};
pub(crate) use crate::pool::lease::{Carried, Lease, Vacancy};
pub(crate) use crate::pool::prepared::Factory;
use crate::pool::shelf::{Found, Shelf};
pub(crate) use crate::pool::stagehand::Stagehand;
pub(crate) use crate::pool::tally::Tally;
use crate::pool::teardown::Weight;

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
    /// How many stand ready before their events come.
    pub(crate) prepared: usize,
}

/// A bounded set of guests.
pub(crate) struct Pool<G: Send + 'static> {
    keeper: Arc<Keeper>,
    keep: Keep,
    shelf: Mutex<Shelf<G>>,
    tally: Tally,
    factory: OnceLock<Box<dyn Factory<G>>>,
    weight: Mutex<Weight>,
    /// Dropping a guest takes long enough to leave it to the stagehand.
    heavy: AtomicBool,
    /// Dropping one has panicked.
    panicked: AtomicBool,
    born: Instant,
    me: Weak<Self>,
}

/// What an event gets.
pub(crate) enum Seat<'a, G: Send + 'static> {
    /// A guest that has served before.
    Taken(Lease<'a, G>),
    /// A new guest that stood ready.
    Prepared(Lease<'a, G>),
    /// Room for a new one.
    Empty(Vacancy<'a, G>),
}

impl<G: Send + 'static> Pool<G> {
    pub(crate) fn new(keeper: Arc<Keeper>, keep: Keep, lanes: usize) -> Arc<Self> {
        let pool = Arc::new_cyclic(|me| Self {
            keeper,
            keep,
            shelf: Mutex::new(Shelf::new(lanes.max(1))),
            tally: Tally::new(lanes),
            factory: OnceLock::new(),
            weight: Mutex::default(),
            heavy: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            born: Instant::now(),
            me: Weak::clone(me),
        });
        if pool.keeps() {
            pool.keeper.watch(Arc::downgrade(&pool) as _);
        }
        pool
    }

    /// Does what [`checkout`](Self::checkout) does, if that needs no waiting.
    pub(crate) fn try_checkout(&self, tenant: &Tenant, lane: usize, need: Amount) -> Option<Seat<'_, G>> {
        let berth = match self.berth(tenant, lane) {
            Ok(seat) => return Some(seat),
            Err(berth) => berth,
        };
        let room = self.gate().try_take(need)?;
        Some(Seat::Empty(Vacancy::new(self, berth, room, lane)))
    }

    /// Takes an idle guest of this tenant, or one that stands ready, or else room for a new one, for which guests
    /// that serve nobody make way.
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
            Ok(seat) => return Ok(seat),
            Err(berth) => berth,
        };
        let room = self.room(need).await?;
        Ok(Seat::Empty(Vacancy::new(self, berth, room, lane)))
    }

    /// Takes an idle guest of this tenant, or one that stands ready, or else the right to have one more.
    fn berth(&self, tenant: &Tenant, lane: usize) -> Result<Seat<'_, G>, Berth<'_, G>> {
        if !self.counts() {
            return Err(Berth(None));
        }
        let found = if self.prepares() {
            self.take_noting(tenant, lane)
        } else {
            self.shelf.lock().take(tenant, lane, self.keep.most)
        };
        match found {
            Found::Guest(idle) if idle.uses == 0 => Ok(Seat::Prepared(Lease::again(self, idle))),
            Found::Guest(idle) => Ok(Seat::Taken(Lease::again(self, idle))),
            Found::Nothing(displaced) => {
                let berth = Berth(Some(self));
                if let Some(displaced) = displaced {
                    self.discard(displaced);
                }
                Err(berth)
            }
        }
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
                    Poll::Pending if self.keeper.make_way() => {}
                    polled => return polled,
                }
            }
        })
        .await
    }

    /// Discards all guests that serve nobody and keeps none from now on.
    pub(crate) fn close(&self) {
        self.shelf.lock().closed = true;
        self.clear();
    }

    /// Discards all guests that serve nobody.
    fn clear(&self) {
        while self.clear_one() || self.discard_oldest() || self.discard_ready() {}
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(crate) fn idle(&self) -> usize {
        self.shelf.lock().idle.len()
    }

    /// Returns how many guests live, those on their way out included.
    pub(crate) fn live(&self) -> usize {
        // Exact where it is counted; else two sums, between which guests come and go.
        if self.keeps() {
            return self.shelf.lock().live;
        }
        let (created, discarded, _) = self.tally.sums();
        usize::try_from(created - discarded).unwrap_or(usize::MAX)
    }

    /// Tells whether guests may stand idle or ready.
    fn keeps(&self) -> bool {
        self.keep.max_uses > 1 || self.keep.prepared > 0
    }

    /// Tells whether it matters how many guests live.
    fn counts(&self) -> bool {
        self.keeps() || self.is_heavy()
    }

    fn discard_oldest(&self) -> bool {
        let oldest = self.shelf.lock().take_oldest();
        oldest.map(|idle| self.discard(idle)).is_some()
    }

    pub(crate) fn keeper(&self) -> &Arc<Keeper> {
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

/// Counts as one of the live guests of a pool where that matters; dropping it counts it off.
struct Berth<'a, G: Send + 'static>(Option<&'a Pool<G>>);

impl<G: Send + 'static> Berth<'_, G> {
    fn is_counted(&self) -> bool {
        self.0.is_some()
    }
}

impl<G: Send + 'static> Drop for Berth<'_, G> {
    fn drop(&mut self) {
        if let Some(pool) = self.0 {
            pool.shelf.lock().live -= 1;
            pool.call_if_wanting();
        }
    }
}

#[cfg(test)]
mod tests;
