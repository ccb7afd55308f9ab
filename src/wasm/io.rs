//! What guests wait for: timers, files and sockets of WASI, on one small async runtime of ours.
//!
//! One thread owns that runtime and drops it, so it is never dropped inside async code of the host, which
//! panics; and a hostile guest uses up its sixteen blocking threads, never the host's.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::clock::Face;
use crate::error::ErrorKind;

/// Threads for what blocks, such as file access.
const BLOCKING_THREADS: usize = 16;
/// How long the end waits for file access under way; one that hangs, such as on a pipe that nobody writes, is
/// left behind with its thread.
const LAST_ACCESS: Duration = Duration::from_millis(500);

/// The small runtime; it starts when the first guest needs it.
pub(crate) struct Io {
    face: Arc<Face>,
    state: Mutex<State>,
}

enum State {
    Unused,
    Running { handle: Handle, stop: oneshot::Sender<()>, thread: thread::JoinHandle<()> },
    Closed,
}

impl Io {
    pub(crate) fn new(face: Arc<Face>) -> Self {
        Self { face, state: Mutex::new(State::Unused) }
    }

    /// Returns the handle to enter around each poll of a guest; starts the runtime if nobody needed it before.
    pub(crate) fn handle(&self) -> Result<Handle, ErrorKind> {
        let mut state = self.state.lock();
        match &*state {
            State::Running { handle, .. } => return Ok(handle.clone()),
            State::Closed => return Err(ErrorKind::ShuttingDown),
            State::Unused => {}
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("fnhost-io")
            .build()
            .map_err(refused)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let face = Arc::clone(&self.face);
        let own = move || {
            // The answer is an error when the sender was dropped, which means the same.
            let _ = runtime.block_on(stopped);
            // A timer that is polled after its runtime has gone panics. The clock is cancelled by now, so no
            // guest is polled again once those that are being polled have come back.
            while face.is_running() {
                thread::sleep(Duration::from_millis(1));
            }
            runtime.shutdown_timeout(LAST_ACCESS);
        };
        let thread = thread::Builder::new().name("fnhost-io".into()).spawn(own).map_err(refused)?;
        *state = State::Running { handle: handle.clone(), stop, thread };
        Ok(handle)
    }

    /// Ends the runtime once no guest is polled; the clock must be cancelled before.
    pub(crate) fn close(&self) -> Option<thread::JoinHandle<()>> {
        match std::mem::replace(&mut *self.state.lock(), State::Closed) {
            State::Running { stop, thread, .. } => {
                // Nobody listens only if the thread has ended already.
                let _ = stop.send(());
                Some(thread)
            }
            State::Unused | State::Closed => None,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn refused(error: std::io::Error) -> ErrorKind {
    ErrorKind::Engine { reason: format!("the thread for guests' timers and files cannot start: {error}") }
}
