//! URIs and references, as RFC 3986 writes them.

use std::net::Ipv6Addr;

use crate::event::attributes::quoted;

const SUB_DELIMS: &str = "!$&'()*+,;=";

/// Judges a URI-reference that may not be empty.
pub(super) fn check_reference(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("it is empty; give a URI-reference like /orders or https://example.com/orders".to_owned());
    }
    Parts::of(value).check().map_err(|wrong| format!("{} is not a URI-reference: {wrong}", quoted(value)))
}

/// Judges an absolute URI, which by RFC 3986 has a scheme and no fragment.
pub(super) fn check_absolute(value: &str) -> Result<(), String> {
    let parts = Parts::of(value);
    let wrong = if parts.scheme.is_none() {
        "it has no scheme; begin it with one, like https:".to_owned()
    } else if parts.fragment.is_some() {
        "it has a fragment; leave out what follows the #".to_owned()
    } else {
        match parts.check() {
            Ok(()) => return Ok(()),
            Err(wrong) => wrong,
        }
    };
    Err(format!("{} is not an absolute URI: {wrong}", quoted(value)))
}

struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(value: &'a str) -> Self {
        let (value, fragment) = split_at(value, '#');
        let (value, query) = split_at(value, '?');
        let (scheme, hierarchy) = split_scheme(value);
        let (authority, path) = split_authority(hierarchy);
        Self { scheme, authority, path, query, fragment }
    }

    fn check(&self) -> Result<(), String> {
        self.scheme.map_or(Ok(()), check_scheme)?;
        self.authority.map_or(Ok(()), check_authority)?;
        check_characters(self.path, ":@/")?;
        self.query.map_or(Ok(()), |query| check_characters(query, ":@/?"))?;
        self.fragment.map_or(Ok(()), |fragment| check_characters(fragment, ":@/?"))
    }
}

fn split_at(value: &str, mark: char) -> (&str, Option<&str>) {
    value.split_once(mark).map_or((value, None), |(before, after)| (before, Some(after)))
}

/// A colon before the first slash ends a scheme: a relative path cannot have one there.
fn split_scheme(value: &str) -> (Option<&str>, &str) {
    match value.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => (Some(scheme), rest),
        _ => (None, value),
    }
}

fn split_authority(hierarchy: &str) -> (Option<&str>, &str) {
    match hierarchy.strip_prefix("//") {
        None => (None, hierarchy),
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(authority), path)
        }
    }
}

fn check_scheme(scheme: &str) -> Result<(), String> {
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
        return Ok(());
    }
    Err(format!("{} is not a scheme; begin a relative path with ./ if it has a colon", quoted(scheme)))
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (user, host) = authority.split_once('@').unwrap_or(("", authority));
    check_characters(user, ":")?;
    let port = if host.starts_with('[') { after_literal(host)? } else { after_name(host)? };
    let digits = port.strip_prefix(':').unwrap_or(port);
    if (port.is_empty() || port.starts_with(':')) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!("{} is not a port; write : and digits after the host", quoted(port)))
}

fn after_name(host: &str) -> Result<&str, String> {
    let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    check_characters(name, "")?;
    Ok(port)
}

fn after_literal(host: &str) -> Result<&str, String> {
    match host[1..].split_once(']') {
        Some((literal, port)) if is_address(literal) => Ok(port),
        _ => Err(format!("{} is not an address; write an IPv6 address within the brackets", quoted(host))),
    }
}

fn is_address(literal: &str) -> bool {
    literal.parse::<Ipv6Addr>().is_ok() || is_future_address(literal)
}

/// The form that RFC 3986 keeps for addresses of later versions: `v1.fe80`.
fn is_future_address(literal: &str) -> bool {
    let Some((version, address)) = literal.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    let hexadecimal = !version.is_empty() && version.bytes().all(|b| b.is_ascii_hexdigit());
    hexadecimal && !address.is_empty() && !address.contains('%') && check_characters(address, ":").is_ok()
}

/// Judges the characters of one part; those of `more` are allowed too.
fn check_characters(part: &str, more: &str) -> Result<(), String> {
    for (at, c) in part.char_indices() {
        if c == '%' {
            check_percent(&part[at..])?;
        } else if !(is_unreserved(c) || SUB_DELIMS.contains(c) || more.contains(c)) {
            return Err(format!(
                "{} cannot stand there; percent-encode it",
                quoted(&part[at..at + c.len_utf8()])
            ));
        }
    }
    Ok(())
}

fn check_percent(rest: &str) -> Result<(), String> {
    match rest.as_bytes() {
        [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => Ok(()),
        _ => Err("a % lacks its two hexadecimal digits; write %25 for a percent sign".to_owned()),
    }
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~')
}
