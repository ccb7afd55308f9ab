//! A thread that serves connections, with a small runtime of its own.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::Poll;
use std::thread::{self, JoinHandle};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::Serves;
use super::attend;
use super::bodies::{RequestBody, ResponseBody};
use super::connection::Connection;
use super::hall::Seat;
use super::manners;
use super::options::ServeOptions;
use super::patience::Streams;
use super::socket::Socket;
use crate::lane;

/// Room for the frames of HTTP/2 that a service has not read yet: of one stream, and of one connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// What one stream of HTTP/2 holds of its answer.
const STREAM_SENDS: usize = 64 << 10;

/// How many headers are taken where nothing is set.
const USUAL_HEADERS: usize = 100;

/// A connection on its way to the thread that serves it.
pub(super) struct Newcomer {
    pub(super) stream: TcpStream,
    pub(super) seat: Seat,
}

/// A thread that serves connections; it ends when this is dropped and its last connection is gone.
pub(super) struct Worker {
    newcomers: UnboundedSender<Newcomer>,
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start<S: Serves>(
        number: usize,
        service: Arc<S>,
        options: &ServeOptions,
    ) -> io::Result<Self> {
        let (newcomers, come) = unbounded_channel();
        let (started, has_started) = sync_channel(1);
        let options = options.clone();
        let run = move || run(&started, come, service, &options);
        let thread = thread::Builder::new().name(format!("fnhost-http-{number}")).spawn(run)?;
        has_started.recv().map_err(io::Error::other)??;
        Ok(Self { newcomers, load: Arc::default(), thread })
    }

    /// How many connections it has; who enters with it counts.
    pub(super) fn load(&self) -> &Arc<AtomicUsize> {
        &self.load
    }

    pub(super) fn connections(&self) -> usize {
        self.load.load(SeqCst)
    }

    /// Hands a connection over; it is closed if the thread has died.
    pub(super) fn serve(&self, newcomer: Newcomer) {
        drop(self.newcomers.send(newcomer));
    }

    /// Lets the thread end, and waits until it has.
    pub(super) fn join(self) {
        drop(self.newcomers);
        // A panic of it has been told by the panic hook.
        let _ = self.thread.join();
    }
}

fn run<S: Serves>(
    started: &SyncSender<io::Result<()>>,
    newcomers: UnboundedReceiver<Newcomer>,
    service: Arc<S>,
    options: &ServeOptions,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, outcome) = match runtime {
        Ok(runtime) => (Some(runtime), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let _ = started.send(outcome);
    if let Some(runtime) = runtime {
        lane::settle();
        // Counted once more for this thread alone, so that the requests of others do not fight over the count.
        runtime.block_on(welcome(newcomers, &Arc::new(Own(service)), options));
    }
}

/// A service as one thread counts it.
struct Own<S>(Arc<S>);

/// Serves all who come until nobody comes any more and the last one is gone.
async fn welcome<S: Serves>(
    mut newcomers: UnboundedReceiver<Newcomer>,
    service: &Arc<Own<S>>,
    options: &ServeOptions,
) {
    let mut connections = JoinSet::new();
    let mut is_open = true;
    poll_fn(|cx| {
        while is_open && let Poll::Ready(newcomer) = newcomers.poll_recv(cx) {
            match newcomer {
                Some(newcomer) => {
                    drop(connections.spawn(serve(newcomer, Arc::clone(service), options.clone())))
                }
                None => is_open = false,
            }
        }
        while let Poll::Ready(Some(ended)) = connections.poll_join_next(cx) {
            tell(ended);
        }
        if is_open || !connections.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

fn tell(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a service panicked; its connection is closed");
    }
}

async fn serve<S: Serves>(newcomer: Newcomer, service: Arc<Own<S>>, options: ServeOptions) {
    let Newcomer { stream, seat } = newcomer;
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
    let (stream, connection) = (Arc::new(stream), Arc::clone(seat.connection()));
    let socket = TokioIo::new(Socket::new(Arc::clone(&stream), Arc::clone(&connection)));
    let asked = Arc::clone(&connection);
    let most_headers = options.headers;
    let service = service_fn(move |request| answer(Arc::clone(&service), &asked, request, most_headers));
    let http = protocol(&options, &connection).serve_connection(socket, service).into_owned();
    attend::attend(stream, connection, http, |http| http.graceful_shutdown()).await;
    drop(seat);
}

/// Answers one request.
fn answer<S: Serves>(
    service: Arc<Own<S>>,
    connection: &Arc<Connection>,
    request: Request<Incoming>,
    most_headers: usize,
) -> impl Future<Output = Result<Response<ResponseBody<S::Body>>, Infallible>> + use<S> {
    // Counted when it has come, not when it is first polled.
    let in_flight = connection.begin(request.version());
    async move {
        if let Some(status) = manners::refusal(&request, most_headers) {
            let version = request.version();
            return Ok(manners::refused(status, version, ResponseBody::new(None, in_flight)));
        }
        let request = request.map(|body| RequestBody::new(body, in_flight.connection()));
        let response = service.0.serve(request).await;
        Ok(response.map(|body| ResponseBody::new(Some(body), in_flight)))
    }
}

/// Says how HTTP is spoken.
fn protocol(options: &ServeOptions, connection: &Arc<Connection>) -> auto::Builder<Streams> {
    let mut protocol = auto::Builder::new(Streams(Arc::clone(connection)));
    // All times are kept by the connection's own watch.
    protocol.http1().header_read_timeout(None).max_buf_size(options.header_bytes as usize);
    // A bound that is set makes the parser fill its tables for each request: a fifth of what a small one costs.
    if options.headers != USUAL_HEADERS {
        protocol.http1().max_headers(options.headers);
    }
    protocol
        .http2()
        .max_concurrent_streams(options.streams)
        .max_header_list_size(options.header_bytes)
        .max_pending_accept_reset_streams(options.pending_resets)
        .max_local_error_reset_streams(options.stream_errors)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(STREAM_SENDS);
    protocol
}
