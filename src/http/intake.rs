//! The body of a request on its way in: counted, and watched for who keeps whom waiting.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::http::body::{Body, BoxError};

/// The body of a request; it fails once more than the limit came.
pub(crate) struct Intake {
    body: Body,
    limit: u64,
    came: u64,
    watch: Watch,
}

/// Tells what became of a body, also while somebody else reads it.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<AtomicU8>);

/// What became of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nobody waits for the client.
    Flowing = 0,
    /// The client keeps us waiting.
    Waiting = 1,
    /// More came than may.
    TooLarge = 2,
    /// The client is gone, or sent what is no body.
    Broken = 3,
}

#[derive(Debug, thiserror::Error)]
#[error("the body is larger than the limit of {limit} bytes")]
struct TooLarge {
    limit: u64,
}

impl Watch {
    pub(crate) fn progress(&self) -> Progress {
        match self.0.load(Relaxed) {
            0 => Progress::Flowing,
            1 => Progress::Waiting,
            2 => Progress::TooLarge,
            _ => Progress::Broken,
        }
    }

    fn set(&self, progress: Progress) {
        self.0.store(progress as u8, Relaxed);
    }
}

impl Intake {
    pub(crate) fn new(body: Body, limit: u64) -> (Self, Watch) {
        let watch = Watch::default();
        (Self { body, limit, came: 0, watch: watch.clone() }, watch)
    }

    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BoxError> {
        self.came += frame.data_ref().map_or(0, |data| data.len() as u64);
        if self.came <= self.limit {
            return Ok(frame);
        }
        self.body = Body::empty();
        self.watch.set(Progress::TooLarge);
        Err(Box::new(TooLarge { limit: self.limit }))
    }
}

impl http_body::Body for Intake {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match polled {
            Poll::Pending => self.watch.set(Progress::Waiting),
            Poll::Ready(Some(Err(_))) => self.watch.set(Progress::Broken),
            Poll::Ready(_) if self.watch.progress() == Progress::Waiting => self.watch.set(Progress::Flowing),
            Poll::Ready(_) => {}
        }
        polled.map(|frame| frame.map(|frame| frame.and_then(|frame| self.count(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;
    use crate::block_on::block_on;

    type Chunk = Result<Frame<Bytes>, BoxError>;

    fn chunks(chunks: Vec<Chunk>) -> Body {
        Body::new(StreamBody::new(futures_util::stream::iter(chunks)))
    }

    fn data(text: &'static str) -> Chunk {
        Ok(Frame::data(text.into()))
    }

    #[test]
    fn what_fits_passes_to_the_last_byte() {
        let (intake, watch) = Intake::new(chunks(vec![data("abc"), data("de")]), 5);
        assert_eq!(block_on(intake.collect()).unwrap().to_bytes(), "abcde");
        assert_eq!(watch.progress(), Progress::Flowing);
    }

    #[test]
    fn one_byte_more_fails_and_nothing_more_is_read() {
        let (mut intake, watch) = Intake::new(chunks(vec![data("abc"), data("def"), data("ghi")]), 5);
        assert!(block_on(intake.frame()).unwrap().is_ok());
        let error = block_on(intake.frame()).unwrap().unwrap_err();
        assert!(error.to_string().contains("limit of 5 bytes"), "{error}");
        assert!(block_on(intake.frame()).is_none());
        assert_eq!(watch.progress(), Progress::TooLarge);
    }

    #[test]
    fn it_knows_who_keeps_whom_waiting() {
        let (mut intake, watch) = Intake::new(Body::new(Full::from("abc")), 5);
        assert_eq!(watch.progress(), Progress::Flowing);
        assert!(block_on(intake.frame()).is_some());
        let never = StreamBody::new(futures_util::stream::pending::<Chunk>());
        let (mut intake, watch) = Intake::new(Body::new(never), 5);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(http_body::Body::poll_frame(Pin::new(&mut intake), &mut cx).is_pending());
        assert_eq!(watch.progress(), Progress::Waiting);
    }

    #[test]
    fn a_client_that_breaks_off_is_told_apart() {
        let (intake, watch) = Intake::new(chunks(vec![data("abc"), Err("gone".into())]), 5);
        assert!(block_on(intake.collect()).is_err());
        assert_eq!(watch.progress(), Progress::Broken);
    }
}
