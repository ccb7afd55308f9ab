//! Components behind routes on a socket of the gateway's own, and clients that are plain sockets.

mod bodies;
mod endings;
mod leaving;
mod load;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fnhost::http::{Gateway, GatewayBuilder, Route, ServeOptions, Served};
use fnhost::{Error, Function, Handler, Runtime};
use tokio::sync::oneshot;

use self::wire::{Answer, Client};
use crate::kit;

const V2: &[u8] = include_bytes!("../../guests/http-rs.wasm");
const V3: &[u8] = include_bytes!("../../guests/http-rs-p3.wasm");
const LONG: Duration = Duration::from_secs(120);

/// A gateway on a socket.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Served, Error>>>,
}

impl Server {
    fn open(
        runtime: &Runtime,
        options: ServeOptions,
        routes: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
    ) -> Self {
        let gateway = routes(Gateway::builder(runtime)).build().expect("the routes are right");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let host = runtime.clone();
        let run = move || {
            let stopped = async { drop(stopped.await) };
            host.block_on(gateway.serve_with(options, listener, stopped))
        };
        Self { runtime: runtime.clone(), address, stop: Some(stop), thread: Some(thread::spawn(run)) }
    }

    /// Serves one function at every path.
    fn of(function: Function) -> (Self, Handler) {
        Self::with(function, ServeOptions::new(), |route| route)
    }

    fn with(
        function: Function,
        options: ServeOptions,
        route: impl FnOnce(Route) -> Route,
    ) -> (Self, Handler) {
        // Kept for the next run: the large guests compile for seconds.
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("large-guests");
        let runtime = kit::small().places(64).cache_dir(folder).build().expect("a small runtime");
        let route = route(Route::to(function.name()).max_body(u64::MAX).timeout(LONG));
        let handler = kit::deploy(&runtime, function);
        (Self::open(&runtime, options, |builder| builder.route("/{*rest}", route)), handler)
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    fn get(&self, path: &str) -> Answer {
        self.connect().get(path)
    }

    /// Says that it is enough.
    fn shut(&mut self) {
        drop(self.stop.take());
    }

    fn ended(mut self) -> Served {
        self.shut();
        self.thread.take().expect("it ends once").join().unwrap().expect("it served")
    }
}

/// The same guest for both versions of the interface, with time enough for all.
fn guests() -> [Function; 2] {
    [("v2", V2), ("v3", V3)].map(|(name, code)| {
        Function::wasm(name, code).timeout(LONG).max_event(u64::MAX).max_response(u64::MAX)
    })
}
