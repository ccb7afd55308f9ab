//! What one event may still spend on requests, and what it has spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

use super::holdings::{Hold, Holdings};
use super::limits::Limits;
use super::refusal::{Part, Quota, Refusal};

/// How many refusals are remembered for the report.
const REMEMBERED: usize = 8;

/// The spending of one event; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    deadline: Instant,
    tenant: Option<Arc<str>>,
    holdings: Holdings,
    requests: AtomicUsize,
    sent: AtomicU64,
    received: AtomicU64,
    refused: AtomicUsize,
    refusals: Mutex<Vec<Refusal>>,
}

/// What an event has spent on requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Requests, refused ones too.
    pub(crate) requests: usize,
    /// Bytes of bodies that were sent.
    pub(crate) sent: u64,
    /// Bytes of bodies that were received.
    pub(crate) received: u64,
    /// Requests without a whole answer.
    pub(crate) refused: usize,
    /// Why, for the first eight of them.
    pub(crate) refusals: Vec<Refusal>,
}

impl Budget {
    /// Opens the account of an event, whose requests are noted among what its guest holds; a connection made for one
    /// tenant serves no other.
    pub(crate) fn new(deadline: Instant, tenant: Option<Arc<str>>, holdings: Holdings) -> Self {
        let account = Account {
            deadline,
            tenant,
            holdings,
            requests: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            refused: AtomicUsize::new(0),
            refusals: Mutex::default(),
        };
        Self { account: Arc::new(account) }
    }

    /// Returns what was spent so far.
    pub(crate) fn spent(&self) -> Spent {
        Spent {
            requests: self.account.requests.load(Relaxed),
            sent: self.account.sent.load(Relaxed),
            received: self.account.received.load(Relaxed),
            refused: self.account.refused.load(Relaxed),
            refusals: self.account.refusals.lock().clone(),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.account.deadline
    }

    pub(crate) fn tenant(&self) -> Option<&Arc<str>> {
        self.account.tenant.as_ref()
    }

    /// Notes a request that is not over.
    pub(crate) fn hold(&self) -> Hold {
        self.account.holdings.hold(self.account.deadline)
    }

    /// Counts a request.
    pub(crate) fn spend_request(&self, limits: &Limits) -> Result<(), Refusal> {
        let limit = limits.max_requests;
        let before = self.account.requests.fetch_add(1, Relaxed);
        if before < limit { Ok(()) } else { Err(Refusal::TooMany { quota: Quota::PerEvent, limit }) }
    }

    /// Counts bytes of a request's body.
    pub(crate) fn spend_sent(&self, bytes: usize, limits: &Limits) -> Result<(), Refusal> {
        spend(&self.account.sent, bytes, Part::RequestBody, limits.max_request_bytes)
    }

    /// Counts bytes of an answer's body.
    pub(crate) fn spend_received(&self, bytes: usize, limits: &Limits) -> Result<(), Refusal> {
        spend(&self.account.received, bytes, Part::ResponseBody, limits.max_response_bytes)
    }

    /// Remembers that a request was refused, or its answer cut off.
    pub(crate) fn note(&self, refusal: &Refusal) {
        if self.account.refused.fetch_add(1, Relaxed) < REMEMBERED {
            self.account.refusals.lock().push(refusal.clone());
        }
    }
}

fn spend(spent: &AtomicU64, bytes: usize, part: Part, limit: u64) -> Result<(), Refusal> {
    let bytes = bytes as u64;
    let before = spent.fetch_add(bytes, Relaxed);
    if before.saturating_add(bytes) <= limit { Ok(()) } else { Err(Refusal::TooLarge { part, limit }) }
}
