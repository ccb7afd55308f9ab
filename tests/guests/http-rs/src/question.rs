//! What the client asks for: the query, the head, and the body as it comes.

use std::cell::RefCell;

use http_parts::Query;
use wasip2::http::types::{IncomingBody, IncomingRequest};
use wasip2::io::streams::InputStream;

pub(crate) struct Question {
    pub(crate) request: IncomingRequest,
    pub(crate) query: Query,
    /// Taken by whoever reads it; kept here, because it must outlive its stream.
    body: RefCell<Option<IncomingBody>>,
}

impl Question {
    pub(crate) fn new(request: IncomingRequest) -> Self {
        let query = Query::parse(&request.path_with_query().unwrap_or_default());
        Self { request, query, body: RefCell::new(None) }
    }

    pub(crate) fn stream(&self) -> InputStream {
        let body = self.request.consume().expect("the body is taken once");
        let stream = body.stream().expect("the stream is taken once");
        *self.body.borrow_mut() = Some(body);
        stream
    }

    pub(crate) fn take_body(&self) -> Option<IncomingBody> {
        self.body.borrow_mut().take()
    }

    pub(crate) fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.request.headers().get(name).into_iter().next()
    }
}
