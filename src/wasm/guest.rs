//! One live sandbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wasmtime::Store;

use crate::body::Writer;
use crate::context::Context;
use crate::error::ErrorKind;
use crate::event::{Input, Response};
use crate::report::Report;
use crate::wasm::contract::http::{Sender, Visit};
use crate::wasm::contract::{Contract, Exports, Live, NEVER, give_wasi};
use crate::wasm::crowd::Crowd;
use crate::wasm::fault::{Fault, Refused, explain};
use crate::wasm::linked::Linked;
use crate::wasm::meter::{Meter, on_tick};
use crate::wasm::state::{Exchange, MOST_RESOURCES, State};

/// One live sandbox.
///
/// A guest stopped midway has unknown state and must not serve again: only what [`call`](Self::call) has
/// answered, well or with a failure of its own, may be kept.
pub(crate) struct Guest {
    store: Store<State>,
    exports: Exports,
    /// It has served no event; what its init logged belongs to the first one.
    is_new: bool,
}

/// What came of a call: the inner error is what the guest answered, the outer one ended it.
pub(crate) type Answered = wasmtime::Result<Result<Response, ErrorKind>>;

/// Why no guest could be made.
pub(crate) struct Unmade {
    pub(crate) fault: Fault,
    pub(crate) init: Option<Duration>,
    pub(crate) log: (String, u64),
}

/// What a new guest is made for.
pub(crate) struct Occasion<'a> {
    pub(crate) context: &'a Context,
    /// The host's own async runtime, for what init asks of the host.
    pub(crate) host: Option<tokio::runtime::Handle>,
    /// How many pages came with its place.
    pub(crate) granted: u64,
    pub(crate) deadline: Instant,
}

impl Guest {
    /// Makes a guest, and runs its init.
    pub(crate) async fn make(
        linked: &Arc<Linked>,
        occasion: Occasion<'_>,
    ) -> Result<(Box<Self>, Option<Duration>), Unmade> {
        let mut store = new_store(linked, occasion.granted, occasion.deadline);
        store.data_mut().host = occasion.host;
        let exports = match instantiate(linked, &mut store).await {
            Ok(exports) => exports,
            Err(error) => return Err(Unmade::new(unmade(&error, store.data_mut()), None, store.data())),
        };
        // Boxed, as it moves often: into its lease, onto the shelf, off it again.
        let mut guest = Box::new(Self { store, exports, is_new: true });
        if !guest.exports.has_init() {
            return Ok((guest, None));
        }
        let started = Instant::now();
        let state = guest.store.data_mut();
        if let Some(log) = &state.log {
            log.lock().name(occasion.context.request_id());
        }
        state.context = Some(occasion.context.clone());
        let initialized = guest.init().await;
        let init = Some(started.elapsed());
        let state = guest.store.data_mut();
        (state.context, state.host) = (None, None);
        match initialized {
            Ok(()) => Ok((guest, init)),
            Err(fault) => Err(Unmade::new(fault, init, guest.store.data())),
        }
    }

    async fn init(&mut self) -> Result<(), Fault> {
        match self.exports.init(&mut self.store).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(ErrorKind::InitFailed { message }.into()),
            Err(error) => Err(match explain(&error, self.store.data_mut()) {
                Fault::Kind(kind @ (ErrorKind::Trapped { .. } | ErrorKind::Exited { .. })) => {
                    ErrorKind::InitFailed { message: kind.to_string() }.into()
                }
                other => other,
            }),
        }
    }

    /// Tells how much memory the guest has now.
    pub(crate) fn pages(&self) -> u64 {
        self.store.data().meter.pages()
    }

    /// Notes that what its place came with beyond the present need was given back.
    pub(crate) fn settle(&mut self) {
        self.store.data_mut().meter.settle();
    }

    /// Lifts every limit and hands out what reads the memories; the guest serves no event after that.
    pub(crate) fn lay_open(&mut self) -> (&mut Store<State>, Live) {
        self.store.set_epoch_deadline(NEVER);
        self.store.set_hostcall_fuel(usize::MAX);
        if self.store.data().linked.fuel {
            self.store.set_fuel(u64::MAX).expect("fuel is switched on for the whole runtime");
        }
        self.store.data_mut().meter.lift();
        (&mut self.store, self.exports.live())
    }

    /// Prepares the guest for one event; the deadline is the handler's.
    pub(crate) fn begin(&mut self, context: Context, deadline: Instant) {
        let fuel = self.store.data().linked.fuel;
        let limit = self.store.data().linked.recipe.limits.fuel.unwrap_or(u64::MAX);
        self.store.set_epoch_deadline(1);
        if fuel {
            self.store.set_fuel(limit).expect("fuel is switched on for the whole runtime");
        }
        let state = self.store.data_mut();
        state.meter.begin();
        state.deadline = deadline;
        let is_new = std::mem::take(&mut self.is_new);
        if let Some(log) = &state.log {
            let mut log = log.lock();
            if !is_new {
                log.begin();
            }
            log.name(context.request_id());
        }
        // Whatever init left there is not this event's.
        if !state.exchange.is_empty() {
            state.exchange = Exchange::default();
        }
        if let Some(sender) = state.sender() {
            sender.begin(deadline, context.tenant_key().clone());
        }
        state.context = Some(context);
        state.host = state.linked.host();
    }

    /// Hands the event to the guest; what comes out is for [`judge`](Self::judge).
    pub(crate) fn call(
        &mut self,
        input: Input,
        sink: Option<Writer>,
    ) -> impl Future<Output = Answered> + Send {
        self.exports.call(&mut self.store, input, sink)
    }

    /// Serves whoever comes in, several at once, until nobody waits any more.
    pub(crate) fn serve(
        &mut self,
        inside: &mut mpsc::UnboundedReceiver<Visit>,
        crowd: &Crowd,
    ) -> impl Future<Output = wasmtime::Result<()>> + Send {
        self.exports.serve(&mut self.store, inside, crowd)
    }

    /// Finds out what ended the guest.
    pub(crate) fn explain(&mut self, error: &wasmtime::Error) -> Fault {
        explain(error, self.store.data_mut())
    }

    /// Finds out what came of a call.
    pub(crate) fn judge(&mut self, answered: Answered) -> Result<Response, Fault> {
        match answered {
            Ok(answered) => Ok(answered?),
            Err(error) => Err(explain(&error, self.store.data_mut())),
        }
    }

    /// Tells whether something of an event still goes on in there, or holds a place of the client's.
    pub(crate) fn is_unfinished(&mut self) -> bool {
        let state = self.store.data_mut();
        state.unfinished || state.sender().is_some_and(|sender| sender.is_holding())
    }

    /// Leaves nothing of an event in the store.
    pub(crate) fn clear(&mut self) {
        let state = self.store.data_mut();
        (state.context, state.event, state.host) = (None, None, None);
        if !state.exchange.is_empty() {
            state.exchange = Exchange::default();
        }
    }

    /// Ends the event: what it cost goes into the report, and nothing of it stays in the store.
    pub(crate) fn end(&mut self, report: &mut Report) {
        let state = self.store.data_mut();
        report.peak_memory = state.meter.peak();
        if let Some(log) = &state.log {
            (report.log_tail, report.log_dropped) = log.lock().end();
        }
        report.outbound = state.sender().and_then(Sender::end);
        let (fuel, limit) = (state.linked.fuel, state.linked.recipe.limits.fuel.unwrap_or(u64::MAX));
        self.clear();
        if fuel {
            report.fuel = self.store.get_fuel().ok().map(|left| limit.saturating_sub(left));
        }
    }
}

/// Finds out why no instance could be made; there was no answer that could be wrong.
fn unmade(error: &wasmtime::Error, state: &mut State) -> Fault {
    let is_guests = error.downcast_ref::<Refused>().is_some();
    match explain(error, state) {
        Fault::Kind(ErrorKind::InvalidAnswer { reason }) if !is_guests => ErrorKind::Engine { reason }.into(),
        fault => fault,
    }
}

impl Unmade {
    fn new(fault: Fault, init: Option<Duration>, state: &State) -> Self {
        let log = state.log.as_ref().map_or_else(Default::default, |log| log.lock().end());
        Self { fault, init, log }
    }
}

async fn instantiate(linked: &Linked, store: &mut Store<State>) -> wasmtime::Result<Exports> {
    // A command gets its own with the event.
    if linked.imports_wasi && linked.mapped.code.contract() != Contract::Command {
        give_wasi(store.data_mut(), &linked.recipe)?;
    }
    linked.mapped.code.instantiate(store).await
}

fn new_store(linked: &Arc<Linked>, granted: u64, deadline: Instant) -> Store<State> {
    let limits = &linked.recipe.limits;
    let meter = Meter::new(limits.memory, limits.table_elements, granted);
    let mut store = Store::new(&linked.mapped.engine, State::new(Arc::clone(linked), meter, deadline));
    store.limiter(|state| state);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(on_tick);
    store.set_max_component_handles(MOST_RESOURCES);
    store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes()).unwrap_or(usize::MAX));
    if linked.fuel {
        // Init has its time limit; fuel is counted for each event.
        store.set_fuel(u64::MAX).expect("fuel is switched on for the whole runtime");
    }
    store
}
