//! Clients that go away, and services that fail.

use std::net::Shutdown;

use super::*;

/// How soon what a request holds must be free.
const SOON: Duration = Duration::from_millis(100);

#[track_caller]
fn assert_freed(server: &Server, held: &AtomicUsize, request: &str, leave: impl FnOnce(TcpStream)) {
    let mut client = server.connect();
    client.write_all(request.as_bytes()).unwrap();
    until("the request is in", || held.load(SeqCst) == 1);
    let since = Instant::now();
    leave(client);
    until("all is free", || held.load(SeqCst) == 0);
    assert!(since.elapsed() < SOON, "{request:?}: {:?}", since.elapsed());
}

#[test]
fn a_client_that_goes_frees_what_its_request_holds() {
    let held = Arc::default();
    let server = Server::open(hold(&held), one_thread());
    let requests = [
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n".into(),
        // In the middle of a body that nobody reads.
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf".into(),
        // With more in the socket than is ever read.
        format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n{}", "x".repeat(100_000)),
        // With another request behind it.
        "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n".into(),
    ];
    for request in &requests {
        assert_freed(&server, &held, request, drop);
    }
    for request in &requests {
        let keep = std::cell::Cell::new(None);
        assert_freed(&server, &held, request, |client| {
            client.shutdown(Shutdown::Write).unwrap();
            keep.set(Some(client));
        });
    }
}

#[test]
fn a_client_that_goes_frees_an_answer_that_it_did_not_read() {
    let held = Arc::default();
    let server = Server::open(flood(&held), one_thread());
    assert_freed(&server, &held, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", drop);
}

#[test]
fn a_client_that_closes_its_half_before_asking_is_closed() {
    let server = Server::open(echo(&Arc::default()), one_thread());
    let mut client = server.connect();
    client.write_all(b"GET / HT").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let said = read_all(&mut client);
    assert!(said.is_empty() || statuses(&said) == ["400"], "{said}");
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let refuse = Closure(|_: Request<RequestBody>| async {
        let mut response = Response::new(Full::from("no"));
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        Ok::<_, Infallible>(response)
    });
    let server = Server::open(refuse, one_thread());
    for _ in 0..20 {
        let mut client = server.connect();
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 600000\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&vec![b'x'; 600_000]).expect("the server still reads");
        let said = read_all(&mut client);
        assert_eq!(statuses(&said), ["413"], "{said}");
        assert!(said.ends_with("no"));
    }
}

#[test]
fn a_panic_ends_its_own_connection_only() {
    let panic = Closure(|request: Request<RequestBody>| async move {
        assert_ne!(request.uri().path(), "/panic", "this panic is wanted");
        Ok::<_, Infallible>(Response::new(Full::from("fine")))
    });
    let server = Server::open(panic, one_thread());
    let mut other = server.connect();
    other.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(read_answer(&mut other).ends_with("fine"));
    assert_eq!(server.exchange("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n"), "");
    other.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(read_answer(&mut other).ends_with("fine"));
    assert_eq!(server.ended(), Served::default());
}

#[test]
fn an_answer_that_fails_midway_does_not_look_whole() {
    let broken = Closure(|_: Request<RequestBody>| async {
        let frames = [Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("broken"))];
        let frames = frames.map(|frame| frame.map(Frame::data)).into_iter();
        Ok::<_, Infallible>(Response::new(Frames(frames)))
    });
    let server = Server::open(broken, one_thread());
    let said = server.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(!said.ends_with("0\r\n\r\n"), "{said}");
}

struct Frames<I>(I);

impl<I: Iterator<Item = std::io::Result<Frame<Bytes>>> + Unpin> Body for Frames<I> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<std::io::Result<Frame<Bytes>>>> {
        std::task::Poll::Ready(self.0.next())
    }
}
