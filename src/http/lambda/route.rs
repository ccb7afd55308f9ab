//! Which operation a request asks for.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::http::lambda::fault::Fault;

/// What the Invoke API can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Answer with a payload.
    Invoke,
    /// Answer with a stream of events.
    Stream,
}

/// Finds the operation and the function's name as it was written.
pub(super) fn find(method: &Method, path: &str) -> Result<(Operation, String), Fault> {
    let parts: Vec<&str> = path.splitn(6, '/').collect();
    let (operation, name) = match parts[..] {
        ["", "2015-03-31", "functions", name, "invocations"] => (Operation::Invoke, name),
        ["", "2021-11-15", "functions", name, "response-streaming-invocations"] => (Operation::Stream, name),
        _ => return Err(unknown(StatusCode::NOT_FOUND, format!("no operation has the path {path:?}"))),
    };
    if method != Method::POST {
        let message = format!("the method {method} is not allowed here; use POST");
        return Err(unknown(StatusCode::METHOD_NOT_ALLOWED, message));
    }
    Ok((operation, decode(name)?))
}

/// Returns the qualifier that stands in the query.
pub(super) fn qualifier(query: &str) -> Result<Option<String>, Fault> {
    let mut fields = query.split('&').filter_map(|field| field.split_once('='));
    fields.find(|(name, _)| *name == "Qualifier").map(|(_, value)| decode(value)).transpose()
}

fn decode(text: &str) -> Result<String, Fault> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| Fault::invalid_parameter(format!("{text:?} is not UTF-8 once its escapes are read")))
}

fn unknown(status: StatusCode, message: String) -> Fault {
    Fault::new(status, "UnknownOperationException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(Operation, String)> {
        find(&Method::POST, path).ok()
    }

    #[test]
    fn both_operations_are_found_with_the_name_decoded() {
        assert_eq!(found("/2015-03-31/functions/a/invocations"), Some((Operation::Invoke, "a".into())));
        let streaming = "/2021-11-15/functions/a%3A%24LATEST/response-streaming-invocations";
        assert_eq!(found(streaming), Some((Operation::Stream, "a:$LATEST".into())));
    }

    #[test]
    fn nothing_else_is_found() {
        for path in [
            "/",
            "",
            "2015-03-31/functions/a/invocations",
            "/2015-03-31/functions/a/invocations/",
            "/2015-03-31/functions/a/b/invocations",
            "/2021-11-15/functions/a/invocations",
            "/2015-03-31/functions/%ff/invocations",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
        assert!(find(&Method::GET, "/2015-03-31/functions/a/invocations").is_err());
    }

    #[test]
    fn the_qualifier_is_read_from_the_query() {
        assert_eq!(qualifier("").unwrap(), None);
        assert_eq!(qualifier("a=b&Qualifier=%24LATEST&c").unwrap(), Some("$LATEST".into()));
        assert_eq!(qualifier("Qualifier=").unwrap(), Some(String::new()));
        assert_eq!(qualifier("qualifier=1").unwrap(), None);
    }
}
