//! The bare engine, doing what a guest's contract asks and nothing else.

// The derives below write the engine's unsafe traits; nothing here is written by hand.
#![allow(unsafe_code, reason = "derived implementations of the engine's traits")]
#![allow(dead_code, reason = "each bench uses a part of it")]

use bytes::Bytes;
use wasmtime::component::{Component, ComponentType, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{Config, Enabled, Engine, Linker, Module, PoolingAllocationConfig, Store};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Makes an engine with the settings that fnhost uses by default.
pub(crate) fn engine(places: u32) -> Engine {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(u32::MAX)
        .total_component_instances(u32::MAX)
        .max_core_instances_per_component(u32::MAX)
        .max_memories_per_component(places)
        .max_tables_per_component(places * 16)
        .max_core_instance_size(16 << 20)
        .max_component_instance_size(64 << 20)
        .total_memories(places)
        .total_tables(places * 16)
        .total_stacks(places)
        .total_gc_heaps(places)
        .max_memories_per_module(4)
        .max_tables_per_module(16)
        .table_elements(20_000)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_gc(false)
        .wasm_memory64(false)
        .native_unwind_info(false)
        .allocation_strategy(pool);
    Engine::new(&config).expect("the machine has the address space")
}

fn store<T>(engine: &Engine, data: T) -> Store<T> {
    let mut store = Store::new(engine, data);
    store.set_epoch_deadline(1 << 40);
    store
}

/// A core module of the bytes contract.
pub(crate) struct BytesTwin {
    engine: Engine,
    pre: wasmtime::InstancePre<()>,
    live: Option<(Store<()>, BytesExports)>,
}

/// The exports, looked up once for each instance.
struct BytesExports {
    memory: wasmtime::Memory,
    alloc: wasmtime::TypedFunc<i32, i32>,
    handle: wasmtime::TypedFunc<(i32, i32), i64>,
}

impl BytesTwin {
    pub(crate) fn new(engine: &Engine, code: &[u8]) -> Self {
        let binary = wat::parse_bytes(code).expect("the guest is well formed");
        let module = Module::new(engine, binary).expect("the guest compiles");
        let pre = Linker::new(engine).instantiate_pre(&module).expect("the guest imports nothing");
        Self { engine: engine.clone(), pre, live: None }
    }

    async fn make(&self) -> (Store<()>, BytesExports) {
        let mut store = store(&self.engine, ());
        let instance = self.pre.instantiate_async(&mut store).await.expect("there is room");
        let exports = BytesExports {
            memory: instance.get_memory(&mut store, "memory").expect("exported"),
            alloc: instance.get_typed_func(&mut store, "fnhost_alloc").expect("exported"),
            handle: instance.get_typed_func(&mut store, "fnhost_handle").expect("exported"),
        };
        (store, exports)
    }

    pub(crate) async fn fresh(&self, body: &[u8]) -> Bytes {
        let (mut store, exports) = self.make().await;
        call_bytes(&mut store, &exports, body).await
    }

    pub(crate) async fn live(&mut self, body: &[u8]) -> Bytes {
        if self.live.is_none() {
            self.live = Some(self.make().await);
        }
        let (store, exports) = self.live.as_mut().expect("set just now");
        call_bytes(store, exports, body).await
    }
}

async fn call_bytes(store: &mut Store<()>, exports: &BytesExports, body: &[u8]) -> Bytes {
    let at = exports.alloc.call_async(&mut *store, body.len() as i32).await.expect("answers");
    exports.memory.data_mut(&mut *store)[at as usize..][..body.len()].copy_from_slice(body);
    let packed =
        exports.handle.call_async(&mut *store, (at, body.len() as i32)).await.expect("answers") as u64;
    Bytes::copy_from_slice(&exports.memory.data(&*store)[(packed >> 32) as usize..][..packed as u32 as usize])
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WitEvent {
    id: &'static str,
    source: &'static str,
    #[component(name = "type")]
    event_type: &'static str,
    subject: Option<&'static str>,
    time: Option<&'static str>,
    #[component(name = "data-content-type")]
    data_content_type: Option<&'static str>,
    #[component(name = "data-schema")]
    data_schema: Option<&'static str>,
    extensions: Vec<(String, String)>,
    body: Bytes,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct WitResponse {
    #[component(name = "content-type")]
    content_type: Option<String>,
    attributes: Vec<(String, String)>,
    body: Vec<u8>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct WitFailure {
    kind: String,
    message: String,
    retryable: bool,
}

type Handle = TypedFunc<(WitEvent,), (Result<WitResponse, WitFailure>,)>;

fn event(body: &Bytes) -> WitEvent {
    WitEvent {
        id: "01a1fa5c-88f9-7224-9d96-ae804c7e17c4",
        source: "/fnhost",
        event_type: "bench",
        subject: None,
        time: None,
        data_content_type: None,
        data_schema: None,
        extensions: Vec::new(),
        body: body.clone(),
    }
}

/// WASI with stdio and variables, as the guest of the function contract gets it.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    pub(crate) fn new(variables: &[(String, String)]) -> Self {
        let ctx = WasiCtxBuilder::new()
            .arg("echo-wasi")
            .envs(variables)
            .stdout(MemoryOutputPipe::new(256 << 10))
            .stderr(MemoryOutputPipe::new(256 << 10))
            .build();
        Self { ctx, table: ResourceTable::new() }
    }

    /// WASI for a command: its event on stdin, its answer in the pipe.
    pub(crate) fn command(body: &Bytes, answer: &MemoryOutputPipe) -> Self {
        let ctx = WasiCtxBuilder::new()
            .arg("command")
            .env("CE_ID", "01a1fa5c-88f9-7224-9d96-ae804c7e17c4")
            .stdin(MemoryInputPipe::new(body.clone()))
            .stdout(answer.clone())
            .stderr(MemoryOutputPipe::new(256 << 10))
            .build();
        Self { ctx, table: ResourceTable::new() }
    }
}

impl WasiView for Wasi {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

/// A component of the function contract; `make` gives each store its state.
pub(crate) struct ComponentTwin<T: 'static> {
    engine: Engine,
    pre: InstancePre<T>,
    handle: wasmtime::component::ComponentExportIndex,
    make: Box<dyn Fn() -> T + Send + Sync>,
    live: Option<(Store<T>, Handle)>,
}

impl<T: Send + 'static> ComponentTwin<T> {
    pub(crate) fn new(
        engine: &Engine,
        code: &[u8],
        link: impl FnOnce(&mut wasmtime::component::Linker<T>),
        make: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        let component = Component::new(engine, code).expect("the guest compiles");
        let mut linker = wasmtime::component::Linker::new(engine);
        link(&mut linker);
        let pre = linker.instantiate_pre(&component).expect("everything is linked");
        let interface = component.get_export_index(None, "fnhost:function/handler@0.1.0").expect("exported");
        let handle = component.get_export_index(Some(&interface), "handle").expect("exported");
        Self { engine: engine.clone(), pre, handle, make: Box::new(make), live: None }
    }

    async fn make(&self) -> (Store<T>, Handle) {
        let mut store = store(&self.engine, (self.make)());
        let instance = self.pre.instantiate_async(&mut store).await.expect("there is room");
        let handle = instance.get_typed_func(&mut store, self.handle).expect("of this type");
        (store, handle)
    }

    pub(crate) async fn fresh(&self, body: &Bytes) -> Bytes {
        let (mut store, handle) = self.make().await;
        call_component(&mut store, &handle, body).await
    }

    pub(crate) async fn live(&mut self, body: &Bytes) -> Bytes {
        if self.live.is_none() {
            self.live = Some(self.make().await);
        }
        let (store, handle) = self.live.as_mut().expect("set just now");
        call_component(store, handle, body).await
    }
}

async fn call_component<T: Send>(store: &mut Store<T>, handle: &Handle, body: &Bytes) -> Bytes {
    let (answer,) = handle.call_async(store, (event(body),)).await.expect("answers");
    answer.map(|response| response.body.into()).unwrap_or_default()
}

/// A `wasi:cli/run` component.
pub(crate) struct CommandTwin {
    engine: Engine,
    pre: wasmtime_wasi::p2::bindings::CommandPre<Wasi>,
}

impl CommandTwin {
    pub(crate) fn new(engine: &Engine, code: &[u8]) -> Self {
        let component = Component::new(engine, code).expect("the guest compiles");
        let mut linker = wasmtime::component::Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("linked once");
        let pre = linker.instantiate_pre(&component).expect("everything is linked");
        let pre = wasmtime_wasi::p2::bindings::CommandPre::new(pre).expect("it is a command");
        Self { engine: engine.clone(), pre }
    }

    pub(crate) async fn run(&self, body: &Bytes) -> Bytes {
        let answer = MemoryOutputPipe::new(1 << 20);
        let mut store = store(&self.engine, Wasi::command(body, &answer));
        let command = self.pre.instantiate_async(&mut store).await.expect("there is room");
        command.wasi_cli_run().call_run(&mut store).await.expect("runs").expect("succeeds");
        answer.contents()
    }
}
