//! A client that goes away frees its guest, soon.

use std::time::{Duration, Instant};

use super::{Client, Server, guests};
use crate::kit::{alone, assert_quiet, median, until};

/// What a client does before it is gone.
type Visit = fn(&mut Client);

fn waits_for_the_head(client: &mut Client) {
    client.send("GET /slow?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n");
}

fn has_read_a_part(client: &mut Client) {
    client.send("GET /hold?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    let mut begun = Vec::new();
    client.chunk(&mut |piece| begun.extend_from_slice(piece));
    assert_eq!(begun, b"begun\n");
}

/// The guest waits for room, as nobody reads on.
fn reads_no_more(client: &mut Client) {
    client.send("GET /source?bytes=1000000000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.head();
    client.chunk(&mut |_| {});
}

fn sends_a_part(client: &mut Client) {
    client.send("POST /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\na part");
}

const VISITS: [(&str, Visit); 4] = [
    ("waits for the head", waits_for_the_head),
    ("has read a part", has_read_a_part),
    ("reads no more", reads_no_more),
    ("sends a part", sends_a_part),
];

#[test]
fn a_client_that_disconnects_frees_its_guest_within_100_ms() {
    let _alone = alone();
    for function in guests() {
        let name = function.name().to_owned();
        let (server, handler) = Server::of(function);
        for (what, visit) in VISITS {
            let freed = || {
                let mut client = server.connect();
                visit(&mut client);
                until("the guest runs", || handler.stats().unwrap().running == 1);
                let since = Instant::now();
                drop(client);
                until("the guest is freed", || handler.stats().unwrap().running == 0);
                since.elapsed()
            };
            let took = median((0..5).map(|_| freed()).collect());
            assert!(took < Duration::from_millis(100), "{name}, a client that {what}: {took:?}");
            assert_quiet(&server.runtime, &[&handler]);
        }
        assert_eq!(server.ended().requests_cut, 0);
    }
}
