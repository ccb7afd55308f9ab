//! Requests to the outside.

use std::fmt::Write as _;
use std::rc::Rc;

use http_parts::{FETCHED, Query};
use wasip3::http::client::send;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme};
use wasip3::spawn_local;

use crate::Answered;
use crate::answer::{Outgoing, streamed, text, whole};
use crate::question::{Incoming, Question};

/// Asks `url`, with the method and body that came, and answers what it answers.
pub(crate) async fn one(question: Question) -> Answered {
    let all_first = question.query.value("whole").is_some();
    let response = match ask_on_behalf(question).await {
        Ok(response) => response,
        Err(error) => return text(502, &format!("{error}\n")),
    };
    let (status, headers) = (response.get_status_code(), prefixed(&response));
    let body = Incoming::of(response);
    if all_first {
        return all(status, headers, body).await;
    }
    streamed(status, headers, async |answer: Outgoing| answer.pipe(body).await)
}

/// Reads all before it answers, so that it can still say what went wrong.
async fn all(status: u16, headers: Fields, body: Incoming) -> Answered {
    let mut bytes = Vec::new();
    match body.each(|chunk| bytes.extend_from_slice(chunk)).await {
        Ok(_) => whole(status, headers, bytes),
        Err(code) => text(502, &format!("after {} bytes: {code:?}\n", bytes.len())),
    }
}

/// Asks `url` as often as `n` says, all at once; answers a line for each.
pub(crate) async fn many(question: Question) -> Answered {
    let query = Rc::new(question.query);
    let pending: Vec<_> = (0..query.number("n")).map(|_| spawn_local(measure(query.clone()))).collect();
    let mut lines = String::new();
    for (at, pending) in pending.into_iter().enumerate() {
        let _ = match pending.await.expect("nobody cancels it") {
            Ok((status, bytes)) => writeln!(lines, "{at}: {status} {bytes}"),
            Err(error) => writeln!(lines, "{at}: {error}"),
        };
    }
    text(200, &lines)
}

/// Asks `url`, and neither reads the answer nor gives it back.
pub(crate) async fn keep(question: Question) -> Answered {
    match ask_on_behalf(question).await {
        Ok(response) => {
            let status = response.get_status_code();
            std::mem::forget(response);
            text(200, &format!("kept {status}\n"))
        }
        Err(error) => text(502, &format!("{error}\n")),
    }
}

async fn measure(query: Rc<Query>) -> Result<(u16, usize), String> {
    let (body, request) = request(&query)?;
    spawn_local(body.finish(Ok(None)));
    let response = send(request).await.map_err(failed)?;
    let status = response.get_status_code();
    let mut bytes = 0;
    Incoming::of(response).each(|chunk| bytes += chunk.len()).await.map_err(failed)?;
    Ok((status, bytes))
}

async fn ask_on_behalf(question: Question) -> Result<Response, String> {
    let (body, request) = request(&question.query)?;
    request.set_method(&question.method).map_err(|()| refused("method"))?;
    if matches!(question.method, Method::Get | Method::Head) {
        spawn_local(body.finish(Ok(None)));
    } else {
        spawn_local(body.pipe(question.body()));
    }
    send(request).await.map_err(failed)
}

fn request(query: &Query) -> Result<(Outgoing, Request), String> {
    let (scheme, authority, target) = query.url().ok_or_else(|| refused("url"))?;
    let (body, reading) = Outgoing::new();
    let options = Some(options(query)?);
    let (request, _sent) = Request::new(headers(query)?, Some(reading.stream), reading.trailers, options);
    request.set_scheme(Some(&known(scheme))).map_err(|()| refused("scheme"))?;
    request.set_authority(Some(authority)).map_err(|()| refused("authority"))?;
    request.set_path_with_query(Some(target)).map_err(|()| refused("path"))?;
    Ok((body, request))
}

fn known(scheme: &str) -> Scheme {
    match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.into()),
    }
}

/// Makes headers of each `header=NAME:VALUE`.
fn headers(query: &Query) -> Result<Fields, String> {
    let headers = Fields::new();
    for (name, value) in query.headers() {
        headers.append(name, value.trim().as_bytes()).map_err(|error| format!("{name}: {error:?}"))?;
    }
    Ok(headers)
}

fn options(query: &Query) -> Result<RequestOptions, String> {
    let options = RequestOptions::new();
    let time = |name| query.value(name).map(|_| query.nanoseconds(name));
    options.set_connect_timeout(time("connect-ms")).map_err(|_| refused("connect-ms"))?;
    options.set_first_byte_timeout(time("first-ms")).map_err(|_| refused("first-ms"))?;
    options.set_between_bytes_timeout(time("between-ms")).map_err(|_| refused("between-ms"))?;
    Ok(options)
}

fn prefixed(response: &Response) -> Fields {
    let headers = Fields::new();
    for (name, value) in response.get_headers().copy_all() {
        headers.append(&format!("{FETCHED}{name}"), &value).expect("it came in as a header");
    }
    headers
}

fn failed(code: ErrorCode) -> String {
    format!("{code:?}")
}

fn refused(part: &str) -> String {
    format!("refused: {part}")
}
