//! The path of a request, decoded and judged once; nothing is ever made right in silence.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes a path, or says why it is refused.
///
/// A path that a proxy, a folder or a function could read in another way than the routes do is refused: `.` and `..`
/// as segments, encoded or not, encoded slashes, backslashes, control characters, broken escapes, and what is not
/// UTF-8.
pub(crate) fn decode(path: &str) -> Result<Cow<'_, str>, &'static str> {
    if !path.starts_with('/') {
        return Err("the path does not begin with a slash");
    }
    let decoded = if path.contains('%') { unescape(path)? } else { Cow::Borrowed(path) };
    if decoded.bytes().any(|b| b.is_ascii_control() || b == b'\\') {
        return Err("the path has a backslash or a control character in it");
    }
    if decoded.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("the path has a segment . or ..");
    }
    Ok(decoded)
}

fn unescape(path: &str) -> Result<Cow<'_, str>, &'static str> {
    for escape in path.split('%').skip(1) {
        match escape.as_bytes() {
            [b'2', b'f' | b'F', ..] => return Err("the path has an encoded slash in it"),
            [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {}
            _ => return Err("the path has a percent sign without two hexadecimal digits behind it"),
        }
    }
    percent_decode_str(path).decode_utf8().map_err(|_| "the path is not UTF-8 when it is decoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_borrowed_and_what_is_escaped_is_decoded() {
        assert!(matches!(decode("/a/b.c/..d/...").unwrap(), Cow::Borrowed("/a/b.c/..d/...")));
        assert_eq!(decode("/caf%C3%A9/a%20b/%7Bid%7D/100%25").unwrap(), "/café/a b/{id}/100%");
        assert_eq!(decode("//a//").unwrap(), "//a//", "empty segments are segments");
        assert_eq!(decode("/%252e%252e/a").unwrap(), "/%2e%2e/a", "it is decoded once");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for wrong in [
            "",
            "*",
            "a/b",
            "/..",
            "/a/../b",
            "/a/.",
            "/./a",
            "/%2e%2e/a",
            "/a/.%2E",
            "/%2e",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/..\\a",
            "/a%00",
            "/%0d%0aset-cookie:a",
            "/%7f",
            "/a%",
            "/a%2",
            "/%zz",
            "/%+1",
            "/%ff",
            "/%c0%ae%c0%ae/",
            "/%ed%a0%80",
        ] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
    }
}
