//! Which files this process still needs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cache::{Cache, Key};

/// Which files this process still needs, and how often.
#[derive(Default)]
pub(super) struct Pins(Mutex<HashMap<Key, usize>>);

impl Pins {
    /// Returns the names of all pinned files.
    pub(super) fn names(&self) -> HashSet<String> {
        self.0.lock().keys().map(Key::to_string).collect()
    }
}

/// Keeps a file from being evicted while it lives.
pub(crate) struct Pin {
    cache: Arc<Cache>,
    key: Key,
}

impl Pin {
    pub(super) fn new(cache: &Arc<Cache>, key: Key) -> Self {
        *cache.pins.0.lock().entry(key).or_default() += 1;
        Self { cache: Arc::clone(cache), key }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.cache.pins.0.lock();
        if let Some(count) = pins.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.key);
            }
        }
    }
}
