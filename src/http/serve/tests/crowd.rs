//! Many clients at once.

use std::fs;
use std::process::Command;

use super::*;

const CHILD: &str = "FNHOST_TEST_CROWD";
const CROWD: usize = 10_000;
/// What one idle connection may cost, with its task and its buffers.
const MOST_EACH: u64 = 32 << 10;

/// Resident memory in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

fn raise_descriptors() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
}

/// Opens idle connections until it is killed; half of them have asked once before.
fn be_the_crowd(address: &str) -> ! {
    raise_descriptors();
    let open = |number: usize| {
        let mut client = TcpStream::connect(address).unwrap();
        if number.is_multiple_of(2) {
            client.write_all(b"GET /crowd HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            read_answer(&mut client);
        }
        client
    };
    let crowd: Vec<_> = (0..CROWD).map(open).collect();
    println!("\nthe crowd is here: {}", crowd.len());
    loop {
        thread::park();
    }
}

/// Ends the child with the test.
struct Crowd(std::process::Child);

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn call_the_crowd(test: &str, server: &Server) -> Crowd {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, server.address.to_string())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut crowd = Crowd(child.unwrap());
    let mut said = std::io::BufReader::new(crowd.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("the crowd is here") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).unwrap(), 0, "the crowd has failed");
    }
    crowd
}

fn name(test: &str) -> String {
    format!("{}::{test}", module_path!().split_once("::").unwrap().1)
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_leave_it_responsive() {
    if let Ok(address) = std::env::var(CHILD) {
        be_the_crowd(&address);
    }
    raise_descriptors();
    let asked = Arc::default();
    let server = Server::open(
        echo(&asked),
        ServeOptions::new().threads(2).connections(CROWD + 10).header_timeout(PATIENCE * 9),
    );
    server.exchange("GET /warm HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let before = resident();
    let crowd =
        call_the_crowd(&name("ten_thousand_idle_connections_cost_little_and_leave_it_responsive"), &server);
    let grown = resident().saturating_sub(before);
    assert!(asked.load(SeqCst) > CROWD / 2);
    assert!(grown < CROWD as u64 * MOST_EACH, "{} bytes each", grown / CROWD as u64);
    let since = Instant::now();
    let said = server.exchange("GET /me HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(
        said.ends_with("GET /me b\"\"") && since.elapsed() < millis(1_000),
        "{said} {:?}",
        since.elapsed()
    );
    drop(crowd);
    assert_eq!(server.ended(), Served::default());
}

#[test]
fn past_the_bound_the_longest_idle_makes_room() {
    let server = Server::open(echo(&Arc::default()), one_thread().connections(3));
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        read_answer(client);
    }
    // The first one is no longer the one that has waited longest.
    clients[0].write_all(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    read_answer(&mut clients[0]);
    let said = server.exchange("GET /new HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(said.ends_with("GET /new b\"\""), "{said}");
    assert_eq!(read_all(&mut clients[1]), "", "it had waited longest");
    clients[0].write_all(b"GET /c HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(read_answer(&mut clients[0]).ends_with("GET /c b\"\""), "it stays");
}

#[test]
fn when_all_are_busy_the_next_client_waits_for_one_to_be_idle() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (open, asked) = (Arc::clone(&gate), Arc::<AtomicUsize>::default());
    let seen = Arc::clone(&asked);
    let service = Closure(move |_: Request<RequestBody>| {
        seen.fetch_add(1, SeqCst);
        let gate = Arc::clone(&gate);
        async move {
            let _ = gate.acquire().await.map(tokio::sync::SemaphorePermit::forget);
            Ok::<_, Infallible>(Response::new(Full::from("done")))
        }
    });
    let server = Server::open(service, one_thread().connections(2));
    let ask = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let connect = || {
        let mut client = server.connect();
        client.write_all(ask).unwrap();
        client
    };
    let _busy = [connect(), connect()];
    until("two are in", || asked.load(SeqCst) == 2);
    let mut third = connect();
    third.set_read_timeout(Some(millis(100))).unwrap();
    assert!(third.read(&mut [0]).is_err_and(|error| is_timeout(&error)), "there is no room yet");
    assert_eq!(asked.load(SeqCst), 2);
    open.add_permits(1);
    until("the third one is in", || asked.load(SeqCst) == 3);
    open.close();
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(read_answer(&mut third).ends_with("done"));
}

#[test]
fn running_out_of_descriptors_is_survived() {
    const TEST: &str = "running_out_of_descriptors_is_survived";
    if std::env::var(CHILD).is_err() {
        // A limit is one of the whole process.
        let child = Command::new(std::env::current_exe().unwrap())
            .args([&name(TEST), "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, "short")
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{said}");
        return;
    }
    let asked = Arc::default();
    let server = Server::open(hold_all_but_home(&asked), one_thread());
    let ask = |path: &str| {
        let mut client = server.connect();
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
        client
    };
    let mut idle = ask("/");
    read_answer(&mut idle);
    let mut busy: Vec<_> = (0..20).map(|_| ask("/hold")).collect();
    until("they are in", || asked.load(SeqCst) == 21);

    let stat = fs::File::open("/proc/self/stat").unwrap();
    leave_one_descriptor();
    busy.push(ask("/hold"));
    assert_eq!(read_all(&mut idle), "", "the idle one gives its descriptor");
    until("the new one is in", || asked.load(SeqCst) == 22);

    drop(idle);
    busy.push(ask("/hold"));
    let before = busy_ticks(&stat);
    thread::sleep(millis(600));
    assert_eq!(asked.load(SeqCst), 22, "there is no descriptor for it");
    assert!(busy_ticks(&stat) - before < 5, "it worked though there was nothing to do");
    busy.remove(0);
    until("the last one is in", || asked.load(SeqCst) == 23);
}

/// Answers at `/`, and nowhere else.
fn hold_all_but_home(asked: &Arc<AtomicUsize>) -> impl Serves {
    let asked = Arc::clone(asked);
    Closure(move |request: Request<RequestBody>| {
        asked.fetch_add(1, SeqCst);
        async move {
            if request.uri().path() != "/" {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Full::from("home")))
        }
    })
}

fn leave_one_descriptor() {
    let next = std::os::fd::AsRawFd::as_raw_fd(&fs::File::open("/dev/null").unwrap()) as u64;
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = Some(next + 1);
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
}

/// How long this process has worked, in hundredths of a second.
fn busy_ticks(stat: &fs::File) -> u64 {
    let mut read = [0; 4096];
    let len = std::os::unix::fs::FileExt::read_at(stat, &mut read, 0).unwrap();
    let stat = String::from_utf8_lossy(&read[..len]);
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
