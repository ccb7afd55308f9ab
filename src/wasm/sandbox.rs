//! A function's guests behind their pool: takes an event to one of them and brings the answer back.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::admission::{Amount, Gate, Refused};
use crate::body::Writer;
use crate::call::Call;
use crate::clock::{Cut, Face};
use crate::context::Facts;
use crate::errand;
use crate::error::{ErrorKind, Phase};
use crate::event::{Input, Response};
use crate::limits::PAGE;
#[cfg(feature = "http")]
use crate::outbound::Outbound;
use crate::pool::{Lease, Pool, Seat, Vacancy};
use crate::report::Start;
use crate::wasm::contract::boxed;
use crate::wasm::crowd::Crowds;
use crate::wasm::fault::Fault;
use crate::wasm::guest::{Guest, Occasion, Unmade};
use crate::wasm::linked::{Linked, Slot};
use crate::wasm::prepare::Preparation;
use crate::wasm::program::{Mapped, Program};
use crate::wasm::recipe::Recipe;
use crate::wasm::supervise::Watch;
use crate::wasm::vault::{Found, Vault};

/// Stands for a time-out beyond what the clock can count.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A function's guests behind their pool.
pub(crate) struct Sandbox {
    vault: Arc<Vault>,
    program: Arc<Program>,
    pub(super) recipe: Arc<Recipe>,
    facts: Arc<Facts>,
    pub(super) surroundings: Surroundings,
    pub(super) pool: Arc<Pool<Box<Guest>>>,
    slots: Box<[Arc<Slot>]>,
    mapping: Mapping,
    /// There, if a guest may serve several requests at once.
    crowds: Option<Crowds>,
    hash: blake3::Hash,
    is_initialized: bool,
    /// How long deploying it took.
    took: Duration,
    /// How many pages a guest has when it is new, as the last one had.
    first_pages: AtomicU64,
}

/// Whether the code is being mapped; one thread at a time does that, however many events wait.
///
/// Nobody holds a lock while it does: an event that nobody polls any more would hold it for ever.
#[derive(Default)]
struct Mapping {
    underway: AtomicBool,
    ended: Notify,
}

/// The right to map the code; dropping it lets the next one try.
struct Turn(Arc<Sandbox>);

impl Turn {
    fn take(sandbox: &Arc<Sandbox>) -> Option<Self> {
        let is_free = !sandbox.mapping.underway.swap(true, SeqCst);
        is_free.then(|| Self(Arc::clone(sandbox)))
    }

    fn map(self, lane: usize) -> Result<Arc<Linked>, ErrorKind> {
        let sandbox = &self.0;
        let mapped = sandbox.program.map(&sandbox.vault, &sandbox.facts.name, lane)?;
        Ok(sandbox.link(mapped, lane))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.mapping.underway.store(false, SeqCst);
        self.0.mapping.ended.notify_waiters();
    }
}

/// What all functions of a runtime share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) face: Arc<Face>,
    pub(crate) room: Arc<Gate>,
    /// Where the guest's timers and files live, if it imports any.
    pub(crate) io: Option<Handle>,
    /// What sends the requests of guests; none where they make none.
    #[cfg(feature = "http")]
    pub(crate) outbound: Option<Outbound>,
    pub(crate) fuel: bool,
}

impl Sandbox {
    pub(crate) fn new(
        vault: Arc<Vault>,
        found: Found,
        recipe: Recipe,
        facts: Arc<Facts>,
        (surroundings, pool): (Surroundings, Arc<Pool<Box<Guest>>>),
    ) -> Self {
        let Found { program, took, hash, is_initialized, .. } = found;
        // What is known before the first guest is a bound: its largest memory, times its memories. It has no more
        // than its limit, nor than there is.
        let most = (recipe.limits.memory / PAGE).min(surroundings.room.total().pages());
        let first_pages = AtomicU64::new(program.findings().need().pages().min(most));
        Self {
            slots: (0..vault.engines.shards()).map(|_| Arc::default()).collect(),
            mapping: Mapping::default(),
            crowds: recipe.max_in_flight.map(|(most, uses)| Crowds::new(most, uses, vault.engines.shards())),
            recipe: Arc::new(recipe),
            vault,
            program,
            hash,
            is_initialized,
            took,
            facts,
            surroundings,
            pool,
            first_pages,
        }
    }

    /// Takes over what is mapped already.
    pub(crate) fn adopt(&self, mapped: Option<(Arc<Mapped>, usize)>) {
        if let Some((mapped, lane)) = mapped {
            self.link(mapped, lane);
        }
    }

    pub(super) fn crowds(&self) -> Option<&Crowds> {
        self.crowds.as_ref()
    }

    /// Returns where the guests' timers live.
    pub(super) fn io(&self) -> Option<&Handle> {
        self.surroundings.io.as_ref()
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

    /// Returns the hash of the code that was deployed, in hexadecimal.
    pub(crate) fn hash(&self) -> String {
        self.hash.to_hex().to_string()
    }

    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// Makes a guest for what is run at deployment.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives its place back.
    pub(crate) async fn open<'a>(
        self: &'a Arc<Self>,
        call: &mut Call,
        lane: usize,
    ) -> Result<Lease<'a, Box<Guest>>, ErrorKind> {
        match self.seat(call, lane, self.need()).await? {
            Seat::Taken(lease) | Seat::Prepared(lease) => Ok(lease),
            Seat::Empty(vacancy) => {
                let started = call.start();
                Ok(self.fill(vacancy, call, started, lane).await?.0)
            }
        }
    }

    /// Serves one event; the caller holds its permit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future discards the guest and gives its place back.
    pub(crate) async fn call(
        self: &Arc<Self>,
        call: &mut Call,
        input: Input,
        sink: Option<Writer>,
        lane: usize,
    ) -> Result<Response, ErrorKind> {
        if let Some(crowds) = &self.crowds {
            return boxed(self.call_in_crowd(crowds, call, (input, sink), lane)).await;
        }
        let tenant = call.context.tenant_key().clone();
        let need = self.need();
        let seat = match self.pool.try_checkout(&tenant, lane, need) {
            Some(seat) => seat,
            None => boxed(self.seat(call, lane, need)).await?,
        };
        let started = call.start();
        // Not `lease`: an async function around it would move this future once more.
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
        let (response, intact, ended_at) = self.serve(lease.guest(), call, input, sink, (now, lane)).await;
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
    pub(super) async fn seat(
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
    pub(super) async fn fill<'a>(
        self: &Arc<Self>,
        vacancy: Vacancy<'a, Box<Guest>>,
        call: &mut Call,
        started: Instant,
        lane: usize,
    ) -> Result<(Lease<'a, Box<Guest>>, Instant), ErrorKind> {
        let deadline = call.deadline(started, self.recipe.limits.init_timeout);
        let now = self.vault.mappings.time(started);
        let linked = match self.slot(lane).take(now) {
            Some(linked) => {
                call.report.start = Some(Start::Fresh);
                linked
            }
            None => {
                call.report.start = Some(Start::Cold);
                boxed(self.map(call, (started, deadline), lane)).await?
            }
        };
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
    pub(crate) async fn serve(
        &self,
        guest: &mut Guest,
        call: &mut Call,
        input: Input,
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
            let calling = pin!(guest.call(input, sink));
            self.watch(lane, deadline).run(started, calling).await
        };
        call.report.busy += ended.busy;
        call.report.handler = ended.at.duration_since(started);
        let output = ended.output.map_err(Fault::Cut).and_then(|answered| guest.judge(answered));
        guest.end(&mut call.report);
        call.report.bytes_out = written.map_or(0, |written| written.bytes());
        let fault = match output {
            Ok(response) => return (Ok(response), !guest.is_unfinished(), ended.at),
            Err(fault) => fault,
        };
        let kind = ending(fault, call, (Phase::Handler, started, deadline));
        let intact = matches!(kind, ErrorKind::Failed(_)) && !guest.is_unfinished();
        (Err(kind), intact, ended.at)
    }

    pub(super) fn watch(&self, lane: usize, deadline: Instant) -> Watch<'_> {
        Watch { face: &self.surroundings.face, io: self.surroundings.io.as_ref(), lane, deadline }
    }

    /// Maps the code on this thread's shard, for this event and those that come after.
    async fn map(
        self: &Arc<Self>,
        call: &Call,
        (started, deadline): (Instant, Instant),
        lane: usize,
    ) -> Result<Arc<Linked>, ErrorKind> {
        match self.linked(lane, deadline).await {
            Ok(mapped) => mapped,
            Err(Cut::Cancelled) => Err(ErrorKind::ShuttingDown),
            Err(Cut::Deadline) => Err(call.timed_out(Phase::Init, started, deadline)),
        }
    }

    /// Returns the code as a shard has it, mapped now if it is not there, but only until the deadline.
    pub(super) async fn linked(
        self: &Arc<Self>,
        lane: usize,
        deadline: Instant,
    ) -> Result<Result<Arc<Linked>, ErrorKind>, Cut> {
        let mapping = pin!(self.mapped(lane));
        self.surroundings.face.race(deadline, mapping).await
    }

    async fn mapped(self: &Arc<Self>, lane: usize) -> Result<Arc<Linked>, ErrorKind> {
        loop {
            let mut ended = pin!(self.mapping.ended.notified());
            // Listened first, looked second: whoever ends it in between is heard.
            ended.as_mut().enable();
            if let Some(linked) = self.slot(lane).take(self.vault.mappings.time(Instant::now())) {
                return Ok(linked);
            }
            if let Some(turn) = Turn::take(self) {
                // On a thread of its own, which goes on whatever becomes of this event: it reads the whole file, and
                // compiles it again if that is damaged.
                let lost = || ErrorKind::Engine { reason: "mapping the code panicked; report it".into() };
                return errand::run("fnhost-map", move || turn.map(lane)).await?.ok_or_else(lost)?;
            }
            ended.await;
        }
    }

    fn slot(&self, lane: usize) -> &Arc<Slot> {
        &self.slots[lane % self.slots.len()]
    }

    fn link(&self, mapped: Arc<Mapped>, lane: usize) -> Arc<Linked> {
        let linked = Arc::new(Linked {
            mapped,
            recipe: Arc::clone(&self.recipe),
            facts: Arc::clone(&self.facts),
            face: Arc::clone(&self.surroundings.face),
            room: Arc::clone(&self.surroundings.room),
            keeper: Arc::clone(self.pool.keeper()),
            #[cfg(feature = "http")]
            outbound: self.surroundings.outbound.clone(),
            imports_wasi: self.program.findings().imports_wasi,
            is_quiet: self.program.findings().is_quiet,
            is_initialized: self.is_initialized,
            fuel: self.surroundings.fuel,
        });
        let (slot, mappings) = (self.slot(lane), &self.vault.mappings);
        slot.put(&linked, mappings.time(Instant::now()));
        if let Some(expiry) = mappings.filled(slot) {
            self.pool.keeper().start();
            self.pool.keeper().expect(expiry);
        }
        linked
    }

    /// Tells what room a new guest needs.
    pub(super) fn need(&self) -> Amount {
        Amount::new(self.program.findings().need().units(), self.first_pages.load(Relaxed))
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

    pub(super) fn timeout(&self) -> Duration {
        self.recipe.limits.timeout.min(FAR)
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
