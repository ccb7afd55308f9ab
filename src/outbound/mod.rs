//! What a guest may reach over HTTP, and the client that does it.
//!
//! It promises that a request leaves only if a rule allows its scheme, host and port; that a name is resolved once
//! for a connection, every address that comes back is judged, and only those that passed are connected to, so
//! what a name leads to cannot change in between; and that time, size and number of requests are bounded. A
//! connection is used again only by the function and for the tenant that opened it.
//!
//! It follows no redirect: the guest sees the answer and may make a request of its own, which is judged like the
//! first. It keeps no cookies and no cache, reads no proxy settings, and speaks HTTP/1.1 only. Everything here is
//! polled inside the runtime for guests' input and output, whose timers, sockets and blocking threads it uses.

mod address;
mod budget;
mod call;
mod client;
mod connect;
mod connection;
mod exchange;
mod failure;
mod headers;
mod holdings;
mod host;
mod idle;
mod limits;
mod network;
mod only;
mod origin;
mod receiving;
mod refusal;
mod resolve;
mod rule;
mod rules;
mod sending;
mod tls;
mod until;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::Semaphore;

pub(crate) use self::address::Special;
pub(crate) use self::budget::Budget;
use self::client::{Client, Tally};
use self::connect::{Connector, Tls};
pub(crate) use self::holdings::Holdings;
use self::idle::Idle;
pub(crate) use self::limits::{Limits, Patience};
pub(crate) use self::receiving::Receiving;
#[cfg(test)]
pub(crate) use self::refusal::Quota;
pub(crate) use self::refusal::{Part, Refusal, Step};
#[cfg(test)]
pub(crate) use self::resolve::BoxFuture;
pub(crate) use self::resolve::{Resolve, SystemResolver};
pub(crate) use self::rules::{InvalidRule, Rules};
use self::sending::BoxError;
pub(crate) use self::tls::Roots;

/// The smallest buffer that the parser of answers works with.
const LEAST_HEAD: usize = 8192;

/// What a function may reach, and how; nothing by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// What it may reach.
    pub(crate) rules: Rules,
    /// How much of it.
    pub(crate) limits: Limits,
    /// Who vouches for servers; Mozilla's roots by default.
    pub(crate) roots: Roots,
    /// Who finds addresses; the system by default.
    pub(crate) resolver: Option<Arc<dyn Resolve>>,
}

/// The HTTP client of one deployed function; clones are the same client.
///
/// Its connections are its own: each deployment makes an `Outbound`, and within it a connection is used again only
/// for the tenant that it was opened for.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    client: Arc<Client>,
}

/// What a client has done so far.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Requests, refused ones too.
    pub(crate) requests: u64,
    /// Requests that were refused or got no answer.
    pub(crate) refused: u64,
    /// Connections that were opened.
    pub(crate) opened: u64,
    /// Requests that went over a connection that was there already.
    pub(crate) reused: u64,
}

impl Default for Outbound {
    fn default() -> Self {
        Self::denied()
    }
}

impl Outbound {
    /// Makes a client that refuses every request.
    pub(crate) fn denied() -> Self {
        Self::new(Policy::default()).expect("no rules and the default limits are valid")
    }

    /// Makes the client of one deployment.
    ///
    /// # Errors
    ///
    /// What cannot work in the policy, and what to do.
    pub(crate) fn new(policy: Policy) -> Result<Self, String> {
        let Policy { rules, limits, roots, resolver } = policy;
        check(&limits)?;
        let tls = if rules.has_tls() { Some(Tls(roots.connector()?)) } else { None };
        let resolver = resolver.unwrap_or_else(|| Arc::new(SystemResolver::default()));
        let client = Client {
            connector: Connector { rules, resolver, tls, limits },
            places: Arc::new(Semaphore::new(limits.max_at_once.min(Semaphore::MAX_PERMITS))),
            idle: Arc::new(Idle::new(limits.max_idle, limits.idle_timeout)),
            tally: Tally::default(),
        };
        Ok(Self { client: Arc::new(client) })
    }

    /// Tells whether every request is refused.
    #[cfg(test)]
    pub(crate) fn is_denied(&self) -> bool {
        self.client.connector.rules.is_empty()
    }

    /// Returns what was done so far.
    #[cfg(test)]
    pub(crate) fn counters(&self) -> Counters {
        let tally = &self.client.tally;
        Counters {
            requests: tally.requests.load(Relaxed),
            refused: tally.refused.load(Relaxed),
            opened: tally.opened.load(Relaxed),
            reused: tally.reused.load(Relaxed),
        }
    }

    /// Sends a request to an absolute URL and returns the answer, whose body is still to come.
    ///
    /// An answer that redirects is an answer: following it is a request of its own, judged like this one. The
    /// headers that are about the connection are removed both ways, and `host` is set from the URL. A request that
    /// has no body and changes nothing is sent once more if a connection that was kept had ended meanwhile.
    ///
    /// # Errors
    ///
    /// Why there is no answer; the budget remembers it. The body has errors of the same type.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection, as dropping the body before its end does.
    pub(crate) async fn send<B>(
        &self,
        request: Request<B>,
        patience: Patience,
        budget: &Budget,
    ) -> Result<Response<Receiving>, Refusal>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.client.tally.requests.fetch_add(1, Relaxed);
        let answered = self.client.send(request, patience, budget).await;
        answered.inspect_err(|refusal| {
            self.client.tally.refused.fetch_add(1, Relaxed);
            budget.note(refusal);
        })
    }

    #[cfg(test)]
    pub(crate) fn idle_connections(&self) -> usize {
        self.client.idle.len()
    }
}

/// Refuses limits with which nothing could work.
fn check(limits: &Limits) -> Result<(), String> {
    if limits.max_at_once == 0 {
        return Err("`max_at_once` is 0, which lets no request start; give 1 or more".into());
    }
    let head = limits.max_response_head;
    if head < LEAST_HEAD {
        return Err(format!("`max_response_head` is {head} bytes; give at least {LEAST_HEAD}"));
    }
    Ok(())
}
