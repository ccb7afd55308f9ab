//! One channel in memory: the next of what may be handed out, and how much there is of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::broker::embedded::tables::Size;
use crate::broker::{Channel, Depth};
use crate::wall::Moment;

/// How many messages a window holds at most.
const WINDOW: usize = 1_024;
/// Moments are counted together when they differ in fewer bits than that, which is a quarter of a second.
const COARSE: u32 = 8;

/// Where a message stands in its channel: due, and number.
pub(super) type Place = (u64, u64);

/// What the memory has to know of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) put: u64,
    pub(super) attempt: u32,
    pub(super) size: u32,
}

impl From<Size> for Stand {
    fn from((put, attempt, size): Size) -> Self {
        Self { put, attempt, size }
    }
}

impl From<Stand> for Size {
    fn from(stand: Stand) -> Self {
        (stand.put, stand.attempt, stand.size)
    }
}

/// One channel in memory; what it holds is bounded, however much waits.
pub(super) struct Line {
    pub(super) name: Channel,
    /// The disk knows its name.
    pub(super) is_kept: bool,
    /// What comes next; everything up to the edge stands here unless it is handed out or about to change.
    window: BTreeMap<Place, Stand>,
    edge: Edge,
    counts: Depth,
    /// How many of those that wait were put when.
    ages: BTreeMap<u64, u64>,
    pub(super) changed: Arc<Notify>,
}

/// How far the window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge {
    Behind(Place),
    /// All there is stands in the window.
    End,
}

impl Line {
    pub(super) fn new(name: Channel) -> Self {
        Self {
            name,
            is_kept: false,
            window: BTreeMap::new(),
            edge: Edge::Behind((0, 0)),
            counts: Depth::default(),
            ages: BTreeMap::new(),
            changed: Arc::default(),
        }
    }

    /// Shows a message that may be handed out, unless it lies beyond the edge and is met later.
    pub(super) fn show(&mut self, place: Place, stand: Stand) {
        if self.edge != Edge::End && Edge::Behind(place) > self.edge {
            return;
        }
        self.window.insert(place, stand);
        if self.window.len() > WINDOW {
            self.window.pop_last();
            self.edge = self.window.last_key_value().map_or(self.edge, |(last, _)| Edge::Behind(*last));
        }
    }

    pub(super) fn hide(&mut self, place: Place) {
        self.window.remove(&place);
    }

    /// Takes the first that is due.
    pub(super) fn next(&mut self, now: Moment) -> Option<(Place, Stand)> {
        let (place, _) = self.window.first_key_value()?;
        if place.0 > now.0 {
            return None;
        }
        self.window.pop_first()
    }

    pub(super) fn next_due(&self) -> Option<Moment> {
        self.window.first_key_value().map(|((due, _), _)| Moment(*due))
    }

    /// Returns from where on the window is to be filled; none if that would bring nothing.
    pub(super) fn wants(&self) -> Option<Place> {
        match self.edge {
            Edge::Behind(place) if self.window.is_empty() => Some(place),
            Edge::Behind(_) | Edge::End => None,
        }
    }

    /// Moves the edge on to what was read up to.
    pub(super) fn reach(&mut self, edge: Edge) {
        self.edge = edge;
    }

    /// Forgets what comes next, as it is to be read anew.
    pub(super) fn reset(&mut self) {
        self.window.clear();
        self.edge = Edge::Behind((0, 0));
    }

    /// Returns how many messages the window holds.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.window.len()
    }

    pub(super) fn count_waiting(&mut self, stand: Stand) {
        self.counts.waiting += 1;
        self.counts.retrying += u64::from(stand.attempt > 0);
        *self.ages.entry(stand.put >> COARSE).or_default() += 1;
    }

    pub(super) fn discount_waiting(&mut self, stand: Stand) {
        self.counts.waiting -= 1;
        self.counts.retrying -= u64::from(stand.attempt > 0);
        if let Some(count) = self.ages.get_mut(&(stand.put >> COARSE)) {
            *count -= 1;
            if *count == 0 {
                self.ages.remove(&(stand.put >> COARSE));
            }
        }
    }

    pub(super) fn counts(&mut self) -> &mut Depth {
        &mut self.counts
    }

    pub(super) fn depth(&self) -> Depth {
        let oldest = self.ages.first_key_value().map(|(age, _)| Moment(age << COARSE));
        Depth { oldest, ..self.counts }
    }
}
