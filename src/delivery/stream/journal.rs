//! Where the records of a stream go, and how long they stay.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::broker::{Shard, Trouble};
use crate::delivery::Delivery;
use crate::delivery::stream::settings::Settings;
use crate::wall::Moment;

/// Between two times that old records of one shard are forgotten.
const TRIM: Duration = Duration::from_secs(60);

/// A stream as who appends and who reads knows it; a cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    name: Arc<str>,
    settings: Settings,
}

impl Journal {
    pub(super) fn new(name: &str, settings: Settings) -> Self {
        Self { name: name.into(), settings }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shards(&self) -> u32 {
        self.settings.shards
    }

    pub(crate) fn retention(&self) -> Duration {
        self.settings.retention()
    }

    pub(super) fn shard(&self, number: u32) -> Shard {
        Shard { stream: Arc::clone(&self.name), number }
    }

    /// Returns the shard of a key: the same on every machine and in every version, or the order of keys is lost.
    fn shard_of(&self, key: &str) -> Shard {
        let hash = blake3::hash(key.as_bytes());
        let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
        let number = u64::from_le_bytes(*first) % u64::from(self.settings.shards);
        self.shard(number as u32)
    }
}

/// What is remembered of appending and trimming.
#[derive(Default)]
pub(crate) struct Upkeep {
    /// Counts what has no key.
    spread: AtomicU64,
    trimmed: Mutex<HashMap<Shard, Moment>>,
}

impl Upkeep {
    /// Tells whether a shard is to be trimmed now, by whoever asks.
    fn is_due(&self, shard: &Shard, now: Moment) -> bool {
        let mut trimmed = self.trimmed.lock();
        match trimmed.get_mut(shard) {
            Some(last) if now.since(*last) < TRIM => false,
            Some(last) => {
                *last = now;
                true
            }
            None => {
                trimmed.insert(shard.clone(), now);
                true
            }
        }
    }
}

impl Delivery {
    /// Appends to the shard of the key, or to one shard after another if there is none; all or none.
    pub(crate) async fn append(
        &self,
        journal: &Journal,
        key: Option<&str>,
        payloads: Vec<Bytes>,
    ) -> Result<(u32, u64), Trouble> {
        let shard = match key {
            Some(key) => journal.shard_of(key),
            None => {
                let turn = self.upkeep.spread.fetch_add(1, Relaxed);
                journal.shard((turn % u64::from(journal.shards())) as u32)
            }
        };
        self.trim(journal, &shard).await;
        let last = self.store.append(&shard, payloads).await?;
        Ok((shard.number, last))
    }

    /// Forgets what is older than the retention, now and then.
    pub(super) async fn trim(&self, journal: &Journal, shard: &Shard) {
        let now = self.wall.now();
        if !self.upkeep.is_due(shard, now) {
            return;
        }
        let retention = u64::try_from(journal.retention().as_millis()).unwrap_or(u64::MAX);
        let Some(before) = now.0.checked_sub(retention) else { return };
        if let Err(trouble) = self.store.trim(shard, Moment(before)).await {
            tracing::warn!(
                ?trouble,
                ?shard,
                "old records cannot be forgotten; it is tried again in a minute"
            );
        }
    }
}
