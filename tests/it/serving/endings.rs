//! How answers end: whole, cut off, or with the server.

use std::time::Duration;

use fnhost::http::{Files, ServeOptions};
use fnhost::{Context, Event, Failure, Function, Response};

use super::{LONG, Server, guests};
use crate::kit::{Latch, MIB, assert_quiet, deploy, native_holding, runtime, until};

#[test]
fn what_fails_after_the_head_is_cut_off_and_never_ends_cleanly() {
    for function in guests() {
        let limited = function.timeout(Duration::from_secs(2)).max_response(4 * MIB);
        let (server, handler) = Server::of(limited);
        for path in ["/source?bytes=8000000", "/hold?ms=60000"] {
            let mut client = server.connect();
            let answer = client.get(path);
            assert_eq!((answer.head.status, answer.whole), (200, false), "{path}");
            assert!(client.is_closed(), "{path}");
        }
        assert_eq!(server.get("/hello").said(), (200, "Hello, world!\n"), "nobody else noticed");
        assert_quiet(&server.runtime, &[&handler]);
    }
}

#[test]
fn a_trap_is_told_by_the_status_or_cuts_the_answer_off() {
    for function in guests() {
        let (server, handler) = Server::of(function);
        assert_eq!(server.get("/trap").said().0, 502);
        // The trap may come before anybody has taken the head, or before the server has sent it.
        let mut client = server.connect();
        client.send("GET /trap-late HTTP/1.1\r\nHost: h\r\n\r\n");
        if !client.is_closed() {
            let late = client.answer();
            assert!(matches!((late.head.status, late.whole), (502, true) | (200, false)), "{late:?}");
        }
        assert_quiet(&server.runtime, &[&handler]);
    }
}

#[test]
fn a_body_that_is_not_as_long_as_it_said_is_cut_off() {
    let [v2, _] = guests();
    let (server, handler) = Server::of(v2);
    let short = server.get("/length?declared=9000000&bytes=8000000");
    assert_eq!((short.head.status, short.whole), (200, false));
    let long = server.get("/length?declared=8000000&bytes=9000000");
    assert_eq!((long.head.status, long.whole), (200, false));
    assert_quiet(&server.runtime, &[&handler]);
}

#[test]
fn requests_in_flight_end_within_the_grace_and_no_new_ones_come() {
    let latch = Latch::new();
    let options = ServeOptions::new().grace(LONG);
    let (mut server, handler) = Server::with(native_holding("held", &latch), options, |route| route);
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    until("it is served", || latch.came() == 1);
    server.shut();
    until("nobody is let in", || std::net::TcpStream::connect(server.address).is_err());
    latch.open();
    assert_eq!(client.answer().said(), (200, ""));
    assert!(client.is_closed());
    let runtime = server.runtime.clone();
    let served = server.ended();
    assert_eq!((served.connections_cut, served.requests_cut), (0, 0));
    assert_quiet(&runtime, &[&handler]);
}

#[test]
fn what_is_left_after_the_grace_is_cut_and_told() {
    let [v2, _] = guests();
    let options = ServeOptions::new().grace(Duration::from_millis(20));
    let (server, handler) = Server::with(v2, options, |route| route);
    let mut client = server.connect();
    client.send("GET /hold?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = client.head();
    until("it is served", || handler.stats().unwrap().running == 1);
    let runtime = server.runtime.clone();
    let served = server.ended();
    assert_eq!((served.connections_cut, served.requests_cut), (1, 1));
    assert!(!client.body(&head, |_| {}), "it was cut");
    assert_quiet(&runtime, &[&handler]);
}

#[test]
fn files_and_functions_are_served_on_one_socket() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("serving-files");
    std::fs::create_dir_all(&folder).unwrap();
    let large: String = ('a'..='z').cycle().take(1 << 20).collect();
    std::fs::write(folder.join("large.txt"), &large).unwrap();
    let runtime = runtime();
    let hello = async |_: Event, _: Context| Ok::<_, Failure>(Response::from_text("hello"));
    deploy(&runtime, Function::native("hello", hello));
    let files = Files::new(&folder).unwrap();
    let server = Server::open(&runtime, ServeOptions::new(), |builder| {
        builder.route("/{*path}", files).route("GET /hello", "hello")
    });
    let mut client = server.connect();
    assert_eq!(client.get("/hello").said(), (200, "hello"));
    let whole = client.get("/large.txt");
    assert_eq!((whole.head.status, whole.whole, whole.body == large), (200, true, true));
    client.send("HEAD /large.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.header("content-length")), (200, Some("1048576")));
    client.send("GET /large.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=3-500002\r\n\r\n");
    let part = client.answer();
    assert_eq!((part.head.status, part.body == large[3..500_003]), (206, true));
    assert_eq!(client.get("/gone.txt").head.status, 404);
    assert_eq!(server.ended().requests_cut, 0);
}
