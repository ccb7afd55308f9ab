//! The mappings between events and HTTP: vectors from the binding, round trips, what hostile peers send.

mod binary;
mod percent;
mod request;
mod response;
mod round_trip;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Makes headers of names and bytes, in that order.
fn headers<V: AsRef<[u8]>>(lines: &[(&str, V)]) -> HeaderMap {
    let line = |(name, value): &(&str, V)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_ref()).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        headers.append(name, value);
    }
    headers
}
