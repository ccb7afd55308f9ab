//! The body of a request on its way to the server.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;

use super::budget::Budget;
use super::headers;
use super::limits::Limits;
use super::refusal::Refusal;

/// Any error of a body.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A request's body: counted, and held to the length that was declared.
pub(crate) struct Sending {
    body: UnsyncBoxBody<Bytes, BoxError>,
    left: Option<u64>,
    progress: Arc<Progress>,
    budget: Budget,
    limits: Limits,
}

/// How far a request's body has come; shared by who sends it and who waits for the answer.
#[derive(Debug)]
pub(crate) struct Progress {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    turn: Turn,
    fault: Option<Refusal>,
}

/// Who is waited for.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// The guest is to write more.
    Guest,
    /// The server is to take what was written.
    Server(Instant),
    /// The server has everything.
    Ended(Instant),
}

impl Progress {
    fn new() -> Self {
        Self { state: Mutex::new(State { turn: Turn::Server(Instant::now()), fault: None }) }
    }

    /// Returns since when the server is waited for, unless the guest is.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        match self.state.lock().turn {
            Turn::Guest => None,
            Turn::Server(since) | Turn::Ended(since) => Some(since),
        }
    }

    /// Tells whether nothing of the body is left to send.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state.lock().turn, Turn::Ended(_))
    }

    /// Returns what was wrong with the body, if that is why the request failed.
    pub(crate) fn fault(&self) -> Option<Refusal> {
        self.state.lock().fault.clone()
    }

    fn pass_to(&self, turn: Turn) {
        self.state.lock().turn = turn;
    }

    fn fail(&self, fault: Refusal) {
        self.state.lock().fault = Some(fault);
    }
}

impl Sending {
    pub(crate) fn new<B>(body: B, declared: Option<u64>, budget: &Budget, limits: &Limits) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = UnsyncBoxBody::new(http_body_util::BodyExt::map_err(body, Into::into));
        let progress = Arc::new(Progress::new());
        Self { body, left: declared, progress, budget: budget.clone(), limits: *limits }
    }

    pub(crate) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    fn count(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.budget.spend_sent(bytes, &self.limits)?;
        if let Some(left) = &mut self.left {
            let too_long = || Refusal::InvalidRequest { reason: "the body is longer than declared".into() };
            *left = left.checked_sub(bytes as u64).ok_or_else(too_long)?;
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Refusal> {
        match self.left {
            None | Some(0) => Ok(()),
            Some(left) => {
                Err(Refusal::InvalidRequest { reason: format!("the body ended {left} bytes too early") })
            }
        }
    }

    fn judge(&mut self, frame: Option<&Result<Frame<Bytes>, BoxError>>) -> Result<(), Refusal> {
        match frame {
            Some(Ok(frame)) => self.count(headers::frame_size(frame)),
            Some(Err(error)) => {
                Err(Refusal::InvalidRequest { reason: format!("the body was given up: {error}") })
            }
            None => self.end(),
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // Before the poll: the waker may be called, and the next poll done elsewhere, before this one returns.
        self.progress.pass_to(Turn::Guest);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.progress.pass_to(Turn::Server(Instant::now()));
        if let Err(fault) = self.judge(frame.as_ref()) {
            self.progress.fail(fault.clone());
            return Poll::Ready(Some(Err(fault.into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none_or(|left| left == 0) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body is dropped as soon as all of it is sent, or never will be.
impl Drop for Sending {
    fn drop(&mut self) {
        self.progress.pass_to(Turn::Ended(Instant::now()));
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("progress", &self.progress).finish_non_exhaustive()
    }
}
