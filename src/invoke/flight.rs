//! An invocation on its way, which whoever reads its answer moves on, and which a timer ends.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::Error;
use crate::event::Response;

pub(crate) type Running = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// An invocation on its way, which the reader or the timer may end.
pub(crate) struct Flight(Mutex<Phase>);

enum Phase {
    Running { future: Running, waker: Waker },
    Landed(Result<Response, Error>),
    Over,
}

/// Starts a timer that calls back at the deadline, and then again until the callback says that it is done; the
/// answer stops it when it is dropped.
pub(crate) type SetTimer<'a> = &'a (dyn Fn(Instant, Callback) -> Option<Reaper> + Send + Sync);
pub(crate) type Callback = Box<dyn Fn() -> bool + Send>;
pub(crate) type Reaper = Box<dyn std::any::Any + Send + Sync>;

impl Flight {
    pub(crate) fn new(future: Running) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Phase::Running { future, waker: Waker::noop().clone() })))
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Response, Error>> {
        let mut phase = self.0.lock();
        if let Phase::Running { future, waker } = &mut *phase {
            waker.clone_from(cx.waker());
            match future.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(landed) => *phase = Phase::Landed(landed),
            }
        }
        match std::mem::replace(&mut *phase, Phase::Over) {
            Phase::Landed(landed) => Poll::Ready(landed),
            // Who polls after the end waits for ever, as with any future; `ResponseStream` does not.
            Phase::Running { .. } | Phase::Over => Poll::Pending,
        }
    }

    /// Ends an invocation whose deadline has passed, and wakes who reads it.
    ///
    /// Answers whether there is nothing left to do.
    pub(crate) fn reap(flight: &Weak<Self>) -> bool {
        let Some(flight) = flight.upgrade() else { return true };
        // Somebody polls it this moment, and may or may not see the deadline himself.
        let Some(mut phase) = flight.0.try_lock() else { return false };
        let Phase::Running { future, waker } = &mut *phase else { return true };
        let waker = waker.clone();
        // After its deadline an invocation that is polled ends without running its guest once more.
        let Poll::Ready(landed) = future.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return false;
        };
        *phase = Phase::Landed(landed);
        drop(phase);
        waker.wake();
        true
    }
}
