//! What reads and writes bodies of any size, a chunk at a time.

use std::io::{self, Write as _};

use http_parts::{CHUNK, Checksum, Pattern};
use wasip2::http::types::{Fields, IncomingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{InputStream, StreamError};

use crate::answer::{Answer, text, typed};
use crate::question::Question;

const MOST: u64 = CHUNK as u64;

pub(crate) fn echo(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let mut answer = Answer::begin(out, 200, same_type(question));
    each_chunk(&question.stream(), |chunk| answer.write_all(chunk))?;
    answer.finish(None)
}

/// Echoes as well, and lets the host move the bytes.
pub(crate) fn splice(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let answer = Answer::begin(out, 200, same_type(question));
    let stream = question.stream();
    loop {
        match answer.stream.blocking_splice(&stream, MOST) {
            Ok(_) => {}
            Err(StreamError::Closed) => return answer.finish(None),
            Err(StreamError::LastOperationFailed(error)) => return Err(io::Error::other(error)),
        }
    }
}

/// Answers how many bytes came, and their checksum.
pub(crate) fn sink(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let mut checksum = Checksum::default();
    let whole = each_chunk(&question.stream(), |chunk| {
        checksum.add(chunk);
        Ok(())
    });
    match whole {
        Ok(()) => text(out, 200, &checksum.text()),
        Err(error) => text(out, 400, &format!("the body ended after {} bytes: {error}\n", checksum.bytes)),
    }
}

pub(crate) fn source(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let mut answer = Answer::begin(out, 200, typed("application/octet-stream"));
    write_pattern(&mut answer, question.query.number("bytes"))?;
    answer.finish(None)
}

/// Declares one length and sends another.
pub(crate) fn length(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let headers = typed("application/octet-stream");
    let declared = question.query.value("declared").unwrap_or("0");
    headers.set("content-length", &[declared.into()]).map_err(io::Error::other)?;
    let mut answer = Answer::send(out, OutgoingResponse::new(headers));
    write_pattern(&mut answer, question.query.number("bytes"))?;
    answer.finish(None)
}

/// Answers the trailers that came, and sends one that says how long the body was.
pub(crate) fn trailers(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let mut bytes = 0;
    each_chunk(&question.stream(), |chunk| {
        bytes += chunk.len();
        Ok(())
    })?;
    let headers = typed("text/plain; charset=utf-8");
    headers.set("trailer", &["x-bytes".into()]).map_err(io::Error::other)?;
    let mut answer = Answer::begin(out, 200, headers);
    for (name, value) in trailers_of(question)? {
        writeln!(answer, "{name}: {}", String::from_utf8_lossy(&value))?;
    }
    let trailers = Fields::new();
    trailers.set("x-bytes", &[bytes.to_string().into()]).map_err(io::Error::other)?;
    answer.finish(Some(trailers))
}

fn trailers_of(question: &Question) -> io::Result<Vec<(String, Vec<u8>)>> {
    let Some(body) = question.take_body() else { return Ok(Vec::new()) };
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    match trailers.get().expect("it is ready").expect("it is taken once") {
        Ok(fields) => Ok(fields.map(|fields| fields.entries()).unwrap_or_default()),
        Err(code) => Err(io::Error::other(format!("{code:?}"))),
    }
}

/// Calls with each chunk until the stream ends.
pub(crate) fn each_chunk(
    stream: &InputStream,
    mut with: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        match stream.blocking_read(MOST) {
            Ok(chunk) => with(&chunk)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => return Err(io::Error::other(error)),
        }
    }
}

fn write_pattern(answer: &mut Answer, bytes: u64) -> io::Result<()> {
    let mut pattern = Pattern::new(bytes);
    while let Some(chunk) = pattern.next() {
        answer.write_all(chunk)?;
    }
    Ok(())
}

fn same_type(question: &Question) -> Fields {
    let headers = Fields::new();
    if let Some(value) = question.header("content-type") {
        headers.set("content-type", &[value]).expect("it came in as a header");
    }
    headers
}
