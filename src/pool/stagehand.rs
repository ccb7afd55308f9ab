//! Works behind the scenes of one runtime: makes guests before their events come, clears large ones away after.
//!
//! A [`Stagehand`] is one thread, started with the first pool that has work for it. It promises to leave the
//! processor to running events: making guests takes half a core at most, and while as many events run as there
//! are cores it makes one only now and then. When it is closed it makes no more, clears what is left, and ends.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::clock::Face;
use crate::pool::Pool;

/// The longest sleep, so that the thread notices pools that are gone.
const NAP: Duration = Duration::from_secs(60);
/// How often it looks whether the machine is still busy.
const LOOK: Duration = Duration::from_millis(2);
/// How long it gives way to running events at most: one that is never helped stays slow.
const PATIENCE: Duration = Duration::from_millis(50);

/// Works behind the scenes of one runtime.
pub(crate) struct Stagehand {
    face: Arc<Face>,
    cores: usize,
    /// There is something new to look at.
    called: AtomicBool,
    works: AtomicBool,
    crew: Mutex<Crew>,
    changed: Condvar,
}

#[derive(Default)]
struct Crew {
    pools: Vec<Weak<dyn Backstage>>,
    thread: Option<thread::JoinHandle<()>>,
    closed: bool,
}

/// What the stagehand needs of a pool.
pub(crate) trait Backstage: Send + Sync {
    /// Drops a guest that waits for its end; tells whether there was one.
    fn clear_one(&self) -> bool;
    /// Tells from when on a guest is to be made.
    fn wants(&self, now: Instant) -> Option<Instant>;
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

    fn refill(&self) {
        Self::refill(self);
    }
}

impl Stagehand {
    /// `face` tells how many guests run.
    pub(crate) fn new(face: Arc<Face>) -> Arc<Self> {
        Arc::new(Self {
            face,
            cores: thread::available_parallelism().map_or(1, std::num::NonZero::get),
            called: AtomicBool::new(false),
            works: AtomicBool::new(false),
            crew: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Takes a pool into its care; starts the thread with the first one.
    pub(super) fn enlist(self: &Arc<Self>, pool: Weak<dyn Backstage>) {
        let mut crew = self.crew.lock();
        if crew.closed {
            return;
        }
        crew.pools.retain(|known| known.strong_count() > 0);
        if !crew.pools.iter().any(|known| std::ptr::addr_eq(known.as_ptr(), pool.as_ptr())) {
            crew.pools.push(pool);
        }
        if crew.thread.is_none() {
            let stagehand = Arc::clone(self);
            let thread = thread::Builder::new().name("fnhost-prepare".into()).spawn(move || stagehand.run());
            // Without the thread events make and drop their guests themselves: slower, never wrong.
            crew.thread =
                thread.inspect_err(|error| tracing::warn!(%error, "no thread to prepare guests")).ok();
            self.works.store(crew.thread.is_some(), SeqCst);
        }
        drop(crew);
        self.call();
    }

    /// Tells whether somebody clears away what is handed over.
    pub(super) fn works(&self) -> bool {
        self.works.load(SeqCst)
    }

    /// Has it look for work.
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
        self.called.swap(false, SeqCst)
    }

    /// Clears one guest away on the calling thread, whosever it is; tells whether there was one.
    pub(super) fn clear_one(&self) -> bool {
        self.works() && self.pools().0.iter().any(|pool| pool.clear_one())
    }

    /// Makes no more guests, and lets the thread end.
    pub(crate) fn close(&self) {
        self.crew.lock().closed = true;
        self.works.store(false, SeqCst);
        self.changed.notify_one();
    }

    /// Takes the thread, to be waited for after [`close`](Self::close).
    pub(crate) fn take_thread(&self) -> Option<thread::JoinHandle<()>> {
        self.crew.lock().thread.take()
    }

    fn run(&self) {
        let mut pace = Pace::new();
        loop {
            self.called.store(false, SeqCst);
            let (pools, closed) = self.pools();
            for pool in &pools {
                while pool.clear_one() {}
            }
            if closed {
                return;
            }
            let next = self.refill(&pools, &mut pace);
            drop(pools);
            let mut crew = self.crew.lock();
            if !crew.closed && !self.called.load(SeqCst) {
                let now = Instant::now();
                self.changed.wait_until(&mut crew, next.unwrap_or(now + NAP).min(now + NAP));
            }
        }
    }

    fn pools(&self) -> (Vec<Arc<dyn Backstage>>, bool) {
        let crew = self.crew.lock();
        (crew.pools.iter().filter_map(Weak::upgrade).collect(), crew.closed)
    }

    /// Makes one guest if one is wanted and it is time to; answers when to look again.
    fn refill(&self, pools: &[Arc<dyn Backstage>], pace: &mut Pace) -> Option<Instant> {
        let now = Instant::now();
        let wanting = || pools.iter().enumerate().filter_map(|(at, pool)| Some((pool.wants(now)?, at)));
        let due = wanting().map(|(due, _)| due).min()?;
        if let Some(later) = pace.later(now, self.face.running() >= self.cores) {
            return Some(due.max(later));
        }
        // Each in turn: the first one behind the one that was served last.
        let at_hand = |at: usize| (at + pools.len() - pace.served % pools.len() - 1) % pools.len();
        let next = wanting().filter(|(due, _)| *due <= now).min_by_key(|(_, at)| at_hand(*at));
        let Some((_, at)) = next else { return Some(due) };
        pools[at].refill();
        pace.made(at, now, Instant::now());
        Some(pace.rested)
    }
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

    /// Notes that one was made: as long as it took, none is made after.
    fn made(&mut self, at: usize, from: Instant, to: Instant) {
        self.served = at;
        self.last = to;
        self.rested = to + to.duration_since(from);
    }
}
