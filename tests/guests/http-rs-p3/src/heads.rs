//! What reads and writes heads: status, headers, and the little around them.

use std::fmt::Write as _;

use http_parts::FORBIDDEN;
use wasip3::http::types::{Method, Scheme};

use crate::Answered;
use crate::answer::{text, typed, whole};
use crate::question::Question;

/// Answers the head as it came, a line for each part and each header.
pub(crate) fn headers(question: &Question) -> Answered {
    let request = &question.request;
    let mut lines = format!(
        "method: {}\npath: {}\nscheme: {}\nauthority: {}\n\n",
        method(&question.method),
        request.get_path_with_query().unwrap_or_default(),
        scheme(request.get_scheme()),
        request.get_authority().unwrap_or_default(),
    );
    for (name, value) in question.headers.copy_all() {
        let _ = writeln!(lines, "{name}: {}", String::from_utf8_lossy(&value));
    }
    text(200, &lines)
}

fn method(method: &Method) -> String {
    match method {
        Method::Other(name) => name.clone(),
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
pub(crate) fn set(question: &Question) -> Answered {
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
    whole(200, headers, lines.into_bytes())
}

pub(crate) fn status(question: &Question) -> Answered {
    let code = question.query.number("code");
    match u16::try_from(code) {
        Ok(code) => whole(code, typed("text/plain; charset=utf-8"), Vec::new()),
        Err(_) => text(400, &format!("refused: {code}\n")),
    }
}

pub(crate) fn env() -> Answered {
    let lines: String = std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect();
    text(200, &lines)
}

pub(crate) fn log(question: &Question) -> Answered {
    eprintln!("{}", question.query.value("text").unwrap_or_default());
    text(200, "logged\n")
}
