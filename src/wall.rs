//! The time of day: the system's, or one that is moved by hand.
//!
//! It promises that who waits for a moment goes on soon after it, also when the system's clock is set. Deadlines of
//! invocations do not stand here but on the [`clock`](crate::clock), which nobody can set.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::clock::{Cut, Face};

/// How long a wait for the system's time goes on without looking at it again, as somebody may set it.
const LOOK: Duration = Duration::from_secs(30);

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// A moment: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the time since an earlier moment; none if it is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Writes the moment as RFC 3339 does, in UTC and with milliseconds.
    pub(crate) fn to_rfc3339(self) -> String {
        let (days, ms) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = date(days);
        let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
        let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }

    pub(crate) fn time(self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0)).unwrap_or(UNIX_EPOCH)
    }
}

/// Tells the date of a day since the Unix epoch, by the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the day that may be missing is the last one.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + next, month, day)
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The time of day; a cheap clone.
#[derive(Clone)]
pub(crate) enum Wall {
    System(Arc<Face>),
    Manual(ManualClock),
}

impl Wall {
    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::System(_) => SystemTime::now().into(),
            Self::Manual(clock) => Moment(clock.0.lock().now),
        }
    }

    /// Waits until a moment; for ever once the runtime ends.
    pub(crate) async fn until(&self, at: Moment) {
        match self {
            Self::System(face) => until(face, at).await,
            Self::Manual(clock) => clock.until(at).await,
        }
    }
}

async fn until(face: &Face, at: Moment) {
    loop {
        let left = at.since(SystemTime::now().into());
        if left.is_zero() {
            return;
        }
        let nap = Instant::now() + left.min(LOOK);
        if face.race(nap, pin!(pending::<()>())).await == Err(Cut::Cancelled) {
            pending::<()>().await;
        }
    }
}

/// A time of day that stands still until it is moved: for tests of what happens hours from now.
///
/// Delivery goes on by itself, on threads of its own. So before a test moves the clock, it waits until all that is due
/// now is settled: until the moment that is waited for is the one that it expects, such as the next tick or the end of
/// a pause.
///
/// ```no_run
/// # use std::time::{Duration, SystemTime};
/// # use fnhost::testing::ManualClock;
/// # let clock = ManualClock::at(SystemTime::UNIX_EPOCH);
/// let tick = clock.now() + Duration::from_secs(3600);
/// while clock.next_wait() != Some(tick) {
///     std::thread::yield_now();
/// }
/// clock.advance(Duration::from_secs(3600));
/// ```
///
/// The example `nightly` does so, with a limit on the waiting.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use fnhost::testing::ManualClock;
///
/// let clock = ManualClock::at(SystemTime::UNIX_EPOCH);
/// let runtime = fnhost::Runtime::builder().clock(&clock).build()?;
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(3600));
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Hand>>);

struct Hand {
    now: u64,
    next_id: u64,
    waiting: BTreeMap<(u64, u64), Waker>,
}

impl ManualClock {
    /// Makes a clock that stands at a moment.
    pub fn at(time: SystemTime) -> Self {
        let now = Moment::from(time).0;
        Self(Arc::new(Mutex::new(Hand { now, next_id: 0, waiting: BTreeMap::new() })))
    }

    /// Returns the moment at which the clock stands.
    pub fn now(&self) -> SystemTime {
        Moment(self.0.lock().now).time()
    }

    /// Moves the clock on, and lets go on whoever waited for a moment up to then.
    pub fn advance(&self, time: Duration) {
        let due = {
            let mut hand = self.0.lock();
            hand.now = Moment(hand.now).plus(time).0;
            let beyond = (hand.now.saturating_add(1), 0);
            let later = hand.waiting.split_off(&beyond);
            std::mem::replace(&mut hand.waiting, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// Returns the next moment that somebody waits for; none if nobody waits.
    pub fn next_wait(&self) -> Option<SystemTime> {
        let hand = self.0.lock();
        hand.waiting.keys().next().map(|(at, _)| Moment(*at).time())
    }

    async fn until(&self, at: Moment) {
        let mut wait = Wait { clock: self, at: at.0, id: None };
        poll_fn(|cx| wait.poll(cx.waker())).await;
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

/// Waits for a moment; dropping it takes that back.
struct Wait<'a> {
    clock: &'a ManualClock,
    at: u64,
    id: Option<u64>,
}

impl Wait<'_> {
    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let mut hand = self.clock.0.lock();
        if hand.now >= self.at {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            hand.next_id += 1;
            hand.next_id
        });
        hand.waiting.insert((self.at, id), waker.clone());
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let removed = self.clock.0.lock().waiting.remove(&(self.at, id));
            drop(removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::block_on::block_on;
    use crate::clock::Clock;

    #[test]
    fn who_waits_by_hand_goes_on_when_the_clock_is_moved_there() {
        let clock = ManualClock::at(UNIX_EPOCH);
        let wall = Wall::Manual(clock.clone());
        let waiting = thread::spawn(move || {
            block_on(wall.until(Moment(500)));
            wall.now()
        });
        while clock.next_wait().is_none() {
            thread::yield_now();
        }
        clock.advance(Duration::from_millis(499));
        assert_eq!(clock.next_wait(), Some(Moment(500).time()));
        clock.advance(Duration::from_millis(1));
        assert_eq!(waiting.join().unwrap(), Moment(500));
        assert_eq!(clock.next_wait(), None);
    }

    #[test]
    fn a_wait_that_is_dropped_is_forgotten() {
        let clock = ManualClock::at(UNIX_EPOCH);
        let mut wait = Box::pin(clock.until(Moment(5)));
        let mut cx = std::task::Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        assert!(clock.next_wait().is_some());
        drop(wait);
        assert_eq!(clock.next_wait(), None);
    }

    #[test]
    fn moments_are_written_as_dates() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_210_096_007, "2024-02-29T12:34:56.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_798_761_599_000, "2026-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Moment(ms).to_rfc3339(), text);
        }
    }

    #[test]
    fn the_systems_time_is_waited_for() {
        let clock = Clock::start(1, || ()).unwrap();
        let wall = Wall::System(Arc::clone(clock.face()));
        let at = wall.now().plus(Duration::from_millis(20));
        block_on(wall.until(at));
        assert!(wall.now() >= at);
    }
}
