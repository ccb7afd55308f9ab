//! Sends the requests of one function.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::Budget;
use super::call::Call;
use super::connect::Connector;
use super::connection::Key;
use super::exchange::Answer;
use super::headers;
use super::idle::Idle;
use super::limits::Patience;
use super::origin::Origin;
use super::receiving::{Lease, Receiving};
use super::refusal::{Quota, Refusal, Step};
use super::sending::{BoxError, Sending};
use super::until::Until;

/// What a function's requests share.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) connector: Connector,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) idle: Arc<Idle>,
    pub(crate) tally: Tally,
}

/// Counts what was done.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) opened: AtomicU64,
    pub(crate) reused: AtomicU64,
}

impl Client {
    /// Sends a request, if the rules and the budget allow it.
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
        let limits = self.connector.limits;
        budget.spend_request(&limits)?;
        let origin = Origin::of(request.uri())?;
        let grant = self.connector.rules.judge(&origin)?;
        let key = Key { origin, tenant: budget.tenant().cloned() };
        let patience = patience.capped(limits.patience);
        let call = Call { key, grant, patience, budget: budget.clone(), limits };
        let request = call.prepare(request)?;
        // Before the wait for a place: what an event leaves waiting would take one after its end.
        let hold = budget.hold();
        let until = call.until();
        let place = self.place(until).await?;
        let Answer { head, connection, progress } = self.exchange(request, &call, until).await?;
        let idle = Arc::clone(&self.idle);
        let lease = Lease { connection, key: call.key.clone(), idle, progress, _place: place, _hold: hold };
        receive(head, lease, &call)
    }

    /// Waits for one of the places that bound how many requests there are at once.
    async fn place(&self, until: Until) -> Result<OwnedSemaphorePermit, Refusal> {
        let waited = until.wait(Step::Queue, Arc::clone(&self.places).acquire_owned()).await;
        let limit = self.connector.limits.max_at_once;
        let place = waited.map_err(|refusal| match refusal {
            Refusal::TimedOut { .. } => Refusal::TooMany { quota: Quota::AtOnce, limit },
            other => other,
        })?;
        Ok(place.expect("the semaphore is never closed"))
    }

    /// Sends the request over a connection that is there, else over a new one.
    async fn exchange(
        &self,
        mut request: Request<Sending>,
        call: &Call,
        mut until: Until,
    ) -> Result<Answer, Refusal> {
        if let Some(connection) = self.idle.take(&call.key).await {
            let spare = call.spare(&request);
            match call.over(connection, request).await {
                Ok(answer) => {
                    self.tally.reused.fetch_add(1, Relaxed);
                    return Ok(answer);
                }
                // Waiting for an answer that never came must not count as connecting.
                Err(failure) => (request, until) = (failure.sent_again(spare)?, call.until()),
            }
        }
        let connection = self.connector.open(&call.key.origin, call.grant, until).await?;
        self.tally.opened.fetch_add(1, Relaxed);
        call.over(connection, request).await.map_err(|failure| failure.refusal(call))
    }
}

fn receive(answer: Response<Incoming>, lease: Lease, call: &Call) -> Result<Response<Receiving>, Refusal> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let (origin, reason) = (lease.key.origin.to_string(), "it switches protocols unasked".into());
        return Err(Refusal::Protocol { origin, reason });
    }
    let (mut parts, body) = answer.into_parts();
    headers::strip(&mut parts.headers);
    parts.extensions.clear();
    let body = Receiving::new(body, lease, call.patience.between_bytes, (&call.budget, &call.limits));
    Ok(Response::from_parts(parts, body))
}
