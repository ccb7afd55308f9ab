//! One guest that serves several requests at once.
//!
//! Whoever finds no guest with room makes one, as for any event, and leaves it to a task that serves whoever joins.
//! The task ends when nobody is left: then the guest goes back to the pool, or away if somebody gave up on it. It
//! promises that a deadline ends its own request and no other, that a guest which somebody gave up on takes no more,
//! and that the guest ends when all who joined have gone. It does not keep requests in one guest from each other.
//!
//! The task stands on the host's async runtime, if the first request comes from one that can be relied on (see
//! [`lane::runtime`]), else on our own small one: many wait for one guest here, and none of them may hold up the
//! others by not being polled.

mod call;

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::context::Context;
use crate::error::ErrorKind;
use crate::event::Response;
use crate::lane;
use crate::pool::{Carried, Tenant};
use crate::wasm::contract::http::Visit;
use crate::wasm::fault::Fault;
use crate::wasm::guest::Guest;
use crate::wasm::sandbox::Sandbox;

/// Stands for "until it ends by itself".
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long what is left of the last requests may take to end.
const REST: Duration = Duration::from_millis(100);

type Answer = Result<Response, ErrorKind>;

/// A function's guests that serve several requests at once.
pub(crate) struct Crowds {
    max_in_flight: usize,
    max_uses: u64,
    lanes: Box<[Mutex<Vec<Arc<Crowd>>>]>,
}

/// One guest, and who is in it.
pub(crate) struct Crowd {
    tenant: Tenant,
    lane: usize,
    door: mpsc::UnboundedSender<Visit>,
    /// Who waits for an answer, by number.
    callers: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    joined: AtomicU64,
    retired: AtomicBool,
    /// The guest has been told to end its round, which may take the engine another turn.
    pub(crate) leaving: AtomicBool,
    /// Wakes the task when somebody has left.
    task: Mutex<Option<Waker>>,
}

/// A place in a crowd; dropping it leaves.
pub(crate) struct Joined {
    crowd: Arc<Crowd>,
    id: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Crowds {
    pub(crate) fn new(max_in_flight: u32, max_uses: u64, lanes: usize) -> Self {
        let lanes = (0..lanes.max(1)).map(|_| Mutex::default()).collect();
        Self { max_in_flight: max_in_flight as usize, max_uses, lanes }
    }

    /// Joins a guest that has room, the oldest first, so that the others may become idle.
    pub(crate) fn join(&self, tenant: &Tenant, lane: usize) -> Option<Joined> {
        let crowds = self.lane(lane).lock();
        let mut of_tenant = crowds.iter().filter(|crowd| crowd.tenant == *tenant);
        of_tenant.find_map(|crowd| Crowd::join(crowd, self.max_in_flight, self.max_uses))
    }

    /// Starts to serve whoever joins with a guest that was made, or taken from the pool, for the first of them.
    pub(crate) fn start(
        &self,
        sandbox: &Arc<Sandbox>,
        carried: Carried<Box<Guest>>,
        (tenant, lane): (&Tenant, usize),
    ) -> Result<Joined, ErrorKind> {
        let (door, inside) = mpsc::unbounded_channel();
        let crowd = Arc::new(Crowd {
            tenant: tenant.clone(),
            lane,
            door,
            callers: Mutex::default(),
            joined: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            task: Mutex::new(None),
        });
        let first = Crowd::join(&crowd, 1, 1).ok_or(ErrorKind::ShuttingDown)?;
        let runtime = lane::runtime().or_else(|| sandbox.io().cloned()).ok_or(ErrorKind::ShuttingDown)?;
        self.lane(lane).lock().push(Arc::clone(&crowd));
        runtime.spawn(serve(Arc::clone(sandbox), Guard(crowd, Arc::clone(sandbox)), carried, inside));
        Ok(first)
    }

    fn lane(&self, lane: usize) -> &Mutex<Vec<Arc<Crowd>>> {
        &self.lanes[lane % self.lanes.len()]
    }

    /// Takes a crowd off the list if nobody is in it, or in any case.
    fn close(&self, crowd: &Arc<Crowd>, is_over: bool) -> bool {
        let mut crowds = self.lane(crowd.lane).lock();
        let closes = is_over || crowd.callers.lock().is_empty();
        if closes {
            crowds.retain(|known| !Arc::ptr_eq(known, crowd));
        }
        closes
    }
}

impl Crowd {
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Joins if there is room; judged and done under one lock, so that nobody joins a guest that was given up.
    fn join(crowd: &Arc<Self>, max_in_flight: usize, max_uses: u64) -> Option<Joined> {
        let mut callers = crowd.callers.lock();
        let id = crowd.joined.load(SeqCst);
        if crowd.retired.load(SeqCst) || id >= max_uses || callers.len() >= max_in_flight {
            return None;
        }
        crowd.joined.store(id + 1, SeqCst);
        let (sender, answer) = oneshot::channel();
        callers.insert(id, sender);
        Some(Joined { crowd: Arc::clone(crowd), id, answer })
    }

    /// Answers one who joined, if he still waits.
    pub(crate) fn answer(&self, id: u64, answer: Answer) {
        let caller = self.callers.lock().remove(&id);
        if let Some(caller) = caller {
            // He may give up this moment.
            let _ = caller.send(answer);
        }
    }

    /// Tells whether nobody waits any more; has the task woken when somebody leaves.
    pub(crate) fn is_empty(&self, waker: &Waker) -> bool {
        // Set first, looked second: who leaves in between is seen or wakes.
        *self.task.lock() = Some(waker.clone());
        self.callers.lock().is_empty()
    }

    /// Takes nobody in any more.
    pub(crate) fn retire(&self) {
        let _callers = self.callers.lock();
        self.retired.store(true, SeqCst);
    }

    /// Makes the context of all that are in it; what is known of one request alone is not known here.
    fn context(&self) -> Context {
        match &self.tenant {
            Some(tenant) => Context::new().with_tenant(Arc::clone(tenant)),
            None => Context::new(),
        }
    }

    /// Answers all who still wait with what ended the guest.
    fn fail(&self, kind: ErrorKind) {
        let callers = std::mem::take(&mut *self.callers.lock());
        let text = format!("another request ended the sandbox that served this one too: {kind}");
        let mut kind = Some(kind);
        for caller in callers.into_values() {
            let kind = kind
                .take()
                .unwrap_or_else(|| ErrorKind::Trapped { message: text.clone(), backtrace: vec![] });
            let _ = caller.send(Err(kind));
        }
    }
}

impl Joined {
    /// Hands the request in and waits for its end.
    pub(crate) async fn visit(mut self, visit: impl FnOnce(Arc<Crowd>, u64) -> Visit) -> Answer {
        // The answer says so if the task is gone.
        let _ = self.crowd.door.send(visit(Arc::clone(&self.crowd), self.id));
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_) => Err(ErrorKind::Cancelled),
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut callers = self.crowd.callers.lock();
        if callers.remove(&self.id).is_some() {
            // What he asked for goes on in there, and nobody can stop it alone.
            self.crowd.retired.store(true, SeqCst);
        }
        drop(callers);
        let waker = self.crowd.task.lock().take();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Takes the crowd off the list and answers who is left, wherever its task ends.
struct Guard(Arc<Crowd>, Arc<Sandbox>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(crowds) = self.1.crowds() {
            crowds.close(&self.0, true);
        }
        // The task was dropped with the runtime that it stood on, or others have held the guest up.
        let message = "the sandbox that served this with other requests ended before it answered".into();
        self.0.fail(ErrorKind::Trapped { message, backtrace: Vec::new() });
    }
}

/// What one round of serving came to.
enum Round {
    /// Nobody is in, and nothing is left of anybody.
    Idle(Instant),
    /// Somebody has joined meanwhile.
    Again,
    /// Nobody is in, and something is left of somebody.
    Spoiled,
    /// The guest has ended.
    Ended(ErrorKind),
}

/// Serves whoever joins until nobody is left.
async fn serve(
    sandbox: Arc<Sandbox>,
    guard: Guard,
    mut carried: Carried<Box<Guest>>,
    mut inside: mpsc::UnboundedReceiver<Visit>,
) {
    let crowd = &guard.0;
    let Some(mut lease) = carried.lease() else { return };
    loop {
        match round(&sandbox, crowd, lease.guest(), &mut inside).await {
            Round::Again => {}
            Round::Spoiled => return,
            Round::Ended(kind) => return crowd.fail(kind),
            Round::Idle(at) => {
                lease.guest().clear();
                lease.add_uses(crowd.joined.load(SeqCst).saturating_sub(1));
                return lease.release(crowd.tenant.clone(), at);
            }
        }
    }
}

async fn round(
    sandbox: &Sandbox,
    crowd: &Arc<Crowd>,
    guest: &mut Guest,
    inside: &mut mpsc::UnboundedReceiver<Visit>,
) -> Round {
    let close = |is_over| sandbox.crowds().is_none_or(|crowds| crowds.close(crowd, is_over));
    let started = Instant::now();
    crowd.leaving.store(false, SeqCst);
    // Each request moves the deadline on; until one has come, this is for what others left behind.
    guest.begin(crowd.context(), started + sandbox.timeout());
    let ended = {
        let mut serving = pin!(guest.serve(inside, crowd));
        // A guest that waits in a call of WASI 0.2 looks at nobody; whoever gave up must not hold its place for that.
        let watched = pin!(poll_fn(|cx| match serving.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if !crowd.leaving.load(SeqCst) && crowd.is_empty(cx.waker()) && close(false) =>
                Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }));
        sandbox.watch(crowd.lane, started + FAR).run(started, watched).await
    };
    let error = match ended.output {
        Ok(Some(Ok(()))) if !close(false) => return Round::Again,
        Ok(Some(Ok(()))) if crowd.retired.load(SeqCst) => return Round::Spoiled,
        Ok(Some(Ok(()))) => {
            let rested = sandbox.watch(crowd.lane, ended.at + REST).run(ended.at, pin!(guest.rest())).await;
            let is_whole = matches!(rested.output, Ok(Ok(()))) && !guest.is_unfinished();
            return if is_whole { Round::Idle(rested.at) } else { Round::Spoiled };
        }
        Ok(None) => return Round::Spoiled,
        Ok(Some(Err(error))) => error,
        Err(_) => return Round::Ended(ErrorKind::ShuttingDown),
    };
    close(true);
    match guest.explain(&error) {
        Fault::Kind(kind) => Round::Ended(kind),
        // It ran past the latest deadline of all who were in; who joined after that is answered by the guard.
        Fault::Cut(_) => Round::Spoiled,
    }
}
