//! The runtime's clock: one thread that rings alarms and beats while guests run.
//!
//! It promises that an [`Alarm`] wakes its task at its time even if nobody polls in between, that the beat
//! comes each millisecond while something counts as running, and that a cancelled clock cuts off everything
//! that waits on it. It does not start a thread for each runtime's guest, and it never runs code of a guest.
//!
//! Deadlines stand here and not on an async runtime's timers: those panic when they are polled while their
//! runtime ends, cost four times as much to arm, and would need that runtime even for a host that has none.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::utils::CachePadded;
use parking_lot::{Condvar, Mutex, MutexGuard};

/// The time between two beats, and so a guest's slice.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// How long the beat goes on after the last guest, so that a steady load does not park and unpark the thread.
const LINGER: Duration = Duration::from_millis(100);
/// Stands for "no alarm is set".
const FAR: Duration = Duration::from_secs(3600);

/// Why waiting was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The deadline passed.
    Deadline,
    /// The runtime cancels what is left.
    Cancelled,
}

/// Owns the thread; dropping it cancels everything and ends the thread once nothing runs.
pub(crate) struct Clock {
    face: Arc<Face>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// What everybody may look at.
pub(crate) struct Face {
    alarms: Mutex<Alarms>,
    changed: Condvar,
    cancelled: AtomicBool,
    parked: AtomicBool,
    running: Box<[CachePadded<AtomicUsize>]>,
}

#[derive(Default)]
struct Alarms {
    set: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
    wakes_at: Option<Instant>,
    closed: bool,
}

impl Clock {
    /// Starts the thread; `lanes` is how many counters of running guests there are, `beat` is called each tick.
    pub(crate) fn start(lanes: usize, beat: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let face = Arc::new(Face {
            alarms: Mutex::default(),
            changed: Condvar::new(),
            cancelled: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            running: (0..lanes.max(1)).map(|_| CachePadded::default()).collect(),
        });
        let seen = Arc::clone(&face);
        let thread = thread::Builder::new().name("fnhost-clock".into()).spawn(move || tick(&seen, beat))?;
        Ok(Self { face, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn face(&self) -> &Arc<Face> {
        &self.face
    }

    /// Cancels everything and lets the thread end once nothing runs.
    pub(crate) fn close(&self) {
        self.face.cancel();
        self.face.alarms.lock().closed = true;
        self.face.changed.notify_all();
    }

    /// Takes the thread, to be waited for after [`close`](Self::close).
    pub(crate) fn take_thread(&self) -> Option<thread::JoinHandle<()>> {
        self.thread.lock().take()
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.close();
    }
}

impl Face {
    /// Cuts off everything that waits, now and from now on.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, SeqCst);
        let rung = std::mem::take(&mut self.alarms.lock().set);
        rung.into_values().for_each(Waker::wake);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(SeqCst)
    }

    /// Makes an alarm that is set when it is first polled.
    pub(crate) fn alarm(&self, at: Instant) -> Alarm<'_> {
        Alarm { face: self, at, set: None }
    }

    /// Has something woken at a time, or when the clock is cancelled; none if it is.
    pub(crate) fn remind(self: &Arc<Self>, at: Instant, waker: &Waker) -> Option<Reminder> {
        let id = self.set(at, None, waker)?;
        Some(Reminder { face: Arc::clone(self), at, id })
    }

    fn unset(&self, at: Instant, id: u64) {
        let removed = self.alarms.lock().set.remove(&(at, id));
        drop(removed);
    }

    /// Waits for the future, but only until the deadline.
    ///
    /// The alarm is set when the future first has to wait, so a future that is ready at once costs nothing.
    /// It is taken pinned, as moving a large future costs more than polling it.
    pub(crate) fn race<F: Future>(
        &self,
        deadline: Instant,
        mut future: Pin<&mut F>,
    ) -> impl Future<Output = Result<F::Output, Cut>> {
        let mut alarm = self.alarm(deadline);
        poll_fn(move |cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => alarm.poll(cx).map(Err),
        })
    }

    /// Counts one as running until the answer is dropped; none once the clock is cancelled.
    pub(crate) fn run(&self, lane: usize) -> Option<Running<'_>> {
        let count = &self.running[lane % self.running.len()];
        count.fetch_add(1, SeqCst);
        let running = Running(count);
        // Counted first, looked second: whoever ends the threads cancels first and then waits for the counts,
        // so either we see the flag or they see us.
        if self.is_cancelled() {
            return None;
        }
        if self.parked.load(SeqCst) {
            drop(self.alarms.lock());
            self.changed.notify_all();
        }
        Some(running)
    }

    /// Tells how many count as running.
    pub(crate) fn running(&self) -> usize {
        self.running.iter().map(|count| count.load(SeqCst)).sum()
    }

    /// Tells whether anything counts as running.
    pub(crate) fn is_running(&self) -> bool {
        self.running.iter().any(|count| count.load(SeqCst) > 0)
    }

    fn set(&self, at: Instant, id: Option<u64>, waker: &Waker) -> Option<u64> {
        let mut alarms = self.alarms.lock();
        if self.is_cancelled() {
            return None;
        }
        let id = id.unwrap_or_else(|| {
            alarms.next_id += 1;
            alarms.next_id
        });
        match alarms.set.get_mut(&(at, id)) {
            Some(known) => known.clone_from(waker),
            None => drop(alarms.set.insert((at, id), waker.clone())),
        }
        if alarms.wakes_at.is_some_and(|wakes| at < wakes) {
            self.changed.notify_all();
        }
        Some(id)
    }
}

/// Counts as running while it lives.
#[must_use]
pub(crate) struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Rings at its time; dropping it takes it back.
pub(crate) struct Alarm<'a> {
    face: &'a Face,
    at: Instant,
    set: Option<u64>,
}

impl Alarm<'_> {
    /// Answers why to stop waiting, or has the task woken then.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Cut> {
        if self.face.is_cancelled() {
            return Poll::Ready(Cut::Cancelled);
        }
        if Instant::now() >= self.at {
            return Poll::Ready(Cut::Deadline);
        }
        self.set = self.face.set(self.at, self.set, cx.waker());
        if self.set.is_none() { Poll::Ready(Cut::Cancelled) } else { Poll::Pending }
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.set {
            self.face.unset(self.at, id);
        }
    }
}

/// Something that is woken at its time, whoever holds this; dropping it takes it back.
pub(crate) struct Reminder {
    face: Arc<Face>,
    at: Instant,
    id: u64,
}

impl Drop for Reminder {
    fn drop(&mut self) {
        self.face.unset(self.at, self.id);
    }
}

fn tick(face: &Face, beat: impl Fn()) {
    let mut next_beat = Instant::now();
    let mut last_run = next_beat;
    let mut alarms = face.alarms.lock();
    loop {
        let now = Instant::now();
        ring(&mut alarms, now);
        if face.is_running() {
            last_run = now;
        } else if alarms.closed {
            return;
        }
        let beating = now.duration_since(last_run) < LINGER;
        if beating && now >= next_beat {
            beat();
            next_beat = now + TICK;
        }
        if !beating {
            face.parked.store(true, SeqCst);
            if face.is_running() {
                face.parked.store(false, SeqCst);
                continue;
            }
        }
        let alarm = alarms.set.first_key_value().map_or(now + FAR, |((at, _), _)| *at);
        let wakes_at = if beating { alarm.min(next_beat) } else { alarm };
        alarms.wakes_at = Some(wakes_at);
        face.changed.wait_until(&mut alarms, wakes_at);
        alarms.wakes_at = None;
        face.parked.store(false, SeqCst);
    }
}

/// Wakes whoever is due, with the lock given back while it does.
fn ring(alarms: &mut MutexGuard<'_, Alarms>, now: Instant) {
    while let Some(due) = alarms.set.first_entry().filter(|first| first.key().0 <= now) {
        let waker = due.remove();
        MutexGuard::unlocked(alarms, || waker.wake());
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::block_on::block_on;

    #[test]
    fn an_alarm_rings_at_its_time_and_is_gone() {
        let clock = Clock::start(1, || ()).unwrap();
        let started = Instant::now();
        let cut = block_on(clock.face().race(started + Duration::from_millis(20), pin!(pending::<()>())));
        assert_eq!(cut, Err(Cut::Deadline));
        assert!(started.elapsed() >= Duration::from_millis(20));
        assert!(clock.face().alarms.lock().set.is_empty());
    }

    #[test]
    fn a_future_that_is_ready_sets_no_alarm() {
        let clock = Clock::start(1, || ()).unwrap();
        assert_eq!(block_on(clock.face().race(Instant::now(), pin!(async { 7 }))), Ok(7));
        assert_eq!(clock.face().alarms.lock().next_id, 0);
    }

    #[test]
    fn cancelling_cuts_off_who_waits_and_who_comes_later() {
        let clock = Clock::start(1, || ()).unwrap();
        let face = Arc::clone(clock.face());
        let waiting = thread::spawn(move || block_on(face.race(Instant::now() + FAR, pin!(pending::<()>()))));
        while clock.face().alarms.lock().set.is_empty() {
            thread::yield_now();
        }
        clock.face().cancel();
        assert_eq!(waiting.join().unwrap(), Err(Cut::Cancelled));
        assert_eq!(
            block_on(clock.face().race(Instant::now() + FAR, pin!(pending::<()>()))),
            Err(Cut::Cancelled)
        );
        assert!(clock.face().run(0).is_none());
    }

    #[test]
    fn it_beats_while_something_runs_and_parks_after() {
        let beats = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&beats);
        let beat = move || {
            counted.fetch_add(1, SeqCst);
        };
        let clock = Clock::start(1, beat).unwrap();
        let running = clock.face().run(0).unwrap();
        let before = beats.load(SeqCst);
        while beats.load(SeqCst) < before + 3 {
            thread::yield_now();
        }
        drop(running);
        while !clock.face().parked.load(SeqCst) {
            thread::yield_now();
        }
        let parked_at = beats.load(SeqCst);
        let _running = clock.face().run(0).unwrap();
        while beats.load(SeqCst) == parked_at {
            thread::yield_now();
        }
    }

    #[test]
    fn closing_ends_the_thread_only_after_the_last_run() {
        let clock = Clock::start(1, || ()).unwrap();
        let running = clock.face().run(0).unwrap();
        let thread = clock.take_thread().unwrap();
        clock.close();
        assert!(!thread.is_finished());
        drop(running);
        thread.join().unwrap();
    }
}
