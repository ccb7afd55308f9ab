//! A streamed answer as events: chunks of the payload, then one that says how it ended.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use serde_json::json;

use crate::context::RequestId;
use crate::error::Error;
use crate::http::lambda::answer::JSON;
use crate::http::lambda::defect::Defect;
use crate::http::lambda::fault::Fault;
use crate::http::lambda::frame::message;
use crate::http::lambda::log;
use crate::invoke::ResponseStream;
use crate::report::Report;

/// The longest payload of one event; clients take up to 16 MiB, but hold a whole event before they show it.
const CHUNK: usize = 64 << 10;

/// A streamed answer as events.
pub(super) struct Events {
    source: Source,
    /// What has come and was not yet sent.
    chunk: Bytes,
    id: RequestId,
    with_log: bool,
}

enum Source {
    Running(Box<ResponseStream>),
    Failed(Error),
    Over,
}

impl Events {
    /// The events of an invocation that has begun, or that failed before it answered anything.
    pub(super) fn new(begun: Result<ResponseStream, Error>, id: RequestId, with_log: bool) -> Self {
        let source = match begun {
            Ok(stream) => Source::Running(Box::new(stream)),
            Err(error) => Source::Failed(error),
        };
        Self { source, chunk: Bytes::new(), id, with_log }
    }

    /// Answers the next event as a message.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.chunk.is_empty() {
            match std::mem::replace(&mut self.source, Source::Over) {
                Source::Over => return Poll::Ready(None),
                Source::Failed(error) => {
                    return Poll::Ready(Some(self.complete(error.report(), Some(&error))));
                }
                Source::Running(mut stream) => match Pin::new(&mut *stream).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        self.chunk = frame.into_data().unwrap_or_default();
                        self.source = Source::Running(stream);
                    }
                    Poll::Ready(Some(Err(error))) => self.source = Source::Failed(error),
                    Poll::Ready(None) => return Poll::Ready(Some(self.complete(stream.report(), None))),
                    Poll::Pending => {
                        self.source = Source::Running(stream);
                        return Poll::Pending;
                    }
                },
            }
        }
        let payload = self.chunk.split_to(self.chunk.len().min(CHUNK));
        Poll::Ready(Some(message("PayloadChunk", "application/octet-stream", &payload)))
    }

    fn complete(&self, report: Option<&Report>, error: Option<&Error>) -> Bytes {
        let mut event = json!({});
        if let Some((code, details)) = error.map(|error| self.explain(error)) {
            event["ErrorCode"] = code.into();
            event["ErrorDetails"] = details.into();
        }
        if let Some(report) = report.filter(|_| self.with_log) {
            event["LogResult"] = log::tail(report).into();
        }
        message("InvokeComplete", JSON, event.to_string().as_bytes())
    }

    /// Answers the error's name, and what a client without streaming would have got.
    fn explain(&self, error: &Error) -> (String, String) {
        match Defect::of(error, self.id) {
            Some(defect) => (defect.error_type().into(), String::from_utf8_lossy(&defect.to_json()).into()),
            None => {
                let (name, message) = Fault::from(error).into_parts();
                (name.into(), message)
            }
        }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.poll_next(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunk.is_empty() && matches!(self.source, Source::Over)
    }
}
