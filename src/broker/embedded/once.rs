//! The once keys in memory, by their hash: about 100 bytes for each.

use std::collections::{BTreeSet, HashMap};

use crate::wall::Moment;

/// How many keys are known at most.
const MOST: usize = 1_000_000;
/// How many are forgotten in one step.
const MOST_FORGOTTEN: usize = 1_024;

/// The once keys and when they are free again.
#[derive(Default)]
pub(super) struct Keys {
    known: HashMap<u128, (u64, Moment)>,
    until: BTreeSet<(Moment, u64, u128)>,
}

impl Keys {
    /// Returns what a key is known by; two keys never share it.
    pub(super) fn hash(key: &str) -> u128 {
        let hash = blake3::hash(key.as_bytes());
        u128::from_be_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
    }

    /// Returns the message of a key that is not free yet.
    pub(super) fn get(&self, hash: u128, now: Moment) -> Option<u64> {
        self.known.get(&hash).filter(|(_, until)| *until > now).map(|(number, _)| *number)
    }

    pub(super) fn is_full(&self) -> bool {
        self.known.len() >= MOST
    }

    pub(super) fn insert(&mut self, hash: u128, number: u64, until: Moment) {
        self.known.insert(hash, (number, until));
        self.until.insert((until, number, hash));
    }

    /// Frees the key of a message.
    pub(super) fn remove(&mut self, hash: u128, number: u64) {
        if let Some((_, until)) = self.known.get(&hash).copied().filter(|(holder, _)| *holder == number) {
            self.known.remove(&hash);
            self.until.remove(&(until, number, hash));
        }
    }

    /// Forgets keys whose time is over, and returns their messages.
    pub(super) fn forget(&mut self, now: Moment) -> Vec<u64> {
        let mut gone = Vec::new();
        while gone.len() < MOST_FORGOTTEN
            && let Some((until, number, hash)) = self.until.first().copied()
            && until <= now
        {
            self.until.pop_first();
            if self.known.get(&hash).is_some_and(|(holder, _)| *holder == number) {
                self.known.remove(&hash);
            }
            gone.push(number);
        }
        gone
    }
}
