//! How a stream is laid out: what its store keeps of it.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::delivery::names::Name;
use crate::delivery::stream::Journal;
use crate::delivery::{Delivery, stream_key};
use crate::error::Error;

/// Shards of a stream unless set.
const SHARDS: u32 = 4;
/// Most shards of a stream: each is a task of its own in every runtime that reads it.
const MOST_SHARDS: u32 = 256;
/// How long records are kept unless set.
const RETENTION: Duration = Duration::from_secs(24 * 3600);

/// How a stream is made.
///
/// ```
/// use std::time::Duration;
/// use fnhost::EventStreamOptions;
///
/// let options = EventStreamOptions::new().shards(16).retention(Duration::from_secs(7 * 24 * 3600));
/// # drop(options);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "options do nothing until a stream is made with them"]
pub struct EventStreamOptions {
    shards: Option<u32>,
    retention: Option<Duration>,
}

impl EventStreamOptions {
    /// Takes a stream as it is, or makes one of 4 shards that keeps its records for 24 hours.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets over how many shards the keys are spread, 1 to 256; what the stream has, or 4, unless set. It cannot be
    /// changed, as a key would move to another shard.
    pub fn shards(mut self, shards: u32) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Sets how long records are kept, whether they were read or not; what the stream has, or 24 hours, unless set.
    /// It can be changed; another runtime knows of it when it opens the stream next.
    pub fn retention(mut self, time: Duration) -> Self {
        self.retention = Some(time);
        self
    }

    fn check(&self) -> Result<(), String> {
        match (self.shards, self.retention) {
            (Some(shards), _) if !(1..=MOST_SHARDS).contains(&shards) => {
                Err(format!("a stream of {shards} shards; give 1 to {MOST_SHARDS}"))
            }
            (_, Some(Duration::ZERO)) => Err("a stream that keeps records for no time; give some".into()),
            _ => Ok(()),
        }
    }

    /// Tells how the stream is laid out from now on.
    fn settle(&self, known: Option<Settings>) -> Result<Settings, String> {
        let retention = self.retention.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let Some(known) = known else {
            let usual = RETENTION.as_millis() as u64;
            return Ok(Settings {
                shards: self.shards.unwrap_or(SHARDS),
                retention_ms: retention.unwrap_or(usual),
            });
        };
        match self.shards.filter(|shards| *shards != known.shards) {
            Some(shards) => Err(format!(
                "has {} shards and not {shards}, which cannot be changed; give {0}, or another name",
                known.shards
            )),
            None => Ok(Settings { retention_ms: retention.unwrap_or(known.retention_ms), ..known }),
        }
    }
}

/// How a stream is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(super) shards: u32,
    retention_ms: u64,
}

impl Settings {
    pub(super) fn retention(self) -> Duration {
        Duration::from_millis(self.retention_ms)
    }

    fn encode(self) -> Bytes {
        serde_json::to_vec(&self).expect("numbers can be written").into()
    }

    fn decode(value: &Bytes) -> Result<Self, String> {
        serde_json::from_slice(value).map_err(|error| {
            format!(
                "is laid out in a way that this version does not read ({error}); use the one that made it"
            )
        })
    }
}

impl Delivery {
    /// Opens a stream, and makes it if there is none.
    pub(crate) async fn open_stream(
        &self,
        name: &str,
        options: &EventStreamOptions,
    ) -> Result<Journal, Error> {
        let name = Name::parse("stream", name).map_err(Error::configuration)?;
        let told = |reason: String| Error::configuration(format!("stream {:?} {reason}", name.as_str()));
        options.check().map_err(Error::configuration)?;
        let key = stream_key(name.as_str());
        loop {
            let kept = self.store.get(&key).await?;
            let known = kept.as_ref().map(|kept| Settings::decode(&kept.value)).transpose().map_err(told)?;
            let settings = options.settle(known).map_err(told)?;
            if known == Some(settings)
                || self.store.swap(&key, kept.map(|kept| kept.revision), settings.encode()).await?.is_some()
            {
                self.consumers.changed.notify_waiters();
                return Ok(Journal::new(name.as_str(), settings));
            }
        }
    }

    /// Opens a stream if there is one.
    pub(super) async fn find_stream(&self, name: &str) -> Result<Option<Journal>, Error> {
        let Some(kept) = self.store.get(&stream_key(name)).await? else { return Ok(None) };
        let settings = Settings::decode(&kept.value).map_err(Error::configuration)?;
        Ok(Some(Journal::new(name, settings)))
    }
}
