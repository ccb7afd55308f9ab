//! The gateway: routes, policies and what clients are told, without sockets.

mod cors;
mod errors;
mod files;
mod limits;
mod mounted;
mod passing;
mod routing;

use fnhost::http::{Body, Gateway, GatewayBuilder, Route};
use fnhost::{Context, Event, Failure, Function, Response, Runtime};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;

use crate::kit;

pub(crate) const HTTP: &[u8] = include_bytes!("../../guests/http-rs.wasm");

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    async fn read<B>(response: http::Response<B>) -> Self
    where
        B: http_body::Body,
        B::Error: std::fmt::Debug,
    {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the body ends well").to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Self { status: head.status, headers: head.headers, body }
    }

    /// Returns a header that stands there once.
    #[track_caller]
    fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<&str> = self.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect();
        assert!(values.len() < 2, "{name} stands there more than once: {values:?}");
        values.first().copied()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// Returns the status and the name of the error.
    #[track_caller]
    fn refused(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(json["request_id"], self.header("x-request-id").expect("every answer has an id"));
        assert_eq!(self.header("content-type"), Some("application/json"));
        (self.status.as_u16(), json["error"].as_str().expect("errors have names").into())
    }
}

/// Answers what it knows, a line for each attribute; sorted, the event's own first.
fn mirror() -> Function {
    Function::native("mirror", async |event: Event, context: Context| {
        let text = |name: &str| event.extension(name).map(ToString::to_string).unwrap_or_default();
        let mut lines = vec![format!("tenant {}", context.tenant().unwrap_or("-"))];
        lines.extend(context.attributes().map(|(name, value)| format!("{name} {value}")));
        lines.sort();
        let head = format!("{} {} {}", event.event_type(), text("httpmethod"), text("httppath"));
        Ok::<_, Failure>(Response::from_text(format!("{head}\n{}\n{}", lines.join("\n"), event.body_text()?)))
    })
}

/// Answers its name.
fn named(name: &'static str) -> Function {
    Function::native(
        name,
        move |_: Event, _: Context| async move { Ok::<_, Failure>(Response::from_text(name)) },
    )
}

/// Answers with these attributes.
fn answering(name: &str, attributes: &'static [(&str, &str)]) -> Function {
    Function::native(name, move |_: Event, _: Context| async move {
        let add = |response: Response, (name, value): &(&str, &str)| response.with_attribute(*name, *value);
        Ok::<_, Failure>(attributes.iter().fold(Response::from_text("body"), add))
    })
}

/// A gateway to functions of a runtime of its own.
#[track_caller]
fn gateway(
    functions: impl IntoIterator<Item = Function>,
    routes: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
) -> (Runtime, Gateway) {
    let runtime = kit::runtime();
    functions.into_iter().for_each(|function| drop(kit::deploy(&runtime, function)));
    let gateway = routes(Gateway::builder(&runtime)).build().expect("the routes are right");
    (runtime, gateway)
}

/// A gateway with one route for everything.
#[track_caller]
fn single(function: Function, route: impl FnOnce(Route) -> Route) -> (Runtime, Gateway) {
    let name = function.name().to_owned();
    gateway([function], |builder| builder.route("/{*rest}", route(Route::to(name))))
}

fn request(method: &str, uri: &str) -> Request<Body> {
    Request::builder().method(method).uri(uri).body(Body::empty()).expect("a request")
}

fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().append(name, value.parse().expect("a value"));
    request
}

fn post(uri: &str, body: &'static str) -> Request<Body> {
    request("POST", uri).map(|_| body.into())
}

fn send(gateway: &Gateway, request: Request<Body>) -> Answer {
    block_on(async { Answer::read(gateway.answer(request).await).await })
}

fn get(gateway: &Gateway, uri: &str) -> Answer {
    send(gateway, request("GET", uri))
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
