//! Everything that one runtime owns.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::admission::Gate;
use crate::body::Writer;
use crate::call::Call;
use crate::clock::Clock;
use crate::context::Context;
use crate::delivery::{Delivery, Host, Policy};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Input, Response};
use crate::invoke::native::NativeCallee;
use crate::invoke::{Callee, Deployment, Desk, Route, Way, drain, start, unknown};
use crate::lane;
use crate::pool::Keeper;
use crate::registry::{Qualifier, Registry, Target};
use crate::runtime::Shutdown;
use crate::runtime::triggers::Triggers;
use crate::wasm::{Contract, Engines, Io, Sandbox, Vault};

/// How long the end waits for endings to be kept that a broker has trouble with.
const SETTLING: Duration = Duration::from_secs(5);

/// Everything that one runtime owns.
pub(crate) struct Core {
    pub(crate) desk: Desk,
    pub(crate) registry: Registry<Deployment<Code>>,
    pub(crate) engines: Arc<Engines>,
    pub(crate) vault: Arc<Vault>,
    /// Places and memory of all guests together.
    pub(crate) room: Arc<Gate>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) io: Io,
    pub(crate) clock: Clock,
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) triggers: Triggers,
    /// How many deployments may go on at a time.
    pub(crate) deployers: Gate,
    pub(crate) fuel: bool,
    pub(crate) table_elements: u32,
}

/// What serves a function's events.
pub(crate) enum Code {
    Wasm(Arc<Sandbox>),
    Native(NativeCallee),
}

impl Callee for Code {
    async fn call(
        &self,
        call: &mut Call,
        input: Input,
        sink: Option<Writer>,
        lane: usize,
    ) -> Result<Response, ErrorKind> {
        match self {
            Self::Wasm(sandbox) => sandbox.call(call, input, sink, lane).await,
            Self::Native(native) => native.call(call, input, sink, lane).await,
        }
    }
}

impl Code {
    /// Tells whether it takes HTTP requests as they come.
    pub(crate) fn speaks_http(&self) -> bool {
        match self {
            Self::Wasm(sandbox) => sandbox.program().findings().contract == Contract::Http,
            Self::Native(_) => false,
        }
    }

    /// Keeps no guest from now on.
    pub(crate) fn close(&self) {
        match self {
            Self::Wasm(sandbox) => sandbox.pool().close(),
            Self::Native(_) => {}
        }
    }
}

impl Core {
    pub(crate) fn is_closed(&self) -> bool {
        self.desk.closed.load(SeqCst)
    }

    /// Takes no more events, cancels what runs, and lets all threads end.
    pub(crate) fn close(&self) -> Vec<std::thread::JoinHandle<()>> {
        self.desk.closed.store(true, SeqCst);
        self.delivery.stop();
        // The clock first: only then does nobody poll a guest any more, and the others may go.
        self.clock.close();
        // A granted function may hold a handler, and so this: only without the functions can both go.
        self.registry.close();
        // Nothing more is made ready before what is ready goes.
        let stagehand = self.keeper.stagehand();
        stagehand.close();
        let threads = [
            self.delivery.close(),
            self.keeper.close(),
            stagehand.take_thread(),
            self.io.close(),
            self.clock.take_thread(),
        ];
        threads.into_iter().flatten().collect()
    }

    pub(crate) async fn shutdown(&self, grace: Duration) -> Shutdown {
        self.delivery.stop();
        self.desk.closed.store(true, SeqCst);
        // Who still waits finds what is ready, or makes its own.
        self.keeper.stagehand().close();
        let now = Instant::now();
        let deadline = now.checked_add(grace).unwrap_or(now + Duration::from_secs(365 * 24 * 3600));
        let entries = self.registry.entries();
        let versions = entries.iter().flat_map(|(_, entry)| entry.versions());
        let deployments: Vec<_> = versions.map(|(_, deployment)| deployment).collect();
        let cancelled = drain(&self.desk, &deployments, deadline).await;
        // Cuts off what is left, so that its events are given back before the broker closes.
        self.clock.close();
        self.delivery.finish(SETTLING).await;
        let threads = self.close();
        let (done, joined) = oneshot::channel::<()>();
        let join = move || {
            for thread in threads {
                // A thread that panicked has said so; there is nothing left to do about it.
                let _ = thread.join();
            }
            drop(done);
        };
        if std::thread::Builder::new().name("fnhost-shutdown".into()).spawn(join).is_ok() {
            // Dropped when all have ended.
            let _ = joined.await;
        }
        Shutdown { cancelled }
    }
}

impl Core {
    /// Finds where the events of a target go.
    pub(crate) fn route(&self, target: &str) -> Result<Route<Code>, Error> {
        let target = Target::parse(target)?;
        let entry = self.registry.find(&target.name).ok_or_else(|| unknown(&target))?;
        let way = match target.qualifier {
            Qualifier::Newest => Way::Newest(entry),
            Qualifier::Version(version) => Way::Pinned(entry, version),
        };
        Ok(Route { target, way })
    }
}

impl Host for Core {
    fn policy(&self, function: &str) -> Option<Arc<Policy>> {
        let slot = self.registry.find(function)?.newest(lane::home())?;
        Some(Arc::clone(&slot.deployment.policy))
    }

    fn invoke<'a>(
        &'a self,
        target: &'a str,
        context: Context,
        event: Event,
    ) -> BoxFuture<'a, Result<Response, Error>> {
        async move {
            // Once it is closed no name is known, but that is no reason to give up an event.
            if self.is_closed() {
                return Err(ErrorKind::ShuttingDown.into());
            }
            let route = self.route(target)?;
            start(&self.desk, &route, (Some(context), event.into()), None).await
        }
        .boxed()
    }
}
