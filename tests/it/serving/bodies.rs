//! Bodies that are long, or slow.

use std::fs;
use std::io::Write;
use std::time::Duration;

use fnhost::http::ServeOptions;
use fnhost::{Bytes, Context, Event, Failure, Function, Response};

use super::{Server, guests};
use crate::kit::{MIB, assert_quiet, busy, in_child};

const GIGABYTE: u64 = 1 << 30;
/// For buffers of the sockets' two ends, the guest's memory and one more of everything; measured: 1 MiB.
const MOST_GROWN: u64 = 16 * MIB;
/// A prime, so that no piece looks like another.
const PERIOD: u64 = 251;

fn resident(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// What a body has at an offset, for as long as a piece may be.
fn pattern() -> Vec<u8> {
    (0..PERIOD + (64 << 10)).map(|at| (at % PERIOD) as u8).collect()
}

/// Sends so many bytes to a path that answers them, and checks each that comes back; answers how many came.
fn echo(server: &Server, path: &str, bytes: u64) -> u64 {
    let mut client = server.connect();
    client.send(&format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {bytes}\r\n\r\n"));
    let (mut writer, pattern) = (client.writer(), pattern());
    let mut came = 0;
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut sent = 0;
            while sent < bytes {
                let at = (sent % PERIOD) as usize;
                let len = (bytes - sent).min(64 << 10) as usize;
                writer.write_all(&pattern[at..at + len]).expect("it is sent");
                sent += len as u64;
            }
        });
        let head = client.head();
        let whole = client.body(&head, |piece| {
            let at = (came % PERIOD) as usize;
            assert!(piece == &pattern[at..at + piece.len()], "other bytes came back near {came}");
            came += piece.len() as u64;
        });
        assert!(whole, "cut off after {came} bytes");
    });
    came
}

/// Streams a gigabyte through a guest and back, and a part that it copies itself; answers by how much the process grew.
fn grown(function: Function) -> u64 {
    let (server, handler) = Server::of(function);
    assert_eq!(echo(&server, "/echo", 16 * MIB), 16 * MIB);
    fs::write("/proc/self/clear_refs", "5").expect("Linux resets the high-water mark");
    let before = resident("VmRSS:");
    for (path, bytes) in [("/splice", GIGABYTE), ("/echo", 128 * MIB)] {
        assert_eq!(echo(&server, path, bytes), bytes);
    }
    let grown = resident("VmHWM:").saturating_sub(before);
    assert_quiet(&server.runtime, &[&handler]);
    grown
}

fn stays_flat(test: &str, function: Function) {
    let _busy = busy();
    let said = in_child(&format!("serving::bodies::{test}"), "", || grown(function).to_string());
    let Some(grown) = said.map(|said| said.parse::<u64>().unwrap()) else { return };
    assert!(grown < MOST_GROWN, "the host grew by {} KiB", grown >> 10);
}

#[test]
fn a_gigabyte_passes_both_ways_with_memory_flat() {
    let [v2, _] = guests();
    stays_flat("a_gigabyte_passes_both_ways_with_memory_flat", v2);
}

#[test]
fn a_gigabyte_passes_both_ways_through_a_guest_of_version_3() {
    let [_, v3] = guests();
    stays_flat("a_gigabyte_passes_both_ways_through_a_guest_of_version_3", v3);
}

#[test]
fn a_slow_body_reaches_the_guest_piece_by_piece_and_holds_nobody_up() {
    for function in guests() {
        let (server, handler) = Server::with(function, ServeOptions::new().threads(1), |route| route);
        let mut slow = server.connect();
        slow.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n");
        let head = slow.head();
        let mut echoed = String::new();
        for digit in 1..=9 {
            // Others are served meanwhile, on the same thread.
            assert_eq!(server.get("/hello").said(), (200, "Hello, world!\n"));
            slow.chunk(&mut |piece| echoed.push_str(std::str::from_utf8(piece).unwrap()));
            assert_eq!(echoed.len(), digit, "each piece is answered before the next is sent");
            slow.send(&format!("1\r\n{digit}\r\n"));
        }
        slow.send("0\r\n\r\n");
        assert!(slow.body(&head, |piece| echoed.push_str(std::str::from_utf8(piece).unwrap())));
        assert_eq!(echoed, "0123456789");
        assert_eq!(slow.get("/hello").said().0, 200, "the connection is as good as before");
        assert_quiet(&server.runtime, &[&handler]);
    }
}

#[test]
fn a_body_that_stops_coming_is_told_to_the_guest_and_the_client() {
    let options = || ServeOptions::new().body_timeout(Duration::from_millis(100));
    let stalled = "POST /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345";
    let [v2, _] = guests();
    let (server, handler) = Server::with(v2, options(), |route| route);
    let mut client = server.connect();
    client.send(stalled);
    let told = client.answer();
    assert_eq!(told.head.status, 400);
    assert!(told.body.starts_with("the body ended after 5 bytes"), "{told:?}");
    assert_quiet(&server.runtime, &[&handler]);
    let never = async |_: Event, _: Context| Ok::<_, Failure>(Response::from_bytes(Bytes::from("it ran")));
    let (server, _) = Server::with(Function::native("never", never), options(), |route| route);
    let mut client = server.connect();
    client.send(stalled);
    let refused = client.answer();
    assert_eq!(refused.head.status, 408, "{refused:?}");
    assert!(refused.body.contains("\"timed-out\""), "{refused:?}");
}
