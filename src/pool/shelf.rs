//! Where guests stand that serve nobody now.

use std::time::Instant;

use crate::admission::Amount;
use crate::pool::order::Order;
use crate::pool::{Keep, Tenant};

/// Guests that serve nobody now, and how many live in all.
pub(crate) struct Shelf<G> {
    /// They have served, and wait for their tenant's next event; oldest first.
    pub(crate) idle: Vec<Idle<G>>,
    /// They have served nobody, and wait for whoever comes.
    pub(crate) ready: Vec<Idle<G>>,
    /// They have served, and wait for their end.
    pub(crate) spent: Vec<Idle<G>>,
    pub(crate) live: usize,
    pub(crate) closed: bool,
    pub(crate) order: Order,
    lanes: usize,
}

/// A guest that stands idle, with the room that it takes.
pub(crate) struct Idle<G> {
    pub(crate) guest: G,
    pub(crate) room: Amount,
    pub(crate) tenant: Tenant,
    pub(crate) lane: usize,
    pub(crate) uses: u64,
    pub(crate) since: Instant,
}

/// What the shelf has for an event.
pub(crate) enum Found<G> {
    Guest(Idle<G>),
    /// A new guest was counted; if that is one too many, this one has to go for it.
    Nothing(Option<Idle<G>>),
}

impl<G> Shelf<G> {
    pub(crate) fn new(lanes: usize) -> Self {
        Self {
            lanes,
            idle: Vec::new(),
            ready: Vec::new(),
            spent: Vec::new(),
            live: 0,
            closed: false,
            order: Order::new(Instant::now()),
        }
    }

    /// Takes a guest of the tenant, best one of the same lane, latest used; else one that stands ready, best one
    /// of the same lane.
    pub(crate) fn take(&mut self, tenant: &Tenant, lane: usize, most: usize) -> Found<G> {
        let mine = |idle: &Idle<G>| idle.tenant == *tenant;
        let is_near = |idle: &Idle<G>| idle.lane % self.lanes == lane % self.lanes;
        let near = self.idle.iter().rposition(|idle| is_near(idle) && mine(idle));
        if let Some(at) = near.or_else(|| self.idle.iter().rposition(mine)) {
            return Found::Guest(self.idle.remove(at));
        }
        let near = self.ready.iter().rposition(is_near);
        if let Some(at) = near.or(self.ready.len().checked_sub(1)) {
            return Found::Guest(self.ready.swap_remove(at));
        }
        self.live += 1;
        Found::Nothing(if self.live > most { self.take_spent().or_else(|| self.take_oldest()) } else { None })
    }

    /// Takes the guest that has been idle longest.
    pub(crate) fn take_oldest(&mut self) -> Option<Idle<G>> {
        if self.idle.is_empty() {
            return None;
        }
        self.live -= 1;
        Some(self.idle.remove(0))
    }

    /// Takes a guest that has been idle since before the given time.
    pub(crate) fn take_older_than(&mut self, since: Instant) -> Option<Idle<G>> {
        if self.idle.first()?.since <= since { self.take_oldest() } else { None }
    }

    /// Takes a guest that stands ready, to discard it.
    pub(crate) fn take_ready(&mut self) -> Option<Idle<G>> {
        let ready = self.ready.pop()?;
        self.live -= 1;
        Some(ready)
    }

    /// Takes a guest that waits for its end.
    pub(crate) fn take_spent(&mut self) -> Option<Idle<G>> {
        let spent = self.spent.pop()?;
        self.live -= 1;
        Some(spent)
    }

    /// Tells from when on a guest is to be made ready; nothing if enough stand, or nobody seems to come.
    ///
    /// A guest that is kept for its tenant counts, so that under reuse this is a warm minimum.
    pub(crate) fn wants(&self, keep: &Keep, now: Instant) -> Option<Instant> {
        let warm = self.ready.len() + self.idle.len();
        let has_room = warm < keep.prepared && self.live < keep.most && !self.closed;
        if has_room && !self.order.is_stale(keep.idle_timeout, now) { Some(self.order.due()) } else { None }
    }
}
