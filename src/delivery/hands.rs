//! The threads that submitted events run on, as nobody polls their calls.
//!
//! They run an async runtime of their own, so that delivery goes on under any executor of the host, or none. It starts
//! when the first event is to be delivered. One thread owns it and drops it, as it must not be dropped inside async code.

use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How long the end waits for what blocks its thread.
const LAST: Duration = Duration::from_millis(500);

/// The threads that submitted events run on.
pub(crate) struct Hands {
    threads: usize,
    state: Mutex<State>,
}

enum State {
    Unused,
    Running { handle: Handle, stop: oneshot::Sender<()>, owner: thread::JoinHandle<()> },
    Closed,
}

impl Hands {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), state: Mutex::new(State::Unused) }
    }

    /// Returns the handle of the threads, which start if they have not; none when they have ended or cannot start.
    pub(crate) fn handle(&self) -> Option<Handle> {
        let mut state = self.state.lock();
        match &*state {
            State::Running { handle, .. } => return Some(handle.clone()),
            State::Closed => return None,
            State::Unused => {}
        }
        match self.start() {
            Ok(running) => {
                let State::Running { handle, .. } = &running else { return None };
                let handle = handle.clone();
                *state = running;
                Some(handle)
            }
            Err(error) => {
                tracing::error!(%error, "the threads for submitted events cannot start; it is tried again");
                None
            }
        }
    }

    /// Returns how many threads run.
    pub(crate) fn count(&self) -> usize {
        if matches!(*self.state.lock(), State::Running { .. }) { self.threads } else { 0 }
    }

    fn start(&self) -> std::io::Result<State> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(self.threads)
            .thread_name("fnhost-delivery")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let own = move || {
            // The answer is an error when the sender was dropped, which means the same.
            let _ = stopped.blocking_recv();
            runtime.shutdown_timeout(LAST);
        };
        let owner = thread::Builder::new().name("fnhost-hands".into()).spawn(own)?;
        Ok(State::Running { handle, stop, owner })
    }

    /// Drops what still runs, and lets the threads end.
    pub(crate) fn close(&self) -> Option<thread::JoinHandle<()>> {
        match std::mem::replace(&mut *self.state.lock(), State::Closed) {
            State::Running { stop, owner, .. } => {
                // Nobody listens only if the thread has ended already.
                let _ = stop.send(());
                Some(owner)
            }
            State::Unused | State::Closed => None,
        }
    }
}
