//! An answer that is read while it is produced.
//!
//! Whoever reads the stream polls the guest, so a slow reader is back-pressure and no task stands between. The
//! guest, its permit and its place are held until the last byte, until the stream is dropped, or until the
//! deadline: then a timer takes the guest out even if nobody reads.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::body::{Reader, Writer, pipe};
use crate::error::Error;
use crate::event::Response;
use crate::report::Report;

/// How much of an answer may be unread.
const WINDOW: usize = 256 << 10;

type Running = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// An answer that is read while it is produced.
///
/// It implements [`http_body::Body`], and [`next`](Self::next) reads it without that.
#[must_use = "dropping the stream cancels the invocation"]
pub struct ResponseStream {
    head: Response,
    rest: Rest,
    report: Option<Box<Report>>,
}

enum Rest {
    /// The guest runs; somebody who reads moves it on.
    Running {
        flight: Arc<Flight>,
        reader: Reader,
        reaper: Option<Reaper>,
    },
    /// It failed; what was written before that comes first.
    Failing {
        reader: Reader,
        error: Error,
    },
    /// The answer is complete.
    Whole(Bytes),
    Ended,
}

/// An invocation on its way, which the reader or the timer may end.
struct Flight(Mutex<Phase>);

enum Phase {
    Running { future: Running, waker: Waker },
    Landed(Result<Response, Error>),
    Over,
}

/// Starts a timer that calls back at the deadline, and then again until the callback says that it is done; the
/// answer stops it when it is dropped.
pub(crate) type SetTimer<'a> = &'a (dyn Fn(Instant, Callback) -> Option<Reaper> + Send + Sync);
pub(crate) type Callback = Box<dyn Fn() -> bool + Send>;
pub(crate) type Reaper = Box<dyn std::any::Any + Send + Sync>;

/// Starts an invocation and waits until the head of its answer is known.
pub(crate) async fn stream(
    start: impl FnOnce(Writer) -> Running,
    set_timer: SetTimer<'_>,
) -> Result<ResponseStream, Error> {
    let (writer, reader) = pipe(WINDOW);
    let flight =
        Arc::new(Flight(Mutex::new(Phase::Running { future: start(writer), waker: Waker::noop().clone() })));
    let landed = poll_fn(|cx| match flight.poll(cx) {
        Poll::Ready(landed) => Poll::Ready(Some(landed)),
        Poll::Pending if reader.has_chunk() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    match landed {
        None => {
            let reaper = reader.deadline().and_then(|deadline| {
                let flight = Arc::downgrade(&flight);
                set_timer(deadline, Box::new(move || Flight::reap(&flight)))
            });
            let rest = Rest::Running { flight, reader, reaper };
            Ok(ResponseStream { head: Response::new(), rest, report: None })
        }
        Some(landed) => landed.map(|response| ResponseStream::landed(response, &reader)),
    }
}

impl Flight {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Response, Error>> {
        let mut phase = self.0.lock();
        if let Phase::Running { future, waker } = &mut *phase {
            waker.clone_from(cx.waker());
            match future.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(landed) => *phase = Phase::Landed(landed),
            }
        }
        match std::mem::replace(&mut *phase, Phase::Over) {
            Phase::Landed(landed) => Poll::Ready(landed),
            // Who polls after the end waits for ever, as with any future; `ResponseStream` does not.
            Phase::Running { .. } | Phase::Over => Poll::Pending,
        }
    }

    /// Ends an invocation whose deadline has passed, and wakes who reads it.
    ///
    /// Answers whether there is nothing left to do.
    fn reap(flight: &Weak<Self>) -> bool {
        let Some(flight) = flight.upgrade() else { return true };
        // Somebody polls it this moment, and may or may not see the deadline himself.
        let Some(mut phase) = flight.0.try_lock() else { return false };
        let Phase::Running { future, waker } = &mut *phase else { return true };
        let waker = waker.clone();
        // After its deadline an invocation that is polled ends without running its guest once more.
        let Poll::Ready(landed) = future.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return false;
        };
        *phase = Phase::Landed(landed);
        drop(phase);
        waker.wake();
        true
    }
}

impl ResponseStream {
    fn landed(mut response: Response, reader: &Reader) -> Self {
        let report = response.take_report();
        let mut body = Vec::new();
        while let Poll::Ready(Some(chunk)) = reader.poll_next(Waker::noop()) {
            body.push(chunk);
        }
        // What was written before the end stands before what came with it.
        body.push(response.bytes().clone());
        let whole = match body.iter().filter(|chunk| !chunk.is_empty()).count() {
            0 => Bytes::new(),
            1 => body.into_iter().find(|chunk| !chunk.is_empty()).unwrap_or_default(),
            _ => body.concat().into(),
        };
        Self { head: response, rest: Rest::Whole(whole), report }
    }

    /// Returns the content type, where the handler named one.
    pub fn content_type(&self) -> Option<&str> {
        self.head.content_type()
    }

    /// Returns the attributes of the response.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.attributes()
    }

    /// Returns the report, once the answer has ended.
    pub fn report(&self) -> Option<&Report> {
        match self.rest {
            Rest::Ended => self.report.as_deref(),
            Rest::Running { .. } | Rest::Failing { .. } | Rest::Whole(_) => None,
        }
    }

    /// Returns the next chunk; none after the last one, or after an error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; dropping the stream cancels the invocation.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match std::mem::replace(&mut self.rest, Rest::Ended) {
            Rest::Ended => Poll::Ready(None),
            Rest::Failing { reader, error } => match reader.poll_next(cx.waker()) {
                Poll::Ready(Some(chunk)) => {
                    self.rest = Rest::Failing { reader, error };
                    Poll::Ready(Some(Ok(chunk)))
                }
                Poll::Ready(None) | Poll::Pending => Poll::Ready(Some(Err(error))),
            },
            Rest::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Rest::Whole(bytes) => Poll::Ready(Some(Ok(bytes))),
            Rest::Running { flight, reader, reaper } => {
                if let Poll::Ready(Some(chunk)) = reader.poll_next(cx.waker()) {
                    self.rest = Rest::Running { flight, reader, reaper };
                    return Poll::Ready(Some(Ok(chunk)));
                }
                match flight.poll(cx) {
                    Poll::Ready(Ok(response)) => {
                        *self = Self::landed(response, &reader);
                        self.poll_chunk(cx)
                    }
                    Poll::Ready(Err(error)) => {
                        self.report = error.report().map(|report| Box::new(report.clone()));
                        self.rest = Rest::Failing { reader, error };
                        self.poll_chunk(cx)
                    }
                    Poll::Pending => {
                        let chunk = reader.poll_next(cx.waker());
                        self.rest = Rest::Running { flight, reader, reaper };
                        match chunk {
                            Poll::Ready(Some(chunk)) => Poll::Ready(Some(Ok(chunk))),
                            // The writer is gone before the guest has ended: its end is still to come.
                            Poll::Ready(None) | Poll::Pending => Poll::Pending,
                        }
                    }
                }
            }
        }
    }
}

impl http_body::Body for ResponseStream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        self.poll_chunk(cx).map(|chunk| chunk.map(|chunk| chunk.map(http_body::Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Ended)
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream")
            .field("head", &self.head)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
