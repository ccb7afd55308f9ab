//! The body of a request, while it comes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

#[cfg(feature = "http")]
use crate::body::buffers::Buffers;
use crate::body::buffers::Share;
use crate::error::{ErrorKind, Payload};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request, while it comes; past its limit it ends with an error.
pub(crate) struct Incoming {
    /// There, unless it had ended when it came.
    body: Option<UnsyncBoxBody<Bytes, BoxError>>,
    seen: Arc<Seen>,
}

/// What has come of a body so far.
#[derive(Debug)]
pub(crate) struct Seen {
    bytes: AtomicU64,
    limit: AtomicU64,
    awaited: AtomicBool,
    stalled: AtomicBool,
    /// Its share of what all requests may have kept; unbounded where there is none.
    share: OnceLock<Share>,
}

impl Seen {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Sets a limit, of the function or the route that serves the request; the lowest holds.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.fetch_min(limit, Relaxed);
    }

    /// Bounds what is kept of it, if it is not streamed, by what all requests may have kept.
    #[cfg(feature = "http")]
    pub(crate) fn share(&self, buffers: &Arc<Buffers>) {
        self.share.get_or_init(|| Share::none_of(buffers));
    }

    fn keep(&self, bytes: usize) -> Result<(), ErrorKind> {
        self.share.get().map_or(Ok(()), |share| share.grow(bytes))
    }

    /// Tells whether somebody waits for the client to send more.
    #[cfg(feature = "http")]
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Relaxed)
    }

    /// Tells whether it ended because the client sent nothing for too long.
    #[cfg(feature = "http")]
    pub(crate) fn has_stalled(&self) -> bool {
        self.stalled.load(Relaxed)
    }

    /// Returns the error for a body that was larger than it may be.
    pub(crate) fn excess(&self) -> Option<ErrorKind> {
        let (size, limit) = (self.bytes(), self.limit.load(Relaxed));
        (size > limit).then_some(ErrorKind::PayloadTooLarge { what: Payload::Event, limit, size })
    }
}

/// A body went past its limit.
#[derive(Debug)]
pub(crate) struct TooLong {
    pub(crate) limit: u64,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body is larger than its limit of {} bytes", self.limit)
    }
}

impl std::error::Error for TooLong {}

impl Incoming {
    pub(crate) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let seen = Arc::new(Seen {
            bytes: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
            awaited: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            share: OnceLock::new(),
        });
        let body = (!body.is_end_stream()).then(|| body.map_err(Into::into).boxed_unsync());
        Self { body, seen }
    }

    pub(crate) fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// Waits for the whole body, within its share of what all may have kept.
    ///
    /// That share is held as long as anybody knows what was [seen](Self::seen) of it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops what has come.
    pub(crate) async fn collect(mut self) -> Result<Bytes, ErrorKind> {
        let mut whole = Collected::Nothing;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            let frame = frame.map_err(|error| self.seen.excess().unwrap_or_else(|| broken(&error)))?;
            if let Ok(chunk) = frame.into_data() {
                self.seen.keep(chunk.len())?;
                whole.add(chunk);
            }
        }
        Ok(whole.into_bytes())
    }
}

fn broken(error: &BoxError) -> ErrorKind {
    ErrorKind::InvalidBody { reason: format!("the request's body broke off: {error}; send it again") }
}

/// Tells whether a server gave up waiting, which it says as the system does.
fn is_timeout(error: &BoxError) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Chunks on their way to a whole; most bodies come in one, which is not copied.
pub(crate) enum Collected {
    Nothing,
    One(Bytes),
    Several(BytesMut),
}

impl Collected {
    pub(crate) fn add(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        *self = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Self::One(chunk),
            Self::One(first) => {
                let mut several = BytesMut::from(&*first);
                several.extend_from_slice(&chunk);
                Self::Several(several)
            }
            Self::Several(mut several) => {
                several.extend_from_slice(&chunk);
                Self::Several(several)
            }
        };
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(chunk) => chunk,
            Self::Several(several) => several.freeze(),
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        self.seen.awaited.store(polled.is_pending(), Relaxed);
        let Poll::Ready(frame) = polled else { return Poll::Pending };
        if let Some(Err(error)) = &frame {
            self.seen.stalled.store(is_timeout(error), Relaxed);
        }
        if let Some(Ok(frame)) = &frame
            && let Some(chunk) = frame.data_ref()
        {
            let more = chunk.len() as u64;
            let limit = self.seen.limit.load(Relaxed);
            if self.seen.bytes.fetch_add(more, Relaxed).saturating_add(more) > limit {
                return Poll::Ready(Some(Err(TooLong { limit }.into())));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("seen", &self.seen).finish_non_exhaustive()
    }
}
