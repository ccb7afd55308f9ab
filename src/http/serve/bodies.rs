//! The bodies of requests and answers, as the server sees them pass.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::{Connection, InFlight};
use super::patience::{self, Wait};

/// The body of a request.
///
/// Reading it fails when the client breaks the protocol, goes away, or sends nothing for too long.
pub(crate) struct RequestBody {
    incoming: Incoming,
    /// None where there is nothing to wait for.
    connection: Option<Arc<Connection>>,
    wait: Option<Arc<Wait>>,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, connection: &Arc<Connection>) -> Self {
        let connection = (!incoming.is_end_stream()).then(|| Arc::clone(connection));
        Self { incoming, connection, wait: None }
    }

    /// Begins to wait; answers how long it took when that was too long.
    fn wait(&mut self, cx: &Context<'_>) -> Option<Duration> {
        let connection = self.connection.as_ref()?;
        let limit = connection.body_limit();
        let wait = self.wait.get_or_insert_with(|| connection.wait(limit));
        wait.begin();
        wait.is_over(cx.waker()).then_some(limit)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            if let Some(wait) = &self.wait {
                wait.rest();
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| Broken(error).into())));
        }
        match self.wait(cx) {
            Some(limit) => Poll::Ready(Some(Err(Stalled { limit }.into()))),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}

/// The client sent nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the client sent nothing of its body for {:.3} s; raise `body_timeout`", limit.as_secs_f64())]
struct Stalled {
    limit: Duration,
}

impl From<Stalled> for io::Error {
    fn from(stalled: Stalled) -> Self {
        Self::new(io::ErrorKind::TimedOut, stalled)
    }
}

/// The client broke the protocol or went away.
#[derive(Debug, thiserror::Error)]
#[error("the request's body ended early: {0}")]
struct Broken(#[source] hyper::Error);

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        Self::other(broken)
    }
}

/// The body of an answer, which keeps its request in flight until the last byte.
pub(super) struct ResponseBody<B> {
    /// None when the server answers by itself.
    body: Option<B>,
    wait: Option<Arc<Wait>>,
    _in_flight: InFlight,
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn new(body: Option<B>, in_flight: InFlight) -> Self {
        let wait = patience::of_stream();
        Self { body, wait, _in_flight: in_flight }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { body: Some(body), wait, .. } = &mut *self else { return Poll::Ready(None) };
        if let Some(wait) = wait {
            wait.rest();
        }
        let frame = Pin::new(body).poll_frame(cx);
        if let (Some(wait), Poll::Ready(Some(_))) = (wait, &frame) {
            // The next piece is asked for once this one has found room.
            wait.begin();
        }
        frame.map(|frame| frame.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), B::size_hint)
    }
}
