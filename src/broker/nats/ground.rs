//! The threads that the connection lives on: a small async runtime of its own.
//!
//! One thread owns that runtime and drops it, as it must not be dropped inside async code; so the store works under any
//! executor of the host, or none.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// One for the connection, and one for what is put on it: with one alone, putting has 0.85 of the rate.
const THREADS: usize = 2;
/// How long the end waits for what is to be given back.
const LAST: Duration = Duration::from_secs(1);

/// The thread that the connection lives on; dropping it ends it.
pub(super) struct Ground {
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    /// Set by tests, which end the thread as a crash would.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing but a test ends it like that"))]
    is_killed: Arc<AtomicBool>,
}

impl Ground {
    /// Starts it, with what is to be done before it ends.
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        last: impl FnOnce() -> F + Send + 'static,
    ) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("fnhost-nats")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let is_killed = Arc::new(AtomicBool::new(false));
        let killed = Arc::clone(&is_killed);
        let own = move || {
            // The answer is an error when the sender was dropped, which means the same.
            let _ = runtime.block_on(stopped);
            if !killed.load(SeqCst) {
                runtime.block_on(async { drop(tokio::time::timeout(LAST, last()).await) });
            }
            runtime.shutdown_timeout(LAST);
        };
        thread::Builder::new().name("fnhost-nats".into()).spawn(own)?;
        Ok(Self { handle, stop: Mutex::new(Some(stop)), is_killed })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends it as a process does that is killed: nothing is given back.
    #[cfg(test)]
    pub(super) fn kill(&self) {
        self.is_killed.store(true, SeqCst);
        self.end();
    }

    fn end(&self) {
        if let Some(stop) = self.stop.lock().take() {
            // Nobody listens only if the thread has ended already.
            let _ = stop.send(());
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.end();
    }
}
