//! Events that come as HTTP requests: read in binary, structured or batched mode, and answered in the mode asked for.

mod accept;
mod batch;
mod mode;
mod outcome;
mod refusal;
mod webhook;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};

use self::accept::Wish;
use self::batch::{Batch, Results};
use self::mode::Mode;
use self::outcome::Outcome;
use self::webhook::Senders;
use crate::context::Context;
use crate::error::Error;
use crate::event::Event;
use crate::event::http::binary;
use crate::http::answer::Refusal;
use crate::runtime::Handler;

/// How a route takes events of CloudEvents 1.0 over HTTP.
///
/// A request carries one event, in binary mode or in structured mode (`application/cloudevents+json`), or a batch of
/// them (`application/cloudevents-batch+json`). The guide `docs/http.md` says how each is answered.
///
/// ```
/// use fnhost::http::CloudEvents;
///
/// let events = CloudEvents::new().max_batch(100).concurrency(4).allow_sender("events.example.com");
/// events.check()?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CloudEvents {
    max_batch: usize,
    max_answers: usize,
    concurrency: usize,
    senders: Senders,
}

impl Default for CloudEvents {
    fn default() -> Self {
        Self { max_batch: 1_000, max_answers: 16 << 20, concurrency: 16, senders: Senders::default() }
    }
}

impl CloudEvents {
    /// Takes events with the defaults of every setter.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many events one batch may have; 1,000 by default.
    pub fn max_batch(mut self, events: usize) -> Self {
        self.max_batch = events;
        self
    }

    /// Sets how many bytes the answers to one batch may have together; 16 MiB by default.
    ///
    /// What an event answers beyond that is left out, and its result says so.
    pub fn max_answers(mut self, bytes: usize) -> Self {
        self.max_answers = bytes;
        self
    }

    /// Sets how many events of one batch are with the function at the same time; 16 by default.
    pub fn concurrency(mut self, events: usize) -> Self {
        self.concurrency = events;
        self
    }

    /// Agrees to deliveries of a sender that asks first, or of any with `*`; of none by default.
    ///
    /// This is the handshake of the web hook specification, which protects others from being flooded. It
    /// authenticates nobody: a sender that does not ask is not refused.
    pub fn allow_sender(mut self, origin: impl Into<String>) -> Self {
        self.senders.allow(origin.into());
        self
    }

    /// Sets how many deliveries a minute such a sender is told that it may make; as many as it likes by default.
    pub fn allowed_rate(mut self, per_minute: NonZeroU32) -> Self {
        self.senders.limit(per_minute);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` for a batch or a concurrency of none, and for a sender that no header can name.
    pub fn check(&self) -> Result<(), Error> {
        if self.max_batch == 0 || self.concurrency == 0 {
            return Err(Error::configuration(
                "`max_batch` and `concurrency` must be at least 1; raise the one that is 0",
            ));
        }
        self.senders.check()
    }

    /// Answers a request whose body has arrived.
    ///
    /// Whatever goes wrong is an answer too. Events of one batch share the context, each with a request id of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels every event of the request that has no answer yet.
    pub async fn serve(
        &self,
        handler: &Handler,
        context: Context,
        request: Request<Bytes>,
    ) -> Response<Bytes> {
        let request_id = context.request_id();
        let answered = self.answer(handler, context, request).await;
        answered.unwrap_or_else(|refusal| refusal.into_bytes(&request_id.to_string()))
    }

    /// Answers a request, or says why it carries no event.
    pub(crate) async fn answer(
        &self,
        handler: &Handler,
        context: Context,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Refusal> {
        let (parts, body) = request.into_parts();
        match parts.method {
            Method::OPTIONS => self.senders.answer(&parts.headers),
            Method::POST | Method::PUT => self.take(handler, context, &parts.headers, body).await,
            _ => Err(refusal::method()),
        }
    }

    async fn take(
        &self,
        handler: &Handler,
        context: Context,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, Refusal> {
        let mode = Mode::of(headers)?;
        let wish = Wish::of(headers);
        let event = match mode {
            Mode::Binary => {
                binary::read(headers, body).map_err(|error| refusal::bad_request(error.to_string()))?
            }
            Mode::Structured => mode::structured(&body)?,
            Mode::Batch => {
                let events = Batch { most: self.max_batch }.read(&body)?;
                drop(body);
                return Ok(self.take_all(handler, &context, events).await.into_response(wish));
            }
        };
        let answer = handler.invoke_with(context, event).await;
        Ok(Outcome::of(answer).into_response(wish.mode(mode)))
    }

    async fn take_all(&self, handler: &Handler, context: &Context, events: Vec<Event>) -> Results {
        let mut results = Results::new(&events, self.max_answers);
        let answers = events.into_iter().map(|event| handler.invoke_with(context.sibling(), event));
        batch::in_order(self.concurrency, answers, |at, answer| results.put(at, Outcome::of(answer))).await;
        results
    }
}
