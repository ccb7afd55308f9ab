//! Requests of guests to the outside.

use std::sync::Arc;
use std::time::Instant;

use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::outbound::{Budget, Holdings, Outbound, Part, Patience, Refusal, Step};
use crate::report::OutboundUse;
use crate::wasm::contract::http::hooks::Sent;

/// Sends the requests of one guest.
pub(crate) struct Sender {
    outbound: Outbound,
    budget: Option<Budget>,
    /// There, once something was sent.
    holdings: Option<Holdings>,
    deadline: Instant,
    tenant: Option<Arc<str>>,
}

impl Sender {
    pub(crate) fn new(outbound: &Outbound) -> Self {
        Self {
            outbound: outbound.clone(),
            budget: None,
            holdings: None,
            deadline: Instant::now(),
            tenant: None,
        }
    }

    /// Begins an event, which has a budget of its own.
    pub(crate) fn begin(&mut self, deadline: Instant, tenant: Option<Arc<str>>) {
        (self.deadline, self.tenant, self.budget) = (deadline, tenant, None);
    }

    /// Ends an event; none when it sent nothing.
    pub(crate) fn end(&mut self) -> Option<Box<OutboundUse>> {
        let spent = self.budget.take()?.spent();
        Some(Box::new(OutboundUse {
            requests: spent.requests as u64,
            bytes_sent: spent.sent,
            bytes_received: spent.received,
            refused: spent.refused as u64,
            refusals: spent.refusals.iter().map(ToString::to_string).collect(),
        }))
    }

    /// Tells whether a request is not over: it waits, or its answer was neither read nor dropped.
    pub(crate) fn is_holding(&self) -> bool {
        self.holdings.as_ref().is_some_and(Holdings::is_any)
    }

    /// Tells whether a request is not over whose event must be.
    pub(crate) fn is_overdue(&self) -> bool {
        self.holdings.as_ref().is_some_and(|holdings| holdings.is_any_overdue(Instant::now()))
    }

    pub(crate) fn send(&mut self, request: http::Request<WasiBody>, options: Option<RequestOptions>) -> Sent {
        let (deadline, tenant) = (self.deadline, &self.tenant);
        let holdings = self.holdings.get_or_insert_default();
        let open = || Budget::new(deadline, tenant.clone(), holdings.clone());
        let budget = self.budget.get_or_insert_with(open).clone();
        let outbound = self.outbound.clone();
        Box::new(async move {
            let request = request.map(|body| body.map_err(|error| error.to_string()));
            let answer =
                outbound.send(request, patience(options), &budget).await.map_err(|refusal| code(&refusal))?;
            let answer = answer.map(|body| body.map_err(|refusal| code(&refusal)).boxed_unsync());
            Ok((answer, Box::new(async { Ok(()) }) as _))
        })
    }
}

fn patience(options: Option<RequestOptions>) -> Patience {
    let most = Patience::default();
    let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout } =
        options.unwrap_or_default();
    Patience {
        connect: connect_timeout.unwrap_or(most.connect),
        first_byte: first_byte_timeout.unwrap_or(most.first_byte),
        between_bytes: between_bytes_timeout.unwrap_or(most.between_bytes),
    }
}

/// Tells the guest why, as far as its interface has a word for it; the whole reason is in the report.
fn code(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::DeniedByRule { .. } => Error::HttpRequestDenied,
        Refusal::DeniedAddress { .. } => Error::DestinationIpProhibited,
        Refusal::InvalidUrl { .. } => Error::HttpRequestUriInvalid,
        Refusal::NotFound { .. } => Error::DnsError { rcode: None, info_code: None },
        Refusal::Unreachable { refused: true, .. } => Error::ConnectionRefused,
        Refusal::Unreachable { .. } => Error::DestinationUnavailable,
        Refusal::Certificate { .. } => Error::TlsCertificateError,
        Refusal::Tls { .. } => Error::TlsProtocolError,
        Refusal::TimedOut { step, .. } | Refusal::Deadline { step } => too_slow(*step),
        Refusal::TooLarge { part, .. } => too_large(*part),
        Refusal::TooMany { .. } => Error::ConnectionLimitReached,
        Refusal::Closed { .. } => Error::ConnectionTerminated,
        Refusal::InvalidRequest { .. } | Refusal::Protocol { .. } => Error::HttpProtocolError,
    }
}

fn too_slow(step: Step) -> Error {
    match step {
        Step::Queue => Error::ConnectionLimitReached,
        Step::Resolve => Error::DnsTimeout,
        Step::Connect | Step::Handshake => Error::ConnectionTimeout,
        Step::FirstByte => Error::HttpResponseTimeout,
        Step::BetweenBytes => Error::ConnectionReadTimeout,
    }
}

fn too_large(part: Part) -> Error {
    match part {
        Part::RequestHead => Error::HttpRequestHeaderSectionSize(None),
        Part::RequestBody => Error::HttpRequestBodySize(None),
        Part::ResponseHead => Error::HttpResponseHeaderSectionSize(None),
        Part::ResponseBody => Error::HttpResponseBodySize(None),
    }
}
