//! Events that nobody waits for, through the public API, with each broker that needs no server.

mod letters;
mod queues;
mod submitting;
mod ticks;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};

use fnhost::testing::ManualClock;
use fnhost::{Broker, Context, Event, Failure, Function, Response, Runtime, Submission, SubmissionId};
use tokio::sync::mpsc;

use crate::kit::small;

/// A runtime whose time of day is moved by hand.
pub(super) struct Stand {
    pub(super) runtime: Runtime,
    pub(super) clock: ManualClock,
}

impl Stand {
    pub(super) fn new(broker: Broker) -> Self {
        let clock = ManualClock::at(SystemTime::now());
        let runtime = small().broker(broker).clock(&clock).build().unwrap();
        Self { runtime, clock }
    }

    pub(super) fn in_memory() -> Self {
        Self::new(Broker::memory())
    }

    /// Waits until an event has come as far as is wanted.
    pub(super) async fn until<T>(&self, id: &SubmissionId, wanted: impl Fn(Submission) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let state = self.runtime.submission(id).await.unwrap();
            let shown = format!("{state:?}");
            if let Some(found) = state.and_then(&wanted) {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it stays {shown}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until an event is done, moving the clock on to each next attempt.
    pub(super) async fn until_done(&self, id: &SubmissionId) {
        self.until(id, |state| match state {
            Submission::Done { .. } => Some(()),
            Submission::Retrying { next, .. } => {
                self.move_to(next);
                None
            }
            _ => None,
        })
        .await;
    }

    /// Waits until an event is dead, moving the clock on to each next attempt.
    pub(super) async fn until_dead(&self, id: &SubmissionId) -> Submission {
        self.until(id, |state| match state {
            Submission::Dead { .. } => Some(state),
            Submission::Retrying { next, .. } => {
                self.move_to(next);
                None
            }
            _ => None,
        })
        .await
    }

    pub(super) fn move_to(&self, time: SystemTime) {
        self.clock.advance(time.duration_since(self.clock.now()).unwrap_or_default());
    }
}

/// A function that tells what it is sent, and answers what it is told to.
pub(super) fn telling(
    name: &str,
    answer: impl Fn(&Context) -> Result<Response, Failure> + Send + Sync + 'static,
) -> (Function, mpsc::UnboundedReceiver<(Event, Context)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let function = Function::native(name, move |event: Event, context: Context| {
        let answer = answer(&context);
        // Nobody listens once the test has seen enough.
        let _ = tell.send((event, context));
        async move { answer }
    });
    (function, told)
}

pub(super) fn fine(_: &Context) -> Result<Response, Failure> {
    Ok(Response::new())
}

pub(super) fn failing(_: &Context) -> Result<Response, Failure> {
    Err(Failure::new("busy", "come again").with_retryable(true))
}

/// A folder that is there for one test.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fnhost-submissions-{}-{}", std::process::id(), NEXT.fetch_add(1, SeqCst));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is there if the test failed before.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
