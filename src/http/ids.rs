//! The names under which one request is found again: its request id and its trace.
//!
//! What a client sends is kept when it is sane, else made; either way the function sees it and the answer carries it.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::context::{Context, is_traceparent};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest request id that is taken from a client.
const MAX_ID: usize = 128;
/// The length of a trace parent of version 00.
const TRACEPARENT_LEN: usize = 55;

/// The names of one request, written once.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) request_id: HeaderValue,
    traceparent: HeaderValue,
}

impl Ids {
    /// Reads both from a request or makes them, and sets them there and in a new context.
    pub(crate) fn settle(headers: &mut HeaderMap) -> (Self, Context) {
        let context = Context::new();
        let request_id = match only(headers, &REQUEST_ID).filter(|id| is_sane(id.as_bytes())) {
            Some(id) => id.clone(),
            None => header(&context.request_id().to_shared_text()),
        };
        let trace: Arc<str> =
            match only(headers, &TRACEPARENT).and_then(|parent| known(parent.to_str().ok()?)) {
                Some(trace) => trace,
                None => {
                    // What a vendor said of another trace means nothing to this one.
                    headers.remove(TRACESTATE);
                    context.request_id().to_traceparent()
                }
            };
        let ids = Self { request_id, traceparent: header(&trace) };
        ids.mark(headers);
        (ids, context.with_traceparent(trace))
    }

    /// Sets both, in the place of what stands there.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.request_id.clone());
        headers.insert(TRACEPARENT, self.traceparent.clone());
    }
}

/// Returns a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Tells whether an id can stand in logs and addresses as it is.
fn is_sane(id: &[u8]) -> bool {
    let is_fine = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(b);
    (1..=MAX_ID).contains(&id.len()) && id.iter().all(is_fine)
}

/// Returns a trace parent as version 00; what a later version may have behind that is cut, as W3C wants it.
fn known(text: &str) -> Option<Arc<str>> {
    if is_traceparent(text) {
        return Some(text.into());
    }
    let later = text.get(..TRACEPARENT_LEN)?;
    let behind = &text[TRACEPARENT_LEN..];
    let version = later.get(..2).filter(|version| !matches!(*version, "00" | "ff"))?;
    let is_version = version.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let first = format!("00{}", &later[2..]);
    let is_known = is_version && (behind.is_empty() || behind.starts_with('-')) && is_traceparent(&first);
    is_known.then(|| first.into())
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids are of letters, digits and hyphens")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn settled(pairs: &[(&HeaderName, &str)]) -> (HeaderMap, Context) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let (ids, context) = Ids::settle(&mut headers);
        let mut answer = HeaderMap::new();
        ids.mark(&mut answer);
        assert_eq!(answer[REQUEST_ID], headers[REQUEST_ID]);
        assert_eq!(answer[TRACEPARENT], headers[TRACEPARENT]);
        assert_eq!(headers[TRACEPARENT], context.traceparent().unwrap());
        assert!(context.check::<crate::error::Error>().is_ok());
        (headers, context)
    }

    #[test]
    fn what_is_sane_is_kept() {
        let (headers, context) =
            settled(&[(&REQUEST_ID, "req_7/a+b=:@~."), (&TRACEPARENT, TRACE), (&TRACESTATE, "a=1")]);
        assert_eq!(headers[REQUEST_ID], "req_7/a+b=:@~.");
        assert_eq!(context.traceparent(), Some(TRACE));
        assert_eq!(headers[TRACESTATE], "a=1");
    }

    #[test]
    fn what_is_missing_or_strange_is_made() {
        let long = "x".repeat(129);
        for id in
            [None, Some(""), Some("a b"), Some("a\tb"), Some("<script>"), Some("\u{e9}"), Some(long.as_str())]
        {
            let (headers, context) = id.map_or_else(|| settled(&[]), |id| settled(&[(&REQUEST_ID, id)]));
            assert_eq!(headers[REQUEST_ID], context.request_id().to_string(), "{id:?}");
        }
        let (headers, _) = settled(&[(&REQUEST_ID, "a"), (&REQUEST_ID, "b")]);
        assert_eq!((headers[REQUEST_ID].len(), headers.get_all(REQUEST_ID).iter().count()), (36, 1));
    }

    #[test]
    fn a_trace_that_is_made_is_a_new_one_without_a_state() {
        for wrong in
            ["", "00-0-0-00", &TRACE.to_uppercase(), &format!("{TRACE}-x"), &TRACE.replacen("00", "ff", 1)]
        {
            let (headers, context) = settled(&[(&TRACEPARENT, wrong), (&TRACESTATE, "a=1")]);
            assert_ne!(context.traceparent(), Some(TRACE), "{wrong}");
            assert!(!headers.contains_key(TRACESTATE), "{wrong}");
        }
        assert_ne!(settled(&[]).1.traceparent(), settled(&[]).1.traceparent());
    }

    #[test]
    fn a_later_version_is_read_as_the_first() {
        for later in [TRACE.replacen("00", "cc", 1), TRACE.replacen("00", "01", 1) + "-what-comes"] {
            assert_eq!(settled(&[(&TRACEPARENT, &later)]).1.traceparent(), Some(TRACE), "{later}");
        }
        let longer = TRACE.replacen("00", "01", 1) + "x";
        assert_ne!(settled(&[(&TRACEPARENT, &longer)]).1.traceparent(), Some(TRACE));
    }
}
