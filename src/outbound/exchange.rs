//! One request over one connection, as far as the head of its answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout_at;

use super::call::Call;
use super::connection::Connection;
use super::failure;
use super::refusal::{Refusal, Step};
use super::sending::{Progress, Sending};
use super::until::Until;

/// An answer whose body is still to come, and what brings it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Response<Incoming>,
    pub(crate) connection: Connection,
    pub(crate) progress: Arc<Progress>,
}

/// Why a request got no answer, as far as trying again is concerned.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of the request was sent.
    Unsent(Box<Request<Sending>>),
    /// The connection ended, and the server may have seen the request.
    Ended(Refusal),
    Final(Refusal),
}

impl Call {
    /// Sends the request over one connection and waits for the head of the answer.
    pub(crate) async fn over(
        &self,
        mut connection: Connection,
        request: Request<Sending>,
    ) -> Result<Answer, Failure> {
        let progress = Arc::clone(request.body().progress());
        let sent = connection.sender.try_send_request(request);
        let deadline = self.budget.deadline();
        let answered = first_byte(sent, &progress, self.patience.first_byte, deadline).await;
        match answered.map_err(Failure::Final)? {
            Ok(head) => Ok(Answer { head, connection, progress }),
            Err(mut failed) => Err(match (failed.take_message(), progress.fault()) {
                (Some(request), _) => Failure::Unsent(Box::new(request)),
                (None, Some(fault)) => Failure::Final(fault),
                (None, None) => self.failure(failed.error()),
            }),
        }
    }

    fn failure(&self, error: &hyper::Error) -> Failure {
        let refusal = failure::refusal(error, &self.key.origin, self.limits.max_response_head);
        if failure::is_closed(error) { Failure::Ended(refusal) } else { Failure::Final(refusal) }
    }
}

impl Failure {
    /// Returns the request that may go over another connection.
    pub(crate) fn sent_again(self, spare: Option<Request<Sending>>) -> Result<Request<Sending>, Refusal> {
        match self {
            Self::Unsent(request) => Ok(*request),
            Self::Ended(refusal) => spare.ok_or(refusal),
            Self::Final(refusal) => Err(refusal),
        }
    }

    /// Says why there is no answer, when there is no other connection to try.
    pub(crate) fn refusal(self, call: &Call) -> Refusal {
        match self {
            Self::Unsent(_) => Refusal::Closed {
                origin: call.key.origin.to_string(),
                reason: "before the request was sent".into(),
            },
            Self::Ended(refusal) | Self::Final(refusal) => refusal,
        }
    }
}

/// Waits for the head of the answer; only time in which the server is waited for counts.
async fn first_byte<T>(
    answer: impl Future<Output = T>,
    progress: &Progress,
    limit: Duration,
    deadline: Instant,
) -> Result<T, Refusal> {
    let mut answer = pin!(answer);
    loop {
        let now = Instant::now();
        let until = Until::after(progress.waits_since().unwrap_or(now), limit, deadline);
        // The first poll comes before the time is looked at, so what has arrived is never refused.
        if let Ok(answer) = timeout_at(until.at.into(), answer.as_mut()).await {
            return Ok(answer);
        }
        let waited = progress.waits_since().is_some_and(|since| since + limit <= Instant::now());
        if waited || Instant::now() >= deadline {
            return Err(until.refusal(Step::FirstByte));
        }
    }
}
