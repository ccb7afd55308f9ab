//! The messages of one channel: which may be handed out, and when.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::broker::Depth;
use crate::wall::Moment;

/// The order of one channel's messages; numbers grow in the order in which they were put.
#[derive(Default)]
pub(super) struct Line {
    /// What may be handed out once it is due: of each key the first alone.
    ready: BTreeSet<(Moment, u64)>,
    /// Of each key, what is neither done nor dead, in order.
    keys: HashMap<Arc<str>, VecDeque<(u64, Moment)>>,
    waiting: BTreeSet<u64>,
    running: BTreeSet<u64>,
}

/// What the line has to know of a message.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) key: Option<Arc<str>>,
    pub(super) due: Moment,
}

impl Line {
    pub(super) fn join(&mut self, place: &Place) {
        self.waiting.insert(place.number);
        if let Some(key) = &place.key {
            let queue = self.keys.entry(Arc::clone(key)).or_default();
            queue.push_back((place.number, place.due));
            if queue.len() > 1 {
                return;
            }
        }
        self.ready.insert((place.due, place.number));
    }

    /// Hands out the first that is due.
    pub(super) fn next(&mut self, now: Moment) -> Option<u64> {
        let (due, number) = self.ready.first().copied().filter(|(due, _)| *due <= now)?;
        self.ready.remove(&(due, number));
        self.waiting.remove(&number);
        self.running.insert(number);
        Some(number)
    }

    /// Returns when the next one is due.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.ready.first().map(|(due, _)| *due)
    }

    /// Takes back what was handed out, to where it stood; it is the first of its key still.
    pub(super) fn rejoin(&mut self, place: &Place) {
        self.running.remove(&place.number);
        self.waiting.insert(place.number);
        self.ready.insert((place.due, place.number));
    }

    /// Lets a message go, handed out or not, and makes way for the next of its key.
    pub(super) fn leave(&mut self, place: &Place) {
        self.running.remove(&place.number);
        self.waiting.remove(&place.number);
        self.ready.remove(&(place.due, place.number));
        let Some(key) = &place.key else { return };
        let Some(queue) = self.keys.get_mut(key) else { return };
        let was_first = queue.front().is_some_and(|(number, _)| *number == place.number);
        queue.retain(|(number, _)| *number != place.number);
        match queue.front() {
            Some((number, due)) if was_first => drop(self.ready.insert((*due, *number))),
            Some(_) => {}
            None => drop(self.keys.remove(key)),
        }
    }

    pub(super) fn depth(&self) -> Depth {
        Depth { waiting: self.waiting.len() as u64, running: self.running.len() as u64, ..Depth::default() }
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().copied()
    }
}
