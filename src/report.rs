//! What an invocation cost, how it started, how it ended; who is told.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::context::{Facts, RequestId};
use crate::escape::Escaped;

/// What one invocation cost and how it ended; there is one for every ending, rejections too.
///
/// `Display` is one line in the shape that users of function services know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Names the invocation.
    pub request_id: RequestId,
    /// The event's id.
    pub event_id: Arc<str>,
    /// Whose event it was.
    pub tenant: Option<Arc<str>>,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// How the guest came to be; none when the event never started.
    pub start: Option<Start>,
    /// The time spent waiting for a permit and a place.
    pub queued: Duration,
    /// The time spent making a guest, and loading or mapping its program before that.
    pub setup: Duration,
    /// The time that the guest's init took; none when the event waited for none.
    pub init: Option<Duration>,
    /// The time from the handler's call to its answer.
    pub handler: Duration,
    /// The time from the arrival of the event to the end.
    pub total: Duration,
    /// Wall clock summed over the polls of the guest: an upper bound of the processor time it used.
    pub busy: Duration,
    /// The largest sum of the guest's linear memories, in bytes; 0 for native handlers.
    pub peak_memory: u64,
    /// Fuel used by the handler; none where the runtime does not meter it.
    pub fuel: Option<u64>,
    /// Length of the event's body.
    pub bytes_in: u64,
    /// Length of the answer's body.
    pub bytes_out: u64,
    /// What the guest did over HTTP; none when it made no request.
    pub outbound: Option<Box<OutboundUse>>,
    /// The last 4 KiB of what the guest logged, as it came; lossy where it was not UTF-8.
    pub log_tail: String,
    /// How many bytes of log were cut because the guest logged more than its limit.
    pub log_dropped: u64,
    /// How it ended.
    pub outcome: Outcome,
    pub(crate) facts: Arc<Facts>,
}

/// What one event did over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboundUse {
    /// How many requests it made, refused ones too.
    pub requests: u64,
    /// How many bytes of bodies it sent.
    pub bytes_sent: u64,
    /// How many bytes of bodies it received.
    pub bytes_received: u64,
    /// How many requests were refused, or failed.
    pub refused: u64,
    /// Why the first eight of those were: which rule was missing, which limit was met.
    pub refusals: Vec<String>,
}

/// How the guest that served an event came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// The event waited until the code was ready on this shard, mapped or shared with another function of the same
    /// code; then a new guest was made.
    Cold,
    /// A new guest was made while the event waited.
    Fresh,
    /// A new guest that stood ready; its init, if it has one, had run before the event came.
    Prepared,
    /// A guest that has served before.
    Reused,
    /// A handler in Rust; there is no guest.
    Native,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cold => "cold",
            Self::Fresh => "fresh",
            Self::Prepared => "prepared",
            Self::Reused => "reused",
            Self::Native => "native",
        })
    }
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler answered.
    Success,
    /// There is no answer; the name of the error's kind.
    Error(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Error(name) => name,
        })
    }
}

impl Report {
    pub(crate) fn new(request_id: RequestId, event_id: Arc<str>, facts: Arc<Facts>) -> Self {
        Self {
            request_id,
            event_id,
            tenant: None,
            attempt: 1,
            start: None,
            queued: Duration::ZERO,
            setup: Duration::ZERO,
            init: None,
            handler: Duration::ZERO,
            total: Duration::ZERO,
            busy: Duration::ZERO,
            peak_memory: 0,
            fuel: None,
            bytes_in: 0,
            bytes_out: 0,
            outbound: None,
            log_tail: String::new(),
            log_dropped: 0,
            outcome: Outcome::Success,
            facts,
        }
    }

    /// The report of a response that no runtime has seen.
    pub(crate) fn empty() -> &'static Self {
        static EMPTY: LazyLock<Report> =
            LazyLock::new(|| Report::new(RequestId::new(), "".into(), Arc::default()));
        &EMPTY
    }

    /// Returns the function's name; as it was asked for when there is no such function.
    pub fn function(&self) -> &str {
        &self.facts.name
    }

    /// Returns the function's version; 0 when there is no such function.
    pub fn version(&self) -> u64 {
        self.facts.version
    }

    /// Returns the BLAKE3 hash of the function's code, in hexadecimal; none for native handlers.
    pub fn code_hash(&self) -> Option<&str> {
        self.facts.hash.as_deref()
    }

    /// Returns the function's memory limit in bytes.
    pub fn memory_limit(&self) -> u64 {
        self.facts.memory_limit
    }

    /// Returns what would be billed: setup, init and handler, rounded up to whole milliseconds.
    pub fn billed(&self) -> Duration {
        let used = self.setup + self.init.unwrap_or_default() + self.handler;
        Duration::from_millis(u64::try_from(used.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "REPORT RequestId: {}\tFunction: {}:{}\tDuration: {:.3} ms\tBilled Duration: {} ms\tMemory Size: {} MB\
             \tMax Memory Used: {} MB",
            self.request_id,
            Escaped(self.function()),
            self.version(),
            self.handler.as_secs_f64() * 1e3,
            self.billed().as_millis(),
            self.memory_limit() >> 20,
            self.peak_memory.div_ceil(1 << 20),
        )?;
        if let Some(init) = self.init {
            write!(f, "\tInit Duration: {:.3} ms", init.as_secs_f64() * 1e3)?;
        }
        if let Some(start) = self.start {
            write!(f, "\tStart: {start} ({:.1} us)", self.setup.as_secs_f64() * 1e6)?;
        }
        if !self.queued.is_zero() {
            write!(f, "\tQueued: {:.3} ms", self.queued.as_secs_f64() * 1e3)?;
        }
        if self.log_dropped > 0 {
            write!(f, "\tLog Cut: {} B", self.log_dropped)?;
        }
        write!(f, "\tStatus: {}", self.outcome)
    }
}

/// Somebody who hears of every ending.
pub(crate) type Observer = Box<dyn Fn(&Report) + Send + Sync>;

/// Tells each observer; a panic in one harms nobody.
pub(crate) fn tell(observers: &[Observer], report: &Report) {
    for observer in observers {
        if catch_unwind(AssertUnwindSafe(|| observer(report))).is_err() {
            tracing::error!(request_id = %report.request_id, "an observer panicked; it is called again next time");
        }
    }
}
