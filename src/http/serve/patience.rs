//! How long a client is waited for within one request.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use hyper::rt::Executor;
use parking_lot::Mutex;

use super::connection::Connection;

tokio::task_local! {
    /// The stream of HTTP/2 that is polled.
    static STREAM: Arc<Wait>;
}

/// Something that the client is waited for with: the next piece of a body, or that it takes a piece of an answer.
///
/// It stands on the clock of its connection and has no timer of its own: a body may be polled on any thread, also on
/// one without timers and after the server's threads have ended.
pub(super) struct Wait {
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    is_over: bool,
    waker: Option<Waker>,
}

impl Wait {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Begins to wait, unless it has begun.
    pub(super) fn begin(&self) {
        self.state.lock().since.get_or_insert_with(Instant::now);
    }

    /// What was waited for has come.
    pub(super) fn rest(&self) {
        self.state.lock().since = None;
    }

    /// Tells whether the client was waited for too long, and wakes who asks when it is.
    pub(super) fn is_over(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        match &state.waker {
            Some(known) if known.will_wake(waker) => {}
            _ => state.waker = Some(waker.clone()),
        }
        state.is_over
    }

    /// Looks at the clock; answers when waiting will be over.
    pub(super) fn judge(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        let end = state.since? + self.limit;
        if state.is_over || now < end {
            return (!state.is_over).then_some(end);
        }
        state.is_over = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        None
    }
}

/// Returns the wait of the stream that is polled; none on HTTP/1.1, where the socket itself tells.
pub(super) fn of_stream() -> Option<Arc<Wait>> {
    STREAM.try_with(Arc::clone).ok()
}

/// Runs the streams of one connection of HTTP/2, each until it ends or its client takes nothing for too long.
///
/// The bound is over each stream and not over the connection, which may be a proxy's that serves many.
#[derive(Clone)]
pub(super) struct Streams(pub(super) Arc<Connection>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let wait = self.0.wait(self.0.write_limit());
        tokio::spawn(STREAM.scope(Arc::clone(&wait), until_over(wait, stream)));
    }
}

async fn until_over(wait: Arc<Wait>, stream: impl Future<Output = ()>) {
    let mut stream = pin!(stream);
    poll_fn(|cx| if wait.is_over(cx.waker()) { Poll::Ready(()) } else { stream.as_mut().poll(cx) }).await;
}
