//! Why a guest's request was not made, or its answer not received.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::address::Special;
use crate::escape::Escaped;

/// Why a guest's request was not made, or its answer not received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// No rule allows this scheme, host and port.
    #[error("no rule allows requests to {origin}; add `.allow_outbound(\"{origin}\")`")]
    DeniedByRule {
        /// Where the request was to go, as a rule would write it.
        origin: String,
    },
    /// A rule allows the host, but not this address.
    #[error("{origin} leads to {address}, {special} address, which no rule names; {fix}")]
    DeniedAddress {
        /// Where the request was to go.
        origin: String,
        /// The address that was refused.
        address: IpAddr,
        /// Why it was.
        special: Special,
        /// The rule that is missing.
        fix: String,
    },
    /// The URL cannot be requested.
    #[error("invalid URL: {}", Escaped(reason))]
    InvalidUrl {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Method, headers or body cannot be sent.
    #[error("invalid request: {}", Escaped(reason))]
    InvalidRequest {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The name could not be resolved.
    #[error("{host} was not found: {}", Escaped(reason))]
    NotFound {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nobody answers at the addresses of the host.
    #[error("connecting to {origin} failed: {}", Escaped(reason))]
    Unreachable {
        /// Where the request was to go.
        origin: String,
        /// What the system said of the address tried last.
        reason: String,
        /// Whether the connection was refused, not unroutable or the like.
        refused: bool,
    },
    /// The server's certificate is not one for this host that the roots vouch for.
    #[error("the certificate of {host} does not hold: {}; set `.roots` if it should", Escaped(reason))]
    Certificate {
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS failed otherwise.
    #[error("TLS with {host} failed: {}", Escaped(reason))]
    Tls {
        /// The host.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// A time-out passed.
    #[error("timed out {step} after {:.3} s; raise `{}`", limit.as_secs_f64(), step.setter())]
    TimedOut {
        /// What took too long.
        step: Step,
        /// The time that it was given.
        limit: Duration,
    },
    /// The deadline of the event passed.
    #[error("the event's deadline passed {step}")]
    Deadline {
        /// What was under way.
        step: Step,
    },
    /// A part of the request or of the answer is larger than allowed.
    #[error("{part} too large: the limit is {limit} bytes; raise `{}`", part.setter())]
    TooLarge {
        /// Which part.
        part: Part,
        /// The limit in bytes, for all requests of one event where bodies are counted.
        limit: u64,
    },
    /// There are too many requests.
    #[error("too many requests {quota}: the limit is {limit}; raise `{}`", quota.setter())]
    TooMany {
        /// Which bound was met.
        quota: Quota,
        /// The bound.
        limit: usize,
    },
    /// The connection ended before the answer did.
    #[error("the connection to {origin} ended early: {}", Escaped(reason))]
    Closed {
        /// Where the request went.
        origin: String,
        /// What came instead.
        reason: String,
    },
    /// The server does not speak HTTP as it should.
    #[error("{origin} does not speak HTTP: {}", Escaped(reason))]
    Protocol {
        /// Where the request went.
        origin: String,
        /// What is wrong.
        reason: String,
    },
}

/// What a request was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Step {
    /// Waiting for other requests to end.
    Queue,
    /// Resolving the name.
    Resolve,
    /// Connecting.
    Connect,
    /// Agreeing on TLS.
    Handshake,
    /// Waiting for the head of the answer.
    FirstByte,
    /// Waiting for more of the answer.
    BetweenBytes,
}

impl Step {
    fn setter(self) -> &'static str {
        match self {
            Self::Queue | Self::Resolve | Self::Connect | Self::Handshake => "connect_timeout",
            Self::FirstByte => "first_byte_timeout",
            Self::BetweenBytes => "between_bytes_timeout",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "waiting for other requests to end",
            Self::Resolve => "resolving the name",
            Self::Connect => "connecting",
            Self::Handshake => "agreeing on TLS",
            Self::FirstByte => "waiting for the head of the answer",
            Self::BetweenBytes => "waiting for more of the answer",
        })
    }
}

/// What can be too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Part {
    /// URL and headers of the request.
    RequestHead,
    /// Bodies of an event's requests.
    RequestBody,
    /// Status and headers of the answer.
    ResponseHead,
    /// Bodies of an event's answers.
    ResponseBody,
}

impl Part {
    fn setter(self) -> &'static str {
        match self {
            Self::RequestHead => "max_request_head",
            Self::RequestBody => "max_request_bytes",
            // The parser tells both alike.
            Self::ResponseHead => "max_response_head` or `max_headers",
            Self::ResponseBody => "max_response_bytes",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestHead => "the head of a request",
            Self::RequestBody => "what an event sends",
            Self::ResponseHead => "the head of an answer",
            Self::ResponseBody => "what an event receives",
        })
    }
}

/// What can be too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Quota {
    /// Requests of a function at once.
    AtOnce,
    /// Requests of one event.
    PerEvent,
}

impl Quota {
    fn setter(self) -> &'static str {
        match self {
            Self::AtOnce => "max_at_once",
            Self::PerEvent => "max_requests",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtOnce => "of this function at once",
            Self::PerEvent => "of one event",
        })
    }
}
