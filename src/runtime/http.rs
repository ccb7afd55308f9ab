//! HTTP requests to functions, without a server around them.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::{BoxError, Incoming};
use crate::clock::Cut;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Phase};
use crate::event::{Event, Input, Request, Response, http as mapping};
use crate::invoke::{Ends, Opened, Tail, refuse, start};
use crate::lane;
use crate::report::Report;
use crate::runtime::core::Core;
use crate::runtime::handler::Handler;

impl Handler {
    /// Answers an HTTP request.
    ///
    /// A component that exports `wasi:http` is handed the request as it comes and streams its answer; its sandbox is
    /// held until the last byte. Every other handler gets the whole request as an event of type `http.request`, with
    /// headers as attributes of the context, once its body has arrived; `docs/contracts.md` has the tables. The body
    /// may be as large as the function's `max_event`.
    ///
    /// # Errors
    ///
    /// Whatever kept the function from answering, as far as it happens before the head of the answer; later failures
    /// come from the body.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, cancels the invocation.
    ///
    /// ```
    /// use fnhost::{Context, Event, Function, Response, Runtime};
    ///
    /// let runtime = Runtime::builder().places(16).build()?;
    /// let greet = async |event: Event, _: Context| {
    ///     let path = event.extension("httppath").map(ToString::to_string).unwrap_or_default();
    ///     Ok(Response::from_text(path).with_attribute("http.status", "418"))
    /// };
    /// let answer = runtime.block_on(async {
    ///     runtime.deploy(Function::native("greet", greet)).await?;
    ///     let request = http::Request::get("/tea").body(String::new()).expect("a request");
    ///     runtime.handler("greet")?.http(Context::new(), request).await
    /// })?;
    /// assert_eq!(answer.status(), 418);
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub async fn http<B>(
        &self,
        context: Context,
        request: http::Request<B>,
    ) -> Result<http::Response<HttpBody>, Error>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.serve(context, request.map(Incoming::new)).await
    }

    /// Answers a request whose body is counted already.
    pub(crate) async fn serve(
        &self,
        context: Context,
        request: Request,
    ) -> Result<http::Response<HttpBody>, Error> {
        let answer = match self.route.resolve(lane::home()) {
            Some(slot) if !slot.deployment.callee.speaks_http() => {
                request.body().seen().set_limit(slot.deployment.limits.event);
                Box::pin(self.answer_event(context, request)).await?
            }
            // Of one that is not there the error says so.
            _ => self.answer_http(context, request).await?,
        };
        Ok(answer.map(|tail| {
            let core = tail.runs().then(|| Arc::clone(&self.core));
            HttpBody { tail, core }
        }))
    }

    async fn answer_http(&self, context: Context, request: Request) -> Result<http::Response<Tail>, Error> {
        let opened = self.open(context, Input::Http(Box::new(request))).await?;
        let Opened { response, http, tail } = opened;
        Ok(match http {
            Some(parts) => http::Response::from_parts(*parts, tail),
            // It was deployed anew meanwhile, with code that knows events.
            None => written(&response)?.map(|_| tail),
        })
    }

    async fn answer_event(
        &self,
        mut context: Context,
        request: Request,
    ) -> Result<http::Response<Tail>, Error> {
        let (desk, route) = (&self.core.desk, &self.route);
        let (arrived, seen) = (Instant::now(), Arc::clone(request.body().seen()));
        let event = match self.arrived(&mut context, arrived, request).await {
            Ok(event) => event,
            Err(kind) => return Err(refuse(desk, route, (context, arrived), (seen, kind))),
        };
        let mut response = start(desk, route, (Some(context), event.into()), None).await?;
        let answer = written(&response)?;
        Ok(answer.map(|body| Tail::whole(&mut response, body)))
    }
}

impl Handler {
    /// Waits for the whole of a request, but only until the caller's deadline.
    async fn arrived(
        &self,
        context: &mut Context,
        arrived: Instant,
        request: Request,
    ) -> Result<Event, ErrorKind> {
        let deadline = context.deadline().unwrap_or(arrived + FAR);
        let coming = pin!(Input::Http(Box::new(request)).into_event(context));
        match self.core.desk.face.race(deadline, coming).await {
            Ok(event) => event,
            Err(Cut::Cancelled) => Err(ErrorKind::ShuttingDown),
            Err(Cut::Deadline) => {
                let limit = deadline.saturating_duration_since(arrived);
                Err(ErrorKind::TimedOut { phase: Phase::Queue, limit })
            }
        }
    }
}

/// Stands for "as long as it takes".
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Writes an answer; where that cannot be, the function has ended well all the same.
fn written(response: &Response) -> Result<http::Response<Bytes>, Error> {
    mapping::response::write(response)
        .map_err(|error| Error::with_report(error.into_kind(), Box::new(response.report().clone())))
}

/// The body of an answer, read while it is produced.
///
/// Dropping it cancels the invocation, unless its last byte has been read: then a handler that still works may end
/// that, until its deadline.
pub struct HttpBody {
    tail: Tail,
    /// There while the guest runs.
    core: Option<Arc<Core>>,
}

impl HttpBody {
    /// Returns the report, once body and handler have ended.
    pub fn report(&self) -> Option<&Report> {
        self.tail.report()
    }
}

impl Body for HttpBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(match ready!(self.tail.poll(cx, Ends::WithBody)) {
            Some(chunk) => Some(chunk.map(Frame::data)),
            None => self.tail.take_trailers().map(|trailers| Ok(Frame::trailers(*trailers))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.tail.len() == Some(0) && !self.tail.has_trailers()
    }

    fn size_hint(&self) -> SizeHint {
        self.tail.len().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for HttpBody {
    fn drop(&mut self) {
        if let Some(core) = &self.core
            && let Some(afterwards) = self.tail.take_afterwards()
            && let Some(runtime) = lane::runtime().or_else(|| core.io.handle().ok())
        {
            runtime.spawn(afterwards.run());
        }
    }
}

impl fmt::Debug for HttpBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpBody").field("report", &self.report()).finish_non_exhaustive()
    }
}
