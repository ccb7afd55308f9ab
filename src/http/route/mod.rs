//! What a gateway does with the requests of one pattern.

pub(crate) mod host;
pub(crate) mod path;
pub(crate) mod pattern;
pub(crate) mod table;
mod tree;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::admission::Rate;
use crate::http::auth::Authorizer;
use crate::http::cloudevents::CloudEvents;
use crate::http::cors::Cors;
use crate::http::files::Files;
use crate::http::route::pattern::Pattern;
use crate::limits::MIB;

/// Where requests go.
#[derive(Clone)]
pub(crate) enum To {
    /// To the function behind a target.
    Function(String),
    /// To a folder.
    Files(Files),
}

/// What a gateway does with the requests of one pattern: who answers them, and under which policies.
///
/// Every setter has a default that suits most routes; [`GatewayBuilder::build`](crate::http::GatewayBuilder::build)
/// checks all of them at once. A target alone is a route too.
///
/// ```
/// use std::time::Duration;
/// use fnhost::Rate;
/// use fnhost::http::Route;
///
/// let route = Route::to("orders:7")
///     .max_body(64 << 10)
///     .timeout(Duration::from_secs(5))
///     .concurrency(64)
///     .rate(Rate::per_second(500).burst(50));
/// # drop(route);
/// ```
#[derive(Clone)]
#[must_use = "a route does nothing until it is given to a gateway"]
pub struct Route {
    pub(crate) to: To,
    pub(crate) lazy: bool,
    pub(crate) max_body: u64,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: u32,
    pub(crate) rate: Option<Rate>,
    pub(crate) cors: Option<Cors>,
    pub(crate) authorizer: Option<Arc<dyn Authorizer>>,
    pub(crate) cloud_events: Option<CloudEvents>,
}

impl Route {
    /// Sends requests to a function: `name` (its newest version, whichever that is then) or `name:version`.
    pub fn to(target: impl Into<String>) -> Self {
        Self::new(To::Function(target.into()))
    }

    /// Answers with the files of a folder; the pattern ends with a wildcard for the rest, which is the path below it.
    ///
    /// Only `GET` and `HEAD` come here, so that other methods of the same path may be functions. A refusal is JSON, as
    /// that of any route.
    ///
    /// ```
    /// use fnhost::http::{Files, Gateway, Route};
    ///
    /// # let (runtime, dir) = (fnhost::Runtime::new()?, std::env::temp_dir());
    /// let gateway = Gateway::builder(&runtime)
    ///     .route("/assets/{*path}", Route::files(Files::new(&dir)?).concurrency(64))
    ///     .route("/{*path}", Files::new(&dir)?)
    ///     .build()?;
    /// # drop(gateway);
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn files(files: Files) -> Self {
        Self::new(To::Files(files))
    }

    fn new(to: To) -> Self {
        Self {
            to,
            lazy: false,
            max_body: 6 * MIB,
            timeout: Duration::from_secs(30),
            concurrency: 1_000,
            rate: None,
            cors: None,
            authorizer: None,
            cloud_events: None,
        }
    }

    /// Takes only what can be answered, where a pattern takes every method.
    pub(crate) fn narrow(&self, pattern: &mut Pattern) {
        if matches!(self.to, To::Files(_)) && pattern.methods.is_empty() {
            pattern.methods.push(Method::GET);
        }
    }

    /// Lets the target be deployed after the gateway is built; until then the answer is 404. Without this, building
    /// the gateway fails.
    pub fn lazy(mut self) -> Self {
        self.lazy = true;
        self
    }

    /// Sets the largest body of a request; 6 MiB by default. The function's own `max_event` holds as well.
    ///
    /// A larger one is answered 413: at once where its length is announced, else when more than that has come.
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the time until the head of the answer must be there; 30 seconds by default.
    ///
    /// It covers the authorizer, the body of the request, the function's queue and the function. Past it the answer
    /// is 504, or 408 where the client was the one to be waited for, and the function is cancelled. The body of the
    /// answer has the time that the function's own `timeout` gives.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many requests may be served at once, each until the last byte of its answer; 1,000 by default.
    ///
    /// One more is answered 503 at once; it does not wait. The function's own `concurrency` and `queue` hold as well,
    /// but only once the body of a request has arrived: until then this, `max_body` and the gateway's
    /// [`max_buffered`](crate::http::GatewayBuilder::max_buffered) bound what clients can have the host keep.
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets how many requests are served in a time, over all clients; unbounded by default. What the authorizer
    /// denies does not count.
    ///
    /// One more is answered 429.
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Sets which pages of other origins may call; none by default.
    ///
    /// What the function itself says about other origins is then replaced.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Sets who decides who may pass; without one everybody may.
    ///
    /// It is asked before any of the body is read. The tenant and the attributes `auth.NAME` of the context come from
    /// it alone.
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Takes requests for what they carry: one event of CloudEvents 1.0 or a batch of them, and nothing else; by
    /// default a request is an event of its own.
    ///
    /// Senders that ask first do so with `OPTIONS`, which the pattern has to take too.
    ///
    /// ```
    /// use fnhost::http::{CloudEvents, Route};
    ///
    /// let route = Route::to("orders").cloud_events(CloudEvents::new().max_batch(100));
    /// # drop(route);
    /// ```
    pub fn cloud_events(mut self, cloud_events: CloudEvents) -> Self {
        self.cloud_events = Some(cloud_events);
        self
    }
}

impl From<&str> for Route {
    fn from(target: &str) -> Self {
        Self::to(target)
    }
}

impl From<String> for Route {
    fn from(target: String) -> Self {
        Self::to(target)
    }
}

impl From<Files> for Route {
    fn from(files: Files) -> Self {
        Self::files(files)
    }
}

impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(target) => target.fmt(f),
            Self::Files(files) => files.fmt(f),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("to", &self.to)
            .field("lazy", &self.lazy)
            .field("max_body", &self.max_body)
            .field("timeout", &self.timeout)
            .field("concurrency", &self.concurrency)
            .field("rate", &self.rate)
            .field("cors", &self.cors)
            .field("authorizer", &self.authorizer.is_some())
            .field("cloud_events", &self.cloud_events)
            .finish()
    }
}
