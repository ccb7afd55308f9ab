//! One attempt at one event.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Lease, Verdict};
use crate::delivery::destination::Outcome;
use crate::delivery::retry::{Fault, Next, Tried, fault_in, fault_of};
use crate::delivery::sequel::Sequel;
use crate::delivery::{Death, Delivery, History, Parcel, Policy, Summary};
use crate::error::{Error, ErrorKind};
use crate::event::Response;

/// How long a chain of events may be.
pub(super) const MOST_LINEAGE: usize = 16;

/// What becomes of a message, and what follows from it.
pub(super) struct Ending {
    pub(super) verdict: Verdict,
    pub(super) then: Sequel,
}

impl Delivery {
    /// Makes one attempt at an event, and settles what becomes of it.
    pub(super) async fn deliver(&self, mut lease: Lease, policy: &Arc<Policy>) {
        let parcel = Parcel::decode(&lease.payload);
        let death = match &parcel {
            None => Some(Death::Unreadable),
            Some(parcel) => self.too_late(parcel, &lease, policy),
        };
        match (parcel, death) {
            (Some(parcel), None) => self.deliver_parcel(&mut lease, &parcel, policy).await,
            (parcel, death) => {
                let history = History::decode(&lease.notes);
                let ending = self.bury(history, death.unwrap_or(Death::Unreadable), parcel.as_ref(), policy);
                self.settle(&mut lease, ending).await;
            }
        }
    }

    /// Sends an event to its target, and settles what becomes of it; a runtime that ends gives it back.
    pub(super) async fn deliver_parcel(&self, lease: &mut Lease, parcel: &Parcel, policy: &Policy) {
        let Some(host) = self.host() else { return };
        let context = parcel.context(lease.attempt + 1);
        let ending = match host.invoke(&parcel.target, context, parcel.event.clone()).await {
            Ok(response) => self.answered(lease, parcel, policy, &response),
            Err(error) if self.gives_back(&error) => return,
            Err(error) => self.failed(lease, parcel, policy, &error),
        };
        self.settle(lease, ending).await;
    }

    /// Tells whether an event comes again as if it had not been tried. What is cancelled while the runtime goes on comes
    /// after a pause, or it would come again and again without one.
    pub(super) fn gives_back(&self, error: &Error) -> bool {
        is_end(error) && (self.is_stopped() || !matches!(error.kind(), ErrorKind::Cancelled))
    }

    /// Tells why an event is not even tried.
    pub(super) fn too_late(&self, parcel: &Parcel, lease: &Lease, policy: &Policy) -> Option<Death> {
        if parcel.lineage.len() > MOST_LINEAGE {
            return Some(Death::RecursiveInvocation);
        }
        policy
            .retry
            .is_too_old(parcel.aged_from(lease.put), self.wall.now())
            .then_some(Death::EventAgeExceeded)
    }

    fn answered(&self, lease: &Lease, parcel: &Parcel, policy: &Policy, response: &Response) -> Ending {
        let Some((fault, message)) = fault_in(response) else {
            return self.done(lease, parcel, policy, response);
        };
        let mut history = History::decode(&lease.notes);
        let now = self.wall.now();
        history.note(lease.attempt + 1, now, ("http-status", message), Some(response.report()));
        self.next(lease, (history, parcel), policy, (fault, None))
    }

    fn failed(&self, lease: &Lease, parcel: &Parcel, policy: &Policy, error: &Error) -> Ending {
        let mut history = History::decode(&lease.notes);
        history.note_error(lease.attempt + 1, self.wall.now(), error);
        self.next(lease, (history, parcel), policy, (fault_of(error), error.retry_after()))
    }

    pub(super) fn done(
        &self,
        lease: &Lease,
        parcel: &Parcel,
        policy: &Policy,
        response: &Response,
    ) -> Ending {
        let now = self.wall.now();
        let summary = Summary::of(response.report(), now).encode();
        let outcome = Outcome::Answered { response, attempts: lease.attempt + 1 };
        let then = self.follow(&policy.on_success, parcel, &outcome);
        Ending { verdict: Verdict::Done { summary }, then }
    }

    /// Decides what comes after an attempt that was no success.
    pub(super) fn next(
        &self,
        lease: &Lease,
        (mut history, parcel): (History, &Parcel),
        policy: &Policy,
        (fault, retry_after): (Fault, Option<Duration>),
    ) -> Ending {
        let (attempts, refusals) = (lease.attempt, history.refusals);
        let (put, now) = (parcel.aged_from(lease.put), self.wall.now());
        let tried = Tried { fault, retry_after, attempts, refusals, put, now };
        history.refusals = tried.refusals();
        match policy.retry.judge(&tried, self.random()) {
            Next::Dead(death) => self.bury(history, death, Some(parcel), policy),
            Next::Again { due, attempts, .. } => {
                let verdict = Verdict::Again { due, attempt: attempts, notes: history.encode() };
                Ending { verdict, then: Sequel::default() }
            }
        }
    }

    pub(super) fn bury(
        &self,
        mut history: History,
        death: Death,
        parcel: Option<&Parcel>,
        policy: &Policy,
    ) -> Ending {
        history.death = Some(death);
        let then = parcel.map(|parcel| {
            let outcome = Outcome::GivenUp { history: &history, death };
            self.follow(&policy.on_failure, parcel, &outcome)
        });
        Ending { verdict: Verdict::Dead { notes: history.encode() }, then: then.unwrap_or_default() }
    }
}

/// Tells whether the runtime ends, which is no fault of the event's.
pub(super) fn is_end(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ShuttingDown | ErrorKind::Cancelled)
}
