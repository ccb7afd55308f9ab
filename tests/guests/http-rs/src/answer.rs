//! The way out: a head, then a body that is written with back-pressure.

use std::io::{self, Write as _};

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// The body of an answer whose head has gone out; dropped unfinished, it is cut off.
pub(crate) struct Answer {
    /// Goes before the body that it belongs to.
    pub(crate) stream: OutputStream,
    body: OutgoingBody,
}

impl Answer {
    pub(crate) fn begin(out: ResponseOutparam, status: u16, headers: Fields) -> Self {
        let response = OutgoingResponse::new(headers);
        response.set_status_code(status).expect("a status between 100 and 999");
        Self::send(out, response)
    }

    pub(crate) fn send(out: ResponseOutparam, response: OutgoingResponse) -> Self {
        let body = response.body().expect("a new response has its body");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("a new body has its stream");
        Self { stream, body }
    }

    pub(crate) fn finish(self, trailers: Option<Fields>) -> io::Result<()> {
        drop(self.stream);
        OutgoingBody::finish(self.body, trailers).map_err(|code| io::Error::other(format!("{code:?}")))
    }
}

impl io::Write for Answer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut self.stream, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut self.stream)
    }
}

pub(crate) fn text(out: ResponseOutparam, status: u16, text: &str) -> io::Result<()> {
    let headers = typed("text/plain; charset=utf-8");
    let mut answer = Answer::begin(out, status, headers);
    answer.write_all(text.as_bytes())?;
    answer.finish(None)
}

pub(crate) fn typed(content_type: &str) -> Fields {
    let headers = Fields::new();
    headers.set("content-type", &[content_type.into()]).expect("a name and a value that are allowed");
    headers
}
