//! Values by key, and who hears of their changes; also for a store that keeps the values elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::broker::{Listener, Versioned};

/// Values by key.
#[derive(Default)]
pub(crate) struct Values {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    values: BTreeMap<String, Versioned>,
    next: u64,
    listeners: Vec<(String, Arc<Listener<Change>>)>,
}

/// A key, and its new value if it has one.
type Change = (String, Option<Bytes>);

impl Values {
    pub(crate) fn get(&self, key: &str) -> Option<Versioned> {
        self.held.lock().values.get(key).cloned()
    }

    pub(crate) fn swap(&self, key: &str, revision: Option<u64>, value: Bytes) -> Option<u64> {
        let next = {
            let mut held = self.held.lock();
            if held.values.get(key).map(|known| known.revision) != revision {
                return None;
            }
            held.next += 1;
            let revision = held.next;
            held.values.insert(key.into(), Versioned { value: value.clone(), revision });
            revision
        };
        self.tell(&(key.into(), Some(value)));
        Some(next)
    }

    /// Takes over what is kept elsewhere.
    #[cfg(feature = "embedded")]
    pub(crate) fn note(&self, key: String, value: Option<Versioned>) {
        let change = (key, value.as_ref().map(|known| known.value.clone()));
        {
            let values = &mut self.held.lock().values;
            match value {
                Some(value) => drop(values.insert(change.0.clone(), value)),
                None => drop(values.remove(&change.0)),
            }
        }
        self.tell(&change);
    }

    pub(crate) fn remove(&self, key: &str) {
        let removed = self.held.lock().values.remove(key);
        if removed.is_some() {
            self.tell(&(key.into(), None));
        }
    }

    pub(crate) fn listen(&self, prefix: &str, listener: Listener<Change>) {
        let listener = Arc::new(listener);
        let known: Vec<Change> = {
            let mut held = self.held.lock();
            held.listeners.push((prefix.into(), Arc::clone(&listener)));
            let known = held.values.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
            known.map(|(key, known)| (key.clone(), Some(known.value.clone()))).collect()
        };
        known.iter().for_each(|change| listener(change));
    }

    fn tell(&self, change: &Change) {
        let listeners = {
            let held = self.held.lock();
            let fitting = held.listeners.iter().filter(|(prefix, _)| change.0.starts_with(prefix.as_str()));
            fitting.map(|(_, listener)| Arc::clone(listener)).collect::<Vec<_>>()
        };
        listeners.iter().for_each(|listener| listener(change));
    }
}
