//! One call of one webhook.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;

use crate::delivery::Parcel;
use crate::delivery::retry::Fault;
use crate::delivery::webhook::Webhook;
use crate::delivery::webhook::answer::{Failure, judge};
use crate::delivery::webhook::message::request;
use crate::outbound::{
    Budget, Holdings, Limits, Outbound, Patience, Policy, Receiving, Refusal, Rules, Special,
};
use crate::wall::Moment;

/// How much is read of an answer.
const MOST_ANSWER: u64 = 64 << 10;
/// How much of it is shown.
const SHOWN: usize = 256;

/// A webhook with the client that calls it.
pub(crate) struct Hook {
    pub(super) webhook: Webhook,
    pub(super) client: OnceLock<Result<Outbound, String>>,
}

impl Hook {
    /// Tells what cannot work.
    pub(in crate::delivery) fn check(&self) -> Result<(), String> {
        self.client().map(drop)
    }

    fn client(&self) -> Result<&Outbound, String> {
        let client =
            self.client.get_or_init(|| client(&self.webhook).map_err(|reason| format!("webhook: {reason}")));
        client.as_ref().map_err(Clone::clone)
    }

    /// Posts a message, and waits for the answer.
    pub(super) async fn call(&self, parcel: &Parcel, now: Moment) -> Result<(), Failure> {
        let unfit = |reason| Failure::new(Fault::Final, "invalid-webhook", reason);
        let client = self.client().map_err(unfit)?;
        let url = self.webhook.check().map_err(unfit)?;
        let request = request(url, parcel, &self.webhook.secrets, now);
        let request = request.map_err(|reason| Failure::new(Fault::Final, "invalid-event", reason))?;
        let timeout = self.webhook.timeout;
        let budget = Budget::new(Instant::now() + timeout, parcel.tenant.clone(), Holdings::default());
        let answer = client.send(request, patience(timeout), &budget).await;
        let (head, body) = answer.map_err(|refusal| self.failure(&refusal))?.into_parts();
        judge(head.status, &head.headers, &read(body).await, now)
    }

    /// Says why there is no answer, and what to do about it here.
    fn failure(&self, refusal: &Refusal) -> Failure {
        let fault = match refusal {
            Refusal::DeniedByRule { .. }
            | Refusal::DeniedAddress { .. }
            | Refusal::InvalidUrl { .. }
            | Refusal::InvalidRequest { .. } => Fault::Final,
            _ => Fault::Function,
        };
        Failure::new(fault, "no-answer", said(refusal, self.webhook.timeout))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.webhook.fmt(f)
    }
}

fn client(webhook: &Webhook) -> Result<Outbound, String> {
    let url = webhook.check()?;
    let rules = Rules::only(&url, webhook.private).map_err(|refusal| said(&refusal, webhook.timeout))?;
    let limits = Limits {
        patience: patience(webhook.timeout),
        // As many as the mapping of events may make.
        max_headers: 160,
        max_request_head: 96 << 10,
        max_response_bytes: MOST_ANSWER,
        // Messages are few, and one that met a connection that was about to end would wait for its next attempt.
        max_idle: 0,
        ..Limits::default()
    };
    Outbound::new(Policy { rules, limits, roots: webhook.roots.clone(), resolver: None })
}

fn patience(timeout: Duration) -> Patience {
    Patience { connect: timeout, first_byte: timeout, between_bytes: timeout }
}

/// The setters that refusals name are those of functions.
fn said(refusal: &Refusal, timeout: Duration) -> String {
    match refusal {
        Refusal::DeniedAddress { origin, address, special: special @ Special::Metadata, .. } => {
            format!("{origin} leads to {address}, {special} address, which no webhook reaches")
        }
        Refusal::DeniedAddress { origin, address, special, .. } => {
            format!("{origin} leads to {address}, {special} address; add `.allow_private` if it should")
        }
        Refusal::TimedOut { step, .. } | Refusal::Deadline { step } => {
            format!("timed out {step} after {:.3} s; raise `.timeout`", timeout.as_secs_f64())
        }
        other => other.to_string(),
    }
}

/// Reads an answer as far as it is read at all, and returns its beginning; that it breaks off does not matter.
async fn read(mut body: Receiving) -> Vec<u8> {
    let mut beginning = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            beginning.extend_from_slice(&data[..data.len().min(SHOWN - beginning.len())]);
        }
    }
    beginning
}
