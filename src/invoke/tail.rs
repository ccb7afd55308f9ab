//! What is still to come of an answer when its head is known.
//!
//! Whoever reads it polls the guest, so a slow reader is back-pressure and no task stands between. The guest, its
//! permit and its place are held until the last byte, until the tail is dropped, or until the deadline: then a timer
//! takes the guest out even if nobody reads.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http::response::Parts;

use crate::body::{Collected, Reader, Writer, pipe};
use crate::error::Error;
use crate::event::Response;
use crate::invoke::flight::{Flight, Reaper, Running, SetTimer};
use crate::report::Report;

/// How much of an answer may be unread.
const WINDOW: usize = 256 << 10;

/// An answer whose head is known.
pub(crate) struct Opened {
    /// What came with the answer, if it came whole.
    pub(crate) response: Response,
    /// The head of an answer that came as HTTP.
    pub(crate) http: Option<Box<Parts>>,
    pub(crate) tail: Tail,
}

/// What is still to come of an answer.
pub(crate) struct Tail {
    rest: Rest,
    trailers: Option<Box<HeaderMap>>,
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

/// What ends a tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The guest has ended.
    WithGuest,
    /// The guest has written its last byte; it may go on.
    WithBody,
}

/// A guest that goes on after its answer has ended.
pub(crate) struct Afterwards {
    flight: Arc<Flight>,
    _reaper: Option<Reaper>,
}

/// Starts an invocation and waits until the head of its answer is known.
pub(crate) async fn open(
    start: impl FnOnce(Writer) -> Running,
    set_timer: SetTimer<'_>,
) -> Result<Opened, Error> {
    let (writer, reader) = pipe(WINDOW);
    let flight = Flight::new(start(writer));
    let landed = poll_fn(|cx| match flight.poll(cx) {
        Poll::Ready(landed) => Poll::Ready(Some(landed)),
        Poll::Pending if reader.has_begun() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    let http = reader.take_head();
    let Some(landed) = landed else {
        let reaper = reader.deadline().and_then(|deadline| {
            let flight = Arc::downgrade(&flight);
            set_timer(deadline, Box::new(move || Flight::reap(&flight)))
        });
        let tail = Tail { rest: Rest::Running { flight, reader, reaper }, trailers: None, report: None };
        return Ok(Opened { response: Response::new(), http, tail });
    };
    let mut response = landed?;
    let tail = Tail::landed(&mut response, &reader);
    Ok(Opened { response, http, tail })
}

impl Tail {
    /// Makes one of an answer that is complete.
    pub(crate) fn whole(response: &mut Response, body: Bytes) -> Self {
        Self { rest: Rest::Whole(body), trailers: None, report: response.take_report() }
    }

    fn landed(response: &mut Response, reader: &Reader) -> Self {
        let mut whole = Collected::Nothing;
        while let Poll::Ready(Some(chunk)) = reader.poll_next(Waker::noop()) {
            whole.add(chunk);
        }
        // What was written before the end stands before what came with it.
        whole.add(response.bytes().clone());
        Self { trailers: reader.take_trailers(), ..Self::whole(response, whole.into_bytes()) }
    }

    /// Returns the report, once the answer has ended.
    pub(crate) fn report(&self) -> Option<&Report> {
        if self.has_ended() { self.report.as_deref() } else { None }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.rest, Rest::Ended)
    }

    /// Tells whether the guest may still run.
    pub(crate) fn runs(&self) -> bool {
        matches!(self.rest, Rest::Running { .. })
    }

    /// Returns how many bytes are left, where that is known.
    pub(crate) fn len(&self) -> Option<u64> {
        match &self.rest {
            Rest::Whole(bytes) => Some(bytes.len() as u64),
            Rest::Ended => Some(0),
            Rest::Running { .. } | Rest::Failing { .. } => None,
        }
    }

    /// Takes the trailers, which are there once the last chunk was read.
    pub(crate) fn take_trailers(&mut self) -> Option<Box<HeaderMap>> {
        match &self.rest {
            Rest::Running { reader, .. } => reader.take_trailers(),
            _ => self.trailers.take(),
        }
    }

    pub(crate) fn has_trailers(&self) -> bool {
        self.trailers.is_some()
    }

    /// Takes the guest that goes on after its answer has ended.
    pub(crate) fn take_afterwards(&mut self) -> Option<Afterwards> {
        match std::mem::replace(&mut self.rest, Rest::Ended) {
            Rest::Running { flight, reader, reaper } if reader.is_complete() => {
                Some(Afterwards { flight, _reaper: reaper })
            }
            _ => None,
        }
    }

    /// Returns the next chunk; none after the last one, or after an error.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, ends: Ends) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let polled = match &mut self.rest {
                Rest::Ended => return Poll::Ready(None),
                Rest::Whole(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.rest = Rest::Ended;
                    return Poll::Ready(if bytes.is_empty() { None } else { Some(Ok(bytes)) });
                }
                Rest::Failing { reader, .. } => match reader.poll_next(cx.waker()) {
                    Poll::Ready(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                    Poll::Ready(None) | Poll::Pending => return Poll::Ready(self.fail()),
                },
                Rest::Running { flight, reader, .. } => poll_running((flight, reader), cx, ends),
            };
            match polled {
                Progress::Chunk(chunk) => return Poll::Ready(chunk.map(Ok)),
                Progress::Pending => return Poll::Pending,
                Progress::Landed(landed) => self.land(landed),
            }
        }
    }

    fn fail(&mut self) -> Option<Result<Bytes, Error>> {
        match std::mem::replace(&mut self.rest, Rest::Ended) {
            Rest::Failing { error, .. } => Some(Err(error)),
            _ => None,
        }
    }

    fn land(&mut self, landed: Result<Response, Error>) {
        let Rest::Running { reader, .. } = std::mem::replace(&mut self.rest, Rest::Ended) else { return };
        match landed {
            Ok(mut response) => *self = Self::landed(&mut response, &reader),
            Err(error) => {
                self.report = error.report().map(|report| Box::new(report.clone()));
                self.rest = Rest::Failing { reader, error };
            }
        }
    }
}

enum Progress {
    Chunk(Option<Bytes>),
    Pending,
    Landed(Result<Response, Error>),
}

fn poll_running((flight, reader): (&Flight, &Reader), cx: &mut Context<'_>, ends: Ends) -> Progress {
    if let Poll::Ready(Some(chunk)) = reader.poll_next(cx.waker()) {
        return Progress::Chunk(Some(chunk));
    }
    // Also when the last byte was read: mostly the guest has ended by then, and the report is known.
    if let Poll::Ready(landed) = flight.poll(cx) {
        return Progress::Landed(landed);
    }
    match reader.poll_next(cx.waker()) {
        Poll::Ready(Some(chunk)) => Progress::Chunk(Some(chunk)),
        Poll::Ready(None) if ends == Ends::WithBody && reader.is_complete() => Progress::Chunk(None),
        // The writer may be gone before the guest has ended: its end is still to come.
        Poll::Ready(None) | Poll::Pending => Progress::Pending,
    }
}

impl Afterwards {
    /// Moves the guest on until it ends, or its deadline.
    pub(crate) async fn run(self) {
        // Observers hear how it ended; nobody waits for the answer any more.
        let _ = poll_fn(|cx| self.flight.poll(cx)).await;
    }
}
