//! The host that a request names.

use std::borrow::Cow;

use http::HeaderMap;
use http::Uri;
use http::header::HOST;

/// Returns the host that a request names, in small letters and without its port, or says why it is refused.
///
/// What stands in the request line comes before the header `Host`, as RFC 9112 wants it.
pub(crate) fn named<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Result<Option<Cow<'r, str>>, &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err("the request has more than one header Host");
    }
    let text = match (uri.host(), header) {
        (Some(host), _) => host,
        (None, Some(header)) => header.to_str().map_err(|_| "the header Host is not a host")?,
        (None, None) => return Ok(None),
    };
    let host = without_port(text);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Ok(Some(Cow::Owned(host.to_ascii_lowercase())));
    }
    Ok(Some(Cow::Borrowed(host)))
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        // A colon before the bracket is one of the address.
        Some(at) if !host[at..].contains(']') => &host[..at],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, hosts: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, http::HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        named(&uri.parse().unwrap(), &headers).map(|host| host.map(Cow::into_owned))
    }

    #[test]
    fn the_port_the_case_and_a_last_dot_do_not_matter() {
        for (host, expected) in [
            ("shop.example", "shop.example"),
            ("Shop.Example.:8080", "shop.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("", ""),
        ] {
            assert_eq!(of("/", &[host]).unwrap().as_deref(), Some(expected), "{host}");
        }
        assert_eq!(of("/", &[]).unwrap(), None);
    }

    #[test]
    fn the_request_line_comes_before_the_header() {
        assert_eq!(of("http://A.example:1/x", &["b.example"]).unwrap().as_deref(), Some("a.example"));
    }

    #[test]
    fn two_hosts_are_refused() {
        assert!(of("/", &["a.example", "a.example"]).is_err());
        assert!(of("/", &["\u{e9}.example"]).is_err());
    }
}
