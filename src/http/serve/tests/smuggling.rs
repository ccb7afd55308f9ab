//! Requests that two servers in a row may read differently: at most one answer, and the connection is closed.

use super::*;

/// Follows what would be the end of the first request for somebody else.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

/// Sends two requests of which the first one is ambiguous; answers the statuses that came.
fn send(first: &str) -> String {
    let server =
        Server::open(echo(&Arc::default()), one_thread().body_timeout(millis(200)).idle_timeout(millis(500)));
    let said = server.exchange(format!("{first}{SMUGGLED}"));
    assert!(!said.contains("GET /smuggled"), "{first:?}: {said}");
    assert!(statuses(&said).len() <= 1, "{first:?}: {said}");
    statuses(&said).first().copied().unwrap_or("closed").into()
}

#[test]
fn two_requests_that_are_fine_get_two_answers() {
    let server = Server::open(echo(&Arc::default()), one_thread().idle_timeout(millis(100)));
    let said =
        server.exchange(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc{SMUGGLED}"));
    assert_eq!(statuses(&said), ["200", "200"], "the tests below do look: {said}");
}

#[test]
fn both_lengths_close_the_connection() {
    let chunked = "0\r\n\r\n";
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    ] {
        let status = send(&format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\n{chunked}"));
        assert!(["200", "400"].contains(&&*status), "{headers}: {status}");
    }
}

#[test]
fn two_lengths_are_refused() {
    for headers in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 4\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3 4\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999999\r\n",
    ] {
        assert_eq!(send(&format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\nabc")), "400", "{headers}");
    }
}

#[test]
fn unclear_encodings_are_refused() {
    for headers in [
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        assert_eq!(
            send(&format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\n0\r\n\r\n")),
            "400",
            "{headers}"
        );
    }
    let old = send("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(old, "400", "HTTP/1.0 knows no chunks");
}

#[test]
fn folded_and_broken_lines_are_refused() {
    for headers in [
        "X: a\r\n b\r\n",
        "X: a\r\n\tb\r\n",
        " X: a\r\n",
        "X : a\r\n",
        "X\t: a\r\n",
        "X: a\rContent-Length: 3\r\n",
        "X: a\r\r\n",
        "\rX: a\r\n",
        "X\u{0}: a\r\n",
    ] {
        assert_eq!(send(&format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n")), "400", "{headers:?}");
    }
}

/// A bare line feed ends a line (RFC 9112, 2.2), for the length of the body too.
#[test]
fn a_bare_line_feed_hides_nothing() {
    let server = Server::open(echo(&Arc::default()), one_thread().idle_timeout(millis(200)));
    let said = server.exchange(
        "POST /a HTTP/1.1\nHost: h\nX: y\nContent-Length: 36\n\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\nab",
    );
    assert_eq!(statuses(&said), ["200"], "{said}");
    assert!(said.contains("POST /a b\"GET /smuggled"), "all of it is body: {said}");
}

#[test]
fn the_body_of_a_refused_request_is_no_request() {
    let body = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let len = body.len();
    assert_eq!(send(&format!("POST / HTTP/1.1\r\nContent-Length: {len}\r\n\r\n{body}")), "400", "no host");
}
