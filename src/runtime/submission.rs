//! What became of events that nobody waited for.

use std::time::SystemTime;

use crate::broker::{Cancel, State, SubmissionId};
use crate::delivery::{Attempt, Death, History, Summary};
use crate::error::Error;
use crate::report::Report;
use crate::runtime::Runtime;

/// What became of a submitted event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Submission {
    /// It was not tried yet.
    Waiting {
        /// When it will be, at the earliest.
        due: SystemTime,
    },
    /// It is being tried.
    Running {
        /// Which attempt it is, from 1.
        attempt: u32,
    },
    /// It failed, and will be tried again.
    Retrying {
        /// When, at the earliest.
        next: SystemTime,
        /// What went wrong so far.
        attempts: Vec<Attempt>,
    },
    /// It was answered.
    Done {
        /// When.
        at: SystemTime,
        /// What the last attempt cost; of the log it has the last KB.
        report: Box<Report>,
    },
    /// It was given up, and is a dead letter.
    Dead {
        /// Why.
        death: Death,
        /// What went wrong.
        attempts: Vec<Attempt>,
    },
    /// It was cancelled before it ran, or between two attempts.
    Cancelled,
}

/// What came of cancelling an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancellation {
    /// It will not run, and not again; also when it was cancelled before.
    Cancelled,
    /// It is running right now, and goes on.
    Running,
    /// It is done, or a dead letter.
    Over,
    /// Nothing is known of such an event; what is done is forgotten after a while.
    Unknown,
}

impl Runtime {
    /// Tells what became of a submitted event; none if it is not known, or not any more.
    ///
    /// What is done is known for as long as [`Broker::remember`](crate::Broker::remember) says.
    ///
    /// # Errors
    ///
    /// Why the broker cannot tell.
    pub async fn submission(&self, id: &SubmissionId) -> Result<Option<Submission>, Error> {
        Ok(self.core().delivery.store.state(id).await?.map(submission))
    }

    /// Cancels a submitted event if it is not running right now.
    ///
    /// # Errors
    ///
    /// Why the broker cannot cancel it.
    pub async fn cancel_submission(&self, id: &SubmissionId) -> Result<Cancellation, Error> {
        Ok(match self.core().delivery.store.cancel(id).await? {
            Cancel::Cancelled => Cancellation::Cancelled,
            Cancel::Running => Cancellation::Running,
            Cancel::Over => Cancellation::Over,
            Cancel::Unknown => Cancellation::Unknown,
        })
    }
}

fn submission(state: State) -> Submission {
    match state {
        State::Waiting { due, notes, .. } => {
            let attempts = History::decode(&notes).into_attempts();
            match attempts.is_empty() {
                true => Submission::Waiting { due: due.time() },
                false => Submission::Retrying { next: due.time(), attempts },
            }
        }
        State::Running { attempt } => Submission::Running { attempt: attempt + 1 },
        State::Done { summary } => done(&summary),
        State::Dead { notes } => {
            let history = History::decode(&notes);
            let death = history.death.unwrap_or(Death::Unreadable);
            Submission::Dead { death, attempts: history.into_attempts() }
        }
        State::Cancelled => Submission::Cancelled,
    }
}

fn done(summary: &bytes::Bytes) -> Submission {
    match Summary::decode(summary) {
        Some(summary) => Submission::Done { at: summary.at(), report: Box::new(summary.into_report()) },
        // Another version kept it; that it is done is sure.
        None => Submission::Done { at: SystemTime::UNIX_EPOCH, report: Box::new(Report::empty().clone()) },
    }
}
