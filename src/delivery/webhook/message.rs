//! What is posted: the event as HTTP writes it, and its signatures.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, HeaderName, Method, Request, Uri};
use http_body_util::Full;

use crate::delivery::Parcel;
use crate::delivery::webhook::post::Address;
use crate::delivery::webhook::secret::Secret;
use crate::event::Event;
use crate::event::http::{answer, binary};
use crate::wall::Moment;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Writes the request of one attempt.
///
/// # Errors
///
/// Why the event cannot be sent over HTTP.
pub(super) fn request(
    url: Uri,
    parcel: &Parcel,
    secrets: &[Secret],
    now: Moment,
) -> Result<Request<Full<Bytes>>, String> {
    let (mut headers, body) = match Address::of(parcel).plain {
        true => plain(&parcel.event)?,
        false => structured(&parcel.event)?,
    };
    // An event may be sent by two functions, or twice by one: the id is of the message.
    let (id, seconds) = (parcel.request_id.to_string(), now.0 / 1000);
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&id, seconds, &body)).collect();
    let value = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are printable");
    headers.insert(ID, value(&id));
    headers.insert(TIMESTAMP, HeaderValue::from(seconds));
    headers.insert(SIGNATURE, value(&signatures.join(" ")));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("fnhost/", env!("CARGO_PKG_VERSION"))));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    *request.headers_mut() = headers;
    Ok(request)
}

fn plain(event: &Event) -> Result<(HeaderMap, Bytes), String> {
    Ok((binary::headers(event).map_err(|error| error.to_string())?, event.body().clone()))
}

fn structured(event: &Event) -> Result<(HeaderMap, Bytes), String> {
    let body = serde_json::to_vec(event).map_err(|error| error.to_string())?;
    let content_type = (CONTENT_TYPE, HeaderValue::from_static(answer::STRUCTURED));
    Ok((HeaderMap::from_iter([content_type]), body.into()))
}
