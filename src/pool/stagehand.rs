//! Works behind the scenes of one runtime: makes guests before their events come, clears large ones away after.
//!
//! A [`Stagehand`] is one thread, started with the first pool that has work for it. It promises to leave the
//! processor to running events: it rests as long as it worked, and while as many events run as there are cores it
//! makes a guest only now and then, and whoever ends one clears it away. One that takes long to make keeps its own
//! function waiting for the next as long, the others for 50 ms more. When it is closed it makes no more, clears what
//! is left, and ends.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::clock::Face;
use crate::pool::Pool;

/// Nothing is wanted, or nothing is being made.
const NEVER: u64 = u64::MAX;
/// The longest sleep, so that the thread notices pools that are gone.
const NAP: Duration = Duration::from_secs(60);
/// How often it looks whether the machine is still busy.
const LOOK: Duration = Duration::from_millis(2);
/// How long it gives way to running events at most, and rests: one that is never helped stays slow.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long guests whose last attempt failed stand behind all others: they fail again, and take their time.
const BEHIND: Duration = Duration::from_secs(1);
/// Past this share of the other cores that run events, in percent, none is left for clearing away.
const FULL: u64 = 40;
/// How many looks at running events the load is the mean of, more or less.
const LOOKS: u64 = 8;
/// Who makes a guest for longer than this comes to nothing else soon; most take less than a millisecond.
const HELD_UP: Duration = Duration::from_millis(2);

/// Works behind the scenes of one runtime.
pub(crate) struct Stagehand {
    face: Arc<Face>,
    cores: usize,
    born: Instant,
    /// There is something to clear away.
    called: AtomicBool,
    /// When it looks next for guests that are wanted; like all times here in nanoseconds since `born`.
    next: AtomicU64,
    /// Whatever is wanted, none is made before.
    rested: AtomicU64,
    /// Since when it makes the guest that it makes now.
    making: AtomicU64,
    works: AtomicBool,
    /// How many thousandths of an event run beside the one that ends, in the mean of the last ones.
    load: AtomicU64,
    /// Pools with guests that wait for their end.
    spent: Mutex<VecDeque<Weak<dyn Backstage>>>,
    pub(super) crew: Mutex<Crew>,
    changed: Condvar,
}

/// Who works, and for whom.
#[derive(Default)]
pub(super) struct Crew {
    /// Pools whose guests are made ready.
    pub(super) pools: Arc<Vec<Weak<dyn Backstage>>>,
    thread: Option<thread::JoinHandle<()>>,
    closed: bool,
}

/// What the stagehand needs of a pool.
pub(crate) trait Backstage: Send + Sync {
    /// Drops a guest that waits for its end; tells whether there was one.
    fn clear_one(&self) -> bool;
    /// Tells from when on a guest is to be made.
    fn wants(&self, now: Instant) -> Option<Instant>;
    /// Tells whether the last attempt failed.
    fn is_failing(&self) -> bool;
    /// Makes one.
    fn refill(&self);
}

impl<G: Send + 'static> Backstage for Pool<G> {
    fn clear_one(&self) -> bool {
        Self::clear_one(self)
    }

    fn wants(&self, now: Instant) -> Option<Instant> {
        Self::wants(self, now)
    }

    fn is_failing(&self) -> bool {
        self.shelf.lock().order.is_failing()
    }

    fn refill(&self) {
        Self::refill(self);
    }
}

impl Stagehand {
    /// `face` tells how many guests run, on at least one core.
    pub(crate) fn new(face: Arc<Face>, cores: usize) -> Arc<Self> {
        Arc::new(Self {
            face,
            cores,
            born: Instant::now(),
            called: AtomicBool::new(false),
            next: AtomicU64::new(NEVER),
            rested: AtomicU64::new(0),
            making: AtomicU64::new(NEVER),
            works: AtomicBool::new(false),
            load: AtomicU64::new(0),
            spent: Mutex::default(),
            crew: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Starts the thread, unless it runs.
    pub(super) fn start(self: &Arc<Self>) {
        let mut crew = self.crew.lock();
        if crew.closed || crew.thread.is_some() {
            return;
        }
        let stagehand = Arc::clone(self);
        let thread = thread::Builder::new().name("fnhost-prepare".into()).spawn(move || stagehand.run());
        // Without the thread events make and drop their guests themselves: slower, never wrong.
        crew.thread = thread.inspect_err(|error| tracing::warn!(%error, "no thread to prepare guests")).ok();
        self.works.store(crew.thread.is_some(), SeqCst);
    }

    /// Makes guests of a pool ready from now on.
    pub(super) fn enlist(self: &Arc<Self>, pool: Weak<dyn Backstage>) {
        let mut crew = self.crew.lock();
        if !is_listed(&*crew.pools, &pool) {
            Arc::make_mut(&mut crew.pools).push(pool);
        }
        drop(crew);
        self.start();
        self.call_for(Instant::now());
    }

    /// Tells whether somebody clears away what is handed over, comes to it soon, and has a core to do so.
    pub(super) fn is_free(&self) -> bool {
        let making =
            Duration::from_nanos(self.nanos(Instant::now()).saturating_sub(self.making.load(SeqCst)));
        self.has_core() && self.works() && making < HELD_UP
    }

    /// Looks once more how many events run, and tells whether they leave a core on average.
    ///
    /// Where they do not, another thread gains nothing: it takes its turn from events, finds the guest's memory in
    /// another core's cache, and each page that it gives back interrupts who runs there.
    fn has_core(&self) -> bool {
        let (others, known) = (self.face.running() as u64 * 1000, self.load.load(Relaxed));
        // Two that look at once count as one: it is an estimate.
        let load = (known * (LOOKS - 1) + others) / LOOKS;
        self.load.store(load, Relaxed);
        load < (self.cores as u64 - 1) * FULL * 10
    }

    /// Tells whether somebody clears away what is handed over.
    pub(super) fn works(&self) -> bool {
        self.works.load(SeqCst)
    }

    /// Notes that guests of a pool wait for their end.
    pub(super) fn list_spent(&self, pool: Weak<dyn Backstage>) {
        let mut spent = self.spent.lock();
        if self.works() && !is_listed(&*spent, &pool) {
            spent.push_back(pool);
        }
    }

    /// Has it clear away what is listed.
    pub(super) fn call(&self) {
        if !self.called.swap(true, SeqCst) {
            // It looks at the flag under the lock, so it either sees it or sleeps already.
            drop(self.crew.lock());
            self.changed.notify_one();
        }
    }

    /// Takes the call back; tells whether there was one.
    #[cfg(test)]
    pub(super) fn take_call(&self) -> bool {
        self.next.swap(NEVER, SeqCst) != NEVER
    }

    /// Notes that a guest is wanted from the given time on.
    pub(super) fn call_for(&self, due: Instant) {
        let due = self.nanos(due).max(self.rested.load(SeqCst));
        if due < self.next.load(SeqCst) {
            let crew = self.crew.lock();
            self.next.fetch_min(due, SeqCst);
            drop(crew);
            self.changed.notify_one();
        }
    }

    /// Clears one guest away on the calling thread, whosever it is; tells whether there was one.
    pub(super) fn clear_one(&self) -> bool {
        if !self.works() {
            return false;
        }
        let Some(pool) = std::iter::from_fn(|| self.next_spent()).find(|pool| pool.clear_one()) else {
            return false;
        };
        // Off the list, its others may have been missed by the thread's last look.
        while !self.works() && pool.clear_one() {}
        true
    }

    /// Makes no more guests, and lets the thread end.
    pub(crate) fn close(&self) {
        // In this order: who still sees it work has listed its guest before the thread looks for the last time.
        self.works.store(false, SeqCst);
        self.crew.lock().closed = true;
        self.changed.notify_one();
    }

    /// Takes the thread, to be waited for after [`close`](Self::close).
    pub(crate) fn take_thread(&self) -> Option<thread::JoinHandle<()>> {
        self.crew.lock().thread.take()
    }

    fn run(&self) {
        let (mut pace, mut has_panicked) = (Pace::new(), false);
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn(&mut pace))) {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => self.recover(&mut has_panicked),
            }
            self.sleep();
        }
    }

    /// Does what there is to do; tells whether that was the last time.
    fn turn(&self, pace: &mut Pace) -> bool {
        self.called.store(false, SeqCst);
        let is_closed = self.crew.lock().closed;
        while let Some(pool) = self.next_spent() {
            while pool.clear_one() {}
        }
        if !is_closed && self.next.load(SeqCst) <= self.nanos(Instant::now()) {
            // Forget first, look second: what is wanted from now on is either seen by the look or finds `next`
            // late enough to tell of itself.
            self.next.store(NEVER, SeqCst);
            let next = self.refill(&self.pools(), pace);
            self.look_at(next.unwrap_or_else(|| Instant::now() + NAP));
        }
        is_closed
    }

    /// Goes on after a panic, but not at once.
    fn recover(&self, has_panicked: &mut bool) {
        self.making.store(NEVER, SeqCst);
        self.look_at(Instant::now() + PATIENCE);
        if !std::mem::replace(has_panicked, true) {
            tracing::error!("preparing guests panicked; it goes on");
        }
    }

    fn look_at(&self, next: Instant) {
        self.next.fetch_min(self.nanos(next), SeqCst);
    }

    fn sleep(&self) {
        let mut crew = self.crew.lock();
        if !crew.closed && !self.called.load(SeqCst) {
            let wake = Duration::from_nanos(self.next.load(SeqCst)).min(self.born.elapsed() + NAP);
            self.changed.wait_until(&mut crew, self.born + wake);
        }
    }

    /// Takes a pool off the list of those with guests that wait for their end.
    fn next_spent(&self) -> Option<Arc<dyn Backstage>> {
        loop {
            let pool = self.spent.lock().pop_front()?;
            if let Some(pool) = pool.upgrade() {
                return Some(pool);
            }
        }
    }

    /// Returns the pools whose guests are made ready, and forgets those that are gone.
    fn pools(&self) -> Vec<Arc<dyn Backstage>> {
        let listed = Arc::clone(&self.crew.lock().pools);
        let pools: Vec<_> = listed.iter().filter_map(Weak::upgrade).collect();
        if pools.len() < listed.len() {
            drop(listed);
            Arc::make_mut(&mut self.crew.lock().pools).retain(|pool| pool.strong_count() > 0);
        }
        pools
    }

    /// Makes one guest if one is wanted and it is time to; answers when to look again.
    fn refill(&self, pools: &[Arc<dyn Backstage>], pace: &mut Pace) -> Option<Instant> {
        let now = Instant::now();
        let wanting = pools.iter().enumerate().filter_map(|(at, pool)| Some((pool.wants(now)?, at)));
        let mut wanting: Vec<_> = wanting.collect();
        let due = wanting.iter().map(|(due, _)| *due).min()?;
        if let Some(later) = pace.later(now, self.face.running() >= self.cores) {
            self.rest_until(later);
            return Some(due.max(later));
        }
        // Each in turn: the first one behind the one that was served last.
        let at_hand = |at: usize| (at + pools.len() - pace.served % pools.len() - 1) % pools.len();
        let is_behind = |due: Instant, at: usize| now < due + BEHIND && pools[at].is_failing();
        let due_now = wanting.iter().filter(|(due, _)| *due <= now);
        let Some(&(_, at)) = due_now.min_by_key(|(due, at)| (is_behind(*due, *at), at_hand(*at))) else {
            return Some(due);
        };
        self.make(&*pools[at], now);
        pace.made(at, now, Instant::now());
        self.rest_until(pace.rested);
        wanting.retain(|(_, other)| *other != at);
        // Who has come to want one meanwhile has called.
        let next = wanting.into_iter().map(|(due, _)| due).chain(pools[at].wants(pace.last)).min()?;
        Some(next.max(pace.rested))
    }

    fn make(&self, pool: &dyn Backstage, now: Instant) {
        self.making.store(self.nanos(now), SeqCst);
        pool.refill();
        self.making.store(NEVER, SeqCst);
    }

    fn rest_until(&self, later: Instant) {
        self.rested.store(self.nanos(later), SeqCst);
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.born).as_nanos()).unwrap_or(NEVER - 1)
    }
}

fn is_listed<'a>(
    pools: impl IntoIterator<Item = &'a Weak<dyn Backstage>>,
    pool: &Weak<dyn Backstage>,
) -> bool {
    pools.into_iter().any(|known| std::ptr::addr_eq(known.as_ptr(), pool.as_ptr()))
}

/// How fast guests are made.
struct Pace {
    /// The last one was made then.
    last: Instant,
    /// None is made before.
    rested: Instant,
    /// Where the pool stands that it was for.
    served: usize,
}

impl Pace {
    fn new() -> Self {
        let now = Instant::now();
        Self { last: now, rested: now, served: 0 }
    }

    /// Answers when to look again, if now is not the time.
    fn later(&self, now: Instant, is_busy: bool) -> Option<Instant> {
        if now < self.rested {
            return Some(self.rested);
        }
        let is_patient = is_busy && now < self.last + PATIENCE;
        is_patient.then_some(now + LOOK)
    }

    /// Notes that one was made: as long as it took, none is made after, but others do not wait for ever.
    fn made(&mut self, at: usize, from: Instant, to: Instant) {
        self.served = at;
        self.last = to;
        self.rested = to + to.duration_since(from).min(PATIENCE);
    }
}
