//! Requests that are too large or no requests at all.

use super::*;

const CLOSE: &str = "Host: h\r\nConnection: close\r\n";

#[test]
fn a_head_that_is_too_large_is_told_so() {
    let asked = Arc::default();
    let server = Server::open(echo(&asked), one_thread());
    for len in [17 << 10, 1 << 20] {
        let said = server.exchange(format!("GET / HTTP/1.1\r\n{CLOSE}X: {}\r\n\r\n", "x".repeat(len)));
        assert_eq!(statuses(&said), ["431"], "{len}: {said}");
    }
    let said = server.exchange(format!("GET / HTTP/1.1\r\n{CLOSE}X: {}\r\n\r\n", "x".repeat(15 << 10)));
    assert_eq!(statuses(&said), ["200"], "{said}");
    assert_eq!(asked.load(SeqCst), 1);
}

#[test]
fn too_many_headers_are_told_so() {
    let asked = Arc::default();
    let server = Server::open(echo(&asked), one_thread());
    let many = |count| format!("GET / HTTP/1.1\r\n{CLOSE}{}\r\n", "A: b\r\n".repeat(count));
    assert_eq!(statuses(&server.exchange(many(98))), ["200"]);
    assert_eq!(statuses(&server.exchange(many(99))), ["431"]);
    assert_eq!(statuses(&server.exchange(many(2_000))), ["431"]);
    assert_eq!(asked.load(SeqCst), 1);
}

#[test]
fn a_target_that_is_too_long_is_refused() {
    let server = Server::open(echo(&Arc::default()), one_thread());
    let said = server.exchange(format!("GET /{} HTTP/1.1\r\n{CLOSE}\r\n", "x".repeat(20 << 10)));
    assert!(["431", "414"].contains(&statuses(&said)[0]), "{said}");
}

#[test]
fn what_is_no_http_is_refused_or_closed() {
    let asked = Arc::default();
    let server = Server::open(echo(&asked), one_thread());
    let wrong = [
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}".into(),
        "GET / HTTP/9.9\r\n\r\n".into(),
        "GET /\r\n\r\n".into(),
        "GET  /  HTTP/1.1\r\n\r\n".into(),
        format!("G\u{0}T / HTTP/1.1\r\n{CLOSE}\r\n"),
        format!("GET /\u{1} HTTP/1.1\r\n{CLOSE}\r\n"),
        format!("GET / HTTP/1.1\r\n{CLOSE}A: b\u{0}c\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{CLOSE}A b: c\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{CLOSE}: c\r\n\r\n"),
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n".into(),
        "x".repeat(100_000),
    ];
    for wrong in wrong {
        let said = server.exchange(&wrong);
        assert!(said.is_empty() || ["400", "414", "431"].contains(&statuses(&said)[0]), "{wrong:?}: {said}");
    }
    assert_eq!(asked.load(SeqCst), 0);
}

#[test]
fn bad_chunks_end_the_body_with_an_error() {
    let server = Server::open(echo(&Arc::default()), one_thread());
    let wrong = [
        "g\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3;\n\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
        "3\r\nab",
    ];
    for wrong in wrong {
        let mut client = server.connect();
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        client
            .write_all(format!("{head}{wrong}GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes())
            .unwrap();
        let _ = client.shutdown(std::net::Shutdown::Write);
        let said = read_all(&mut client);
        assert!(statuses(&said).len() <= 1 && !said.contains("/smuggled"), "{wrong:?}: {said}");
    }
}

#[test]
fn chunk_extensions_and_trailers_have_a_bound() {
    let asked = Arc::default();
    let server = Server::open(echo(&asked), one_thread());
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let extended = format!("1;{}\r\na\r\n", "e".repeat(1_000)).repeat(100);
    let said = server.exchange(format!("{head}{extended}0\r\n\r\n"));
    assert!(said.contains("ended early"), "{said}");
    let trailers = "T: v\r\n".repeat(100_000);
    let said = server.exchange(format!("{head}0\r\n{trailers}\r\n"));
    assert!(said.contains("ended early"), "{said}");
    assert_eq!(asked.load(SeqCst), 2);
}
