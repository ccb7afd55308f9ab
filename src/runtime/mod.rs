//! What holds everything together, and what users hold.

mod backlog;
mod builder;
mod core;
mod deploy;
mod develop;
mod handler;
mod http;
mod info;
mod letters;
mod precompile;
mod queue;
mod stream;
mod submission;
mod submit;
mod topic;
mod triggers;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::backlog::{Backlog, Backlogs};
pub use self::builder::RuntimeBuilder;
use self::core::Core;
pub use self::deploy::Deployed;
pub use self::handler::Handler;
pub use self::http::HttpBody;
pub use self::info::{Description, FunctionInfo, RuntimeStats, Stats};
pub use self::letters::{DeadLetter, DeadLetters};
pub use self::precompile::{PrecompileOptions, precompile};
pub use self::queue::Queue;
pub use self::stream::{Appended, EventStream};
pub use self::submission::{Cancellation, Submission};
pub use self::submit::{Accepted, Submit};
pub use self::topic::Topic;
#[cfg(feature = "http")]
use crate::clock::Face;
use crate::error::Error;
use crate::function::Function;
use crate::invoke::{drain, unknown};
use crate::registry::Target;

/// Runs functions; a cheap clone.
///
/// When the last clone is gone, or after [`shutdown`](Self::shutdown), handlers answer
/// [`ErrorKind::ShuttingDown`](crate::ErrorKind::ShuttingDown) and what still runs is cancelled.
///
/// A clone within a deployed function (a native handler, a granted function) counts too: such a runtime lives until
/// [`shutdown`](Self::shutdown), or [`remove`](Self::remove) of that function. Let them hold a [`Handler`], [`Queue`]
/// or [`Topic`] instead: those end with the runtime.
///
/// ```
/// use fnhost::{Context, Event, Function, Response, Runtime};
///
/// let runtime = Runtime::new()?;
/// let answer = runtime.block_on(async {
///     let greet = async |event: Event, _: Context| Ok(Response::from_text(format!("hello {}", event.body_text()?)));
///     runtime.deploy(Function::native("greet", greet)).await?;
///     runtime.handler("greet")?.invoke(Event::bytes("visit", "world")).await
/// })?;
/// assert_eq!(answer.text()?, "hello world");
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct Runtime(Arc<Alive>);

/// Closes the runtime when the last [`Runtime`] is gone, whatever handlers there are.
struct Alive(Arc<Core>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What a shutdown came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// How many events were cut off because the grace was over.
    pub cancelled: usize,
}

impl Runtime {
    /// Makes a runtime with the defaults of [`RuntimeBuilder`].
    ///
    /// # Errors
    ///
    /// When the system refuses a thread or even an engine without pooled memory.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Begins to make a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    fn from_core(core: Arc<Core>) -> Self {
        core.delivery.begin();
        Self(Arc::new(Alive(core)))
    }

    fn core(&self) -> &Arc<Core> {
        &self.0.0
    }

    /// Tells whether no more events are taken.
    #[cfg(feature = "http")]
    pub(crate) fn is_closed(&self) -> bool {
        self.core().is_closed()
    }

    /// Returns the clock that deadlines stand on.
    #[cfg(feature = "http")]
    pub(crate) fn face(&self) -> &Face {
        &self.core().desk.face
    }

    /// Compiles a function and makes it the newest version of its name.
    ///
    /// Handlers that follow the name use it from their next event; events in flight finish on the old version,
    /// which stays until it is removed. At most two functions are compiled at a time, on threads of their own.
    ///
    /// The init of the code runs now (or ran before, and the cache folder remembers it), and the samples of [`Function::warm_up`], unless
    /// [`Init::PerGuest`](crate::Init::PerGuest) is set; [`Deployed::snapshot`] says what became of that.
    ///
    /// # Errors
    ///
    /// Everything that can be wrong with code and settings is found here, and then nothing was changed. An init or
    /// a sample that fails is one of those errors, with its report.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future deploys nothing; a compilation that has begun ends and is forgotten,
    /// and a guest that runs is discarded.
    pub async fn deploy(&self, function: Function) -> Result<Deployed, Error> {
        deploy::deploy(self.core(), function).await
    }

    /// Returns a handler for `name` (its newest version, whichever that is when an event comes) or
    /// `name:version`.
    ///
    /// # Errors
    ///
    /// Unknown function.
    pub fn handler(&self, target: &str) -> Result<Handler, Error> {
        let route = self.core().route(target)?;
        match route.resolve(0) {
            Some(_) => Ok(Handler::new(Arc::clone(self.core()), route)),
            None => Err(unknown(&route.target).into()),
        }
    }

    /// Removes one version (`name:version`) or all versions of a name, and waits until their events have ended.
    ///
    /// # Errors
    ///
    /// Unknown function.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting; what was removed stays removed.
    pub async fn remove(&self, target: &str) -> Result<(), Error> {
        let target = Target::parse(target)?;
        let removed = self.core().registry.remove(&target);
        if removed.is_empty() {
            return Err(unknown(&target).into());
        }
        removed.iter().for_each(|deployment| deployment.callee.close());
        // Each event has its deadlines, so this is no longer than the longest of them.
        let far = Instant::now() + Duration::from_secs(365 * 24 * 3600);
        drain(&self.core().desk, &removed, far).await;
        Ok(())
    }

    /// Returns every function that is deployed, by name.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        info::functions(self.core())
    }

    /// Describes one version of a function.
    ///
    /// # Errors
    ///
    /// Unknown function.
    pub fn describe(&self, target: &str) -> Result<Description, Error> {
        let handler = self.handler(target)?;
        handler.describe()
    }

    /// Returns what the runtime holds and has left.
    pub fn stats(&self) -> RuntimeStats {
        info::runtime(self.core())
    }

    /// Runs a future to its end on the calling thread, which is parked while it waits.
    ///
    /// For hosts without an async runtime; inside one it works too, and blocks the thread.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        crate::block_on::block_on(future)
    }

    /// Takes no more events, lets those that are there end, and cuts off what is left when the grace is over.
    ///
    /// A broker that has trouble is waited for up to 5 seconds more, to keep what became of events, and one on NATS 5
    /// seconds more, to give back the others.
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        self.core().shutdown(grace).await
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
