//! What is refused before a service sees it: shapes that two servers in a row may read differently.

use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::request::Request;
use http::response::Response;
use http::{StatusCode, Version};

/// Answers the status with which a request is refused.
///
/// What breaks the syntax has been refused by then; this is what can be read, and must not be.
pub(super) fn refusal<B>(request: &Request<B>, most_headers: usize) -> Option<StatusCode> {
    let headers = request.headers();
    if headers.len() > most_headers {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let is_fine = has_one_host(headers, request.version()) && has_plain_encoding(headers);
    (!is_fine).then_some(StatusCode::BAD_REQUEST)
}

fn has_one_host(headers: &HeaderMap, version: Version) -> bool {
    let hosts = headers.get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && version != Version::HTTP_11)
}

/// A body is chunked or it is not: of two encodings or two lines, another server may see but one.
fn has_plain_encoding(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => true,
        (Some(only), None) => only.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// Makes the answer to a refused request; its connection must not be used again.
pub(super) fn refused<B>(status: StatusCode, version: Version, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if version <= Version::HTTP_11 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
