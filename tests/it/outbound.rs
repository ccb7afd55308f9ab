//! What guests reach over HTTP: what a rule allows, and nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use fnhost::{Bytes, Context, Error, Function, Handler, Isolation, OutboundLimits, Report, Runtime};
use http_body_util::{BodyExt, Empty};
use parking_lot::Mutex;

use crate::kit::{MIB, REUSE, assert_quiet, deploy, refused, says, small, until};

const HTTP_RS: &[u8] = include_bytes!("../guests/http-rs.wasm");
const HTTP_RS_P3: &[u8] = include_bytes!("../guests/http-rs-p3.wasm");

/// A server that answers each request by its path.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || attend(stream, &count));
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Reads requests without a body, and answers what their path says.
fn attend(stream: TcpStream, asked: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        asked.fetch_add(1, SeqCst);
        let path = head.split(' ').nth(1).unwrap_or("/").to_string();
        let answer = match path.as_str() {
            "/away" => {
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/private\r\ncontent-length: 0\r\n\r\n"
                    .into()
            }
            "/large" => {
                format!("HTTP/1.1 200 OK\r\ncontent-length: {0}\r\n\r\n{1}", 2 * MIB, "x".repeat(2 << 20))
            }
            "/never" => {
                // Until the guest's side goes away.
                let _ = reader.read(&mut [0]);
                return;
            }
            _ => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\nyou asked {path}", 10 + path.len()),
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A runtime that remembers the last report.
struct World {
    runtime: Runtime,
    last: Arc<Mutex<Option<Report>>>,
}

impl World {
    fn new() -> Self {
        let last = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&last);
        let runtime = small().observer(move |report| *seen.lock() = Some(report.clone())).build().unwrap();
        Self { runtime, last }
    }

    fn get(&self, handler: &Handler, path: &str) -> Result<(u16, String), Error> {
        let request =
            http::Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
        self.last.lock().take();
        let answered = self.runtime.block_on(async {
            let (parts, body) = handler.http(Context::new(), request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok((parts.status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
        });
        until("the event ends", || self.last.lock().is_some());
        answered
    }

    /// Has the guest ask for a URL.
    fn fetch(&self, handler: &Handler, url: &str) -> (u16, String) {
        self.get(handler, &format!("/fetch?whole=1&url={url}")).unwrap()
    }

    /// Why the last event's requests were refused.
    fn refusals(&self) -> Vec<String> {
        let report = self.last.lock().take().expect("an event has ended");
        report.outbound.map_or_else(Vec::new, |outbound| outbound.refusals.clone())
    }
}

#[test]
fn nothing_is_within_reach_unless_allowed_and_the_report_names_the_missing_rule() {
    let (world, server) = (World::new(), Server::start());
    for code in [HTTP_RS, HTTP_RS_P3] {
        let web = deploy(&world.runtime, Function::wasm("web", code));
        let (status, text) = world.fetch(&web, &server.url("/"));
        assert!(status == 502 && text.contains("HttpRequestDenied"), "{status} {text}");
        let missing = format!(".allow_outbound(\"http://{}\")", server.address);
        assert!(world.refusals()[0].contains(&missing));
        assert_eq!(server.asked.load(SeqCst), 0);
        assert_quiet(&world.runtime, &[&web]);
    }
}

#[test]
fn what_a_rule_names_is_reached_and_counted() {
    let (world, server) = (World::new(), Server::start());
    for code in [HTTP_RS, HTTP_RS_P3] {
        let web = deploy(&world.runtime, Function::wasm("web", code).allow_outbound(server.url("")));
        assert_eq!(world.fetch(&web, &server.url("/a?b=c")), (200, "you asked /a?b=c".into()));
        let report = world.last.lock().take().unwrap();
        let used = report.outbound.expect("it made a request");
        assert_eq!((used.requests, used.refused, used.bytes_received), (1, 0, 16));
        let other = Server::start();
        assert_eq!(world.fetch(&web, &other.url("/")).0, 502);
        assert_eq!(other.asked.load(SeqCst), 0);
        assert_quiet(&world.runtime, &[&web]);
    }
}

#[test]
fn a_name_that_leads_to_a_private_address_needs_to_be_told_so() {
    let (world, server) = (World::new(), Server::start());
    let url = format!("http://localhost:{}", server.address.port());
    let public = deploy(&world.runtime, Function::wasm("public", HTTP_RS).allow_outbound(&url));
    let (status, text) = world.fetch(&public, &format!("{url}/"));
    assert!(status == 502 && text.contains("DestinationIpProhibited"), "{status} {text}");
    assert!(world.refusals()[0].contains("allow_outbound_private"), "the fix is named");
    let private = deploy(&world.runtime, Function::wasm("private", HTTP_RS).allow_outbound_private(&url));
    assert_eq!(world.fetch(&private, &format!("{url}/x")), (200, "you asked /x".into()));
}

#[test]
fn a_redirect_is_an_answer_and_following_it_a_request_like_any_other() {
    let (world, server) = (World::new(), Server::start());
    let web = deploy(&world.runtime, Function::wasm("web", HTTP_RS).allow_outbound(server.url("")));
    assert_eq!(world.fetch(&web, &server.url("/away")).0, 302);
    let (status, text) = world.fetch(&web, "http://127.0.0.1:1/private");
    assert!(status == 502 && text.contains("HttpRequestDenied"), "{text}");
}

#[test]
fn addresses_in_disguise_and_credentials_are_refused() {
    let (world, server) = (World::new(), Server::start());
    let port = server.address.port();
    let rule = format!("http://*.example.com:{port}");
    let web = deploy(&world.runtime, Function::wasm("web", HTTP_RS).allow_outbound(rule));
    for host in [
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "user:pass@api.example.com",
    ] {
        let (status, text) = world.fetch(&web, &format!("http://{host}:{port}/"));
        assert_eq!(status, 502, "{host}: {text}");
    }
    assert_eq!(server.asked.load(SeqCst), 0);
}

#[test]
fn limits_hold_for_each_event_also_in_a_guest_that_serves_many() {
    let (world, server) = (World::new(), Server::start());
    let limits = OutboundLimits::new().max_requests(2).max_response_bytes(MIB);
    let function = Function::wasm("web", HTTP_RS)
        .isolation(REUSE)
        .allow_outbound(server.url(""))
        .outbound_limits(limits);
    let web = deploy(&world.runtime, function);
    for _ in 0..2 {
        let (_, lines) = world.get(&web, &format!("/fetch-many?n=4&url={}", server.url("/"))).unwrap();
        assert_eq!(lines.matches(": 200").count(), 2, "{lines}");
        assert!(world.refusals().iter().all(|refusal| refusal.contains("max_requests")));
    }
    let (status, text) = world.fetch(&web, &server.url("/large"));
    assert!(status == 502 && text.contains("size exceeds limit"), "{status} {text}");
    assert!(world.refusals()[0].contains("max_response_bytes"));
    assert_quiet(&world.runtime, &[&web]);
}

#[test]
fn an_answer_that_a_guest_neither_reads_nor_gives_back_ends_with_its_event() {
    const CROWD: Isolation = Isolation::Concurrent { max_in_flight: 8, max_uses: 1_000 };
    let (world, server) = (World::new(), Server::start());
    for (code, isolation) in [(HTTP_RS, REUSE), (HTTP_RS_P3, REUSE), (HTTP_RS_P3, CROWD)] {
        let function = Function::wasm("web", code)
            .isolation(isolation)
            .allow_outbound(server.url(""))
            .outbound_limits(OutboundLimits::new().max_at_once(1));
        let web = deploy(&world.runtime, function);
        for _ in 0..3 {
            let kept = world.get(&web, &format!("/keep?url={}", server.url("/")));
            assert_eq!(kept.unwrap(), (200, "kept 200\n".into()));
            until("the guest ends", || web.stats().unwrap().live == 0);
        }
        // Who reads what he asked for is kept.
        assert_eq!(world.fetch(&web, &server.url("/a")), (200, "you asked /a".into()));
        assert_eq!(world.get(&web, "/count").unwrap().1, "2");
        until("the guest is idle", || web.stats().unwrap().idle == 1);
        world.runtime.block_on(world.runtime.remove("web")).unwrap();
    }
}

#[test]
fn a_server_that_does_not_answer_is_left_at_the_events_deadline() {
    let (world, server) = (World::new(), Server::start());
    let function =
        Function::wasm("web", HTTP_RS).timeout(Duration::from_millis(200)).allow_outbound(server.url(""));
    let web = deploy(&world.runtime, function);
    let ended = world.get(&web, &format!("/fetch?url={}", server.url("/never")));
    assert_eq!(ended.unwrap_err().kind().name(), "timed-out");
    assert_quiet(&world.runtime, &[&web]);
}

#[test]
fn a_rule_that_cannot_be_read_is_an_error_of_the_deployment() {
    let world = World::new();
    let error = refused(&world.runtime, Function::wasm("web", HTTP_RS).allow_outbound("api.example.com"));
    says(&error, &["web", "api.example.com"]);
    let error = refused(&world.runtime, Function::wasm("web", HTTP_RS).roots(b"no certificate"));
    says(&error, &["web"]);
}
