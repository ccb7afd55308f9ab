//! What is known of one connection: what it does, since when, and what it was told.

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::hall::Door;
use super::options::ServeOptions;
use super::patience::Wait;

/// How long each thing may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    header: Duration,
    idle: Duration,
    body: Duration,
    write: Duration,
}

impl From<&ServeOptions> for Times {
    fn from(options: &ServeOptions) -> Self {
        Self {
            header: options.header_timeout,
            idle: options.idle_timeout,
            body: options.body_timeout,
            write: options.write_timeout,
        }
    }
}

impl Times {
    /// Nothing that begins later than now can be over before this has passed.
    fn shortest(&self) -> Duration {
        self.header.min(self.idle).min(self.body).min(self.write)
    }
}

/// What a connection does.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The head of a request is awaited, or has come in part.
    Head { since: Instant },
    /// The last request is over, and nothing has come since.
    Idle { since: Instant },
    /// So many requests are in flight.
    Busy { requests: usize },
    /// It was told to retire, and still says goodbye.
    Leaving { since: Instant },
}

/// What a connection is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Go on.
    #[default]
    Stay,
    /// Take no further request, end those in flight, and close.
    Retire,
    /// Close at once.
    Leave,
}

/// What time makes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well; ask again then.
    Wait(Instant),
    /// It has been idle for long enough, and is to retire.
    Retire,
    /// It took too long for something, and is to be closed.
    Expired {
        /// The client takes nothing of its answer, so that what is left of it cannot be sent.
        stalled: bool,
    },
}

/// What is known of one connection.
pub(super) struct Connection {
    state: Mutex<State>,
    times: Times,
    door: Arc<Door>,
}

struct State {
    phase: Phase,
    order: Order,
    /// Frames that are no requests keep no connection of HTTP/2 alive, so bytes alone say nothing there.
    speaks_http2: bool,
    unwritten_since: Option<Instant>,
    waker: Option<Waker>,
    waits: Vec<Weak<Wait>>,
}

impl Connection {
    pub(super) fn new(times: Times, door: Arc<Door>) -> Self {
        let state = State {
            phase: Phase::Head { since: Instant::now() },
            order: Order::Stay,
            speaks_http2: false,
            unwritten_since: None,
            waker: None,
            waits: Vec::new(),
        };
        Self { state: Mutex::new(state), times, door }
    }

    /// Something was read.
    pub(super) fn received(&self) {
        let mut state = self.state.lock();
        if let Phase::Idle { .. } = state.phase
            && !state.speaks_http2
        {
            state.phase = Phase::Head { since: Instant::now() };
        }
    }

    /// The client takes no more for now, or takes again.
    pub(super) fn set_unwritten(&self, unwritten: bool) {
        self.state.lock().unwritten_since = unwritten.then(Instant::now);
    }

    /// Counts a request as in flight until the answer is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: http::Version) -> InFlight {
        let mut state = self.state.lock();
        state.speaks_http2 |= version == http::Version::HTTP_2;
        state.phase = match state.phase {
            Phase::Busy { requests } => Phase::Busy { requests: requests + 1 },
            _ => Phase::Busy { requests: 1 },
        };
        InFlight(Arc::clone(self))
    }

    fn end(&self) {
        let mut state = self.state.lock();
        if let Phase::Busy { requests } = state.phase {
            state.phase = match requests {
                0 | 1 => Phase::Idle { since: Instant::now() },
                _ => Phase::Busy { requests: requests - 1 },
            };
        }
        drop(state);
        self.door.tell_idle();
    }

    /// Counts the requests in flight.
    pub(super) fn requests(&self) -> usize {
        match self.state.lock().phase {
            Phase::Busy { requests } => requests,
            _ => 0,
        }
    }

    /// Since when it has been waiting for a request, if it has.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        match state.phase {
            _ if state.order == Order::Leave => None,
            Phase::Head { since } | Phase::Idle { since } | Phase::Leaving { since } => Some(since),
            Phase::Busy { .. } => None,
        }
    }

    /// Tells the connection what to do; a stricter order stands.
    pub(super) fn order(&self, order: Order) {
        let mut state = self.state.lock();
        state.order = state.order.max(order);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Answers what the connection was told, and wakes who asks when that changes.
    pub(super) fn heed(&self, waker: &Waker) -> Order {
        let mut state = self.state.lock();
        match &state.waker {
            Some(known) if known.will_wake(waker) => {}
            _ => state.waker = Some(waker.clone()),
        }
        state.order
    }

    /// Makes something that the client is waited for with; whoever looks at the clock looks at it too.
    pub(super) fn wait(&self, limit: Duration) -> Arc<Wait> {
        let wait = Arc::new(Wait::new(limit));
        self.watch(&wait);
        wait
    }

    fn watch(&self, wait: &Arc<Wait>) {
        let mut state = self.state.lock();
        if state.waits.len() == state.waits.capacity() {
            state.waits.retain(|wait| wait.strong_count() > 0);
        }
        state.waits.push(Arc::downgrade(wait));
    }

    /// How long the next piece of a body may take.
    pub(super) fn body_limit(&self) -> Duration {
        self.times.body
    }

    /// How long the client may take nothing.
    pub(super) fn write_limit(&self) -> Duration {
        self.times.write
    }

    /// Looks at the clock: ends what has waited for too long, and says when to look again.
    pub(super) fn judge(&self, now: Instant) -> Verdict {
        match self.judge_itself(now) {
            Verdict::Wait(end) => Verdict::Wait(self.judge_waits(now).into_iter().fold(end, Instant::min)),
            verdict => verdict,
        }
    }

    fn judge_itself(&self, now: Instant) -> Verdict {
        let mut state = self.state.lock();
        let unwritten = state.unwritten_since.map(|since| since + self.times.write);
        let patience = match state.phase {
            Phase::Idle { since } if now >= since + self.times.idle => {
                state.phase = Phase::Leaving { since: now };
                return Verdict::Retire;
            }
            Phase::Idle { since } => Some(since + self.times.idle),
            Phase::Head { since } | Phase::Leaving { since } => Some(since + self.times.header),
            Phase::Busy { .. } => None,
        };
        let is_past = |end: Option<Instant>| end.is_some_and(|end| now >= end);
        if is_past(unwritten) || is_past(patience) {
            return Verdict::Expired { stalled: is_past(unwritten) };
        }
        // What begins to wait after this look needs no new timer: it cannot be over before the next look.
        Verdict::Wait(
            [unwritten, patience].into_iter().flatten().fold(now + self.times.shortest(), Instant::min),
        )
    }

    /// Ends the waits that are over; answers when the others are.
    fn judge_waits(&self, now: Instant) -> Vec<Instant> {
        let waits: Vec<_> = self.state.lock().waits.iter().filter_map(Weak::upgrade).collect();
        waits.iter().filter_map(|wait| wait.judge(now)).collect()
    }
}

/// A request in flight, until this is dropped.
pub(super) struct InFlight(Arc<Connection>);

impl InFlight {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end();
    }
}
