//! The end of serving: in peace where there is time, and always.

use tokio::sync::Semaphore;

use super::*;

/// Answers once the semaphore is closed.
fn gated(asked: &Arc<AtomicUsize>, gate: &Arc<Semaphore>) -> impl Serves {
    let (asked, gate) = (Arc::clone(asked), Arc::clone(gate));
    Closure(move |_: Request<RequestBody>| {
        asked.fetch_add(1, SeqCst);
        let gate = Arc::clone(&gate);
        async move {
            let _ = gate.acquire().await;
            Ok::<_, Infallible>(Response::new(Full::from("done")))
        }
    })
}

#[test]
fn draining_ends_requests_in_flight_and_closes_idle_connections() {
    let (asked, gate) = (Arc::default(), Arc::new(Semaphore::new(0)));
    let mut server = Server::open(gated(&asked, &gate), one_thread());
    let mut idle = server.connect();
    let mut busy = server.connect();
    busy.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    until("the request is in", || asked.load(SeqCst) == 1);
    server.shut();
    assert_eq!(read_all(&mut idle), "", "an idle connection closes at once");
    until("nobody is let in", || TcpStream::connect(server.address).is_err());
    gate.close();
    let said = read_all(&mut busy);
    assert!(said.ends_with("done") && said.contains("connection: close"), "{said}");
    assert_eq!(server.ended(), Served::default());
}

#[test]
fn what_is_left_after_the_grace_period_is_cut_and_told() {
    let held = Arc::default();
    let server = Server::open(hold(&held), one_thread().grace(millis(100)));
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    }
    until("the requests are in", || held.load(SeqCst) == 3);
    let since = Instant::now();
    let served = server.ended();
    assert_eq!((served.connections_cut, served.requests_cut), (3, 3));
    assert!(since.elapsed() >= millis(100) && held.load(SeqCst) == 0, "{:?}", since.elapsed());
    for client in &mut clients {
        assert_eq!(read_all(client), "");
    }
}

#[test]
fn a_half_sent_head_does_not_hold_the_drain_up() {
    let server = Server::open(echo(&Arc::default()), one_thread().grace(millis(100)));
    let mut client = server.connect();
    client.write_all(b"GET / HT").unwrap();
    let since = Instant::now();
    let served = server.ended();
    assert!(served.requests_cut == 0 && since.elapsed() < PATIENCE / 2, "{served:?} {:?}", since.elapsed());
}

#[test]
fn dropping_the_future_cuts_everything() {
    let held: Arc<AtomicUsize> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = Box::pin(serve(listener, hold(&held), std::future::pending(), one_thread()));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(serving.as_mut().poll(&mut cx).is_pending());
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    until("the request is in", || held.load(SeqCst) == 1);
    drop(serving);
    until("all is free", || held.load(SeqCst) == 0);
    assert_eq!(read_all(&mut client), "");
}

#[test]
fn it_serves_under_a_runtime_of_the_host_and_ends_inside_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let client = thread::spawn(move || {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let said = read_answer(&mut client);
        drop(stop);
        said
    });
    let serving =
        serve(listener, echo(&Arc::default()), async { drop(stopped.await) }, one_thread().threads(2));
    assert_eq!(runtime.block_on(serving).unwrap(), Served::default());
    assert!(client.join().unwrap().ends_with("GET /a b\"\""));
}
