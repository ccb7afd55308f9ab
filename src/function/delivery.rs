//! How the submitted events of a function are delivered.

use crate::delivery::Retry;
use crate::function::Function;

impl Function {
    /// Sets how often a submitted event is tried, with which pauses, and how old it may become; see [`Retry`].
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }
}
