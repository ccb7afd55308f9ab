//! A function's guests behind their pool: takes an event to one of them and brings the answer back.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::admission::{Amount, Gate, Refused};
use crate::body::Writer;
use crate::call::Call;
use crate::clock::{Cut, Face};
use crate::context::Facts;
use crate::error::{ErrorKind, Phase};
use crate::event::{Event, Response};
use crate::limits::PAGE;
use crate::pool::{Lease, Pool, Seat, Vacancy};
use crate::report::Start;
use crate::wasm::engine::Engines;
use crate::wasm::fault::Fault;
use crate::wasm::guest::{Guest, Occasion, Unmade};
use crate::wasm::prepare::Preparation;
use crate::wasm::program::{Linked, Program, Recipe};
use crate::wasm::supervise::Watch;

/// A function's guests behind their pool.
pub(crate) struct Sandbox {
    engines: Arc<Engines>,
    program: Program,
    recipe: Arc<Recipe>,
    facts: Arc<Facts>,
    surroundings: Surroundings,
    pool: Arc<Pool<Box<Guest>>>,
    linked: Box<[OnceLock<Arc<Linked>>]>,
    /// How many pages a guest has when it is new, as the last one had.
    first_pages: AtomicU64,
}

/// What all functions of a runtime share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) face: Arc<Face>,
    pub(crate) room: Arc<Gate>,
    /// Where the guest's timers and files live, if it imports any.
    pub(crate) io: Option<Handle>,
    pub(crate) fuel: bool,
}

impl Sandbox {
    pub(crate) fn new(
        engines: Arc<Engines>,
        program: Program,
        recipe: Recipe,
        facts: Arc<Facts>,
        (surroundings, pool): (Surroundings, Arc<Pool<Box<Guest>>>),
    ) -> Self {
        let linked = (0..engines.shards()).map(|_| OnceLock::new()).collect();
        // What is known before the first guest is a bound: its largest memory, times its memories. It has no more
        // than its limit, nor than there is.
        let most = (recipe.limits.memory / PAGE).min(surroundings.room.total().pages());
        let first_pages = AtomicU64::new(program.need().pages().min(most));
        Self { engines, program, recipe: Arc::new(recipe), facts, surroundings, pool, linked, first_pages }
    }

    pub(crate) fn pool(&self) -> &Pool<Box<Guest>> {
        &self.pool
    }

    /// Has guests made ready from now on, if the function wants some.
    pub(crate) fn prepare(self: &Arc<Self>) {
        if self.pool.prepares() {
            self.pool.prepare_with(Box::new(Preparation::new(self)));
        }
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Serves one event; the caller holds its permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future discards the guest and gives its place back.
    pub(crate) async fn call(
        &self,
        call: &mut Call,
        event: Event,
        sink: Option<Writer>,
        lane: usize,
    ) -> Result<Response, ErrorKind> {
        let tenant = call.context.tenant_key().clone();
        let need = self.need();
        let seat = match self.pool.try_checkout(&tenant, lane, need) {
            Some(seat) => seat,
            None => self.seat(call, lane, need).await?,
        };
        let started = call.start();
        let (mut lease, now) = match seat {
            Seat::Taken(lease) => {
                call.report.start = Some(Start::Reused);
                (lease, started)
            }
            Seat::Prepared(lease) => {
                call.report.start = Some(Start::Prepared);
                (lease, started)
            }
            Seat::Empty(vacancy) => self.fill(vacancy, call, started, lane).await?,
        };
        let (response, intact, ended_at) = self.serve(lease.guest(), call, event, sink, (now, lane)).await;
        if intact {
            if call.report.start == Some(Start::Reused) {
                // What comes now is a push; a guest that goes takes longer and counts.
                call.ended = Some(ended_at);
            }
            lease.release(tenant, ended_at);
        }
        response
    }

    /// Waits for a guest or for room to make one.
    async fn seat(
        &self,
        call: &mut Call,
        lane: usize,
        need: Amount,
    ) -> Result<Seat<'_, Box<Guest>>, ErrorKind> {
        call.waited = true;
        let deadline = call.queue_deadline(&self.recipe.limits);
        let checkout = pin!(self.pool.checkout(call.context.tenant_key(), lane, need));
        match self.surroundings.face.race(deadline, checkout).await {
            Ok(Ok(seat)) => Ok(seat),
            Ok(Err(Refused::Closed | Refused::QueueFull)) | Err(Cut::Cancelled) => {
                Err(ErrorKind::ShuttingDown)
            }
            Err(Cut::Deadline) => Err(call.timed_out(Phase::Queue, call.arrived, deadline)),
        }
    }

    /// Makes a guest in the room that there is.
    async fn fill<'a>(
        &self,
        vacancy: Vacancy<'a, Box<Guest>>,
        call: &mut Call,
        started: Instant,
        lane: usize,
    ) -> Result<(Lease<'a, Box<Guest>>, Instant), ErrorKind> {
        let (linked, mapped) = self.linked(lane)?;
        call.report.start = Some(if mapped { Start::Cold } else { Start::Fresh });
        let deadline = call.deadline(started, self.recipe.limits.init_timeout);
        let granted = vacancy.granted();
        let ended = {
            let occasion =
                Occasion { context: &call.context, host: linked.host(), granted: granted.pages(), deadline };
            let making = pin!(Guest::make(&linked, occasion));
            self.watch(lane, deadline).run(started, making).await
        };
        call.report.busy += ended.busy;
        let in_all = ended.at.duration_since(started);
        let (fault, init) = match ended.output {
            Ok(Ok((mut guest, init))) => {
                call.report.init = init;
                call.report.setup = in_all.saturating_sub(init.unwrap_or_default());
                let used = self.settle(&mut guest, granted);
                return Ok((vacancy.fill(guest, used), ended.at));
            }
            Ok(Err(Unmade { fault, init, log })) => {
                (call.report.log_tail, call.report.log_dropped) = log;
                (fault, init)
            }
            Err(cut) => (Fault::Cut(cut), None),
        };
        call.report.init = init;
        call.report.setup = in_all.saturating_sub(init.unwrap_or_default());
        Err(ending(fault, call, (Phase::Init, started, deadline)))
    }

    /// Hands the event to the guest; tells whether the guest may serve again.
    async fn serve(
        &self,
        guest: &mut Guest,
        call: &mut Call,
        event: Event,
        sink: Option<Writer>,
        (started, lane): (Instant, usize),
    ) -> (Result<Response, ErrorKind>, bool, Instant) {
        let deadline = call.deadline(started, self.recipe.limits.timeout);
        call.context.set_deadline(deadline);
        if let Some(sink) = &sink {
            sink.set_deadline(deadline);
        }
        let written = sink.as_ref().map(Writer::written);
        guest.begin(call.take_context(), deadline);
        let ended = {
            // Dropped here, wherever it stands: only then can the guest be asked what it used.
            let calling = pin!(guest.call(event, sink));
            self.watch(lane, deadline).run(started, calling).await
        };
        call.report.busy += ended.busy;
        call.report.handler = ended.at.duration_since(started);
        let output = ended.output.map_err(Fault::Cut).and_then(|answered| guest.judge(answered));
        guest.end(&mut call.report);
        call.report.bytes_out = written.map_or(0, |written| written.bytes());
        let fault = match output {
            Ok(response) => return (Ok(response), true, ended.at),
            Err(fault) => fault,
        };
        let kind = ending(fault, call, (Phase::Handler, started, deadline));
        let intact = matches!(kind, ErrorKind::Failed(_));
        (Err(kind), intact, ended.at)
    }

    pub(super) fn watch(&self, lane: usize, deadline: Instant) -> Watch<'_> {
        Watch { face: &self.surroundings.face, io: self.surroundings.io.as_ref(), lane, deadline }
    }

    /// Returns the code of this thread's shard; tells whether it had to be mapped first.
    pub(super) fn linked(&self, lane: usize) -> Result<(Arc<Linked>, bool), ErrorKind> {
        let slot = &self.linked[lane % self.linked.len()];
        if let Some(linked) = slot.get() {
            return Ok((Arc::clone(linked), false));
        }
        let mapped = self.program.code(&self.engines, lane)?;
        let linked = Linked {
            code: mapped.code,
            engine: mapped.engine,
            recipe: Arc::clone(&self.recipe),
            facts: Arc::clone(&self.facts),
            face: Arc::clone(&self.surroundings.face),
            room: Arc::clone(&self.surroundings.room),
            imports_wasi: self.program.imports_wasi(),
            is_quiet: self.program.is_quiet(),
            fuel: self.surroundings.fuel,
        };
        Ok((Arc::clone(slot.get_or_init(|| Arc::new(linked))), mapped.anew))
    }

    /// Tells what room a new guest needs.
    pub(super) fn need(&self) -> Amount {
        Amount::new(self.program.need().units(), self.first_pages.load(Relaxed))
    }

    /// Leaves a new guest no more than it has, and tells how much of the room that is.
    pub(super) fn settle(&self, guest: &mut Guest, granted: Amount) -> Amount {
        self.learn(guest.pages());
        guest.settle();
        Amount::new(granted.units(), guest.pages().min(granted.pages()))
    }

    pub(super) fn function(&self) -> &str {
        &self.facts.name
    }

    pub(super) fn has_grants(&self) -> bool {
        !self.recipe.grants.is_empty()
    }

    pub(super) fn init_timeout(&self) -> Duration {
        self.recipe.limits.init_timeout
    }

    /// Remembers what a new guest takes, so that the next one asks for no more.
    fn learn(&self, pages: u64) {
        if self.first_pages.load(Relaxed) != pages {
            self.first_pages.store(pages.min(self.surroundings.room.total().pages()), Relaxed);
        }
    }
}

/// Makes the error of a fault in one phase, which began and was to end at these times.
fn ending(fault: Fault, call: &Call, (phase, began, deadline): (Phase, Instant, Instant)) -> ErrorKind {
    match fault {
        Fault::Kind(kind) => kind,
        Fault::Cut(Cut::Cancelled) => ErrorKind::ShuttingDown,
        Fault::Cut(Cut::Deadline) => call.timed_out(phase, began, deadline),
    }
}
