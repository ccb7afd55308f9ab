//! Requests to the outside.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use http_parts::FETCHED;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, ResponseOutparam, Scheme,
};

use crate::answer::{Answer, text};
use crate::bodies::each_chunk;
use crate::question::Question;

/// Asks `url`, with the method and body that came, and answers what it answers.
pub(crate) fn one(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let response = match ask(question, true).and_then(|pending| wait(&pending)) {
        Ok(response) => response,
        Err(error) => return text(out, 502, &format!("{error}\n")),
    };
    if question.query.value("whole").is_some() {
        return whole(&response, out);
    }
    let mut answer = Answer::begin(out, response.status(), prefixed(&response));
    read(&response, |chunk| answer.write_all(chunk))?;
    answer.finish(None)
}

/// Reads all before it answers, so that it can still say what went wrong.
fn whole(response: &IncomingResponse, out: ResponseOutparam) -> io::Result<()> {
    let mut body = Vec::new();
    if let Err(error) = read(response, |chunk| body.write_all(chunk)) {
        return text(out, 502, &format!("after {} bytes: {error}\n", body.len()));
    }
    let mut answer = Answer::begin(out, response.status(), prefixed(response));
    answer.write_all(&body)?;
    answer.finish(None)
}

/// Asks `url` as often as `n` says, all at once; answers a line for each.
pub(crate) fn many(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let pending: Vec<_> = (0..question.query.number("n")).map(|_| ask(question, false)).collect();
    let mut lines = String::new();
    for (at, pending) in pending.into_iter().enumerate() {
        let outcome = pending.and_then(|pending| measure(&pending));
        let _ = match outcome {
            Ok((status, bytes)) => writeln!(lines, "{at}: {status} {bytes}"),
            Err(error) => writeln!(lines, "{at}: {error}"),
        };
    }
    text(out, 200, &lines)
}

/// Asks `url`, and neither reads the answer nor gives it back.
pub(crate) fn keep(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    match ask(question, false).and_then(|pending| wait(&pending)) {
        Ok(response) => {
            let status = response.status();
            std::mem::forget(response);
            text(out, 200, &format!("kept {status}\n"))
        }
        Err(error) => text(out, 502, &format!("{error}\n")),
    }
}

fn measure(pending: &FutureIncomingResponse) -> io::Result<(u16, usize)> {
    let response = wait(pending)?;
    let mut bytes = 0;
    read(&response, |chunk| {
        bytes += chunk.len();
        Ok(())
    })?;
    Ok((response.status(), bytes))
}

fn ask(question: &Question, with_body: bool) -> io::Result<FutureIncomingResponse> {
    let request = request(question)?;
    if with_body {
        request.set_method(&question.request.method()).map_err(|()| refused("method"))?;
    }
    let body = request.body().map_err(|()| refused("body"))?;
    let pending = handle(request, Some(options(question)?)).map_err(failed)?;
    if with_body && !matches!(question.request.method(), Method::Get | Method::Head) {
        // Whoever answers early reads no more: that is no failure, and the answer says more.
        let _ = upload(question, &body);
    }
    OutgoingBody::finish(body, None).map_err(failed)?;
    Ok(pending)
}

fn request(question: &Question) -> io::Result<OutgoingRequest> {
    let (scheme, authority, target) = question.query.url().ok_or_else(|| refused("url"))?;
    let request = OutgoingRequest::new(headers(question)?);
    request.set_scheme(Some(&known(scheme))).map_err(|()| refused("scheme"))?;
    request.set_authority(Some(authority)).map_err(|()| refused("authority"))?;
    request.set_path_with_query(Some(target)).map_err(|()| refused("path"))?;
    Ok(request)
}

fn known(scheme: &str) -> Scheme {
    match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.into()),
    }
}

/// Makes headers of each `header=NAME:VALUE`.
fn headers(question: &Question) -> io::Result<Fields> {
    let headers = Fields::new();
    for (name, value) in question.query.headers() {
        headers.append(name, value.trim().as_bytes()).map_err(io::Error::other)?;
    }
    Ok(headers)
}

fn options(question: &Question) -> io::Result<RequestOptions> {
    let options = RequestOptions::new();
    let time = |name| question.query.value(name).map(|_| question.query.nanoseconds(name));
    options.set_connect_timeout(time("connect-ms")).map_err(|()| refused("connect-ms"))?;
    options.set_first_byte_timeout(time("first-ms")).map_err(|()| refused("first-ms"))?;
    options.set_between_bytes_timeout(time("between-ms")).map_err(|()| refused("between-ms"))?;
    Ok(options)
}

fn upload(question: &Question, body: &OutgoingBody) -> io::Result<()> {
    let mut stream = body.write().map_err(|()| refused("stream"))?;
    each_chunk(&question.stream(), |chunk| stream.write_all(chunk))
}

fn wait(pending: &FutureIncomingResponse) -> io::Result<IncomingResponse> {
    pending.subscribe().block();
    pending.get().expect("it is ready").expect("it is taken once").map_err(failed)
}

fn read(response: &IncomingResponse, with: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let body = response.consume().map_err(|()| refused("body"))?;
    let stream = body.stream().map_err(|()| refused("stream"))?;
    each_chunk(&stream, with)
}

fn prefixed(response: &IncomingResponse) -> Fields {
    let headers = Fields::new();
    for (name, value) in response.headers().entries() {
        headers.append(&format!("{FETCHED}{name}"), &value).expect("it came in as a header");
    }
    headers
}

fn failed(code: ErrorCode) -> io::Error {
    io::Error::other(format!("{code:?}"))
}

fn refused(part: &str) -> io::Error {
    io::Error::other(format!("refused: {part}"))
}
