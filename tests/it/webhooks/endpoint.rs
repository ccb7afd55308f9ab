//! An endpoint on loopback that notes what is posted to it, and answers what a test says.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fnhost::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use crate::kit::until;

pub(crate) type Answer = http::Response<BoxBody<Bytes, Infallible>>;
type Script = Arc<dyn Fn(usize, &Posted) -> Option<Answer> + Send + Sync>;

/// What was posted.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Posted {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{name} is missing: {self:?}"));
        value.to_str().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Tells how many of its signatures a key has made.
    pub(crate) fn signatures_of(&self, key: &[u8]) -> usize {
        let head = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp"));
        let signed = [head.as_bytes(), &self.body].concat();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        let mut signatures = self.header("webhook-signature").split(' ');
        let is_ours = |text: &str| {
            let tag = STANDARD.decode(text.strip_prefix("v1,").unwrap()).unwrap();
            ring::hmac::verify(&key, &signed, &tag).is_ok()
        };
        signatures.by_ref().filter(|text| is_ours(text)).count()
    }
}

/// An endpoint, which ends with the test.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Endpoint {
    /// Answers with a status, by the number of the request from 0.
    pub(crate) fn new(status: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Self {
        Self::with(move |number, _| Some(plain(status(number))))
    }

    /// Answers what the script says; none leaves the request unanswered.
    pub(crate) fn with(script: impl Fn(usize, &Posted) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = Self { address: listener.local_addr().unwrap(), posted: Arc::default() };
        let (posted, script) = (Arc::clone(&endpoint.posted), Arc::new(script) as Script);
        std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(serve(listener, posted, script));
        });
        endpoint
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same by a name that has to be resolved.
    pub(crate) fn named(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    pub(crate) fn count(&self) -> usize {
        self.posted.lock().len()
    }

    /// Waits for a request, by its number from 0.
    #[track_caller]
    pub(crate) fn wait_for(&self, number: usize) -> Posted {
        until("it is posted", || self.count() > number);
        self.posted.lock()[number].clone()
    }
}

async fn serve(listener: TcpListener, posted: Arc<Mutex<Vec<Posted>>>, script: Script) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let (posted, script) = (Arc::clone(&posted), Arc::clone(&script));
        let service = service_fn(move |request| answer(request, Arc::clone(&posted), Arc::clone(&script)));
        tokio::spawn(async move {
            // Clients that go away are part of the tests.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: http::Request<Incoming>,
    posted: Arc<Mutex<Vec<Posted>>>,
    script: Script,
) -> hyper::Result<Answer> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().unwrap().to_string();
    let new = Posted { method: head.method, path, headers: head.headers, body };
    let number = {
        let mut posted = posted.lock();
        posted.push(new.clone());
        posted.len() - 1
    };
    match script(number, &new) {
        Some(answer) => Ok(answer),
        None => std::future::pending().await,
    }
}

pub(crate) fn plain(status: u16) -> Answer {
    http::Response::builder().status(status).body(Full::from("so it is").boxed()).unwrap()
}

/// An answer without an end, and how many bytes of it were taken.
pub(crate) fn endless(status: u16) -> (impl Fn() -> Answer, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let answer = move || {
        let count = Arc::clone(&count);
        let chunks = futures_util::stream::repeat_with(move || {
            count.fetch_add(64 << 10, SeqCst);
            Ok(Frame::data(Bytes::from(vec![b'x'; 64 << 10])))
        });
        http::Response::builder().status(status).body(BodyExt::boxed(StreamBody::new(chunks))).unwrap()
    };
    (answer, taken)
}
