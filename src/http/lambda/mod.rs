//! The Invoke API of AWS Lambda: any of its clients can invoke functions through a local endpoint.
//!
//! It promises the routes, headers, status codes, error names and bodies that those clients read; the guide
//! `docs/lambda.md` in the repository says each of them, and where this differs. It verifies no signature: whoever
//! reaches it may invoke every function of the runtime as any tenant. So it answers on loopback addresses only, to
//! requests that name a loopback host, unless [`trusted_network`](LambdaService::trusted_network) says that the network
//! keeps strangers out, and it never answers a browser's page (any request with an `Origin`).

mod answer;
mod crc;
mod defect;
mod events;
mod fault;
mod frame;
mod guard;
mod log;
mod name;
mod order;
mod payload;
mod route;
mod trace;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use self::answer::Sizes;
use self::guard::Trust;
use crate::body::Buffers;
use crate::error::{Error, ErrorKind};
use crate::http::body::Body;
use crate::http::serve::{RequestBody, ServeOptions, Served, Serves, serve};
use crate::limits::MIB;
use crate::runtime::Runtime;

/// Makes a service that speaks the Invoke API for the functions of a runtime, which it keeps alive.
///
/// ```
/// use fnhost::{Context, Event, Function, Response, Runtime};
/// use tower_service::Service;
///
/// let runtime = Runtime::new()?;
/// let greet = async |event: Event, _: Context| Response::from_json(&format!("hello {}", event.body_json::<String>()?)).map_err(Into::into);
/// runtime.block_on(runtime.deploy(Function::native("greet", greet)))?;
///
/// let mut lambda = fnhost::http::lambda::service(&runtime);
/// let request = http::Request::post("http://localhost/2015-03-31/functions/greet/invocations")
///     .body(http_body_util::Full::from(r#""world""#))
///     .expect("it is a request");
/// let Ok(response) = runtime.block_on(lambda.call(request));
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.headers()["x-amz-executed-version"], "1");
/// # Ok::<(), fnhost::Error>(())
/// ```
pub fn service(runtime: &Runtime) -> LambdaService {
    LambdaService {
        runtime: runtime.clone(),
        trust: Trust::Loopback,
        sizes: Sizes::default(),
        buffers: Arc::new(Buffers::new(256 * MIB)),
        options: ServeOptions::new(),
    }
}

/// Speaks the Invoke API; a cheap clone.
///
/// It is a [`tower_service::Service`], so it mounts in any HTTP server, and every answer to a request is a response:
/// it never fails. A client that goes away cancels its invocation, unless that is of the type `Event`: those are
/// submitted as by [`Handler::submit`](crate::Handler::submit).
#[derive(Clone)]
#[must_use = "a service answers nothing until it is served or mounted"]
pub struct LambdaService {
    runtime: Runtime,
    trust: Trust,
    sizes: Sizes,
    buffers: Arc<Buffers>,
    options: ServeOptions,
}

impl LambdaService {
    /// Says that everybody who can reach the endpoint may invoke every function as any tenant; not so by default.
    ///
    /// Then it may be served on any address and answers requests that name any host. Requests with an `Origin`
    /// are refused all the same.
    pub fn trusted_network(mut self) -> Self {
        self.trust = Trust::Network;
        self
    }

    /// Sets how large a payload may be, each way, in bytes; 6 MiB by default. The function's own limits hold as well.
    ///
    /// A streamed answer has the function's limit alone.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.sizes.payload = bytes;
        self
    }

    /// Sets how large the payload of an invocation of the type `Event` may be, in bytes; 1 MiB by default.
    pub fn max_event_payload(mut self, bytes: usize) -> Self {
        self.sizes.event = bytes;
        self
    }

    /// Sets how many bytes of payloads may be kept at once, each until its function has answered or begun to; 256 MiB by
    /// default. One that goes past it is refused.
    ///
    /// Those of the type `Event` count until they are accepted; then they are the broker's.
    pub fn max_buffered(mut self, bytes: u64) -> Self {
        self.buffers = Arc::new(Buffers::new(bytes));
        self
    }

    /// Sets what clients of [`serve`](Self::serve) may make grow or last; the defaults of [`ServeOptions`] unless set.
    pub fn serve_options(mut self, options: ServeOptions) -> Self {
        self.options = options;
        self
    }

    /// Serves on a socket until `shutdown` is ready, then lets requests in flight end within the grace period.
    ///
    /// It may be awaited under any executor; all work is done on threads of its own.
    ///
    /// # Errors
    ///
    /// As [`check_address`](Self::check_address), and when a thread cannot start or the listener cannot be used.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts every connection.
    ///
    /// ```
    /// let runtime = fnhost::Runtime::new()?;
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    /// let lambda = fnhost::http::lambda::service(&runtime);
    /// // In place of a future that is ready at once: one that waits for a signal.
    /// runtime.block_on(lambda.serve(listener, std::future::ready(())))?;
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Served, Error> {
        self.check_address(listener.local_addr().map_err(|error| unusable(&error))?)?;
        let options = self.options.clone();
        serve(listener, self, shutdown, options).await.map_err(|error| unusable(&error))
    }

    /// Checks that it may be served on an address; for a host that mounts it in a server of its own.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` where strangers may reach the address, unless the network is trusted.
    ///
    /// ```
    /// let lambda = fnhost::http::lambda::service(&fnhost::Runtime::new()?);
    /// assert!(lambda.check_address("127.0.0.1:9001".parse().expect("an address")).is_ok());
    /// assert!(lambda.check_address("0.0.0.0:9001".parse().expect("an address")).is_err());
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn check_address(&self, address: SocketAddr) -> Result<(), Error> {
        self.trust.check_address(address)
    }
}

fn unusable(error: &io::Error) -> Error {
    ErrorKind::Engine { reason: format!("the Invoke API cannot be served: {error}") }.into()
}

impl<B> tower_service::Service<http::Request<B>> for LambdaService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

impl Serves for LambdaService {
    type Body = Body;

    fn serve(
        &self,
        request: http::Request<RequestBody>,
    ) -> impl Future<Output = http::Response<Body>> + Send {
        self.answer(request)
    }
}

impl fmt::Debug for LambdaService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaService")
            .field("trust", &self.trust)
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}
