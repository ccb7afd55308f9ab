//! Servers on loopback, a resolver that says what a test wants, and a client between them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::outbound::{BoxFuture, Budget, Holdings, Outbound, Patience, Policy, Receiving, Refusal, Resolve};

/// Answers names as it was told to; the last answer is given again and again.
#[derive(Debug, Default)]
pub(super) struct Book {
    answers: Mutex<HashMap<String, Vec<Vec<SocketAddr>>>>,
    pub(super) lookups: AtomicUsize,
}

impl Book {
    /// Says what the name leads to, in the first lookup and in later ones.
    pub(super) fn write(self: &Arc<Self>, name: &str, answers: &[&[SocketAddr]]) -> Arc<Self> {
        let answers = answers.iter().rev().map(|answer| answer.to_vec()).collect();
        self.answers.lock().insert(name.into(), answers);
        Arc::clone(self)
    }
}

impl Resolve for Book {
    fn resolve(&self, name: Arc<str>, _: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        self.lookups.fetch_add(1, SeqCst);
        let mut answers = self.answers.lock();
        let answer = match answers.get_mut(&*name) {
            None => Err(io::Error::other("no such name")),
            Some(left) if left.len() > 1 => Ok(left.pop().unwrap()),
            Some(left) => Ok(left[0].clone()),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// A server whose connections are each handled by the test.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    /// Serves each connection by what the closure says.
    pub(super) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, SeqCst);
                tokio::spawn(serve(stream));
            }
        });
        Self { address, accepted }
    }

    /// Serves each request with a real HTTP server.
    pub(super) async fn http(
        answer: impl Fn(Request<Bytes>) -> Response<String> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |stream| serve(stream, answer.clone())).await
    }

    /// Answers the text to each connection once it has read the head of a request, and then waits.
    pub(super) async fn raw(answer: &'static str) -> Self {
        Self::start(move |mut stream| async move {
            read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            until_closed(stream).await;
        })
        .await
    }

    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the URL of the server's root under a name.
    pub(super) fn url(&self, name: &str) -> String {
        format!("http://{name}:{}/", self.port())
    }
}

pub(super) async fn serve<S>(stream: S, answer: impl Fn(Request<Bytes>) -> Response<String>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let answer = Arc::new(answer);
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            hyper::Result::Ok(answer(Request::from_parts(parts, body)).map(Full::<Bytes>::from))
        }
    });
    let io = hyper_util::rt::TokioIo::new(stream);
    // Clients of these tests leave as they like.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

/// Reads up to the empty line and answers what was read; the body, if any, is left.
pub(super) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// Reads until the client closes the connection, and answers what came.
pub(super) async fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut rest).await;
    rest
}

/// Collects the heads of requests that servers have read.
pub(super) type Heads = Arc<Mutex<Vec<String>>>;

/// A policy whose names, all of them private, are looked up in the book.
pub(super) fn policy(book: &Arc<Book>, private: &[&str]) -> Policy {
    let resolver: Arc<dyn Resolve> = Arc::clone(book) as _;
    let mut policy = Policy { resolver: Some(resolver), ..Policy::default() };
    private.iter().for_each(|rule| policy.rules.allow_private(rule).unwrap());
    policy
}

/// A client that may reach `api.test` at any port, which leads to the address.
pub(super) fn reaching(address: SocketAddr, change: impl FnOnce(&mut Policy)) -> Outbound {
    let book = Arc::new(Book::default()).write("api.test", &[&[address]]);
    let mut policy = policy(&book, &["http://api.test:*", "https://api.test:*"]);
    change(&mut policy);
    Outbound::new(policy).unwrap()
}

pub(super) fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(60), None, Holdings::default())
}

pub(super) fn get(url: &str) -> Request<String> {
    Request::get(url).body(String::new()).unwrap()
}

pub(super) async fn send(
    outbound: &Outbound,
    request: Request<String>,
) -> Result<Response<Receiving>, Refusal> {
    outbound.send(request, Patience::default(), &budget()).await
}

/// Sends a request and reads the answer to its end.
pub(super) async fn text(outbound: &Outbound, request: Request<String>) -> Result<String, Refusal> {
    read(send(outbound, request).await?).await
}

pub(super) async fn read(response: Response<Receiving>) -> Result<String, Refusal> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// An address that no server of a test has.
pub(super) fn elsewhere(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 9)
}

/// Polls once, and tells whether the future has to wait.
pub(super) async fn is_pending<F: Future + ?Sized>(future: &mut Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
