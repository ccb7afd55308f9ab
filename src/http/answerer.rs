//! Who answers the requests of a route.

use std::sync::OnceLock;

use http::request::Parts;
use http::{Request, Response};

use crate::body::Incoming;
use crate::context::Context;
use crate::error::Error;
use crate::http::body::Body;
use crate::http::cloudevents::CloudEvents;
use crate::http::route::Route;
use crate::registry::Target;
use crate::runtime::{Handler, Runtime};

/// Who answers the requests of a route.
pub(crate) enum Answerer {
    /// A function, which sees the request.
    Function(Callee),
    /// A function, which sees the events that requests carry.
    Events(Callee, CloudEvents),
}

/// A function that is resolved once; one that may be deployed later is looked for until it is there.
pub(crate) struct Callee {
    target: String,
    handler: OnceLock<Handler>,
}

impl Answerer {
    /// Checks who is to answer, and resolves functions.
    pub(crate) fn build(route: &Route, runtime: &Runtime) -> Result<Self, String> {
        let callee = Callee::build(route, runtime)?;
        let Some(events) = &route.cloud_events else { return Ok(Self::Function(callee)) };
        events.check().map_err(|error| error.to_string())?;
        Ok(Self::Events(callee, events.clone()))
    }

    pub(crate) async fn answer(
        &self,
        runtime: &Runtime,
        context: Context,
        (parts, body): (Parts, Incoming),
    ) -> Result<Response<Body>, Error> {
        match self {
            Self::Function(callee) => {
                let handler = callee.handler(runtime)?;
                let answer = handler.serve(context, Request::from_parts(parts, body)).await?;
                Ok(answer.map(Body::from))
            }
            Self::Events(callee, events) => {
                let handler = callee.handler(runtime)?;
                let request = Request::from_parts(parts, body.collect().await?);
                Ok(events.serve(handler, context, request).await.map(Body::from))
            }
        }
    }
}

impl Callee {
    fn build(route: &Route, runtime: &Runtime) -> Result<Self, String> {
        let handler = if route.lazy {
            // Whether it can ever be there.
            Target::parse(&route.target).map_err(|error| error.to_string())?;
            OnceLock::new()
        } else {
            let advice = |error| format!("{error}; deploy it first, or say `.lazy()`");
            runtime.handler(&route.target).map_err(advice)?.into()
        };
        Ok(Self { target: route.target.clone(), handler })
    }

    fn handler(&self, runtime: &Runtime) -> Result<&Handler, Error> {
        match self.handler.get() {
            Some(handler) => Ok(handler),
            None => runtime.handler(&self.target).map(|handler| self.handler.get_or_init(|| handler)),
        }
    }
}
