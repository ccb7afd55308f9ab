//! Answers of functions as HTTP responses, and HTTP responses as answers.
//!
//! | attribute | in HTTP |
//! |---|---|
//! | `http.status` | the status, 200 to 599; 200 where it is absent |
//! | `http.header.NAME` | the header of that name; several values are joined by `, ` |
//! | `http.header.set-cookie`, `http.header.set-cookie.2`, ... | one `set-cookie` header each, since cookies cannot be joined |
//! | `ce-NAME` | an attribute of the event that the answer is, percent-encoded in its header |
//! | any other | stays behind |

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::{Error, ErrorKind};
use crate::event::Response;
use crate::event::attributes::{label, quoted};
use crate::event::http::{CE, HEADER, is_framing, percent};

/// The attribute that sets the status.
pub(crate) const STATUS: &str = "http.status";
const LEAST_STATUS: u16 = 200;
const MOST_STATUS: u16 = 599;

/// Writes an answer that the runtime has checked.
///
/// # Errors
///
/// `InvalidAnswer` for a status that is none or announces another one, a header that is none, stands there twice or
/// frames the message, and a body where the status forbids it.
pub(crate) fn write(answer: &Response) -> Result<http::Response<Bytes>, Error> {
    let mut response = http::Response::new(answer.bytes().clone());
    *response.status_mut() = answer.attribute(STATUS).map_or(Ok(StatusCode::OK), read_status)?;
    check_body(response.status(), answer.bytes())?;
    if let Some(content_type) = answer.content_type() {
        put(response.headers_mut(), "content type", CONTENT_TYPE, content_type)?;
    }
    for (attribute, value) in answer.attributes() {
        write_attribute(response.headers_mut(), attribute, value)?;
    }
    Ok(response)
}

fn write_attribute(headers: &mut HeaderMap, attribute: &str, value: &str) -> Result<(), Error> {
    if let Some(name) = attribute.strip_prefix(HEADER) {
        return write_header(headers, attribute, name, value);
    }
    if attribute.starts_with(CE) {
        return put(headers, attribute, header_name(attribute, attribute)?, &percent::encode(value));
    }
    if attribute.starts_with("http.") && attribute != STATUS {
        return Err(wrong(attribute, "is not known; write http.status or http.header.NAME"));
    }
    Ok(())
}

fn write_header(headers: &mut HeaderMap, attribute: &str, name: &str, value: &str) -> Result<(), Error> {
    if is_cookie(name) {
        headers.append(SET_COOKIE, header_value(attribute, value)?);
        return Ok(());
    }
    let name = header_name(attribute, name)?;
    if is_framing(&name) {
        return Err(wrong(
            attribute,
            "names a header that is set with the body or the connection; leave it out",
        ));
    }
    put(headers, attribute, name, value)
}

/// `set-cookie`, or that with a number behind it.
fn is_cookie(name: &str) -> bool {
    name.strip_prefix(SET_COOKIE.as_str()).is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('.').is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

fn put(headers: &mut HeaderMap, attribute: &str, name: HeaderName, value: &str) -> Result<(), Error> {
    match headers.insert(name, header_value(attribute, value)?) {
        None => Ok(()),
        Some(_) => Err(wrong(attribute, "sets a header that is set already; leave one of them out")),
    }
}

fn header_name(attribute: &str, name: &str) -> Result<HeaderName, Error> {
    HeaderName::try_from(name).map_err(|_| wrong(attribute, "has no name of a header behind it; write one"))
}

fn header_value(attribute: &str, value: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| wrong(attribute, "has a control character, which a header cannot carry; remove it"))
}

fn read_status(value: &str) -> Result<StatusCode, Error> {
    // Not `parse`, which takes a plus sign.
    let status = StatusCode::from_bytes(value.as_bytes()).ok();
    status.filter(is_final).ok_or_else(|| invalid(format!("http.status is {}{STATUS_ADVICE}", quoted(value))))
}

const STATUS_ADVICE: &str = ", and must be 200 to 599; answer one of those";

fn is_final(status: &StatusCode) -> bool {
    (LEAST_STATUS..=MOST_STATUS).contains(&status.as_u16())
}

/// Tells whether a response with that status has no body.
pub(crate) fn is_bare(status: StatusCode) -> bool {
    [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

fn check_body(status: StatusCode, body: &Bytes) -> Result<(), Error> {
    if is_bare(status) && !body.is_empty() {
        let (status, len) = (status.as_u16(), body.len());
        return Err(invalid(format!(
            "a body of {len} bytes with status {status}, which has none; leave it out"
        )));
    }
    Ok(())
}

/// Reads a response whose body has arrived.
///
/// # Errors
///
/// `InvalidAnswer` for what [`Response`] cannot hold: a status that is not final, more than 64 headers or 16 KiB of
/// them, a header whose value is not text.
pub(crate) fn read(parts: &Parts, body: Bytes) -> Result<Response, Error> {
    if !is_final(&parts.status) {
        return Err(invalid(format!("the status is {}{STATUS_ADVICE}", parts.status.as_u16())));
    }
    let mut attributes = vec![(STATUS.to_owned(), parts.status.as_str().to_owned())];
    let mut content_type = None;
    for name in parts.headers.keys().filter(|name| !is_framing(name)) {
        if name == CONTENT_TYPE {
            content_type = Some(joined(&parts.headers, name)?);
        } else if name == SET_COOKIE {
            read_cookies(&parts.headers, &mut attributes)?;
        } else {
            attributes.push(read_header(&parts.headers, name)?);
        }
    }
    Response::from_parts(content_type, attributes, body).map_err(invalid)
}

fn read_header(headers: &HeaderMap, name: &HeaderName) -> Result<(String, String), Error> {
    let value = joined(headers, name)?;
    if !name.as_str().starts_with(CE) {
        return Ok((format!("{HEADER}{name}"), value));
    }
    let value = percent::decode(value.as_bytes())
        .map_err(|reason| invalid(format!("{}: {reason}", label(name.as_str()))))?;
    Ok((name.to_string(), value))
}

fn read_cookies(headers: &HeaderMap, attributes: &mut Vec<(String, String)>) -> Result<(), Error> {
    for (at, value) in headers.get_all(SET_COOKIE).iter().enumerate() {
        let number = if at == 0 { String::new() } else { format!(".{}", at + 1) };
        attributes.push((format!("{HEADER}{SET_COOKIE}{number}"), text(&SET_COOKIE, value)?.to_owned()));
    }
    Ok(())
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<String, Error> {
    let values: Result<Vec<&str>, Error> =
        headers.get_all(name).iter().map(|value| text(name, value)).collect();
    Ok(values?.join(", "))
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Error> {
    std::str::from_utf8(value.as_bytes())
        .map_err(|_| invalid(format!("the header {} is not UTF-8; encode its value", label(name.as_str()))))
}

fn wrong(attribute: &str, what: &str) -> Error {
    invalid(format!("attribute {} {what}", quoted(attribute)))
}

fn invalid(reason: String) -> Error {
    ErrorKind::InvalidAnswer { reason }.into()
}
