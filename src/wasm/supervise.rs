//! Polls a guest until it ends or its deadline passes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::clock::{Cut, Face};

/// What a supervised call came to.
pub(crate) struct Ended<T> {
    pub(crate) output: Result<T, Cut>,
    pub(crate) at: Instant,
    pub(crate) busy: Duration,
}

/// Who looks after a guest while it runs.
pub(crate) struct Watch<'a> {
    pub(crate) face: &'a Face,
    pub(crate) io: Option<&'a Handle>,
    pub(crate) lane: usize,
    pub(crate) deadline: Instant,
}

impl Watch<'_> {
    /// Polls the future of a guest until it ends or its deadline passes; then drops it, wherever it stands.
    ///
    /// A guest that spins is stopped from inside, by its store's epoch callback. This is for one that waits: the
    /// alarm is set when it first returns pending, so a call that ends at once never pays for it. `started` is
    /// now, as the caller has read it.
    ///
    /// The future is taken pinned, as moving a large one costs more than polling it.
    pub(crate) fn run<F: Future>(
        &self,
        started: Instant,
        mut future: Pin<&mut F>,
    ) -> impl Future<Output = Ended<F::Output>> {
        let mut alarm = self.face.alarm(self.deadline);
        let mut first = Some(started);
        let mut busy = Duration::ZERO;
        poll_fn(move |cx| {
            let from = match first.take() {
                Some(started) => started,
                // Whoever polls after the deadline, on whatever thread, must not run the guest once more.
                None => match Instant::now() {
                    late if late >= self.deadline => {
                        return Poll::Ready(Ended { output: Err(Cut::Deadline), at: late, busy });
                    }
                    now => now,
                },
            };
            let polled = {
                let Some(_running) = self.face.run(self.lane) else {
                    return Poll::Ready(Ended { output: Err(Cut::Cancelled), at: from, busy });
                };
                // Under our own runtime the timers of WASI work whatever executor polls this.
                let _entered = self.io.map(Handle::enter);
                future.as_mut().poll(cx)
            };
            let at = Instant::now();
            busy += at.duration_since(from);
            match polled {
                Poll::Ready(output) => Poll::Ready(Ended { output: Ok(output), at, busy }),
                Poll::Pending => {
                    alarm.poll(cx).map(|cut| Ended { output: Err(cut), at: Instant::now(), busy })
                }
            }
        })
    }
}
