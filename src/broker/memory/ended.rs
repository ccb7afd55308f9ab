//! What became of messages, for a while.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::broker::State;
use crate::wall::Moment;

/// How many endings are known at most.
const MOST: usize = 100_000;

/// What became of messages.
pub(super) struct Ended {
    remember: Duration,
    states: HashMap<u64, State>,
    order: VecDeque<(u64, Moment)>,
}

impl Ended {
    pub(super) fn new(remember: Duration) -> Self {
        Self { remember, states: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn get(&mut self, number: u64, now: Moment) -> Option<State> {
        self.forget(now);
        self.states.get(&number).cloned()
    }

    pub(super) fn note(&mut self, number: u64, state: State, now: Moment) {
        self.forget(now);
        self.states.insert(number, state);
        self.order.push_back((number, now));
    }

    fn forget(&mut self, now: Moment) {
        while let Some((number, at)) = self.order.front().copied() {
            if self.order.len() < MOST && now.since(at) < self.remember {
                return;
            }
            self.order.pop_front();
            self.states.remove(&number);
        }
    }
}
