//! What the client asks for: the path, and the query's names and values.

use std::cell::RefCell;

use wasip2::http::types::{IncomingBody, IncomingRequest};
use wasip2::io::streams::InputStream;

pub(crate) struct Question {
    pub(crate) request: IncomingRequest,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Taken by whoever reads it; kept here, because it must outlive its stream.
    body: RefCell<Option<IncomingBody>>,
}

impl Question {
    pub(crate) fn new(request: IncomingRequest) -> Self {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
        Self { path: path.to_string(), query, body: RefCell::new(None), request }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns 0 for what is missing or no number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.value(name).and_then(|value| value.parse().ok()).unwrap_or(0)
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

fn pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decode(name), decode(value))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = (*first == b'%').then(|| escaped(behind)).flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(behind: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(behind.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}
