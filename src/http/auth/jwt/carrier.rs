//! Where a request carries its token.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use crate::http::auth::jwt::refusal::Refusal;

/// Finds the only token: in `Authorization`, else in the cookie if one is named.
pub(super) fn find<'a>(headers: &'a HeaderMap, cookie: Option<&str>) -> Result<&'a str, Refusal> {
    match (only(headers.get_all(AUTHORIZATION).iter())?, cookie) {
        (Some(value), _) => bearer(value.to_str().map_err(|_| not_text())?),
        (None, Some(name)) => only(cookies(headers, name)?.into_iter())?.ok_or(Refusal::Missing),
        (None, None) => Err(Refusal::Missing),
    }
}

/// Tells whether a cookie can have the name; the standard allows a few signs more, which nobody uses.
pub(super) fn is_cookie_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Takes the first if it is the last.
fn only<T>(mut found: impl Iterator<Item = T>) -> Result<Option<T>, Refusal> {
    let first = found.next();
    match found.count() {
        0 => Ok(first),
        more => Err(Refusal::Several(more + 1)),
    }
}

/// Another scheme carries no token.
fn bearer(value: &str) -> Result<&str, Refusal> {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty() => {
            Ok(token.trim_start_matches(' '))
        }
        _ => Err(Refusal::Missing),
    }
}

/// Returns the values of all cookies of the name: HTTP/2 may send them in several headers.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> Result<Vec<&'a str>, Refusal> {
    let mut found = Vec::new();
    for header in headers.get_all(COOKIE) {
        let pairs = header.to_str().map_err(|_| not_text())?.split(';');
        found.extend(pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|pair| pair.0 == name));
    }
    Ok(found.into_iter().map(|(_, value)| value).collect())
}

fn not_text() -> Refusal {
    Refusal::Malformed { part: "its header", wrong: "has characters other than visible ASCII" }
}
