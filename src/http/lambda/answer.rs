//! One request, from its head to its answer.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};

use crate::body::Share;
use crate::context::{Context, RequestId};
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::http::body::Body;
use crate::http::lambda::defect::Defect;
use crate::http::lambda::events::Events;
use crate::http::lambda::fault::Fault;
use crate::http::lambda::frame::EVENT_STREAM;
use crate::http::lambda::order::{Mode, Order};
use crate::http::lambda::{LambdaService, log, payload};
use crate::report::Report;
use crate::runtime::{Handler, Submit};

/// The content type of payloads and errors.
pub(super) const JSON: &str = "application/json";
/// The type of the event that an invocation is.
const EVENT_TYPE: &str = "aws.lambda.invoke";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");

/// How large payloads may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) payload: usize,
    pub(super) event: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { payload: 6 << 20, event: 1 << 20 }
    }
}

impl Sizes {
    fn of(self, mode: Mode) -> usize {
        if mode == Mode::Submit { self.event } else { self.payload }
    }
}

impl LambdaService {
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let context = Context::new();
        let id = context.request_id();
        let mut response = self.serve_one(context, request).await.unwrap_or_else(Fault::into_response);
        response.headers_mut().insert(REQUEST_ID, value(&id.to_string()));
        response
    }

    async fn serve_one<B>(&self, context: Context, request: Request<B>) -> Result<Response<Body>, Fault>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let (head, body) = request.into_parts();
        let order = self.trust.check(&head).and_then(|()| Order::read(&head, context));
        // Read in any case: a client that is still sending may miss an answer that comes too early.
        let limit = order.as_ref().map_or(0, |order| self.sizes.of(order.mode));
        let share = Share::none_of(&self.buffers);
        let payload = payload::read(body, limit, &share).await;
        let (order, payload) = (order?, payload?);
        let payload = payload.ok_or_else(|| too_large(order.mode, limit))?;
        let handler = self.handler(&order.target)?;
        let event = event(payload, order.context.request_id())?;
        match order.mode {
            Mode::Answer => self.invoke(&handler, order, event).await,
            Mode::Stream => self.stream(&handler, order, event).await,
            Mode::Submit => submit(&handler, order.context, event).await,
            Mode::DryRun => Ok(empty(StatusCode::NO_CONTENT)),
        }
    }

    fn handler(&self, target: &str) -> Result<Handler, Fault> {
        // Once it is closed no name is known, but nobody is to believe that there never was such a function.
        let found = match self.runtime.is_closed() {
            true => Err(ErrorKind::ShuttingDown.into()),
            false => self.runtime.handler(target),
        };
        found.map_err(|error| Fault::from(&error))
    }

    async fn invoke(&self, handler: &Handler, order: Order, event: Event) -> Result<Response<Body>, Fault> {
        let id = order.context.request_id();
        let answered = handler.invoke_with(order.context, event).await;
        let limit = self.sizes.payload;
        let mut response = match &answered {
            Ok(response) if response.bytes().len() <= limit => typed(JSON, response.bytes().clone().into()),
            Ok(_) => failed(&Defect::too_large(limit as u64)),
            Err(error) => failed(&defect(error, id)?),
        };
        let report = answered.as_ref().map_or_else(Error::report, |response| Some(response.report()));
        if let Some(report) = report {
            tell(response.headers_mut(), report, order.with_log);
        }
        Ok(response)
    }

    async fn stream(&self, handler: &Handler, order: Order, event: Event) -> Result<Response<Body>, Fault> {
        let id = order.context.request_id();
        let (handler, version) = self.pin(handler).map_err(|error| Fault::from(&error))?;
        let begun = handler.stream_with(order.context, event).await;
        if let Err(error) = &begun {
            defect(error, id)?;
        }
        let mut response = typed(EVENT_STREAM, Body::new(Events::new(begun, id, order.with_log)));
        response.headers_mut().insert(EXECUTED_VERSION, HeaderValue::from(version));
        Ok(response)
    }

    /// Keeps to the version that is newest now: the head of a stream names it before the report is there.
    fn pin(&self, handler: &Handler) -> Result<(Handler, u64), Error> {
        let found = handler.describe()?;
        let pinned = self.runtime.handler(&format!("{}:{}", found.name, found.version))?;
        Ok((pinned, found.version))
    }
}

/// Hands the event over, and answers once it is kept.
async fn submit(handler: &Handler, context: Context, event: Event) -> Result<Response<Body>, Fault> {
    let kept = handler.submit_with(Submit::new(event).context(context)).await;
    kept.map(|_| empty(StatusCode::ACCEPTED)).map_err(|error| Fault::from(&error))
}

fn event(payload: Bytes, id: RequestId) -> Result<Event, Fault> {
    let body = payload::as_json(payload)?;
    Ok(Event::bytes(EVENT_TYPE, body).with_id(id.to_string()).with_content_type(JSON))
}

/// Returns what the function did wrong, or the fault of somebody else.
fn defect(error: &Error, id: RequestId) -> Result<Defect, Fault> {
    Defect::of(error, id).ok_or_else(|| Fault::from(error))
}

/// The function answered, if only that it could not.
fn failed(defect: &Defect) -> Response<Body> {
    let mut response = typed(JSON, defect.to_json().into());
    response.headers_mut().insert(FUNCTION_ERROR, HeaderValue::from_static(defect.handling()));
    response
}

fn tell(headers: &mut HeaderMap, report: &Report, with_log: bool) {
    headers.insert(EXECUTED_VERSION, HeaderValue::from(report.version()));
    if with_log {
        headers.insert(LOG_RESULT, value(&log::tail(report)));
    }
}

fn too_large(mode: Mode, limit: usize) -> Fault {
    Fault::too_large(match mode {
        Mode::Submit => {
            format!("the payload is too large for the Event invocation type (limit {limit} bytes); send less")
        }
        _ => format!("Request must be smaller than {limit} bytes for the InvokeFunction operation"),
    })
}

fn typed(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids and base64 are printable")
}
