//! How the records of a stream reach a function.

use std::time::{Duration, SystemTime};

use crate::delivery::names::Name;
use crate::delivery::{Batch, Destination, Retry};

/// Records of a batch unless set.
const RECORDS: usize = 100;
/// How long a shard stays with a runtime that is not heard of.
const LEASE: Duration = Duration::from_secs(30);
/// Shortest such time: it is renewed each third of it, over a network maybe.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Where a trigger begins to read a shard that it has not read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// Behind what is there: only what is appended from now on.
    Latest,
    /// At the oldest record that is still kept.
    Oldest,
    /// At the first record that came at that time or later.
    At(SystemTime),
}

/// Brings the records of a stream to a function, in batches, each shard in order.
///
/// ```
/// use std::time::Duration;
/// use fnhost::{Batch, Destination, Position, Retry, StreamTrigger};
///
/// let trigger = StreamTrigger::new("clicks")
///     .to("archive")
///     .batch(Batch::of(500).window(Duration::from_secs(1)))
///     .start(Position::Oldest)
///     .retry(Retry::new().attempts(5))
///     .halve_on_error()
///     .on_failure(Destination::queue("bad-clicks"));
/// # drop(trigger);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a trigger does nothing until a runtime has it"]
pub struct StreamTrigger {
    stream: String,
    target: Option<String>,
    batch: Batch,
    start: Position,
    retry: Retry,
    halve: bool,
    on_failure: Vec<Destination>,
    lease: Duration,
}

impl StreamTrigger {
    /// Begins a trigger that reads a stream, from its latest record on.
    pub fn new(stream: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            target: None,
            batch: Batch::of(RECORDS),
            start: Position::Latest,
            retry: Retry::new(),
            halve: false,
            on_failure: Vec::new(),
            lease: LEASE,
        }
    }

    /// Sets the function, or one version of it; it must be set.
    pub fn to(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    pub(crate) fn target(&self) -> Option<String> {
        self.target.clone()
    }

    /// Sets how many records become one event; 100, without a window, unless set.
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batch = batch;
        self
    }

    /// Sets where it begins where it has not read before; [`Position::Latest`] unless set.
    pub fn start(mut self, start: Position) -> Self {
        self.start = start;
        self
    }

    /// Sets how often a batch is tried, with which pauses, and how old a record may be when it is; as
    /// [`Retry::new`] unless set.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Has a batch that failed tried again in two halves, which uses up no attempts, until a record that fails is
    /// alone; a batch stays together unless set.
    pub fn halve_on_error(mut self) -> Self {
        self.halve = true;
        self
    }

    /// Adds a destination for what is given up; without one it stays in the stream and is only logged.
    pub fn on_failure(mut self, destination: impl Into<Destination>) -> Self {
        self.on_failure.push(destination.into());
        self
    }

    /// Sets after what time the shards of a runtime that died are taken over; 30 seconds unless set, at least 1.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Makes what reads, under the name of the trigger, for a target; says what cannot work.
    pub(crate) fn into_consumer(self, name: &str, target: &str) -> Result<Consumer, String> {
        let function = target.split(':').next().unwrap_or_default();
        let name = Name::parse("trigger", name)?;
        let stream = Name::parse("stream", &self.stream)?;
        Name::parse("function", function)?;
        self.batch.check()?;
        self.retry.check().map_err(|reason| format!("retry: {reason}"))?;
        self.on_failure.iter().try_for_each(Destination::check)?;
        if self.lease < SHORTEST_LEASE {
            return Err(format!("a lease of {:?}; give at least {SHORTEST_LEASE:?}", self.lease));
        }
        Ok(Consumer {
            name: name.as_str().into(),
            stream: stream.as_str().into(),
            target: target.into(),
            function: function.into(),
            batch: self.batch,
            start: self.start,
            retry: self.retry,
            halve: self.halve,
            on_failure: self.on_failure,
            lease: self.lease,
        })
    }
}

/// What reads a stream for a function; its settings were checked.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(super) name: String,
    pub(super) stream: String,
    /// As it was written; resolved anew for each batch.
    pub(super) target: String,
    /// The name in the target.
    pub(super) function: String,
    pub(super) batch: Batch,
    pub(super) start: Position,
    pub(super) retry: Retry,
    pub(super) halve: bool,
    pub(super) on_failure: Vec<Destination>,
    pub(super) lease: Duration,
}
