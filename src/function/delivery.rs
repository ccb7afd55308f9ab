//! How the submitted events of a function are delivered.

use crate::delivery::{Destination, Retry};
use crate::function::Function;

impl Function {
    /// Sets how often a submitted event is tried, with which pauses, and how old it may become; see [`Retry`].
    ///
    /// It holds for what is submitted to the function: by `submit`, schedules and destinations. What comes from a
    /// queue, a topic or a stream is tried as its trigger says.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Adds where the outcome of a submitted event goes that was answered; nowhere unless set.
    ///
    /// As with [`retry`](Self::retry), what comes from a queue, a topic or a stream is not meant; triggers have no such
    /// destination.
    pub fn on_success(mut self, destination: impl Into<Destination>) -> Self {
        self.policy.on_success.push(destination.into());
        self
    }

    /// Adds where the outcome of a submitted event goes that was given up; nowhere unless set. It is a dead letter as
    /// well.
    ///
    /// As with [`retry`](Self::retry), what comes from a queue, a topic or a stream is not meant; its trigger has an
    /// `on_failure` of its own.
    pub fn on_failure(mut self, destination: impl Into<Destination>) -> Self {
        self.policy.on_failure.push(destination.into());
        self
    }
}
