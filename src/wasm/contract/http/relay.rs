//! Takes an answer from the guest that writes it to whoever waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{Method, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;

use crate::body::{Seen, Writer};
use crate::error::{Error, ErrorKind, Payload};
use crate::event::{Request, Response};

type GuestBody = UnsyncBoxBody<Bytes, wasmtime_wasi_http::Error>;

/// Takes an answer from the guest that writes it to whoever waits for it.
pub(super) struct Relay {
    to: To,
    body: Written,
    bytes: u64,
    limit: u64,
    /// What has come of the request's body.
    seen: Arc<Seen>,
    /// The answer has no body, whatever its head says of one.
    is_bare: bool,
    /// How many bytes the guest said that there would be.
    declared: Option<u64>,
    /// Something was handed on since this was last asked.
    has_passed: bool,
}

enum To {
    /// It is wanted whole.
    Whole { head: Option<Box<Parts>>, body: BytesMut },
    /// Somebody reads it while it is written.
    Reader(Writer),
    /// Everything was handed over.
    Nobody,
}

enum Written {
    NotYet,
    Under(GuestBody),
    Over,
}

/// How far an answer could be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// The guest has to write more.
    Starved,
    /// Somebody has to read first.
    Blocked,
    /// It has ended.
    Over,
}

impl Relay {
    /// Makes one for the answer to this request.
    pub(super) fn new(sink: Option<Writer>, limit: u64, request: &Request) -> Self {
        let (seen, is_bare) = (Arc::clone(request.body().seen()), request.method() == Method::HEAD);
        let to = sink.map_or_else(|| To::Whole { head: None, body: BytesMut::new() }, To::Reader);
        Self { to, body: Written::NotYet, bytes: 0, limit, seen, is_bare, declared: None, has_passed: false }
    }

    pub(super) fn has_head(&self) -> bool {
        !matches!(self.body, Written::NotYet)
    }

    /// Takes the head; what is written comes after it.
    ///
    /// # Errors
    ///
    /// The request's body was too large, whatever the guest made of that; or it is no final answer.
    pub(super) fn begin(&mut self, response: http::Response<GuestBody>) -> Result<(), ErrorKind> {
        if let Some(excess) = self.seen.excess() {
            return Err(excess);
        }
        let (parts, body) = response.into_parts();
        if parts.status.is_informational() {
            let reason =
                format!("the status {} ends no request; answer with 200 to 599", parts.status.as_u16());
            return Err(ErrorKind::InvalidAnswer { reason });
        }
        self.is_bare |= [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&parts.status);
        if !self.is_bare {
            self.declared = declared(&parts);
        }
        match &mut self.to {
            To::Whole { head, .. } => *head = Some(Box::new(parts)),
            To::Reader(writer) => writer.open(parts),
            To::Nobody => {}
        }
        self.body = Written::Under(body);
        self.note_complete();
        Ok(())
    }

    /// Hands over what there is; an error is what is wrong with the answer.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Result<Moved, ErrorKind> {
        loop {
            let Written::Under(body) = &mut self.body else {
                return Ok(if self.has_head() { Moved::Over } else { Moved::Starved });
            };
            if let To::Reader(writer) = &self.to
                && writer.poll_ready(cx.waker()).is_pending()
            {
                return Ok(Moved::Blocked);
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Ok(Moved::Starved),
                Poll::Ready(Some(Ok(frame))) => self.pass(frame)?,
                // The engine minds that there are no bytes where some were declared, as there should be none.
                Poll::Ready(Some(Err(_))) if self.is_bare && self.bytes == 0 => self.end()?,
                Poll::Ready(Some(Err(error))) => {
                    return Err(self.seen.excess().unwrap_or_else(|| unfinished(&error.to_string())));
                }
                Poll::Ready(None) => self.end()?,
            }
        }
    }

    /// Tells whether something was handed on since this was last asked.
    pub(super) fn take_passed(&mut self) -> bool {
        std::mem::take(&mut self.has_passed)
    }

    /// Lets who reads an answer that is over learn of it, even while the guest goes on.
    pub(super) fn release(&mut self) {
        if matches!(self.to, To::Reader(_)) {
            self.to = To::Nobody;
        }
    }

    fn end(&mut self) -> Result<(), ErrorKind> {
        if let Some(declared) = self.declared
            && declared != self.bytes
        {
            return Err(unfinished(&format!("{} bytes, {declared} were declared", self.bytes)));
        }
        self.body = Written::Over;
        if let To::Reader(writer) = &self.to {
            writer.complete();
        }
        Ok(())
    }

    /// Ends an answer whose guest has gone.
    ///
    /// # Errors
    ///
    /// The guest has not ended it.
    pub(super) fn abandon(&self) -> Result<(), ErrorKind> {
        if matches!(self.body, Written::Under(_)) {
            return Err(unfinished("the guest returned before its end"));
        }
        Ok(())
    }

    /// Says that nothing more will come as soon as that is known: who has all that was declared asks for no more.
    fn note_complete(&self) {
        if let To::Reader(writer) = &self.to
            && (self.is_bare || self.declared == Some(self.bytes))
        {
            writer.complete();
        }
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Result<(), ErrorKind> {
        let chunk = match frame.into_data() {
            Ok(chunk) => chunk,
            Err(frame) => {
                if let (Ok(trailers), To::Reader(writer)) = (frame.into_trailers(), &self.to) {
                    writer.leave(trailers);
                }
                return Ok(());
            }
        };
        self.has_passed = true;
        self.bytes += chunk.len() as u64;
        let (limit, size) = (self.limit, self.bytes);
        if size > limit {
            return Err(ErrorKind::PayloadTooLarge { what: Payload::Response, limit, size });
        }
        if let Some(declared) = self.declared.filter(|declared| size > *declared) {
            return Err(unfinished(&format!("{size} bytes, {declared} were declared")));
        }
        match &mut self.to {
            To::Whole { body, .. } => body.extend_from_slice(&chunk),
            To::Reader(writer) => writer.write(chunk),
            To::Nobody => {}
        }
        self.note_complete();
        Ok(())
    }

    /// Answers what was wanted whole; for who reads along nothing is left.
    pub(super) fn take_response(&mut self) -> Result<Response, ErrorKind> {
        let has_head = self.has_head();
        match &mut self.to {
            To::Whole { head: Some(head), body } => {
                let body = std::mem::take(body).freeze();
                crate::event::http::response::read(head, body).map_err(Error::into_kind)
            }
            _ if has_head => Ok(Response::new()),
            _ => Err(ErrorKind::InvalidAnswer {
                reason: "the guest gave no answer; set the response before the handler returns".into(),
            }),
        }
    }
}

fn declared(parts: &Parts) -> Option<u64> {
    parts.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn unfinished(why: &str) -> ErrorKind {
    let reason =
        format!("the answer's body broke off ({why}); finish it, with as many bytes as were declared");
    ErrorKind::InvalidAnswer { reason }
}
