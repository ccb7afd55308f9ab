//! What a handler is given: an event, or an HTTP request whose body is still to come.

use std::sync::Arc;

use crate::body::{Incoming, Seen};
use crate::context::{Context, RequestId};
use crate::error::{Error, ErrorKind, Payload};
use crate::event::Event;
use crate::event::http::request::{check_size, read};

/// An HTTP request whose body is still to come.
pub(crate) type Request = http::Request<Incoming>;

/// What a handler is given.
#[derive(Debug)]
pub(crate) enum Input {
    Event(Event),
    Http(Box<Request>),
}

impl From<Event> for Input {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl Input {
    /// Returns the event's id; a request has the invocation's.
    pub(crate) fn id(&self, request_id: RequestId) -> Arc<str> {
        match self {
            Self::Event(event) => event.shared_id(),
            Self::Http(_) => request_id.to_shared_text(),
        }
    }

    /// Returns how many bytes its body has, as far as it is known.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Event(event) => event.body().len() as u64,
            Self::Http(request) => http_body::Body::size_hint(request.body()).lower(),
        }
    }

    /// Returns what counts the body while it comes.
    pub(crate) fn seen(&self) -> Option<Arc<Seen>> {
        match self {
            Self::Event(_) => None,
            Self::Http(request) => Some(Arc::clone(request.body().seen())),
        }
    }

    /// Makes an event of it; what a request says beside its body goes into the context.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops what has come of the body.
    pub(crate) async fn into_event(self, context: &mut Context) -> Result<Event, ErrorKind> {
        let request = match self {
            Self::Event(event) => return Ok(event),
            Self::Http(request) => request,
        };
        let (parts, body) = request.into_parts();
        let refuse = |refusal| Error::from(refusal).into_kind();
        check_size(&parts.headers).map_err(refuse)?;
        let body = body.collect().await?;
        let known = std::mem::replace(context, Context::nobodys(context.request_id()));
        let (known, event) = read(known, &parts, body).map_err(refuse)?;
        *context = known;
        Ok(event)
    }

    /// Checks attributes and size before anything is done for it.
    pub(crate) fn check(&self, limit: u64) -> Result<(), ErrorKind> {
        match self {
            Self::Event(event) => event.check().map_err(Error::into_kind)?,
            Self::Http(request) => request.body().seen().set_limit(limit),
        }
        let size = self.len();
        if size > limit {
            return Err(ErrorKind::PayloadTooLarge { what: Payload::Event, limit, size });
        }
        Ok(())
    }
}
