//! One guest that serves several requests at once.
//!
//! Whoever finds no guest with room makes one, as for any event, and leaves it to a task that serves whoever joins.
//! It promises that a deadline ends its own request and no other, that a guest which somebody gave up on takes no more,
//! and that the guest ends when all who joined have gone. It does not keep requests in one guest from each other.
//!
//! The task ends when the guest is idle: nobody who joined still waits, and no task of the guest's is left. An idle
//! guest that is intact goes back to the pool, any other away. It is intact unless somebody gave up on it or got an
//! answer that broke its contract, or a request of its own to the outside is not over. What a request leaves behind
//! its answer goes on while others are in; once nobody is, it has [`REST`] to end, in which others may still join; then
//! the guest goes. However long its last steps take the host to come to, a guest that has ended them is idle.
//!
//! Whoever comes while the first of a crowd still waits for its guest waits with it. If none comes, for whatever
//! reason, each looks after itself: what kept the first from its guest may have been its own affair.
//!
//! A guest that goes idle is found at any moment: its crowd on the list or itself on the shelf, which it reaches under
//! the list's lock. Two who want the same idle guest at once may end up with two guests.
//!
//! The task stands on the host's async runtime, if the first request comes from one that can be relied on (see
//! [`lane::runtime`]), else on our own small one: many wait for one guest here, and none of them may hold up the
//! others by not being polled.

mod call;
mod founding;

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::clock::{Alarm, Face};
use crate::context::Context;
use crate::error::ErrorKind;
use crate::event::Response;
use crate::pool::{Carried, Lease, Tenant};
use crate::wasm::contract::http::Visit;
use crate::wasm::fault::Fault;
use crate::wasm::guest::Guest;
use crate::wasm::sandbox::Sandbox;

/// Stands for "until it ends by itself".
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long what a guest does after its last answer may go on.
const REST: Duration = Duration::from_millis(100);

type Answer = Result<Response, ErrorKind>;

/// A function's guests that serve several requests at once.
pub(crate) struct Crowds {
    max_in_flight: usize,
    max_uses: u64,
    lanes: Box<[Mutex<List>]>,
}

/// The crowds of one lane, the oldest first.
type List = Vec<Arc<Crowd>>;

/// One guest, and who is in it.
pub(crate) struct Crowd {
    tenant: Tenant,
    lane: usize,
    door: mpsc::UnboundedSender<Visit>,
    /// Who waits for an answer, by number.
    callers: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    joined: AtomicU64,
    /// How many may join in all: what the guest's earlier stays have left of its uses.
    most: u64,
    retired: AtomicBool,
    /// It has its guest.
    is_open: AtomicBool,
    /// Closed once it is known whether there is a guest.
    awaited: Semaphore,
    /// Wakes the task when somebody has left.
    task: Mutex<Option<Waker>>,
}

/// A place in a crowd; dropping it leaves.
pub(crate) struct Joined {
    crowd: Arc<Crowd>,
    id: u64,
    answer: oneshot::Receiver<Answer>,
    /// His request is in the guest, or on its way there.
    is_in: bool,
}

impl Crowds {
    pub(crate) fn new(max_in_flight: u32, max_uses: u64, lanes: usize) -> Self {
        let lanes = (0..lanes.max(1)).map(|_| Mutex::default()).collect();
        Self { max_in_flight: max_in_flight as usize, max_uses, lanes }
    }

    /// Joins a guest that has room, the oldest first, so that the others may become idle; else one that is to come.
    pub(crate) fn join(&self, tenant: &Tenant, lane: usize) -> Option<Joined> {
        let crowds = self.lane(lane).lock();
        let join = |is_open| {
            let fits = |crowd: &&Arc<Crowd>| crowd.is_open() == is_open && crowd.tenant == *tenant;
            crowds.iter().filter(fits).find_map(|crowd| Crowd::join(crowd, self.max_in_flight))
        };
        join(true).or_else(|| join(false))
    }

    fn lane(&self, lane: usize) -> &Mutex<List> {
        &self.lanes[lane % self.lanes.len()]
    }

    /// Takes a crowd off the list, unless somebody is in it; then nobody joins it any more.
    fn close(&self, crowd: &Arc<Crowd>) -> Option<MutexGuard<'_, List>> {
        let mut list = self.lane(crowd.lane).lock();
        if !crowd.callers.lock().is_empty() {
            return None;
        }
        strike(&mut list, crowd);
        Some(list)
    }

    /// Takes a crowd off the list, whoever is in it.
    fn remove(&self, crowd: &Arc<Crowd>) {
        strike(&mut self.lane(crowd.lane).lock(), crowd);
    }
}

fn strike(list: &mut List, crowd: &Arc<Crowd>) {
    list.retain(|known| !Arc::ptr_eq(known, crowd));
}

impl Crowd {
    fn new(tenant: Tenant, lane: usize, door: mpsc::UnboundedSender<Visit>, most: u64) -> Self {
        Self {
            tenant,
            lane,
            door,
            callers: Mutex::default(),
            joined: AtomicU64::new(0),
            most,
            retired: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
            awaited: Semaphore::new(0),
            task: Mutex::new(None),
        }
    }

    fn is_open(&self) -> bool {
        self.is_open.load(SeqCst)
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Joins if there is room; judged and done under one lock, so that nobody joins a guest that was given up.
    fn join(crowd: &Arc<Self>, max_in_flight: usize) -> Option<Joined> {
        let mut callers = crowd.callers.lock();
        let id = crowd.joined.load(SeqCst);
        if crowd.retired.load(SeqCst) || id >= crowd.most || callers.len() >= max_in_flight {
            return None;
        }
        crowd.joined.store(id + 1, SeqCst);
        let (sender, answer) = oneshot::channel();
        callers.insert(id, sender);
        Some(Joined { crowd: Arc::clone(crowd), id, answer, is_in: false })
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
    fn is_open(&self) -> bool {
        self.crowd.is_open()
    }

    /// Waits until it is known whether there is a guest, and tells that.
    async fn opened(&self) -> bool {
        // It never has a permit, and is closed.
        let _ = self.crowd.awaited.acquire().await;
        self.is_open()
    }

    /// Hands the request in and waits for its end.
    pub(crate) async fn visit(mut self, visit: impl FnOnce(Arc<Crowd>, u64) -> Visit) -> Answer {
        self.is_in = true;
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
        if callers.remove(&self.id).is_some() && self.is_in {
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
            crowds.remove(&self.0);
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
    let (Some(crowds), Some(mut lease)) = (sandbox.crowds(), carried.lease()) else { return };
    loop {
        lease = match round((&sandbox, crowds), crowd, lease.guest(), &mut inside).await {
            Round::Spoiled => return,
            Round::Ended(kind) => return crowd.fail(kind),
            Round::Idle(at) => match leave(crowds, crowd, lease, at) {
                Some(lease) => lease,
                None => return,
            },
        };
    }
}

/// Keeps the guest if it is intact, or else discards it; answers it if somebody has joined meanwhile.
fn leave<'a>(
    crowds: &Crowds,
    crowd: &Arc<Crowd>,
    mut lease: Lease<'a, Box<Guest>>,
    at: Instant,
) -> Option<Lease<'a, Box<Guest>>> {
    let Some(list) = crowds.close(crowd) else { return Some(lease) };
    if !crowd.retired.load(SeqCst) && !lease.guest().is_unfinished() {
        lease.guest().clear();
        lease.add_uses(crowd.joined.load(SeqCst).saturating_sub(1));
        lease.release_under(crowd.tenant.clone(), at, list);
    }
    None
}

async fn round(
    (sandbox, crowds): (&Sandbox, &Crowds),
    crowd: &Arc<Crowd>,
    guest: &mut Guest,
    inside: &mut mpsc::UnboundedReceiver<Visit>,
) -> Round {
    let started = Instant::now();
    // Each request moves the deadline on; until one has come, this is for what others left behind.
    guest.begin(crowd.context(), started + sandbox.timeout());
    let ended = {
        let mut serving = pin!(guest.serve(inside, crowd));
        let mut rest = Rest { face: &sandbox.surroundings.face, alarm: None };
        // A guest that works on, or waits in a call of WASI 0.2, looks at nobody; it must not hold its place for that.
        let watched = pin!(poll_fn(|cx| match serving.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if rest.is_over(crowd, cx) && crowds.close(crowd).is_some() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }));
        sandbox.watch(crowd.lane, started + FAR).run(started, watched).await
    };
    let error = match ended.output {
        Ok(Some(Ok(()))) => return Round::Idle(ended.at),
        Ok(None) => return Round::Spoiled,
        Ok(Some(Err(error))) => error,
        Err(_) => return Round::Ended(ErrorKind::ShuttingDown),
    };
    crowds.remove(crowd);
    match guest.explain(&error) {
        Fault::Kind(kind) => Round::Ended(kind),
        // It ran past the latest deadline of all who were in; who joined after that is answered by the guard.
        Fault::Cut(_) => Round::Spoiled,
    }
}

/// How long a guest may still go on that nobody is in.
struct Rest<'a> {
    face: &'a Face,
    alarm: Option<Alarm<'a>>,
}

impl Rest<'_> {
    /// Tells whether it must go now, or has the task woken when it must.
    fn is_over(&mut self, crowd: &Crowd, cx: &TaskContext<'_>) -> bool {
        if !crowd.is_empty(cx.waker()) {
            self.alarm = None;
            return false;
        }
        if crowd.retired.load(SeqCst) {
            return true;
        }
        let alarm = self.alarm.get_or_insert_with(|| self.face.alarm(Instant::now() + REST));
        alarm.poll(cx).is_ready()
    }
}
