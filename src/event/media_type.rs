//! Media types, as RFC 2045 writes them.

use crate::event::attributes::quoted;

/// Judges a media type with its parameters.
pub(super) fn check(value: &str) -> Result<(), String> {
    if is_media_type(value) {
        return Ok(());
    }
    Err(format!("{} is not a media type; write it like text/plain; charset=utf-8", quoted(value)))
}

/// Tells whether a body of that media type is JSON.
pub(super) fn is_json(value: &str) -> bool {
    subtype(value).is_some_and(|subtype| {
        let subtype = subtype.to_ascii_lowercase();
        subtype == "json" || subtype.ends_with("+json")
    })
}

/// Tells whether a body of that media type is text.
pub(super) fn is_text(value: &str) -> bool {
    value.split_once('/').is_some_and(|(kind, _)| kind.eq_ignore_ascii_case("text"))
}

fn subtype(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once('/')?;
    let subtype = rest.split(';').next()?;
    Some(subtype.trim_ascii())
}

fn is_media_type(value: &str) -> bool {
    after_type(value).is_some_and(are_parameters)
}

fn after_type(value: &str) -> Option<&str> {
    after_token(after_token(value)?.strip_prefix('/')?)
}

fn are_parameters(mut rest: &str) -> bool {
    while !rest.is_empty() {
        match after_parameter(rest) {
            Some(more) => rest = more,
            None => return false,
        }
    }
    true
}

fn after_parameter(rest: &str) -> Option<&str> {
    let name = rest.trim_start_matches(' ').strip_prefix(';')?.trim_start_matches(' ');
    let value = after_token(name)?.strip_prefix('=')?;
    match value.strip_prefix('"') {
        Some(inside) => after_quoted(inside),
        None => after_token(value),
    }
}

fn after_token(text: &str) -> Option<&str> {
    let end = text.bytes().position(|b| !is_token(b)).unwrap_or(text.len());
    if end == 0 { None } else { Some(&text[end..]) }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b)
}

fn after_quoted(inside: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, b) in inside.bytes().enumerate() {
        match b {
            b'"' if !escaped => return Some(&inside[at + 1..]),
            b' '..=b'~' => escaped = b == b'\\' && !escaped,
            _ => return None,
        }
    }
    None
}
