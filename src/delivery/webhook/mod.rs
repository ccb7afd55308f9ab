//! Outcomes that are posted to an HTTP endpoint.
//!
//! It promises that a message is signed anew at each attempt, that it goes to its own host and nowhere else, that no
//! secret is ever kept with it, and that it is posted until the endpoint accepts or refuses it, or it is given up. What
//! the endpoint answers beyond its status is not looked at.

mod answer;
mod call;
mod message;
mod post;
mod secret;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;

pub(super) use self::call::Hook;
use self::secret::Secret;
use crate::delivery::Retry;
use crate::delivery::destination::{Destination, Place};
use crate::outbound::Roots;

/// How long one attempt may take unless set.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may take at most.
const LONGEST: Duration = Duration::from_secs(300);

/// An HTTP endpoint to which outcomes are posted, signed as Standard Webhooks 1.0 says.
///
/// The body is the record as a CloudEvent in structured JSON mode, or with [`answer`](Self::answer) the answer alone in
/// binary mode. The headers `webhook-id` (the same at each attempt), `webhook-timestamp` and `webhook-signature` let the
/// receiver verify it. Any status of 2xx accepts it. After 408, 425, 429, 5xx, or no answer it is posted again, after
/// what `Retry-After` says (an hour at most) if that is later; after anything else, redirects too, it is given up. What
/// is given up is a dead letter of [`DeadLetters::of_webhook`](crate::DeadLetters::of_webhook).
///
/// To verify it, a receiver computes the HMAC-SHA-256 of `id.timestamp.body` (those two headers, full stops, and the
/// body byte for byte) with the secret's bytes, and writes it in base64 behind `v1,`. That must be one of those that
/// stand in `webhook-signature`, separated by spaces, and the timestamp, in seconds since the Unix epoch, must be a
/// recent one.
///
/// It reaches https at public addresses only, unless more is allowed; the address is judged when it is connected to.
/// The message that waits names function and URL, and never the secret: that comes from the function as it is deployed
/// when the message is posted. Messages wait while the function is not deployed; a URL that it no longer has is given up.
///
/// ```
/// use fnhost::{Destination, Function};
///
/// let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// let function = Function::wasm("resize", "(module)")
///     .on_success(Destination::webhook("https://example.com/resized").secret(secret));
/// # drop(function);
/// ```
#[derive(Clone)]
#[must_use = "a webhook does nothing until a function has it"]
pub struct Webhook {
    url: String,
    secrets: Vec<Secret>,
    retry: Retry,
    timeout: Duration,
    plain: bool,
    http: bool,
    private: bool,
    roots: Roots,
    fault: Option<String>,
}

impl Destination {
    /// Posts outcomes to a URL; see [`Webhook`] for what else it needs.
    pub fn webhook(url: impl Into<String>) -> Webhook {
        Webhook {
            url: url.into(),
            secrets: Vec::new(),
            retry: usual_retry(),
            timeout: TIMEOUT,
            plain: false,
            http: false,
            private: false,
            roots: Roots::default(),
            fault: None,
        }
    }
}

/// Between attempts unless set.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// Returns how a webhook is tried unless set.
fn usual_retry() -> Retry {
    Retry::new().attempts(5).backoff(PAUSES.0, PAUSES.1)
}

impl Webhook {
    /// Signs with a secret of at least 24 bytes: in base64 behind `whsec_`, else the bytes as they are. At least one is
    /// needed; with several there are several signatures, so that receivers can change from one to the next.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        match Secret::parse(secret.as_ref()) {
            Ok(secret) => self.secrets.push(secret),
            Err(reason) => drop(self.fault.get_or_insert(reason)),
        }
        self
    }

    /// Sets how often it is posted, with which pauses, and how old it may become; 5 attempts, pauses from 5 seconds to an
    /// hour, and 6 hours unless set.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry.or_backoff(PAUSES.0, PAUSES.1);
        self
    }

    /// Sets how long one attempt may take, from finding the address to the end of the answer; 15 seconds unless set, at
    /// most 5 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Posts the answer alone in binary mode, in place of the record; of what was given up, the event as it came.
    pub fn answer(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Allows a URL of `http://`, where everybody on the way can read; not allowed unless set.
    pub fn allow_http(mut self) -> Self {
        self.http = true;
        self
    }

    /// Allows loopback, private and other special addresses, but never those of cloud metadata; not allowed unless set.
    pub fn allow_private(mut self) -> Self {
        self.private = true;
        self
    }

    /// Trusts these certificates (PEM) in place of Mozilla's.
    pub fn roots(mut self, pem: &[u8]) -> Self {
        match Roots::only(pem) {
            Ok(roots) => self.roots = roots,
            Err(reason) => drop(self.fault.get_or_insert(reason)),
        }
        self
    }

    /// Tells what cannot work; the URL is not shown, as its path may be a secret.
    fn check(&self) -> Result<Uri, String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if self.secrets.is_empty() {
            return Err("it has no secret to sign with; give one with `.secret`".into());
        }
        if self.timeout.is_zero() || self.timeout > LONGEST {
            return Err(format!("timeout is {:?}; give more than 0 and at most {LONGEST:?}", self.timeout));
        }
        self.retry.check().map_err(|reason| format!("retry: {reason}"))?;
        let url: Uri = self.url.parse().map_err(|error| format!("its URL cannot be read: {error}"))?;
        if url.scheme_str() == Some("http") && !self.http {
            return Err("its URL begins with http://; use https://, or `.allow_http`".into());
        }
        Ok(url)
    }
}

impl From<Webhook> for Destination {
    fn from(webhook: Webhook) -> Self {
        let plain = webhook.plain;
        Self { place: Place::Webhook(Arc::new(Hook { webhook, client: OnceLock::new() })), plain }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &self.url)
            .field("retry", &self.retry)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
