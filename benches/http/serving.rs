//! Who takes part, each behind the server that it would have.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use fnhost::http::Gateway;
use fnhost::{Context, Event, Function, Runtime};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;

use crate::guest::Guest;
use crate::twin::{Pool, Twin};
use crate::{bare, floor};

/// Who takes part.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// A bare route, without any sandbox, on a thread for each core.
    Axum,
    /// The same as axum itself serves it.
    AxumServe,
    /// The gateway.
    Fnhost,
    /// The gateway, with a sample event run at deployment.
    Warm,
    /// The handler alone, without a gateway.
    Handler,
    /// The bare engine, in the task of the connection.
    Bare,
    /// The bare engine, as `wasmtime serve` has it by default.
    Twin,
    /// The same with its pool tuned.
    Tuned,
}

const ALL: [Who; 8] =
    [Who::Axum, Who::AxumServe, Who::Fnhost, Who::Warm, Who::Handler, Who::Bare, Who::Twin, Who::Tuned];

impl Who {
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|who| who.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::AxumServe => "axum-serve",
            Self::Fnhost => "fnhost",
            Self::Warm => "warm",
            Self::Handler => "handler",
            Self::Bare => "bare",
            Self::Twin => "twin",
            Self::Tuned => "tuned",
        }
    }
}

/// Serves until the process ends.
pub(crate) fn serve(who: Who, guest: &Guest, listener: TcpListener) {
    match who {
        Who::Axum => floor::run(&listener, || TowerToHyperService::new(router())),
        Who::AxumServe => axum_serve(listener),
        Who::Fnhost => gateway(guest, guest.function(), listener),
        Who::Warm => gateway(guest, guest.function().warm_up(Event::new("sample")), listener),
        Who::Handler => handler(guest, &listener),
        Who::Bare => bare::run(&guest.code, &listener),
        Who::Twin => twin(&Twin::new(&guest.code, Pool::Plain), listener),
        Who::Tuned => twin(&Twin::new(&guest.code, Pool::Tuned), listener),
    }
}

fn router() -> axum::Router {
    axum::Router::new().route("/", axum::routing::get(async || "Hello, world!\n"))
}

fn axum_serve(listener: TcpListener) {
    listener.set_nonblocking(true).expect("a socket can be told");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        axum::serve(listener, router()).await.expect("it serves");
    });
}

fn runtime(function: Function) -> Runtime {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(runtime.deploy(function)).expect("deployed");
    runtime
}

fn gateway(guest: &Guest, function: Function, listener: TcpListener) {
    let runtime = runtime(function);
    let gateway = Gateway::builder(&runtime).route("GET /", guest.name).build().expect("one route");
    runtime.block_on(gateway.serve(listener, std::future::pending())).expect("it serves");
}

fn handler(guest: &Guest, listener: &TcpListener) {
    let runtime = runtime(guest.function());
    let handler = runtime.handler(guest.name).expect("deployed just now");
    floor::run(listener, || {
        let handler = Arc::new(handler.clone());
        service_fn(move |request: http::Request<Incoming>| {
            let handler = Arc::clone(&handler);
            async move {
                Ok::<_, Infallible>(match handler.http(Context::new(), request).await {
                    Ok(answer) => answer.map(Either::Left),
                    Err(error) => failure(&error).map(Either::Right),
                })
            }
        })
    });
}

fn failure(error: &impl ToString) -> http::Response<Full<Bytes>> {
    http::Response::builder().status(500).body(error.to_string().into()).expect("a status")
}

/// Serves as `wasmtime serve` does: a task for each connection, on as many threads as there are cores.
fn twin(twin: &Twin, listener: TcpListener) {
    listener.set_nonblocking(true).expect("a socket can be told");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let twin = twin.clone();
            tokio::spawn(async move {
                let service = service_fn(async |request: http::Request<Incoming>| {
                    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                    Ok::<_, Infallible>(match twin.handle(request).await {
                        Ok(answer) => answer.map(Either::Left),
                        Err(error) => failure(&error).map(Either::Right),
                    })
                });
                // A client that goes away is no error of ours.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}
