//! What hostile, slow and vanishing clients meet; each client is a plain socket.

mod crowd;
mod drain;
mod http2;
mod leaving;
mod slow;
mod smuggling;
mod syntax;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;

use super::{RequestBody, ServeOptions, Served, Serves, serve};
use crate::block_on::block_on;

/// Long enough for a busy machine, short enough for a test that fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers as a closure does.
struct Closure<F>(F);

impl<F, R, B> Serves for Closure<F>
where
    F: Fn(Request<RequestBody>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Response<B>, Infallible>> + Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;

    async fn serve(&self, request: Request<RequestBody>) -> Response<B> {
        let Ok(answer) = self.0(request).await;
        answer
    }
}

/// A server under test.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: JoinHandle<std::io::Result<Served>>,
}

impl Server {
    fn open(service: impl Serves, options: ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let run = move || block_on(serve(listener, service, async { drop(stopped.await) }, options));
        Self { address, stop: Some(stop), thread: thread::spawn(run) }
    }

    /// Connects a client that gives up waiting in time for the test to fail.
    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_nodelay(true).unwrap();
        client
    }

    /// Sends bytes and reads until the server closes.
    fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect();
        // The server may have said no and closed before all is sent.
        let _ = client.write_all(bytes.as_ref());
        read_all(&mut client)
    }

    fn shut(&mut self) {
        drop(self.stop.take());
    }

    fn ended(mut self) -> Served {
        self.shut();
        self.thread.join().unwrap().unwrap()
    }
}

fn one_thread() -> ServeOptions {
    ServeOptions::new().threads(1)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Reads to the end, which a reset is too.
fn read_all(client: &mut TcpStream) -> String {
    let mut read = Vec::new();
    if let Err(error) = client.read_to_end(&mut read) {
        assert!(!is_timeout(&error), "still open, with {:?}", String::from_utf8_lossy(&read));
    }
    String::from_utf8_lossy(&read).into_owned()
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Reads one answer whose length is given.
fn read_answer(client: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        assert_eq!(client.read(&mut byte).expect("an answer"), 1, "the end after {read:?}");
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).unwrap();
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    client.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn statuses(read: &str) -> Vec<&str> {
    read.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

/// Waits for something that another thread does.
#[track_caller]
fn until(what: &str, mut is_done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_done() {
        assert!(since.elapsed() < PATIENCE, "still waiting: {what}");
        thread::sleep(millis(1));
    }
}

/// Answers method, path and body, and counts who asks.
fn echo(asked: &Arc<AtomicUsize>) -> impl Serves {
    let asked = Arc::clone(asked);
    Closure(move |request: Request<RequestBody>| {
        asked.fetch_add(1, SeqCst);
        async move {
            let (head, body) = request.into_parts();
            let answer = match body.collect().await {
                Ok(body) => format!("{} {} {:?}", head.method, head.uri.path(), body.to_bytes()),
                Err(error) => format!("{error}; timeout: {}", is_timeout(&error)),
            };
            Ok::<_, Infallible>(Response::new(Full::from(answer)))
        }
    })
}

/// Counts as held until it is dropped.
struct Held(Arc<AtomicUsize>);

impl Held {
    fn new(held: &Arc<AtomicUsize>) -> Self {
        held.fetch_add(1, SeqCst);
        Self(Arc::clone(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Answers never, and leaves the body where it is.
fn hold(held: &Arc<AtomicUsize>) -> impl Serves {
    let held = Arc::clone(held);
    Closure(move |request: Request<RequestBody>| {
        let held = Held::new(&held);
        async move {
            poll_fn(|_| std::task::Poll::<()>::Pending).await;
            drop((held, request));
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    })
}

/// A body without an end.
struct Endless(Held);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let _ = &self.0;
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 << 10])))))
    }
}

/// Answers without an end.
fn flood(held: &Arc<AtomicUsize>) -> impl Serves {
    let held = Arc::clone(held);
    Closure(move |_: Request<RequestBody>| {
        let body = Endless(Held::new(&held));
        async move { Ok::<_, Infallible>(Response::new(body)) }
    })
}
