//! Invocations that nobody waits for.
//!
//! Each runs on a thread of its own, so that it needs no async runtime, keeps no worker of the host busy, and goes on
//! when the connection that brought it closes. It holds a handler and not the runtime, so it ends with that. How many
//! may be is bounded; they are kept nowhere else, are not tried again, and are lost with the process.

use std::fmt;
use std::sync::Arc;
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::block_on::block_on;
use crate::context::Context;
use crate::event::Event;
use crate::http::lambda::fault::Fault;
use crate::runtime::Handler;

/// How many may be under way.
pub(super) const MOST: usize = 100;

/// Room for invocations that nobody waits for; clones share it.
#[derive(Clone)]
pub(super) struct Detached {
    room: Arc<Semaphore>,
    most: usize,
}

impl Detached {
    pub(super) fn with_room(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(most)), most }
    }

    /// Begins an invocation; its ending is told to observers alone.
    pub(super) fn begin(&self, handler: Handler, context: Context, event: Event) -> Result<(), Fault> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| Fault::crowded(self.most))?;
        let tokio = Handle::try_current().ok();
        let run = move || {
            let running = handler.invoke_with(context, event);
            let ended = match tokio {
                // A native handler may sleep or connect by the host's runtime, as it may when somebody waits.
                Some(tokio) => tokio.block_on(running),
                None => block_on(running),
            };
            drop((ended, place));
        };
        let thread = thread::Builder::new().name("fnhost-lambda".into());
        let started = thread.spawn(run);
        started.map(drop).map_err(|error| Fault::internal(format!("a thread cannot start: {error}")))
    }
}

impl fmt::Debug for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").field("most", &self.most).finish_non_exhaustive()
    }
}
