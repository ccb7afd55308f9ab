//! HTTP/2 with prior knowledge: served on the same port, and bounded.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `GET / http h`, from the static table and one literal.
const GET: &[u8] = &[0x82, 0x84, 0x86, 0x41, 0x01, b'h'];
/// `POST / http h`.
const POST: &[u8] = &[0x83, 0x84, 0x86, 0x41, 0x01, b'h'];

struct Received {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

struct Client(TcpStream);

impl Client {
    fn connect(server: &Server) -> Self {
        let mut client = Self(server.connect());
        client.0.write_all(PREFACE).unwrap();
        client.send(SETTINGS, 0, 0, &[]);
        client
    }

    fn try_send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let len = (payload.len() as u32).to_be_bytes();
        let mut frame = vec![len[1], len[2], len[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame)
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.try_send(kind, flags, stream, payload).unwrap();
    }

    fn get(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, GET);
    }

    /// None once the server has closed.
    fn receive(&mut self) -> Option<Received> {
        let mut head = [0; 9];
        if let Err(error) = self.0.read_exact(&mut head) {
            assert!(!is_timeout(&error), "still open");
            return None;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Received { kind: head[3], stream, payload })
    }

    /// Reads until a frame of that kind.
    fn next(&mut self, kind: u8) -> Option<Received> {
        std::iter::from_fn(|| self.receive()).find(|received| received.kind == kind)
    }
}

#[test]
fn requests_are_answered_beside_each_other() {
    let server = Server::open(echo(&Arc::default()), one_thread());
    let mut client = Client::connect(&server);
    client.send(HEADERS, END_HEADERS, 1, POST);
    client.get(3);
    let data = client.next(DATA).unwrap();
    assert_eq!((data.stream, &data.payload[..]), (3, &b"GET / b\"\""[..]), "the first one still waits");
    client.send(DATA, END_STREAM, 1, b"abc");
    let data =
        std::iter::from_fn(|| client.next(DATA)).find(|data| !data.payload.is_empty() && data.stream == 1);
    assert_eq!(&data.unwrap().payload[..], b"POST / b\"abc\"");
}

#[test]
fn a_client_that_goes_frees_all_its_streams() {
    let held = Arc::default();
    let server = Server::open(hold(&held), one_thread());
    let mut client = Client::connect(&server);
    (0..20).for_each(|number| client.get(number * 2 + 1));
    until("they are in", || held.load(SeqCst) == 20);
    let since = Instant::now();
    drop(client);
    until("all is free", || held.load(SeqCst) == 0);
    assert!(since.elapsed() < millis(100), "{:?}", since.elapsed());
}

#[test]
fn a_stream_that_is_reset_frees_what_it_holds() {
    let held = Arc::default();
    let server = Server::open(hold(&held), one_thread());
    let mut client = Client::connect(&server);
    client.get(1);
    client.get(3);
    until("they are in", || held.load(SeqCst) == 2);
    client.send(RESET, 0, 1, &8u32.to_be_bytes());
    until("one is free", || held.load(SeqCst) == 1);
}

#[test]
fn streams_past_the_bound_are_refused() {
    let held = Arc::default();
    let server = Server::open(hold(&held), one_thread().streams(10));
    let mut client = Client::connect(&server);
    (0..30).for_each(|number| client.get(number * 2 + 1));
    for _ in 0..20 {
        assert!(client.next(RESET).unwrap().stream > 19);
    }
    until("the first ten are in", || held.load(SeqCst) == 10);
}

#[test]
fn a_flood_of_resets_ends_the_connection() {
    let held = Arc::default();
    let server = Server::open(hold(&held), one_thread());
    let mut client = Client::connect(&server);
    for number in 0..100_000 {
        let stream = number * 2 + 1;
        let sent = client.try_send(HEADERS, END_HEADERS | END_STREAM, stream, GET);
        if sent.and_then(|()| client.try_send(RESET, 0, stream, &8u32.to_be_bytes())).is_err() {
            break;
        }
    }
    // Its last words may be lost in the reset of the socket.
    while client.receive().is_some_and(|received| received.kind != GOAWAY) {}
    until("all is free", || held.load(SeqCst) == 0);
    assert_eq!(statuses(&server.exchange("GET HTTP/1.1\r\n\r\n")), ["400"], "the server lives");
}

#[test]
fn headers_are_bounded() {
    let asked = Arc::default();
    let server = Server::open(echo(&asked), one_thread());
    // 101 headers more: each a literal that is not kept.
    let mut many = GET.to_vec();
    (0..101).for_each(|_| many.extend_from_slice(&[0, 1, b'a', 1, b'b']));
    let mut client = Client::connect(&server);
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, &many);
    assert_eq!(client.next(HEADERS).unwrap().stream, 1, "it is answered");
    assert_eq!(asked.load(SeqCst), 0, "by the server");

    // A block without an end.
    let mut client = Client::connect(&server);
    client.send(HEADERS, END_STREAM, 1, GET);
    let more = [0, 1, b'a', 1, b'b'].repeat(3_000);
    for _ in 0..1_000 {
        if client.try_send(CONTINUATION, 0, 1, &more).is_err() {
            break;
        }
    }
    while client.receive().is_some() {}
    assert_eq!(asked.load(SeqCst), 0);
}

#[test]
fn a_stream_that_is_not_taken_is_cut_and_its_neighbours_are_not() {
    let held = Arc::default();
    let server = Server::open(flood(&held), one_thread().write_timeout(millis(300)));
    let mut client = Client::connect(&server);
    client.send(WINDOW, 0, 0, &0x4000_0000u32.to_be_bytes());
    let since = Instant::now();
    client.get(1);
    client.get(3);
    until("both are in", || held.load(SeqCst) == 2);
    // The third stream is taken, the first one is not.
    let reset = loop {
        let received = client.receive().expect("the connection stays");
        match received.kind {
            DATA if received.stream == 3 => {
                let taken = (received.payload.len() as u32).to_be_bytes();
                client.send(WINDOW, 0, 3, &taken);
            }
            RESET => break received.stream,
            _ => {}
        }
    };
    assert!(reset == 1 && since.elapsed() >= millis(290), "{reset} {:?}", since.elapsed());
    assert_eq!(held.load(SeqCst), 1);
}

#[test]
fn a_body_that_stops_coming_fails_on_its_stream_only() {
    let server = Server::open(echo(&Arc::default()), one_thread().body_timeout(millis(200)));
    let mut client = Client::connect(&server);
    client.send(HEADERS, END_HEADERS, 1, POST);
    let data = client.next(DATA).unwrap();
    assert!(String::from_utf8_lossy(&data.payload).contains("timeout: true"), "{:?}", data.payload);
    client.get(3);
    assert_eq!(client.next(DATA).unwrap().stream, 3);
}

#[test]
fn an_idle_connection_is_told_to_go_whatever_else_it_sends() {
    let server = Server::open(
        echo(&Arc::default()),
        one_thread().idle_timeout(millis(300)).header_timeout(millis(200)),
    );
    let mut client = Client::connect(&server);
    let since = Instant::now();
    client.get(1);
    client.next(DATA).unwrap();
    client.send(PING, 0, 0, &[7; 8]);
    client.next(GOAWAY).expect("it says goodbye");
    assert!(since.elapsed() >= millis(290), "{:?}", since.elapsed());
    while client.receive().is_some() {}
}

#[test]
fn a_panic_ends_its_own_stream_only() {
    let panic = Closure(|request: Request<RequestBody>| async move {
        assert_ne!(request.method(), "POST", "this panic is wanted");
        Ok::<_, Infallible>(Response::new(Full::from("fine")))
    });
    let server = Server::open(panic, one_thread());
    let mut client = Client::connect(&server);
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, POST);
    assert_eq!(client.next(RESET).unwrap().stream, 1);
    client.get(3);
    assert_eq!(client.next(DATA).unwrap().stream, 3);
    drop(client);
    assert_eq!(server.ended(), Served::default());
}

#[test]
fn draining_says_goodbye_and_ends_what_is_in_flight() {
    let server = Server::open(echo(&Arc::default()), one_thread());
    let mut client = Client::connect(&server);
    client.send(HEADERS, END_HEADERS, 1, POST);
    client.next(SETTINGS).unwrap();
    let mut server = server;
    server.shut();
    client.next(GOAWAY).unwrap();
    client.send(DATA, END_STREAM, 1, b"abc");
    let data = std::iter::from_fn(|| client.next(DATA)).find(|data| !data.payload.is_empty());
    assert_eq!(&data.unwrap().payload[..], b"POST / b\"abc\"");
    drop(client);
    assert_eq!(server.ended(), Served::default());
}
