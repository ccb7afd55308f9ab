//! The thread that accepts connections, shares them out, and ends all of it in order.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::Serves;
use super::connection::{Connection, Order, Times};
use super::hall::Hall;
use super::options::ServeOptions;
use super::worker::{Newcomer, Worker};

/// How long accepting rests when the system has no descriptors or memory left.
const REST: Duration = Duration::from_millis(50);
/// How often that is told at most.
const TOLD: Duration = Duration::from_secs(10);

/// What the server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    /// Accept and serve.
    Serve,
    /// Accept no more, and end what is in flight.
    Drain,
    /// End at once.
    Cut,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Connections that were still open when the grace period was over.
    pub connections_cut: usize,
    /// Requests that were in flight on them, and got no answer or only a part of one.
    pub requests_cut: usize,
}

/// A server as its caller holds it; dropping it cuts everything.
pub(super) struct Floor {
    wish: watch::Sender<Wish>,
    ended: oneshot::Receiver<io::Result<Served>>,
    thread: Option<JoinHandle<()>>,
}

impl Floor {
    /// Starts the thread that accepts, which starts the others.
    pub(super) fn open<S: Serves>(
        listener: TcpListener,
        service: S,
        options: ServeOptions,
    ) -> io::Result<Self> {
        let (wish, wished) = watch::channel(Wish::Serve);
        let (end, ended) = oneshot::channel();
        let run = move || drop(end.send(run(listener, &Arc::new(service), &options, wished)));
        let thread = thread::Builder::new().name("fnhost-accept".into()).spawn(run)?;
        Ok(Self { wish, ended, thread: Some(thread) })
    }

    pub(super) fn wish(&self, wish: Wish) {
        self.wish.send_replace(wish);
    }

    /// Waits for the end of all threads.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Served>> {
        Pin::new(&mut self.ended).poll(cx).map(|ended| {
            if let Some(thread) = self.thread.take() {
                // It has said its last word, so this does not wait.
                let _ = thread.join();
            }
            ended.unwrap_or_else(|_| Err(io::Error::other("the thread that accepts connections panicked")))
        })
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.wish(Wish::Cut);
    }
}

/// The life of the thread that accepts.
fn run<S: Serves>(
    listener: TcpListener,
    service: &Arc<S>,
    options: &ServeOptions,
    wished: watch::Receiver<Wish>,
) -> io::Result<Served> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let workers = start_workers(service, options)?;
    let hall = Arc::new(Hall::new(options.connections));
    let mut acceptor = Acceptor { hall, workers, times: Times::from(options), wished, told: None };
    let served = runtime.block_on(acceptor.run(listener, options.grace));
    acceptor.workers.into_iter().for_each(Worker::join);
    served
}

fn start_workers<S: Serves>(service: &Arc<S>, options: &ServeOptions) -> io::Result<Vec<Worker>> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or_else(cores);
    (0..threads).map(|number| Worker::start(number, Arc::clone(service), options)).collect()
}

struct Acceptor {
    hall: Arc<Hall>,
    workers: Vec<Worker>,
    times: Times,
    wished: watch::Receiver<Wish>,
    /// When a shortage was last told of.
    told: Option<Instant>,
}

impl Acceptor {
    async fn run(&mut self, listener: TcpListener, grace: Duration) -> io::Result<Served> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut wished = self.wished.clone();
        first(self.accept(&listener), wish(&mut wished, Wish::Drain)).await;
        // Told first: whoever finds the door shut may rely on it that all inside know.
        self.hall.order_all(Order::Retire);
        drop(listener);
        Ok(self.drain(grace).await)
    }

    async fn accept(&mut self, listener: &tokio::net::TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Accepted first: nobody must leave for a client that never comes.
                    self.hall.room().await;
                    self.seat(stream);
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => self.rest(listener, &error).await,
            }
        }
    }

    /// Hands a connection to the thread that has the fewest.
    fn seat(&self, stream: tokio::net::TcpStream) {
        let Some(worker) = self.workers.iter().min_by_key(|worker| worker.connections()) else { return };
        // Answers are written whole, so waiting for more to send only delays them.
        let Ok(stream) = stream.set_nodelay(true).and_then(|()| stream.into_std()) else { return };
        let connection = Connection::new(self.times, Arc::clone(self.hall.door()));
        let seat = self.hall.enter(connection, worker.load());
        worker.serve(Newcomer { stream, seat });
    }

    /// Waits a little, and lets an idle connection go: its descriptor is what may be missing.
    async fn rest(&mut self, listener: &tokio::net::TcpListener, error: &io::Error) {
        // Without a descriptor to give, the system says so before it looks whether anybody waits.
        if is_waited_at(listener) {
            self.tell(error);
            self.hall.spare_one();
        }
        tokio::time::sleep(REST).await;
    }

    fn tell(&mut self, error: &io::Error) {
        if self.told.is_none_or(|told| told.elapsed() >= TOLD) {
            self.told = Some(Instant::now());
            tracing::warn!(%error, "no connection can be accepted; an idle one is closed, and it is tried again");
        }
    }

    /// Waits for the end of all connections, and cuts what is left after the grace period.
    async fn drain(&mut self, grace: Duration) -> Served {
        let patience = first(tokio::time::sleep(grace), wish(&mut self.wished, Wish::Cut));
        first(self.hall.emptied(), patience).await;
        let (connections_cut, requests_cut) = self.hall.order_all(Order::Leave);
        self.hall.emptied().await;
        Served { connections_cut, requests_cut }
    }
}

/// Tells whether an error of accepting concerns one client only, which has gone again.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

/// Tells whether a client waits to be accepted.
#[cfg(unix)]
fn is_waited_at(listener: &tokio::net::TcpListener) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
}

#[cfg(not(unix))]
fn is_waited_at(_: &tokio::net::TcpListener) -> bool {
    true
}

/// Waits until that much is wished for, or nobody is left to wish.
async fn wish(wished: &mut watch::Receiver<Wish>, least: Wish) {
    // Nobody is left to wish: the caller has dropped its end, and asked for a cut before.
    let _ = wished.wait_for(|wish| *wish >= least).await;
}

/// Waits for whichever ends first, and drops the other.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        let is_over = one.as_mut().poll(cx).is_ready() || other.as_mut().poll(cx).is_ready();
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
