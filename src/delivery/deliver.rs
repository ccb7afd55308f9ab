//! One attempt at one event.

use std::sync::Arc;

use crate::broker::{Draft, Lease, Verdict};
use crate::delivery::retry::{Fault, Next, Tried, fault_in, fault_of};
use crate::delivery::{Death, Delivery, History, Parcel, Policy, Summary};
use crate::error::{Error, ErrorKind};
use crate::event::Response;

/// How long a chain of events may be.
const MOST_LINEAGE: usize = 16;

/// What becomes of a message, and what follows from it.
pub(super) struct Ending {
    pub(super) verdict: Verdict,
    pub(super) then: Vec<Draft>,
}

impl Delivery {
    /// Makes one attempt at an event, and settles what becomes of it.
    pub(super) async fn deliver(&self, mut lease: Lease, policy: &Arc<Policy>) {
        if let Some(ending) = self.attempt(&lease, policy).await {
            self.settle(&mut lease, ending).await;
        }
    }

    /// Makes one attempt; none if it is to be given back as if there had been none.
    async fn attempt(&self, lease: &Lease, policy: &Policy) -> Option<Ending> {
        let history = History::decode(&lease.notes);
        let Some(parcel) = Parcel::decode(&lease.payload) else {
            return Some(bury(history, Death::Unreadable));
        };
        if let Some(death) = self.too_late(&parcel, lease, policy) {
            return Some(bury(history, death));
        }
        let context = parcel.context(lease.attempt + 1);
        let answered = self.host()?.invoke(&parcel.target, context, parcel.event.clone()).await;
        match answered {
            Ok(response) => Some(self.answered(lease, (history, &parcel), policy, &response)),
            // It runs elsewhere, or when we are there again.
            Err(error) if is_end(&error) => None,
            Err(error) => Some(self.failed(lease, (history, &parcel), policy, &error)),
        }
    }

    /// Tells why an event is not even tried.
    fn too_late(&self, parcel: &Parcel, lease: &Lease, policy: &Policy) -> Option<Death> {
        if parcel.lineage.len() > MOST_LINEAGE {
            return Some(Death::RecursiveInvocation);
        }
        policy.retry.is_too_old(lease.put, self.wall.now()).then_some(Death::EventAgeExceeded)
    }

    fn answered(
        &self,
        lease: &Lease,
        (mut history, parcel): (History, &Parcel),
        policy: &Policy,
        response: &Response,
    ) -> Ending {
        let Some((fault, message)) = fault_in(response) else {
            let _ = parcel;
            let summary = Summary::of(response.report(), self.wall.now()).encode();
            return Ending { verdict: Verdict::Done { summary }, then: Vec::new() };
        };
        let now = self.wall.now();
        history.note(lease.attempt + 1, now, ("http-status", message), Some(response.report()));
        self.next(lease, history, policy, (fault, None))
    }

    fn failed(
        &self,
        lease: &Lease,
        (mut history, _parcel): (History, &Parcel),
        policy: &Policy,
        error: &Error,
    ) -> Ending {
        history.note_error(lease.attempt + 1, self.wall.now(), error);
        self.next(lease, history, policy, (fault_of(error), error.retry_after()))
    }

    fn next(
        &self,
        lease: &Lease,
        mut history: History,
        policy: &Policy,
        (fault, retry_after): (Fault, Option<std::time::Duration>),
    ) -> Ending {
        let (attempts, refusals) = (lease.attempt, history.refusals);
        let tried = Tried { fault, retry_after, attempts, refusals, put: lease.put, now: self.wall.now() };
        match policy.retry.judge(&tried, self.random()) {
            Next::Dead(death) => bury(history, death),
            Next::Again { due, attempts, refusals } => {
                history.refusals = refusals;
                let verdict = Verdict::Again { due, attempt: attempts, notes: history.encode() };
                Ending { verdict, then: Vec::new() }
            }
        }
    }
}

fn bury(mut history: History, death: Death) -> Ending {
    history.death = Some(death);
    Ending { verdict: Verdict::Dead { notes: history.encode() }, then: Vec::new() }
}

/// Tells whether the runtime ends, which is no fault of the event's.
fn is_end(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ShuttingDown | ErrorKind::Cancelled)
}
