//! Waiting for a future on a plain thread.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// How long a blocked thread of an async runtime sleeps at most.
const NAP: Duration = Duration::from_millis(1);

thread_local! {
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
    /// What wakes this thread, made once: it is a seventh of a small event's time otherwise (bench `peers`).
    static PARKED: (Arc<Parked>, Waker) = Parked::here();
}

/// Runs the future to its end and parks the calling thread while it waits.
///
/// It is not an async runtime's `block_on`, which panics inside an async task; this one blocks the thread
/// it is called on, whatever else that thread is for.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // One within another must not take the wake-ups that are meant for the outer one.
    if !is_blocked()
        && let Ok(output) = PARKED.try_with(|(parked, waker)| run(future.as_mut(), parked, waker))
    {
        return output;
    }
    let (parked, waker) = Parked::here();
    run(future, &parked, &waker)
}

fn run<F: Future>(future: Pin<&mut F>, parked: &Parked, waker: &Waker) -> F::Output {
    // A task of tokio may do only so much before its scheduler's next turn, which never comes while we block.
    let mut future = tokio::task::unconstrained(future);
    let mut cx = Context::from_waker(waker);
    loop {
        let polled = {
            let _blocked = Blocked::begin();
            Pin::new(&mut future).poll(&mut cx)
        };
        if let Poll::Ready(output) = polled {
            return output;
        }
        let is_inside = tokio::runtime::Handle::try_current().is_ok();
        // Others may unpark this thread for reasons of their own.
        while !parked.woken.swap(false, SeqCst) {
            if is_inside {
                // What yields the way of tokio is woken at that same next turn: look without being woken.
                thread::park_timeout(NAP);
                break;
            }
            thread::park();
        }
    }
}

/// Tells whether the thread is blocked by the future that it polls, so that yielding lets nobody else run.
pub(crate) fn is_blocked() -> bool {
    BLOCKED.get()
}

/// The thread is blocked until this is dropped.
struct Blocked {
    before: bool,
}

impl Blocked {
    fn begin() -> Self {
        Self { before: BLOCKED.replace(true) }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        BLOCKED.set(self.before);
    }
}

struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Parked {
    fn here() -> (Arc<Self>, Waker) {
        let parked = Arc::new(Self { thread: thread::current(), woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&parked));
        (parked, waker)
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, SeqCst);
        self.thread.unpark();
    }
}
