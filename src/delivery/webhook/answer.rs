//! What the answer of an endpoint means.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::delivery::retry::Fault;
use crate::escape::Escaped;
use crate::wall::Moment;

/// The longest time that an endpoint may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// Why an attempt was no success.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    pub(super) fn new(fault: Fault, kind: &'static str, message: String) -> Self {
        Self { fault, kind, message, retry_after: None }
    }
}

/// Judges an answer, of whose body the beginning is shown.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    beginning: &[u8],
    now: Moment,
) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let fault = match status.as_u16() {
        408 | 425 | 429 | 500.. => Fault::Function,
        _ => Fault::Final,
    };
    let hint = if status.is_redirection() { "; redirects are not followed, give the new URL" } else { "" };
    let said = String::from_utf8_lossy(beginning);
    let said = if said.is_empty() { String::new() } else { format!(": {}", Escaped(&said)) };
    let message = format!("answered with http status {}{hint}{said}", status.as_u16());
    Err(Failure { retry_after: retry_after(headers, now), ..Failure::new(fault, "http-status", message) })
}

/// Reads how long the endpoint wants to be left alone: in seconds, or until a date.
fn retry_after(headers: &HeaderMap, now: Moment) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let wait = match is_number {
        // Only a number that is far too large cannot be read.
        true => Duration::from_secs(text.parse().unwrap_or(u64::MAX)),
        false => Moment::from(httpdate::parse_http_date(text).ok()?).since(now),
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16) -> Option<Fault> {
        let judged = judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"", Moment(0));
        judged.err().map(|failure| failure.fault)
    }

    #[test]
    fn a_status_says_whether_it_is_posted_again() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status), None, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599, 999] {
            assert_eq!(of(status), Some(Fault::Function), "{status}");
        }
        for status in [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 410, 422, 499] {
            assert_eq!(of(status), Some(Fault::Final), "{status}");
        }
    }

    #[test]
    fn the_endpoint_says_how_long_to_wait_but_not_for_ever() {
        // 1994-11-15 08:12:31 UTC is 784,887,151 seconds after the epoch.
        let now = Moment(784_887_091_000);
        for (text, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("99999999999999999999999999", Some(3600)),
            ("86400", Some(3600)),
            ("Tue, 15 Nov 1994 08:12:31 GMT", Some(60)),
            ("Tue, 15 Nov 1994 08:11:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn what_the_endpoint_says_is_shown_safely() {
        let failure = judge(StatusCode::FOUND, &HeaderMap::new(), b"\x1b[2Jgone\xff", Moment(0)).unwrap_err();
        assert_eq!(
            failure.message,
            "answered with http status 302; redirects are not followed, give the new URL: \\u{1b}[2Jgone\u{fffd}"
        );
    }
}
