//! An answer that is read while it is produced.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::error::Error;
use crate::event::Response;
use crate::invoke::tail::{Ends, Opened, Tail};
use crate::report::Report;

/// An answer that is read while it is produced.
///
/// It implements [`http_body::Body`], and [`next`](Self::next) reads it without that. The sandbox is held until the
/// last byte, until the stream is dropped, or until the deadline, also if nobody reads.
#[must_use = "dropping the stream cancels the invocation"]
pub struct ResponseStream {
    head: Response,
    tail: Tail,
}

impl ResponseStream {
    /// Makes a stream of an answer whose head is known.
    ///
    /// # Errors
    ///
    /// An HTTP answer with more headers than a response has attributes.
    pub(crate) fn new(opened: Opened) -> Result<Self, Error> {
        let Opened { response, http, tail } = opened;
        let head = match http {
            Some(parts) => crate::event::http::response::read(&parts, Bytes::new())?,
            None => response,
        };
        Ok(Self { head, tail })
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
        self.tail.report()
    }

    /// Returns the next chunk; none after the last one, or after an error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; dropping the stream cancels the invocation.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.tail.poll(cx, Ends::WithGuest)).await
    }
}

impl http_body::Body for ResponseStream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        let chunk = self.tail.poll(cx, Ends::WithGuest);
        chunk.map(|chunk| chunk.map(|chunk| chunk.map(http_body::Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.tail.has_ended()
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream")
            .field("head", &self.head)
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}
