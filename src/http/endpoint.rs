//! A route that is built: it takes one request through to its answer.
//!
//! Refused is in the order of what it costs to find out: a body that is announced too large, a route that is full, a
//! client that may not, a rate that is exceeded. Nothing of the body is read before all have passed.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use crate::admission::{Amount, Bucket, Gate};
use crate::body::{Buffers, Incoming};
use crate::clock::Cut;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::http::answer::{Refusal, SOON};
use crate::http::answerer::Answerer;
use crate::http::auth::{Authorizer, Denied};
use crate::http::body::Body;
use crate::http::cors::{Cors, Policy};
use crate::http::permit::Permit;
use crate::http::route::Route;
use crate::http::route::pattern::Pattern;
use crate::runtime::Runtime;

/// Stands for "no time-out": nobody waits that long.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A route that is built.
pub(crate) struct Endpoint {
    /// The pattern as it was written, for logs.
    text: String,
    /// What the parameters are called in the context, in the order of the wildcards.
    params: Vec<String>,
    answerer: Answerer,
    max_body: u64,
    timeout: Duration,
    places: Arc<Gate>,
    bucket: Option<Bucket>,
    cors: Option<Policy>,
    authorizer: Option<Arc<dyn Authorizer>>,
}

impl Endpoint {
    /// Checks everything of a route, and resolves its target.
    pub(crate) fn build(
        (text, pattern): (&str, &Pattern),
        route: Route,
        runtime: &Runtime,
    ) -> Result<Self, String> {
        if route.concurrency == 0 {
            return Err("a concurrency of 0 lets nothing in; give at least 1, or take the route away".into());
        }
        route.rate.map_or(Ok(()), |rate| rate.check())?;
        route.authorizer.as_ref().map_or(Ok(()), |by| by.check()).map_err(reason)?;
        Ok(Self {
            text: text.into(),
            params: pattern.names().map(|name| format!("http.param.{name}")).collect(),
            answerer: Answerer::build(&route, pattern, runtime)?,
            max_body: route.max_body,
            timeout: route.timeout,
            places: Arc::new(Gate::new(Amount::new(route.concurrency, 0), 0)),
            bucket: route.rate.map(|rate| Bucket::new(rate, Instant::now())),
            cors: route.cors.map(Cors::build).transpose()?,
            authorizer: route.authorizer,
        })
    }

    pub(crate) fn cors(&self) -> Option<&Policy> {
        self.cors.as_ref()
    }

    /// Sets the parameters in a context.
    pub(crate) fn name(&self, context: Context, values: &[&str]) -> Context {
        let named = self.params.iter().zip(values);
        named.fold(context, |context, (name, value)| context.with_attribute(name, *value))
    }

    /// Takes a request through to its answer.
    pub(crate) async fn serve(
        &self,
        server: &Server,
        context: Context,
        request: http::Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let (parts, body) = request.into_parts();
        self.check_length(&parts.headers, &body)?;
        let permit = self.admit()?;
        let seen = Arc::clone(body.seen());
        seen.set_limit(self.max_body);
        if !http_body::Body::is_end_stream(&body) {
            seen.share(&server.buffers);
        }
        let deadline = Instant::now().checked_add(self.timeout).unwrap_or_else(|| Instant::now() + FAR);
        let call = pin!(self.call(server, context, (parts, body)));
        let answer = match server.runtime.face().race(deadline, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) if seen.has_stalled() => return Err(timed_out(true)),
            Ok(Err(refusal)) => return Err(refusal),
            Err(Cut::Cancelled) => return Err(Refusal::of(&ErrorKind::ShuttingDown.into(), false)),
            Err(Cut::Deadline) => return Err(timed_out(seen.is_awaited())),
        };
        Ok(answer.map(|body| body.holding(permit)))
    }

    /// Refuses a body whose length is announced and too large.
    fn check_length(&self, headers: &HeaderMap, body: &Incoming) -> Result<(), Refusal> {
        let announced = || headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let hint = http_body::Body::size_hint(body);
        let length = hint.exact().or_else(announced).unwrap_or(hint.lower());
        if length > self.max_body { Err(Refusal::too_large(self.max_body)) } else { Ok(()) }
    }

    fn admit(&self) -> Result<Permit, Refusal> {
        Permit::take(&self.places).ok_or_else(|| {
            let most = self.places.total().units();
            let message = format!("{most} requests are being served already; try again later");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "route-full", message).retry_after(Some(SOON))
        })
    }

    async fn call(
        &self,
        server: &Server,
        context: Context,
        request: (Parts, Incoming),
    ) -> Result<Response<Body>, Refusal> {
        let context = self.authorize(context, &request.0).await?;
        self.check_rate()?;
        self.answerer.answer(server, context, request).await
    }

    async fn authorize(&self, context: Context, parts: &Parts) -> Result<Context, Refusal> {
        let Some(authorizer) = &self.authorizer else { return Ok(context) };
        let identity = authorizer.authorize(parts).await.map_err(|denied| refusal(&denied))?;
        identity.join(context).map_err(|error| {
            tracing::warn!(target: "fnhost::http", route = self.text, %error, "an authorizer gave a wrong identity");
            refusal(&Denied::failed())
        })
    }

    fn check_rate(&self) -> Result<(), Refusal> {
        let taken = self.bucket.as_ref().map_or(Ok(()), |bucket| bucket.try_take(Instant::now()));
        taken.map_err(|retry_after| {
            let message = "more requests come than this route takes; try again later";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate-exceeded", message)
                .retry_after(Some(retry_after))
        })
    }
}

/// Returns what is wrong with a part of a route, to be said with the route.
pub(crate) fn reason(error: Error) -> String {
    match error.into_kind() {
        ErrorKind::InvalidConfiguration { reason } => reason,
        other => Error::from(other).to_string(),
    }
}

/// What all routes of a gateway share.
pub(crate) struct Server {
    pub(crate) runtime: Runtime,
    pub(crate) exposed: bool,
    pub(crate) buffers: Arc<Buffers>,
}

fn timed_out(is_client: bool) -> Refusal {
    let (status, message) = match is_client {
        true => (StatusCode::REQUEST_TIMEOUT, "the body of the request did not come in time"),
        false => (StatusCode::GATEWAY_TIMEOUT, "the function took too long"),
    };
    Refusal::new(status, "timed-out", message)
}

fn refusal(denied: &Denied) -> Refusal {
    let name = match denied.status() {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        _ => "not-authorized",
    };
    let refusal = Refusal::new(denied.status(), name, denied.reason().to_owned());
    let refusal = refusal.retry_after(denied.retry_after());
    match denied.challenge() {
        Some(challenge) => refusal.header(WWW_AUTHENTICATE, challenge.clone()),
        None => refusal,
    }
}
