//! A point in time that cuts a request off, and what to say when it does.

use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use super::refusal::{Refusal, Step};

/// The end of a time-out, or the event's deadline if that comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    pub(crate) at: Instant,
    /// None when the deadline came first.
    limit: Option<Duration>,
}

impl Until {
    /// Makes the point that is `limit` after `start`, but never past the deadline.
    pub(crate) fn after(start: Instant, limit: Duration, deadline: Instant) -> Self {
        match start.checked_add(limit).filter(|at| *at < deadline) {
            Some(at) => Self { at, limit: Some(limit) },
            None => Self { at: deadline, limit: None },
        }
    }

    /// Waits for the future, but only until then.
    ///
    /// # Errors
    ///
    /// `TimedOut` or `Deadline`.
    pub(crate) async fn wait<T>(&self, step: Step, future: impl Future<Output = T>) -> Result<T, Refusal> {
        timeout_at(self.at.into(), future).await.map_err(|_| self.refusal(step))
    }

    /// Returns the point that leaves equal time to each of so many attempts.
    pub(crate) fn share(&self, attempts: usize) -> Instant {
        let now = Instant::now();
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX).max(1);
        now + self.at.saturating_duration_since(now) / attempts
    }

    /// Says what passed.
    pub(crate) fn refusal(&self, step: Step) -> Refusal {
        match self.limit {
            Some(limit) => Refusal::TimedOut { step, limit },
            None => Refusal::Deadline { step },
        }
    }
}
