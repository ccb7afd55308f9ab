//! One request, judged and made ready to go.

use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Uri, Version};
use http_body::Body;
use http_body_util::Empty;

use super::budget::Budget;
use super::connection::Key;
use super::headers;
use super::limits::{Limits, Patience};
use super::refusal::{Part, Refusal};
use super::rules::Grant;
use super::sending::{BoxError, Sending};
use super::until::Until;

/// What is known of a request beside the request itself.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) key: Key,
    pub(crate) grant: Grant,
    pub(crate) patience: Patience,
    pub(crate) budget: Budget,
    pub(crate) limits: Limits,
}

impl Call {
    /// Makes of the guest's request the one that goes out.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` or `TooLarge`.
    pub(crate) fn prepare<B>(&self, request: Request<B>) -> Result<Request<Sending>, Refusal>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            let reason = "a tunnel would pass by the rules; the method CONNECT is not allowed".into();
            return Err(Refusal::InvalidRequest { reason });
        }
        headers::strip(&mut parts.headers);
        headers::address(&mut parts.headers, &self.key.origin);
        let exact = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
        let declared = headers::declared_length(&mut parts.headers, exact)?;
        parts.uri = path_of(&parts.uri);
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let body = Sending::new(body, declared, &self.budget, &self.limits);
        let request = Request::from_parts(parts, body);
        self.measure(&request)?;
        Ok(request)
    }

    /// Says for how long a connection may be waited for, from now on.
    pub(crate) fn until(&self) -> Until {
        Until::after(Instant::now(), self.patience.connect, self.budget.deadline())
    }

    /// Copies a request that changes nothing at the server and has no body, so that it can be sent once more.
    pub(crate) fn spare(&self, request: &Request<Sending>) -> Option<Request<Sending>> {
        if !request.method().is_safe() || !request.body().is_end_stream() {
            return None;
        }
        let mut spare = Request::new(Sending::new(Empty::new(), Some(0), &self.budget, &self.limits));
        spare.method_mut().clone_from(request.method());
        spare.uri_mut().clone_from(request.uri());
        spare.headers_mut().clone_from(request.headers());
        Some(spare)
    }

    fn measure(&self, request: &Request<Sending>) -> Result<(), Refusal> {
        let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
        let size = request.method().as_str().len() + path + headers::size(request.headers());
        let limit = self.limits.max_request_head;
        if size > limit {
            return Err(Refusal::TooLarge { part: Part::RequestHead, limit: limit as u64 });
        }
        let (count, most) = (request.headers().len(), self.limits.max_headers);
        if count > most {
            let reason = format!("there are {count} headers, the limit is {most}; raise `max_headers`");
            return Err(Refusal::InvalidRequest { reason });
        }
        Ok(())
    }
}

/// Returns what a request line names when the connection already leads to the host.
fn path_of(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from)
}
