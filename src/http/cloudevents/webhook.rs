//! The handshake by which a sender of web hooks asks whether its deliveries are wanted.

use std::num::NonZeroU32;

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::error::Error;
use crate::http::answer::Refusal;
use crate::http::cloudevents::refusal::{self, METHODS};

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// Every sender, or as many deliveries as it likes.
const ANY: &str = "*";

/// Whose deliveries are wanted, and how many.
///
/// A callback that the sender names is never called: it would let anybody make this host send requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Senders {
    origins: Vec<String>,
    rate: Option<NonZeroU32>,
}

impl Senders {
    pub(super) fn allow(&mut self, origin: String) {
        self.origins.push(origin);
    }

    pub(super) fn limit(&mut self, per_minute: NonZeroU32) {
        self.rate = Some(per_minute);
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let is_name =
            |origin: &String| !origin.is_empty() && origin.bytes().all(|byte| byte.is_ascii_graphic());
        match self.origins.iter().find(|origin| !is_name(origin)) {
            None => Ok(()),
            Some(origin) => Err(Error::configuration(format!(
                "{origin:?} names no sender; give a domain name like events.example.com to `allow_sender`, or \"*\""
            ))),
        }
    }

    /// Answers a sender that asks.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Result<Response<Bytes>, Refusal> {
        let mut asked = headers.get_all(REQUEST_ORIGIN).iter();
        let (Some(origin), None) = (asked.next(), asked.next()) else { return Err(refusal::method()) };
        if self.origins.is_empty() {
            return Err(refusal::method());
        }
        let Some(allowed) = self.allowed(origin) else {
            return Err(refusal::sender());
        };
        let mut response = Response::default();
        let headers = response.headers_mut();
        headers.insert(ALLOWED_ORIGIN, allowed);
        headers
            .insert(ALLOWED_RATE, self.rate.map_or(HeaderValue::from_static(ANY), |rate| rate.get().into()));
        headers.insert(ALLOW, HeaderValue::from_static(METHODS));
        Ok(response)
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        let is_asked = |allowed: &&String| allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        if self.origins.iter().any(|allowed| allowed == ANY) {
            return Some(HeaderValue::from_static(ANY));
        }
        self.origins.iter().find(is_asked).map(|_| origin.clone())
    }
}
