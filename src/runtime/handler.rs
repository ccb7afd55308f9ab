//! What the host calls.

use std::fmt;
use std::sync::Arc;
use std::task::Wake;
use std::time::Instant;

use parking_lot::Mutex;

use crate::block_on::block_on;
use crate::clock::TICK;
use crate::context::Context;
use crate::error::Error;
use crate::event::{Event, Input, Response};
use crate::invoke::{Callback, Opened, Reaper, ResponseStream, Route, open, start, unknown};
use crate::runtime::core::{Code, Core};
use crate::runtime::info::{self, Description, Stats};

/// Sends events to a function; a cheap clone, resolved once.
///
/// One that was asked for by name follows it to new versions, from its next event.
#[derive(Clone)]
pub struct Handler {
    pub(super) core: Arc<Core>,
    pub(super) route: Arc<Route<Code>>,
}

impl Handler {
    pub(super) fn new(core: Arc<Core>, route: Route<Code>) -> Self {
        Self { core, route: Arc::new(route) }
    }

    /// Sends an event and waits for the answer.
    ///
    /// # Errors
    ///
    /// Whatever kept the function from answering; the error carries the report.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the invocation: the guest is discarded, permit and place are given back.
    pub fn invoke(&self, event: Event) -> impl Future<Output = Result<Response, Error>> + Send {
        start(&self.core.desk, &self.route, (None, event.into()), None)
    }

    /// Sends an event with a tenant, a deadline, a trace parent or attributes.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    ///
    /// # Cancel safety
    ///
    /// As [`invoke`](Self::invoke).
    pub fn invoke_with(
        &self,
        context: Context,
        event: Event,
    ) -> impl Future<Output = Result<Response, Error>> + Send {
        // No async function of its own: each one would move the whole future once more.
        start(&self.core.desk, &self.route, (Some(context), event.into()), None)
    }

    /// Sends an event and waits, parking the calling thread.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    pub fn invoke_blocking(&self, event: Event) -> Result<Response, Error> {
        block_on(self.invoke(event))
    }

    /// Sends an event with a context and waits, parking the calling thread.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    pub fn invoke_blocking_with(&self, context: Context, event: Event) -> Result<Response, Error> {
        block_on(self.invoke_with(context, event))
    }

    /// Sends an event and reads the answer while it is produced.
    ///
    /// It returns when the head of the answer is known: with a command's first output, with the whole answer of
    /// the other contracts.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke), when it fails before the head is known; later failures come from the stream.
    pub async fn stream(&self, event: Event) -> Result<ResponseStream, Error> {
        self.stream_with(Context::new(), event).await
    }

    /// Sends an event with a context and reads the answer while it is produced.
    ///
    /// # Errors
    ///
    /// As [`stream`](Self::stream).
    pub async fn stream_with(&self, context: Context, event: Event) -> Result<ResponseStream, Error> {
        ResponseStream::new(self.open(context, event.into()).await?)
    }

    /// Starts an invocation and waits until the head of its answer is known.
    pub(super) async fn open(&self, context: Context, input: Input) -> Result<Opened, Error> {
        let handler = self.clone();
        let running = |writer| {
            let invocation = async move {
                start(&handler.core.desk, &handler.route, (Some(context), input), Some(writer)).await
            };
            Box::pin(invocation) as _
        };
        open(running, &|deadline, callback| self.set_timer(deadline, callback)).await
    }

    /// Calls back at the deadline, on the thread of the guests' timers.
    ///
    /// The clock keeps the time, as most answers are over long before: a task for each of them would wake that thread
    /// twice.
    fn set_timer(&self, deadline: Instant, callback: Callback) -> Option<Reaper> {
        let due = Due { io: self.core.io.handle().ok()?, callback: Mutex::new(Some(callback)) };
        let reminder = self.core.desk.face.remind(deadline, &Arc::new(due).into())?;
        Some(Box::new(reminder))
    }

    /// Returns what the handler's function is doing now.
    ///
    /// # Errors
    ///
    /// Unknown function, when it was removed.
    pub fn stats(&self) -> Result<Stats, Error> {
        let slot = self.route.resolve(0).ok_or_else(|| unknown(&self.route.target))?;
        Ok(info::stats(&slot.deployment))
    }

    /// Describes the version that the next event would go to.
    ///
    /// # Errors
    ///
    /// Unknown function, when it was removed.
    pub fn describe(&self) -> Result<Description, Error> {
        let slot = self.route.resolve(0).ok_or_else(|| unknown(&self.route.target))?;
        Ok(info::describe(&slot.deployment))
    }
}

/// Calls back until that says that it is done, once it is woken.
struct Due {
    io: tokio::runtime::Handle,
    callback: Mutex<Option<Callback>>,
}

impl Wake for Due {
    fn wake(self: Arc<Self>) {
        let Some(callback) = self.callback.lock().take() else { return };
        self.io.spawn(async move {
            while !callback() {
                tokio::time::sleep(TICK).await;
            }
        });
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("target", &self.route.target.to_string()).finish_non_exhaustive()
    }
}
