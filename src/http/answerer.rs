//! Who answers the requests of a route.

use std::sync::OnceLock;

use http::request::Parts;
use http::{HeaderName, Request, Response};

use crate::body::Incoming;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::event::http::is_framing;
use crate::http::answer::Refusal;
use crate::http::body::Body;
use crate::http::cloudevents::CloudEvents;
use crate::http::endpoint::{Server, reason};
use crate::http::folder::Folder;
use crate::http::route::pattern::Pattern;
use crate::http::route::{Route, To};
use crate::registry::Target;
use crate::runtime::{Handler, Runtime};

/// Who answers the requests of a route.
pub(crate) enum Answerer {
    Function(Callee),
    Folder(Folder),
}

/// A function that is resolved once; one that may be deployed later is looked for until it is there.
pub(crate) struct Callee {
    target: String,
    handler: OnceLock<Handler>,
    /// It sees the events that requests carry, and not the requests.
    cloud_events: Option<CloudEvents>,
}

impl Answerer {
    /// Checks who is to answer, and resolves functions.
    pub(crate) fn build(route: &Route, pattern: &Pattern, runtime: &Runtime) -> Result<Self, String> {
        match &route.to {
            To::Function(target) => Callee::build(target, route, runtime).map(Self::Function),
            To::Files(_) if route.lazy || route.cloud_events.is_some() => {
                Err("`lazy` and `cloud_events` are for functions; take them away from the files".into())
            }
            To::Files(files) => Folder::build(files, pattern).map(Self::Folder),
        }
    }

    pub(crate) async fn answer(
        &self,
        server: &Server,
        context: Context,
        (parts, body): (Parts, Incoming),
    ) -> Result<Response<Body>, Refusal> {
        // What is large and not on the way of most requests is boxed: it would make the future of every request as
        // large, and that is moved several times.
        let (callee, request) = match self {
            Self::Folder(folder) => return Box::pin(folder.answer(&parts)).await,
            Self::Function(callee) => (callee, Request::from_parts(parts, body)),
        };
        match &callee.cloud_events {
            None => callee.answer(server, context, request).await,
            Some(events) => Box::pin(callee.take(server, context, (events, request))).await,
        }
    }
}

impl Callee {
    fn build(target: &str, route: &Route, runtime: &Runtime) -> Result<Self, String> {
        let handler = if route.lazy {
            // Whether it can ever be there.
            Target::parse(target).map_err(|error| error.to_string())?;
            OnceLock::new()
        } else {
            let advice = |error| format!("{error}; deploy it first, or say `.lazy()`");
            runtime.handler(target).map_err(advice)?.into()
        };
        route.cloud_events.as_ref().map_or(Ok(()), CloudEvents::check).map_err(reason)?;
        Ok(Self { target: target.to_owned(), handler, cloud_events: route.cloud_events.clone() })
    }

    fn handler(&self, server: &Server) -> Result<&Handler, Error> {
        match self.handler.get() {
            Some(handler) => Ok(handler),
            None => server.runtime.handler(&self.target).map(|handler| self.handler.get_or_init(|| handler)),
        }
    }

    async fn answer(
        &self,
        server: &Server,
        context: Context,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        let refuse = |error| self.refuse(server, &error);
        let answer = self.handler(server).map_err(refuse)?.serve(context, request).await.map_err(refuse)?;
        end_to_end(answer.map(Body::from)).map_err(refuse)
    }

    async fn take(
        &self,
        server: &Server,
        context: Context,
        (events, request): (&CloudEvents, Request<Incoming>),
    ) -> Result<Response<Body>, Refusal> {
        let refuse = |error| self.refuse(server, &error);
        let handler = self.handler(server).map_err(refuse)?;
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|kind| refuse(kind.into()))?;
        let answer = events.answer(handler, context, Request::from_parts(parts, body)).await?;
        end_to_end(answer.map(Body::from)).map_err(refuse)
    }

    fn refuse(&self, server: &Server, error: &Error) -> Refusal {
        let function = &self.target;
        tracing::debug!(target: "fnhost::http", function, %error, "a request was not served");
        Refusal::of(error, server.exposed)
    }
}

/// Takes out of an answer what concerns the connection: that is the server's own business.
fn end_to_end(mut answer: Response<Body>) -> Result<Response<Body>, Error> {
    if answer.status().is_informational() {
        // A 101 would hand the client's connection to whatever the guest writes.
        let reason =
            format!("status {}, which is no answer yet; answer 200 to 599", answer.status().as_u16());
        return Err(ErrorKind::InvalidAnswer { reason }.into());
    }
    let framing: Vec<HeaderName> = answer.headers().keys().filter(|name| is_framing(name)).cloned().collect();
    for name in framing {
        answer.headers_mut().remove(name);
    }
    Ok(answer)
}
