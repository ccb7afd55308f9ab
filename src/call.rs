//! One invocation on its way: what is known of it, and its report as far as it is written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::body::Seen;
use crate::context::{Context, Facts};
use crate::error::{ErrorKind, Phase};
use crate::limits::Limits;
use crate::report::Report;

/// Stands for a time-out beyond what the clock can count.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// One invocation on its way.
pub(crate) struct Call {
    pub(crate) context: Context,
    pub(crate) report: Box<Report>,
    pub(crate) arrived: Instant,
    /// It had to wait for a permit or a place; if not, it starts as it arrives.
    pub(crate) waited: bool,
    /// When it ended, if nothing that takes time comes after.
    pub(crate) ended: Option<Instant>,
    /// Counts the body, if it comes in chunks.
    pub(crate) incoming: Option<Arc<Seen>>,
    /// What the caller gave it, whatever the function's own limits are.
    callers_deadline: Option<Instant>,
}

impl Call {
    pub(crate) fn new(context: Context, arrived: Instant, event_id: Arc<str>, facts: Arc<Facts>) -> Self {
        let mut report = Box::new(Report::new(context.request_id(), event_id, facts));
        report.tenant = context.tenant_key().clone();
        report.attempt = context.attempt();
        Self {
            callers_deadline: context.deadline(),
            context,
            report,
            arrived,
            waited: false,
            ended: None,
            incoming: None,
        }
    }

    /// Hands the context over to who serves the event; what the report needs of it, it has.
    pub(crate) fn take_context(&mut self) -> Context {
        std::mem::replace(&mut self.context, Context::nobodys(self.report.request_id))
    }

    /// Returns when the event starts, and notes how long it waited; reads the clock only if it did.
    pub(crate) fn start(&mut self) -> Instant {
        if !self.waited {
            return self.arrived;
        }
        let now = Instant::now();
        self.report.queued = now.duration_since(self.arrived);
        now
    }

    /// Returns until when the event may wait to start.
    pub(crate) fn queue_deadline(&self, limits: &Limits) -> Instant {
        self.deadline(self.arrived, limits.queue_timeout)
    }

    /// Tells whether the caller's deadline had passed when the event came.
    pub(crate) fn came_too_late(&self) -> bool {
        self.callers_deadline.is_some_and(|deadline| deadline <= self.arrived)
    }

    /// Returns when a phase must be over that begins now and may take so long.
    pub(crate) fn deadline(&self, from: Instant, timeout: Duration) -> Instant {
        let own = from.checked_add(timeout).unwrap_or_else(|| from + FAR);
        self.callers_deadline.map_or(own, |callers| callers.min(own))
    }

    /// Makes the error for a deadline that passed.
    pub(crate) fn timed_out(&self, phase: Phase, since: Instant, deadline: Instant) -> ErrorKind {
        ErrorKind::TimedOut { phase, limit: deadline.saturating_duration_since(since) }
    }
}
