//! What stands beside a guest in its store.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tracing::Level;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use crate::context::Context;
use crate::error::Failure;
use crate::event::Event;
use crate::wasm::census::MOST_INSTANCES;
use crate::wasm::contract::granted_wasi;
use crate::wasm::contract::http::{Sender, Side};
use crate::wasm::linked::Linked;
use crate::wasm::log::{Log, SharedLog};
use crate::wasm::meter::{Meter, Room};

/// Resources of WASI that a guest may hold at once.
pub(crate) const MOST_RESOURCES: usize = 1_000;

/// What stands beside a guest in its store.
pub(crate) struct State {
    pub(crate) linked: Arc<Linked>,
    pub(crate) meter: Meter,
    /// When the phase that runs now must be over.
    pub(crate) deadline: Instant,
    pub(crate) context: Option<Context>,
    pub(crate) event: Option<Event>,
    pub(crate) wasi: Wasi,
    pub(crate) log: Option<SharedLog>,
    pub(crate) exchange: Exchange,
    /// Something of an event goes on in the guest after its answer has ended.
    pub(crate) unfinished: bool,
    /// The host's own async runtime, for what it granted.
    pub(crate) host: Option<tokio::runtime::Handle>,
}

/// What the guest imports of WASI.
pub(crate) enum Wasi {
    None,
    P1(Box<WasiP1Ctx>),
    P2(Box<P2>),
}

/// WASI of components: 0.2 and 0.3.
pub(crate) struct P2 {
    /// None until the guest asks for something of it, which small handlers of HTTP never do.
    ctx: Option<WasiCtx>,
    table: ResourceTable,
    http: Side,
}

/// What a core module and the host hand each other during one event.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) failure: Option<Failure>,
    pub(crate) content_type: Option<String>,
    pub(crate) attributes: Vec<(String, String)>,
    /// What the last granted function answered.
    pub(crate) answered: Bytes,
}

impl Exchange {
    /// Tells whether nothing was handed over, as with most events.
    pub(crate) fn is_empty(&self) -> bool {
        self.failure.is_none()
            && self.content_type.is_none()
            && self.attributes.is_empty()
            && self.answered.is_empty()
    }
}

impl State {
    pub(crate) fn new(linked: Arc<Linked>, meter: Meter, deadline: Instant) -> Self {
        Self {
            linked,
            meter,
            deadline,
            context: None,
            event: None,
            wasi: Wasi::None,
            log: None,
            exchange: Exchange::default(),
            unfinished: false,
            host: None,
        }
    }

    /// Gives the guest what it imports of WASI.
    pub(crate) fn set_wasi(&mut self, builder: &mut WasiCtxBuilder) {
        self.wasi = if self.linked.mapped.code.is_module() {
            Wasi::p1(builder)
        } else {
            Wasi::p2(Some(builder.build()), self.linked.sender())
        };
    }

    /// Gives the guest what it imports of WASI, made once it asks for something of it.
    pub(crate) fn set_wasi_later(&mut self) {
        self.wasi = Wasi::p2(None, self.linked.sender());
    }

    /// Returns the milliseconds left of the phase that runs now.
    pub(crate) fn remaining_ms(&self) -> u64 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// Finds what the bytes contract knows by name: the runtime's own first, which no event can forge.
    pub(crate) fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        let context = self.context.as_ref()?;
        let facts = &self.linked.facts;
        let of_context: Option<Cow<'_, str>> = match name {
            "request-id" => Some(context.request_id().to_string().into()),
            "function" => Some(facts.name.as_str().into()),
            "version" => Some(facts.version.to_string().into()),
            "attempt" => Some(context.attempt().to_string().into()),
            "memory-limit" => Some(facts.memory_limit.to_string().into()),
            "tenant" => return context.tenant().map(Into::into),
            "traceparent" => return context.traceparent().map(Into::into),
            _ => None,
        };
        of_context.or_else(|| self.event_attribute(name)).or_else(|| context.attribute(name).map(Into::into))
    }

    fn event_attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        let event = self.event.as_ref()?;
        match name {
            "id" => Some(event.id().into()),
            "source" => Some(event.source().into()),
            "type" => Some(event.event_type().into()),
            "subject" => event.subject().map(Into::into),
            "time" => event.time().map(Into::into),
            "datacontenttype" => event.content_type().map(Into::into),
            "dataschema" => event.data_schema().map(Into::into),
            extension => event.extension(extension).map(|value| value.to_string().into()),
        }
    }

    /// Returns the guest's log, made when it is first needed.
    pub(crate) fn log(&mut self) -> &SharedLog {
        let Self { log, linked, context, .. } = self;
        log.get_or_insert_with(|| {
            let mut log = Log::new(Arc::clone(&linked.facts), linked.recipe.limits.log);
            if let Some(context) = context {
                log.name(context.request_id());
            }
            Arc::new(parking_lot::Mutex::new(log))
        })
    }

    pub(crate) fn log_message(&mut self, level: Level, text: &[u8]) {
        self.log().lock().message(level, text);
    }

    /// Returns the context of the event, or an empty one outside of an event.
    ///
    /// What is known of the function comes in here, as few guests ask for it.
    pub(crate) fn context(&self) -> Context {
        let mut context = self.context.clone().unwrap_or_else(Context::new);
        context.fill_in(Arc::clone(&self.linked.facts), self.deadline);
        context
    }

    /// Returns what sends the guest's requests, where it may make some.
    pub(crate) fn sender(&mut self) -> Option<&mut Sender> {
        match &mut self.wasi {
            Wasi::P2(p2) => p2.http.hooks.sender.as_mut(),
            Wasi::None | Wasi::P1(_) => None,
        }
    }

    fn p2(&mut self) -> &mut P2 {
        if !matches!(self.wasi, Wasi::P2(_)) {
            self.wasi = Wasi::p2(Some(WasiCtxBuilder::new().build()), self.linked.sender());
        }
        match &mut self.wasi {
            Wasi::P2(p2) => p2,
            Wasi::None | Wasi::P1(_) => unreachable!("it was set just now"),
        }
    }

    pub(crate) fn p1(&mut self) -> &mut WasiP1Ctx {
        if !matches!(self.wasi, Wasi::P1(_)) {
            self.wasi = Wasi::p1(&mut WasiCtxBuilder::new());
        }
        match &mut self.wasi {
            Wasi::P1(p1) => p1,
            Wasi::None | Wasi::P2(_) => unreachable!("it was set just now"),
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.meter.give_back(&self.linked.room);
    }
}

impl Wasi {
    pub(crate) fn p1(builder: &mut WasiCtxBuilder) -> Self {
        Self::P1(Box::new(builder.build_p1()))
    }

    fn p2(ctx: Option<WasiCtx>, sender: Option<Sender>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_RESOURCES);
        Self::P2(Box::new(P2 { ctx, table, http: Side::new(sender) }))
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        if self.p2().ctx.is_none() {
            let granted =
                granted_wasi(self).expect("it is made later only where nothing of it can be missing").build();
            self.p2().ctx = Some(granted);
        }
        let P2 { ctx, table, .. } = self.p2();
        WasiCtxView { ctx: ctx.as_mut().expect("it was made above"), table }
    }
}

impl IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.p2().table
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let P2 { table, http: Side { ctx, hooks }, .. } = self.p2();
        WasiHttpCtxView { hooks, table, ctx }
    }
}

impl wasmtime::ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let room = Room { gate: &self.linked.room, make_way: &|| self.linked.keeper.make_way() };
        Ok(self.meter.memory(&room, current, desired, most))
    }

    fn table_growing(&mut self, _: usize, desired: usize, most: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.meter.table(desired, most))
    }

    // Not counted as places, and each takes memory of the host's.
    fn instances(&self) -> usize {
        MOST_INSTANCES
    }

    // Counted as places, and bounded by the program itself.

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}
