//! The bare engine behind a server: wasmtime-wasi-http's `ProxyHandler`, used as `wasmtime serve` uses it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store,
    StoreContextMut,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, Request, Response, ShouldAccept, WorkerExpiration,
    WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView, p2, p3,
};

/// What `wasmtime serve` does when it is not told otherwise.
const IDLE: Duration = Duration::from_secs(1);
const P2_USES: usize = 1;
const P3_USES: usize = 128;
const P3_AT_ONCE: usize = 16;

/// How the engine takes memory for its instances.
#[derive(Clone, Copy)]
pub(crate) enum Pool {
    /// As `wasmtime serve` does by default.
    Plain,
    /// `-O pooling-memory-keep-resident=1m -O pooling-table-keep-resident=64k -O pooling-pagemap-scan=y`.
    Tuned,
}

/// One component, ready to answer.
#[derive(Clone)]
pub(crate) struct Twin(ProxyHandler<Serving>);

impl Twin {
    pub(crate) fn new(component: &[u8], pool: Pool) -> Self {
        let engine = engine(pool).expect("the machine has the address space");
        let component = Component::new(&engine, component).expect("the guest compiles");
        let linker = linker(&engine).expect("linked once");
        let ready = linker.instantiate_pre(&component).expect("everything is linked");
        let (pre, limits) = match p3::bindings::ServicePre::new(ready.clone()) {
            Ok(pre) => (ProxyPre::P3(pre), Limits { uses: P3_USES, at_once: P3_AT_ONCE }),
            Err(_) => {
                let pre = p2::bindings::ProxyPre::new(ready).expect("it is a handler");
                (ProxyPre::P2(pre), Limits { uses: P2_USES, at_once: 1 })
            }
        };
        Self(ProxyHandler::new(Serving { engine, pre, limits }))
    }

    pub(crate) async fn handle(&self, request: Request) -> Result<Response> {
        self.0.handle((), request).await
    }
}

impl Pool {
    pub(crate) fn config(self) -> InstanceAllocationStrategy {
        let mut pooling = PoolingAllocationConfig::new();
        if matches!(self, Self::Tuned) {
            pooling
                .linear_memory_keep_resident(1 << 20)
                .table_keep_resident(64 << 10)
                .pagemap_scan(Enabled::Yes);
        }
        InstanceAllocationStrategy::Pooling(pooling)
    }
}

fn engine(pool: Pool) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.allocation_strategy(pool.config());
    Engine::new(&config)
}

/// Links what `wasmtime serve -S cli` links.
fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p2::add_only_http_to_linker_async(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    Ok(linker)
}

pub(crate) struct Host {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().inherit_stderr().build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks,
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

#[derive(Clone, Copy)]
struct Limits {
    uses: usize,
    at_once: usize,
}

struct Serving {
    engine: Engine,
    pre: ProxyPre<Host>,
    limits: Limits,
}

impl HandlerState for Serving {
    type StoreData = Host;
    type WorkerExpiration = Idle;
    type WorkerState = Limits;

    async fn instantiate(&self) -> Result<Instance<Host, Idle, Limits>> {
        let mut store = Store::new(&self.engine, Host::new());
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance { store, proxy, view: Host::http, expiration: Idle(None), state: self.limits })
    }
}

impl WorkerState for Limits {
    type StoreData = Host;
    type RequestData = ();

    fn should_accept_request(&self, at_once: usize, uses: usize) -> ShouldAccept {
        if uses >= self.uses {
            ShouldAccept::Never
        } else if at_once >= self.at_once {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Host>,
        (): (),
        _: wasmtime::component::GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, _: Store<Host>, result: Result<()>) {
        if let Err(error) = result {
            eprintln!("worker: {error:#}");
        }
    }
}

/// Ends an instance that nobody has needed for a while.
struct Idle(Option<Pin<Box<tokio::time::Sleep>>>);

impl WorkerExpiration for Idle {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        if !matches!(status, WorkerStatus::Idle) {
            return Poll::Pending;
        }
        let until = (since + IDLE).into();
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        pin!(sleep).poll(cx)
    }
}

/// Denies what the guests do not ask for.
struct Hooks;

type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Sending), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(&mut self, _: http::Request<WasiBody>, _: Option<RequestOptions>, _: Sending) -> Sent {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
