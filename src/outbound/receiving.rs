//! The body of an answer on its way to the guest.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep_until, timeout_at};

use super::budget::Budget;
use super::connection::{Connection, Key};
use super::failure;
use super::headers;
use super::holdings::Hold;
use super::idle::Idle;
use super::limits::Limits;
use super::refusal::{Refusal, Step};
use super::sending::Progress;
use super::until::Until;

/// An answer's body: counted, and cut off when it takes too long.
///
/// Read to its end, it lets the connection serve another request; dropped earlier, it closes the connection.
pub(crate) struct Receiving {
    body: Incoming,
    /// None once the body has ended or failed.
    lease: Option<Lease>,
    wait: Option<(Until, Pin<Box<Sleep>>)>,
    between_bytes: Duration,
    budget: Budget,
    limits: Limits,
}

/// What an answer holds until it ends.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    pub(crate) key: Key,
    pub(crate) idle: Arc<Idle>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) _place: OwnedSemaphorePermit,
    pub(crate) _hold: Hold,
}

impl Lease {
    /// Lets another request have the connection, once all of this one was sent.
    fn release(self, deadline: Instant) {
        if self.progress.has_ended() {
            self.idle.put(self.key, self.connection);
        } else {
            let runtime = self.connection.runtime.clone();
            runtime.spawn(self.release_when_sent(deadline));
        }
    }

    /// An answer may be over before its request is; the guest may still write until its deadline.
    async fn release_when_sent(mut self, deadline: Instant) {
        let ready = timeout_at(deadline.into(), self.connection.sender.ready()).await;
        if let Ok(Ok(())) = ready {
            self.idle.put(self.key, self.connection);
        }
    }
}

impl Receiving {
    pub(crate) fn new(
        body: Incoming,
        lease: Lease,
        between_bytes: Duration,
        (budget, limits): (&Budget, &Limits),
    ) -> Self {
        let lease = Some(lease);
        let mut new =
            Self { body, lease, wait: None, between_bytes, budget: budget.clone(), limits: *limits };
        new.release_at_end();
        new
    }

    fn release_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release(self.budget.deadline());
        }
    }

    fn fail(&mut self, refusal: Refusal) -> Refusal {
        // Closes the connection: what is left of the answer must not be taken for another's.
        self.lease = None;
        self.budget.note(&refusal);
        refusal
    }

    fn receive(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Refusal> {
        let spent = self.budget.spend_received(headers::frame_size(&frame), &self.limits);
        spent.map_err(|refusal| self.fail(refusal))?;
        self.release_at_end();
        Ok(frame)
    }

    fn refusal(&self, error: &hyper::Error) -> Option<Refusal> {
        let lease = self.lease.as_ref()?;
        let fault = lease.progress.fault();
        let told = || failure::refusal(error, &lease.key.origin, self.limits.max_response_head);
        Some(fault.unwrap_or_else(told))
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        let (deadline, limit) = (self.budget.deadline(), self.between_bytes);
        let (until, sleep) = self.wait.get_or_insert_with(|| {
            let until = Until::after(Instant::now(), limit, deadline);
            (until, Box::pin(sleep_until(until.at.into())))
        });
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(until.refusal(Step::BetweenBytes))
    }
}

impl Body for Receiving {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        if self.lease.is_none() {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let refusal = ready!(self.poll_wait(cx));
            return Poll::Ready(Some(Err(self.fail(refusal))));
        };
        self.wait = None;
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(self.receive(frame)),
            Some(Err(error)) => self.refusal(&error).map(|refusal| Err(self.fail(refusal))),
            None => {
                self.release();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.lease.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Receiving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving").field("ended", &self.lease.is_none()).finish_non_exhaustive()
    }
}
