//! Clients that take their time.

use super::*;

#[test]
fn a_head_sent_byte_by_byte_is_cut_off() {
    let asked = Arc::default();
    let server = Server::open(echo(&asked), one_thread().header_timeout(millis(200)));
    let since = Instant::now();
    let mut client = server.connect();
    let mut sent = 0;
    // Each byte alone keeps nothing alive.
    while client.write_all(b"G").is_ok() && since.elapsed() < PATIENCE {
        sent += 1;
        thread::sleep(millis(10));
    }
    assert!(sent > 1 && since.elapsed() >= millis(200) && since.elapsed() < PATIENCE, "{sent}");
    assert_eq!(asked.load(SeqCst), 0);
}

#[test]
fn a_second_head_has_its_own_time() {
    let server = Server::open(
        echo(&Arc::default()),
        one_thread().header_timeout(millis(200)).idle_timeout(PATIENCE * 2),
    );
    let mut client = server.connect();
    client.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(read_answer(&mut client).ends_with("GET /a b\"\""));
    // Idle for longer than a head may take.
    thread::sleep(millis(400));
    client.write_all(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(read_answer(&mut client).ends_with("GET /b b\"\""));
    let since = Instant::now();
    client.write_all(b"GET /c").unwrap();
    assert_eq!(read_all(&mut client), "");
    assert!(since.elapsed() >= millis(190), "{:?}", since.elapsed());
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    let server = Server::open(echo(&Arc::default()), one_thread().header_timeout(millis(100)));
    assert_eq!(read_all(&mut server.connect()), "");
}

#[test]
fn an_idle_connection_is_closed_in_time_and_not_before() {
    let server = Server::open(echo(&Arc::default()), one_thread().idle_timeout(millis(300)));
    let mut client = server.connect();
    let since = Instant::now();
    client.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    read_answer(&mut client);
    assert_eq!(read_all(&mut client), "");
    assert!(since.elapsed() >= millis(290), "{:?}", since.elapsed());
}

#[test]
fn a_body_that_stops_coming_fails_and_the_service_can_still_answer() {
    let server = Server::open(echo(&Arc::default()), one_thread().body_timeout(millis(200)));
    let since = Instant::now();
    let said = server.exchange("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    assert!(
        said.contains("sent nothing of its body for 0.200 s") && said.contains("timeout: true"),
        "{said}"
    );
    assert!(since.elapsed() >= millis(190), "{:?}", since.elapsed());
}

#[test]
fn a_slow_body_that_keeps_coming_is_read() {
    let server = Server::open(echo(&Arc::default()), one_thread().body_timeout(millis(500)));
    let mut client = server.connect();
    client.write_all(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n").unwrap();
    for byte in b"abcdefgh" {
        thread::sleep(millis(80));
        client.write_all(&[*byte]).unwrap();
    }
    assert!(read_answer(&mut client).ends_with("abcdefgh\""));
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let held = Arc::default();
    let server = Server::open(flood(&held), one_thread().write_timeout(millis(300)));
    let mut client = server.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    until("the answer begins", || held.load(SeqCst) == 1);
    until("the answer is given up", || held.load(SeqCst) == 0);
    assert!(client.read_to_end(&mut Vec::new()).is_err(), "what is cut off must not look whole");
}

#[test]
fn a_client_that_reads_slowly_keeps_its_answer() {
    let held = Arc::default();
    let server = Server::open(flood(&held), one_thread().write_timeout(millis(400)));
    let mut client = server.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut some = vec![0; 4 << 20];
    for _ in 0..10 {
        thread::sleep(millis(100));
        client.read_exact(&mut some).expect("it is still sent");
    }
    assert_eq!(held.load(SeqCst), 1);
}

#[test]
fn slow_clients_leave_the_others_alone() {
    let server = Server::open(echo(&Arc::default()), one_thread());
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let mut client = server.connect();
            client.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx").unwrap();
            client
        })
        .collect();
    let said = server.exchange("GET /fast HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(said.ends_with("GET /fast b\"\""), "{said}");
    drop(slow);
}
