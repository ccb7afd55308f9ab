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
    /// A function, which sees the request.
    Function(Callee),
    /// A function, which sees the events that requests carry.
    Events(Callee, CloudEvents),
    /// The files of a folder.
    Folder(Folder),
}

/// A function that is resolved once; one that may be deployed later is looked for until it is there.
pub(crate) struct Callee {
    target: String,
    handler: OnceLock<Handler>,
}

impl Answerer {
    /// Checks who is to answer, and resolves functions.
    pub(crate) fn build(route: &Route, pattern: &Pattern, runtime: &Runtime) -> Result<Self, String> {
        let target = match &route.to {
            To::Files(_) if route.lazy || route.cloud_events.is_some() => {
                return Err(
                    "`lazy` and `cloud_events` are for functions; take them away from the files".into()
                );
            }
            To::Files(files) => return Folder::build(files, pattern).map(Self::Folder),
            To::Function(target) => target,
        };
        let callee = Callee::build(target, route.lazy, runtime)?;
        let Some(events) = &route.cloud_events else { return Ok(Self::Function(callee)) };
        events.check().map_err(reason)?;
        Ok(Self::Events(callee, events.clone()))
    }

    pub(crate) async fn answer(
        &self,
        server: &Server,
        context: Context,
        (parts, body): (Parts, Incoming),
    ) -> Result<Response<Body>, Refusal> {
        let (callee, answered) = match self {
            Self::Folder(folder) => return folder.answer(&parts).await,
            Self::Function(callee) => {
                let request = Request::from_parts(parts, body);
                (callee, callee.answer(&server.runtime, context, request).await)
            }
            Self::Events(callee, events) => {
                (callee, callee.take(events, &server.runtime, context, (parts, body)).await)
            }
        };
        answered.and_then(end_to_end).map_err(|error| {
            let function = &callee.target;
            tracing::debug!(target: "fnhost::http", function, %error, "a request was not served");
            Refusal::of(&error, server.exposed)
        })
    }
}

impl Callee {
    fn build(target: &str, lazy: bool, runtime: &Runtime) -> Result<Self, String> {
        let handler = if lazy {
            // Whether it can ever be there.
            Target::parse(target).map_err(|error| error.to_string())?;
            OnceLock::new()
        } else {
            let advice = |error| format!("{error}; deploy it first, or say `.lazy()`");
            runtime.handler(target).map_err(advice)?.into()
        };
        Ok(Self { target: target.to_owned(), handler })
    }

    fn handler(&self, runtime: &Runtime) -> Result<&Handler, Error> {
        match self.handler.get() {
            Some(handler) => Ok(handler),
            None => runtime.handler(&self.target).map(|handler| self.handler.get_or_init(|| handler)),
        }
    }

    async fn answer(
        &self,
        runtime: &Runtime,
        context: Context,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Error> {
        Ok(self.handler(runtime)?.serve(context, request).await?.map(Body::from))
    }

    async fn take(
        &self,
        events: &CloudEvents,
        runtime: &Runtime,
        context: Context,
        (parts, body): (Parts, Incoming),
    ) -> Result<Response<Body>, Error> {
        let handler = self.handler(runtime)?;
        let request = Request::from_parts(parts, body.collect().await?);
        Ok(events.serve(handler, context, request).await.map(Body::from))
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
