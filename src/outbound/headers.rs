//! Which headers a guest may send and see.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http_body::Frame;

use super::origin::Origin;
use super::refusal::Refusal;

/// Headers that are about the connection, which is ours.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
];

/// Removes what is about the connection, and what the `connection` header says is.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_THE_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Says in the request whom it is for, whatever the guest said.
pub(crate) fn address(headers: &mut HeaderMap, origin: &Origin) {
    let host = HeaderValue::try_from(origin.authority()).expect("host and port are plain ASCII");
    headers.insert(HOST, host);
}

/// Reads the length that the guest declares, so that exactly as much follows.
///
/// Less or more than declared would make the server take one request's end for another's beginning.
pub(crate) fn declared_length(headers: &mut HeaderMap, exact: Option<u64>) -> Result<Option<u64>, Refusal> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = values.next().cloned() else { return Ok(None) };
    let wrong = |reason: String| Refusal::InvalidRequest { reason };
    if values.any(|value| *value != first) {
        return Err(wrong("`content-length` is given twice; leave it out".into()));
    }
    let digits = first.to_str().ok().filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
    let length: Option<u64> = digits.and_then(|text| text.parse().ok());
    let length = length.ok_or_else(|| wrong("`content-length` is no number; leave it out".into()))?;
    if let Some(exact) = exact.filter(|exact| *exact != length) {
        return Err(wrong(format!("`content-length` says {length}, the body has {exact} bytes")));
    }
    headers.insert(CONTENT_LENGTH, first);
    Ok(Some(length))
}

/// Returns about how many bytes the headers take on the wire.
pub(crate) fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Returns about how many bytes a piece of a body takes on the wire.
pub(crate) fn frame_size(frame: &Frame<Bytes>) -> usize {
    let trailers = || frame.trailers_ref().map_or(0, size);
    frame.data_ref().map_or_else(trailers, Bytes::len)
}
