//! Where idle guests stand.

use std::time::Instant;

use crate::admission::Amount;
use crate::pool::Tenant;

/// Idle guests, oldest first, and how many live in all.
pub(crate) struct Shelf<G> {
    pub(crate) idle: Vec<Idle<G>>,
    pub(crate) live: usize,
    pub(crate) closed: bool,
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

impl<G> Default for Shelf<G> {
    fn default() -> Self {
        Self { idle: Vec::new(), live: 0, closed: false }
    }
}

impl<G> Shelf<G> {
    /// Takes a guest of the tenant, best one of the same lane, latest used.
    ///
    /// Without one, a new guest is counted as live, and when that is one too many the second answer is the
    /// guest that has to go for it.
    pub(crate) fn take(
        &mut self,
        tenant: &Tenant,
        lane: usize,
        most: usize,
    ) -> (Option<Idle<G>>, Option<Idle<G>>) {
        let mine = |idle: &Idle<G>| idle.tenant == *tenant;
        let near = self.idle.iter().rposition(|idle| idle.lane == lane && mine(idle));
        if let Some(at) = near.or_else(|| self.idle.iter().rposition(mine)) {
            return (Some(self.idle.remove(at)), None);
        }
        self.live += 1;
        let displaced = if self.live > most { self.take_oldest() } else { None };
        (None, displaced)
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
}
