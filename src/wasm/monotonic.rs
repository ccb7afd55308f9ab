//! The monotonic clock that guests read.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock that guests read: nanoseconds since the Unix epoch, as this process first knew it.
///
/// The engine's own begins at zero with each guest. What init or a sample remembers of that would lie ahead of every
/// guest that is made from the snapshot, and time would run backwards for it.
pub(crate) struct Monotonic;

static BEGAN: LazyLock<(Instant, Duration)> =
    LazyLock::new(|| (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()));

impl wasmtime_wasi::HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        let (began, since_epoch) = *BEGAN;
        u64::try_from((since_epoch + began.elapsed()).as_nanos()).unwrap_or(u64::MAX)
    }
}
