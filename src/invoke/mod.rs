//! The path of one invocation: resolve, admit, call, conclude.
//!
//! It promises that every event has exactly one ending, of which every observer hears, and that a future dropped
//! at any await leaves nothing behind: no permit, no guest, no count. It cannot tell a guest from a closure in
//! Rust: both are a [`Callee`].

mod docket;
mod flight;
pub(crate) mod native;
mod stream;
mod tail;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::admission::{Amount, Gate, Refused, Ticket};
use crate::body::{Seen, Writer};
use crate::call::Call;
use crate::clock::{Cut, Face};
use crate::context::{Context, Facts};
use crate::delivery::Policy;
use crate::error::{Error, ErrorKind, Phase, ThrottleReason};
use crate::event::{Input, Response};
use crate::invoke::docket::Docket;
pub(crate) use crate::invoke::flight::{Callback, Reaper};
pub use crate::invoke::stream::ResponseStream;
pub(crate) use crate::invoke::tail::{Ends, Opened, Tail, open};
use crate::lane;
use crate::limits::Limits;
use crate::registry::{Entry, Slot, Target};
use crate::report::Observer;

/// What serves events, once they may start.
pub(crate) trait Callee: Send + Sync + 'static {
    /// Serves one event; the permit is held while it does.
    fn call(
        &self,
        call: &mut Call,
        input: Input,
        sink: Option<Writer>,
        lane: usize,
    ) -> impl Future<Output = Result<Response, ErrorKind>> + Send;
}

/// One version of a function, ready to serve.
pub(crate) struct Deployment<C> {
    /// One for each lane; see [`Slot`].
    pub(crate) facts: Box<[Arc<Facts>]>,
    pub(crate) limits: Limits,
    /// The function's concurrency, and its queue.
    pub(crate) gate: Gate,
    pub(crate) max_waiting: usize,
    /// How events are delivered that nobody waits for.
    pub(crate) policy: Arc<Policy>,
    pub(crate) callee: C,
}

/// What all invocations of a runtime share.
pub(crate) struct Desk {
    pub(crate) face: Arc<Face>,
    pub(crate) observers: Vec<Observer>,
    pub(crate) closed: AtomicBool,
}

/// Where a handler's events go; resolved once.
pub(crate) struct Route<C> {
    pub(crate) target: Target,
    pub(crate) way: Way<C>,
}

/// How the version is found.
///
/// Neither holds a deployment: one that is removed is freed, whatever handlers there are.
pub(crate) enum Way<C> {
    /// The newest version of a name when the event comes.
    Newest(Arc<Entry<Deployment<C>>>),
    /// One version.
    Pinned(Arc<Entry<Deployment<C>>>, u64),
}

impl<C> Clone for Route<C> {
    fn clone(&self) -> Self {
        let way = match &self.way {
            Way::Newest(entry) => Way::Newest(Arc::clone(entry)),
            Way::Pinned(entry, version) => Way::Pinned(Arc::clone(entry), *version),
        };
        Self { target: self.target.clone(), way }
    }
}

impl<C> Route<C> {
    pub(crate) fn resolve(&self, lane: usize) -> Option<Arc<Slot<Deployment<C>>>> {
        match &self.way {
            Way::Newest(entry) => entry.newest(lane),
            Way::Pinned(entry, version) => entry.version(*version, lane),
        }
    }
}

/// Takes one event through to its ending.
pub(crate) async fn start<C: Callee>(
    desk: &Desk,
    route: &Route<C>,
    (context, input): (Option<Context>, Input),
    sink: Option<Writer>,
) -> Result<Response, Error> {
    let arrived = Instant::now();
    let context = context.unwrap_or_else(|| Context::arriving(arrived));
    let lane = lane::home();
    let mut found = route.resolve(lane);
    let facts = facts(route, found.as_deref(), lane);
    let mut docket = Docket::open(&desk.observers, (context, arrived), &input, facts);
    let call = docket.call();
    // All in one function: each async function around the call would move its whole future once more.
    let ended = loop {
        if desk.closed.load(SeqCst) {
            break Err(ErrorKind::ShuttingDown);
        }
        let Some(slot) = found else { break Err(unknown(&route.target)) };
        let deployment = &*slot.deployment;
        if let Err(kind) = check(deployment, call, &input) {
            break Err(kind);
        }
        let permit = match deployment.gate.try_take(ONE) {
            Some(permit) => Ok(Some(permit)),
            None => admit(desk, deployment, call).await,
        };
        match permit {
            Ok(Some(permit)) => {
                let ended = deployment.callee.call(call, input, sink, lane).await;
                drop(permit);
                break ended;
            }
            // It was removed while the event came; a name may have another version by now.
            Ok(None) if matches!(route.way, Way::Newest(_)) => {
                found = route.resolve(lane);
                call.report.facts = self::facts(route, found.as_deref(), lane);
            }
            Ok(None) => break Err(unknown(&route.target)),
            Err(kind) => break Err(kind),
        }
    };
    docket.close(ended)
}

/// Concludes a request that did not come as far as to be an event.
pub(crate) fn refuse<C: Callee>(
    desk: &Desk,
    route: &Route<C>,
    (context, arrived): (Context, Instant),
    (seen, kind): (Arc<Seen>, ErrorKind),
) -> Error {
    let lane = lane::home();
    let facts = facts(route, route.resolve(lane).as_deref(), lane);
    let docket = Docket::of_request(&desk.observers, (context, arrived), seen, facts);
    docket.close(Err(kind)).expect_err("it is closed with an error")
}

/// One permit.
const ONE: Amount = Amount::one();

/// Returns what is known of the version that was found, or of the name that was asked for.
fn facts<C>(route: &Route<C>, found: Option<&Slot<Deployment<C>>>, lane: usize) -> Arc<Facts> {
    match found {
        Some(slot) => Arc::clone(&slot.deployment.facts[lane % slot.deployment.facts.len()]),
        None => Arc::new(Facts { name: route.target.name.clone(), ..Facts::default() }),
    }
}

fn check<C>(deployment: &Deployment<C>, call: &mut Call, input: &Input) -> Result<(), ErrorKind> {
    input.check(deployment.limits.event)?;
    call.context.check().map_err(Error::into_kind)?;
    let deadline = call.queue_deadline(&deployment.limits);
    if call.came_too_late() {
        return Err(call.timed_out(Phase::Queue, call.arrived, call.arrived));
    }
    call.context.set_deadline(deadline);
    Ok(())
}

/// Waits for a permit; none when the function was removed.
async fn admit<'a, C>(
    desk: &Desk,
    deployment: &'a Deployment<C>,
    call: &mut Call,
) -> Result<Option<Ticket<'a>>, ErrorKind> {
    let deadline = call.queue_deadline(&deployment.limits);
    let waited = desk.face.race(deadline, pin!(deployment.gate.take(ONE))).await;
    call.waited = true;
    call.report.queued = call.arrived.elapsed();
    match waited {
        Ok(Ok(permit)) => Ok(Some(permit)),
        Ok(Err(Refused::Closed)) if desk.closed.load(SeqCst) => Err(ErrorKind::ShuttingDown),
        Ok(Err(Refused::Closed)) => Ok(None),
        Ok(Err(Refused::QueueFull)) => Err(ErrorKind::Throttled {
            reason: ThrottleReason::QueueFull { limit: deployment.max_waiting },
            retry_after: deployment.limits.timeout.min(RETRY_AFTER),
        }),
        Err(Cut::Deadline) => Err(call.timed_out(Phase::Queue, call.arrived, deadline)),
        Err(Cut::Cancelled) => Err(ErrorKind::ShuttingDown),
    }
}

/// A full queue has usually moved on by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) fn unknown(target: &Target) -> ErrorKind {
    let hint = "nothing of that name is deployed, or it was removed; `runtime.functions()` lists all".into();
    ErrorKind::UnknownFunction { target: target.to_string(), hint }
}

/// Closes the gates and waits until nothing is out any more, but only until the deadline; answers how many
/// events were left then.
pub(crate) async fn drain<C>(desk: &Desk, deployments: &[Arc<Deployment<C>>], deadline: Instant) -> usize {
    deployments.iter().for_each(|deployment| deployment.gate.close());
    for deployment in deployments {
        // The clock is cancelled only after this, and the deadline is what is asked next.
        let _ = desk.face.race(deadline, pin!(deployment.gate.drained())).await;
    }
    deployments
        .iter()
        .map(|deployment| deployment.gate.out().units() as usize + deployment.gate.waiting())
        .sum()
}
