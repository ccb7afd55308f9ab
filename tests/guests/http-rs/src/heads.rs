//! What reads and writes heads: status, headers, and the little around them.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use http_parts::FORBIDDEN;
use wasip2::http::types::{Fields, Method, OutgoingResponse, ResponseOutparam, Scheme};

use crate::answer::{Answer, text, typed};
use crate::question::Question;

/// Answers the head as it came, a line for each part and each header.
pub(crate) fn headers(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let request = &question.request;
    let mut lines = format!(
        "method: {}\npath: {}\nscheme: {}\nauthority: {}\n\n",
        method(request.method()),
        request.path_with_query().unwrap_or_default(),
        scheme(request.scheme()),
        request.authority().unwrap_or_default(),
    );
    for (name, value) in request.headers().entries() {
        let _ = writeln!(lines, "{name}: {}", String::from_utf8_lossy(&value));
    }
    text(out, 200, &lines)
}

pub(crate) fn method(method: Method) -> String {
    match method {
        Method::Other(name) => name,
        known => format!("{known:?}").trim_start_matches("Method::").to_ascii_uppercase(),
    }
}

fn scheme(scheme: Option<Scheme>) -> String {
    match scheme {
        Some(Scheme::Http) => "http".into(),
        Some(Scheme::Https) => "https".into(),
        Some(Scheme::Other(name)) => name,
        None => String::new(),
    }
}

/// Sets each header of the query, tries those that are forbidden, and answers what became of each.
pub(crate) fn set(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let headers = typed("text/plain; charset=utf-8");
    let asked = question.query.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let tried = FORBIDDEN.into_iter().map(|name| (name, "x"));
    let mut lines = String::new();
    for (name, value) in asked.chain(tried) {
        let outcome = match headers.append(name, value.as_bytes()) {
            Ok(()) => "set".to_string(),
            Err(error) => format!("{error:?}"),
        };
        let _ = writeln!(lines, "{name}: {outcome}");
    }
    let mut answer = Answer::begin(out, 200, headers);
    answer.write_all(lines.as_bytes())?;
    answer.finish(None)
}

/// Sets headers `x-0`, `x-1`, ..., each of as many bytes as the query says.
pub(crate) fn many_headers(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let headers = Fields::new();
    let value = vec![b'v'; question.query.number("bytes") as usize];
    for at in 0..question.query.number("n") {
        if let Err(error) = headers.append(&format!("x-{at}"), &value) {
            return text(out, 500, &format!("refused at {at}: {error:?}\n"));
        }
    }
    Answer::begin(out, 200, headers).finish(None)
}

pub(crate) fn status(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    let code = question.query.number("code");
    let response = OutgoingResponse::new(Fields::new());
    let set = u16::try_from(code).map_err(|_| ()).and_then(|code| response.set_status_code(code));
    match set {
        Ok(()) => Answer::send(out, response).finish(None),
        Err(()) => text(out, 400, &format!("refused: {code}\n")),
    }
}

pub(crate) fn env(out: ResponseOutparam) -> io::Result<()> {
    let lines: String = std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect();
    text(out, 200, &lines)
}

pub(crate) fn log(question: &Question, out: ResponseOutparam) -> io::Result<()> {
    eprintln!("{}", question.query.value("text").unwrap_or_default());
    text(out, 200, "logged\n")
}
