//! Functions behind routes, as one service that mounts anywhere.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::header::{ALLOW, ORIGIN, VARY};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::body::{Buffers, Incoming};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::event::http::request::check_size;
use crate::http::answer::Refusal;
use crate::http::body::Body;
use crate::http::cors::{self, Policy};
use crate::http::endpoint::{Endpoint, Server};
use crate::http::ids::Ids;
use crate::http::route::pattern::Pattern;
use crate::http::route::table::Table;
use crate::http::route::{Route, host, path};
use crate::http::serve::{RequestBody, ServeOptions, Served, Serves, serve};
use crate::limits::MIB;
use crate::runtime::Runtime;

/// Functions behind routes: a tower service that mounts in a service of the host's own; a cheap clone.
///
/// It keeps the runtime running: a gateway that is still there holds what a [`Runtime`] would. After
/// [`Runtime::shutdown`] it answers 503.
///
/// An answer carries `x-request-id` and `traceparent`: what the client sent, or new ones. What goes wrong is answered as
/// JSON, `{"error": name, "message": text, "request_id": id}`, with a `Retry-After` where trying again makes sense.
///
/// ```
/// use fnhost::{Context, Event, Function, Response, Runtime};
/// use fnhost::http::{Body, Gateway};
/// use http_body_util::BodyExt;
///
/// let runtime = Runtime::builder().places(16).build()?;
/// let greet = async |_: Event, context: Context| {
///     Ok(Response::from_text(format!("hello {}", context.attribute("http.param.name").unwrap_or("you"))))
/// };
/// let answer = runtime.block_on(async {
///     runtime.deploy(Function::native("greet", greet)).await?;
///     let gateway = Gateway::builder(&runtime).route("GET /greet/{name}", "greet").build()?;
///     Ok::<_, fnhost::Error>(gateway.answer(http::Request::get("/greet/ada").body(Body::empty()).expect("a request")).await)
/// })?;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(runtime.block_on(answer.into_body().collect()).expect("a body").to_bytes(), "hello ada");
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct Gateway(Arc<Routes>);

struct Routes {
    table: Table,
    endpoints: Vec<Endpoint>,
    server: Server,
}

/// What a request comes to before anything runs.
enum Way<'g> {
    To(&'g Endpoint, Context),
    Answered(Response<Body>),
}

impl Gateway {
    /// Begins to make a gateway to the functions of a runtime.
    pub fn builder(runtime: &Runtime) -> GatewayBuilder {
        GatewayBuilder {
            runtime: runtime.clone(),
            routes: Vec::new(),
            exposed: false,
            max_buffered: 256 * MIB,
        }
    }

    /// Answers a request; this is what the service does, without a box around the future.
    ///
    /// A function's body is read while it is produced: a slow client is back-pressure, and the function's own deadline
    /// holds until the last byte. The answer to a `HEAD` may have a body, which every server leaves out.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, cancels the function.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.respond(request.map(Incoming::new)).await
    }

    /// Serves on a socket, with the defaults of [`ServeOptions`], until `shutdown` is ready.
    ///
    /// Then no new connection is accepted, idle ones are closed, and requests in flight may end within the grace
    /// period; [`Served`] tells what was cut. The runtime goes on; shut it down afterwards. It may be awaited under any
    /// executor: all work is done on threads of its own.
    ///
    /// # Errors
    ///
    /// `Engine` when a thread cannot start or the listener cannot be used; nothing that a client does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts every connection.
    ///
    /// ```
    /// use fnhost::Runtime;
    /// use fnhost::http::Gateway;
    ///
    /// let runtime = Runtime::new()?;
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    /// let gateway = Gateway::builder(&runtime).build()?;
    /// // In place of a future that is ready at once: one that waits for a signal.
    /// let served = runtime.block_on(gateway.serve(listener, std::future::ready(())))?;
    /// assert_eq!(served.requests_cut, 0);
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Served, Error> {
        self.serve_with(ServeOptions::new(), listener, shutdown).await
    }

    /// Serves as [`serve`](Self::serve) does, with options.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts every connection.
    pub async fn serve_with(
        &self,
        options: ServeOptions,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Served, Error> {
        serve(listener, self.clone(), shutdown, options).await.map_err(|error| unusable(&error))
    }

    async fn respond(&self, mut request: Request<Incoming>) -> Response<Body> {
        let (ids, context) = Ids::settle(request.headers_mut());
        let (head, body) = request.into_parts();
        let mut response = match self.0.way(context, &head) {
            Ok(Way::To(endpoint, context)) => {
                let origin = endpoint.cors().and_then(|_| head.headers.get(ORIGIN).cloned());
                let served = endpoint.serve(&self.0.server, context, Request::from_parts(head, body)).await;
                let mut response = served.unwrap_or_else(|refusal| refusal.into_response(&ids.request_id));
                if let Some(policy) = endpoint.cors() {
                    policy.mark(origin.as_ref(), response.headers_mut());
                }
                response
            }
            Ok(Way::Answered(response)) => response,
            Err(refusal) => refusal.into_response(&ids.request_id),
        };
        ids.mark(response.headers_mut());
        response
    }
}

impl Routes {
    /// Finds who serves a request, or answers it.
    fn way(&self, context: Context, head: &Parts) -> Result<Way<'_>, Refusal> {
        check_size(&head.headers)
            .map_err(|refused| Refusal::new(refused.status(), "invalid-event", refused.to_string()))?;
        if head.method == Method::OPTIONS && head.uri.path() == "*" {
            return Ok(Way::Answered(bare(StatusCode::NO_CONTENT)));
        }
        let host = host::named(&head.uri, &head.headers).map_err(malformed)?;
        let (host, path) = (host.as_deref(), path::decode(head.uri.path()).map_err(malformed)?);
        if let Some(policy) = self.asked_by_browser(head, host, &path) {
            return preflight(policy, head).map(Way::Answered);
        }
        match self.table.find(&head.method, host, &path) {
            Some(found) => {
                let endpoint = &self.endpoints[found.route];
                Ok(Way::To(endpoint, endpoint.name(context, &found.values)))
            }
            None => unserved(&head.method, &self.table.methods(host, &path)).map(Way::Answered),
        }
    }

    /// Returns what a route says to a browser that asks before it sends.
    fn asked_by_browser(&self, head: &Parts, host: Option<&str>, path: &str) -> Option<&Policy> {
        let method = cors::asked(&head.method, &head.headers)?;
        let found = self.table.find(&method, host, path)?;
        self.endpoints[found.route].cors()
    }
}

fn unusable(error: &io::Error) -> Error {
    ErrorKind::Engine { reason: format!("the gateway cannot be served: {error}") }.into()
}

fn malformed(reason: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid-request", reason)
}

fn preflight(policy: &Policy, head: &Parts) -> Result<Response<Body>, Refusal> {
    let Some(headers) = policy.preflight(&head.headers) else {
        let message = "pages of this origin may not call this route";
        let refusal = Refusal::new(StatusCode::FORBIDDEN, "origin-refused", message);
        return Err(refusal.header(VARY, HeaderValue::from_name(ORIGIN)));
    };
    let mut response = bare(StatusCode::NO_CONTENT);
    *response.headers_mut() = headers;
    Ok(response)
}

/// Answers a request that no route serves; `methods` are those that some route of its path does.
fn unserved(method: &Method, methods: &[Method]) -> Result<Response<Body>, Refusal> {
    if methods.is_empty() {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no-route", "no route has this path"));
    }
    let names: Vec<&str> = methods.iter().map(Method::as_str).chain(["OPTIONS"]).collect();
    let allow = HeaderValue::from_str(&names.join(", ")).expect("methods are tokens");
    if method == Method::OPTIONS {
        let mut response = bare(StatusCode::NO_CONTENT);
        response.headers_mut().insert(ALLOW, allow);
        return Ok(response);
    }
    let message = "no route of this path serves this method; the header Allow has those that do";
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message).header(ALLOW, allow))
}

fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer of a [`Gateway`] on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<B> tower_service::Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    /// Is always ready: what is too much is refused with an answer.
    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let (gateway, request) = (self.clone(), request.map(Incoming::new));
        Box::pin(async move { Ok(gateway.respond(request).await) })
    }
}

impl Serves for Gateway {
    type Body = Body;

    fn serve(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Body>> + Send {
        self.respond(request.map(Incoming::new))
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("routes", &self.0.endpoints.len()).finish_non_exhaustive()
    }
}

/// Makes a [`Gateway`].
#[must_use = "a builder does nothing until it builds"]
pub struct GatewayBuilder {
    runtime: Runtime,
    routes: Vec<(String, Route)>,
    exposed: bool,
    max_buffered: u64,
}

impl GatewayBuilder {
    /// Adds a route: a pattern, and a target or a whole [`Route`].
    ///
    /// A pattern is written `[METHOD[|METHOD...] ][HOST]/PATH`. Without a method it takes all; `GET` takes `HEAD` too,
    /// unless that has a route of its own. A host is a name, or `*.name` for all below it. In the path, `{name}` stands
    /// for one segment and `{*name}`, at the end, for the rest, even if that is empty; the function reads them as the
    /// attributes `http.param.name`, decoded. Of several routes that match, the most specific wins: first by host, then
    /// by path, segment by segment from the left, literal before `{name}` before `{*name}`. A slash at the end makes
    /// another path.
    ///
    /// ```
    /// # use fnhost::{Context, Event, Function, Response, Runtime};
    /// use fnhost::http::{Gateway, Route};
    ///
    /// # let runtime = Runtime::builder().places(16).build()?;
    /// # let users = async |_: Event, _: Context| Ok(Response::new());
    /// # runtime.block_on(runtime.deploy(Function::native("users", users)))?;
    /// let gateway = Gateway::builder(&runtime)
    ///     .route("GET /users/{id}", "users")
    ///     .route("PUT|DELETE /users/{id}", Route::to("users").concurrency(8))
    ///     .route("*.shop.example/{*path}", Route::to("shop").lazy())
    ///     .build()?;
    /// # drop(gateway);
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn route(mut self, pattern: impl Into<String>, route: impl Into<Route>) -> Self {
        self.routes.push((pattern.into(), route.into()));
        self
    }

    /// Sets whether clients are shown what a function said when it failed, and what the host did; false by default,
    /// as it may tell them what they should not know.
    pub fn expose_errors(mut self, exposed: bool) -> Self {
        self.exposed = exposed;
        self
    }

    /// Sets how many bytes of requests may be kept at once, over all routes; 256 MiB by default.
    ///
    /// The body of a request for a function that takes events is kept from its first byte until the function has
    /// answered. One that goes past the bound is answered 503. Components of `wasi:http` stream their bodies, which do
    /// not count.
    pub fn max_buffered(mut self, bytes: u64) -> Self {
        self.max_buffered = bytes;
        self
    }

    /// Checks every route and makes the gateway.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` with the route: a pattern that is none, two that take the same requests, a target that is
    /// not deployed (unless the route is [lazy](Route::lazy)), a policy that cannot work.
    pub fn build(self) -> Result<Gateway, Error> {
        let mut table = Table::default();
        let mut endpoints = Vec::with_capacity(self.routes.len());
        let texts: Vec<String> = self.routes.iter().map(|(text, _)| text.clone()).collect();
        for (number, (text, route)) in self.routes.into_iter().enumerate() {
            let wrong = |reason: String| Error::configuration(format!("route {text:?}: {reason}"));
            let mut pattern = Pattern::parse(&text).map_err(wrong)?;
            route.narrow(&mut pattern);
            table.insert(&pattern, number).map_err(|other| {
                wrong(format!("it takes the same requests as route {:?}; take one away", texts[other]))
            })?;
            endpoints.push(Endpoint::build((&text, &pattern), route, &self.runtime).map_err(wrong)?);
        }
        let buffers = Arc::new(Buffers::new(self.max_buffered));
        let server = Server { runtime: self.runtime, exposed: self.exposed, buffers };
        Ok(Gateway(Arc::new(Routes { table, endpoints, server })))
    }
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("routes", &self.routes)
            .field("exposed", &self.exposed)
            .field("max_buffered", &self.max_buffered)
            .finish_non_exhaustive()
    }
}
