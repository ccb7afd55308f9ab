//! How many in a time, and how many of them at once.
//!
//! A [`Bucket`] promises that in any time `t` no more than `burst + t * rate` are let in, and that who is refused is
//! told when there is room again. Nobody waits in it, nobody is remembered, and refusing costs nothing. It knows
//! no clock: whoever asks says what time it is.
//!
//! All it keeps is one number, the moment at which the bucket would be full again if nobody came; each one who is
//! let in moves it on by the time that the rate gives to one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How many in a time, and how many of them at once.
///
/// ```
/// use fnhost::Rate;
///
/// let rate = Rate::per_second(500).burst(50);
/// assert_eq!(rate.to_string(), "500 in 1s, 50 at once");
/// assert_eq!(Rate::per_minute(6), Rate::per_minute(6).burst(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a rate bounds nothing until it is set somewhere"]
pub struct Rate {
    count: u32,
    period: Duration,
    burst: u32,
}

impl Rate {
    /// Allows so many in each second, and unless [`burst`](Self::burst) says otherwise as many at once.
    pub const fn per_second(count: u32) -> Self {
        Self { count, period: Duration::from_secs(1), burst: count }
    }

    /// Allows so many in each minute, and unless [`burst`](Self::burst) says otherwise a second's share at once,
    /// one at least.
    pub const fn per_minute(count: u32) -> Self {
        let share = count / 60;
        Self { count, period: Duration::from_secs(60), burst: if share == 0 { 1 } else { share } }
    }

    /// Sets how many may come at once after a time without any; by default a second's share.
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Says what cannot work.
    pub(crate) fn check(self) -> Result<(), String> {
        match (self.count, self.burst) {
            (0, _) => Err("a rate of 0 lets nothing in; give at least 1, or take the route away".into()),
            (_, 0) => Err("a burst of 0 lets nothing in; give at least 1".into()),
            _ => Ok(()),
        }
    }

    /// Returns the time that the rate gives to one, in nanoseconds; rounded up, so that it is never exceeded.
    fn interval(self) -> u64 {
        let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        period.div_ceil(u64::from(self.count.max(1)))
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}, {} at once", self.count, self.period, self.burst)
    }
}

/// Lets in at a rate; one word, no lock.
#[derive(Debug)]
pub(crate) struct Bucket {
    since: Instant,
    interval: u64,
    /// How far ahead of the time the word may be.
    most: u64,
    /// When the bucket is full again, in nanoseconds since it was made.
    full_at: AtomicU64,
}

impl Bucket {
    /// Makes a full bucket.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let interval = rate.interval();
        let most = interval.saturating_mul(u64::from(rate.burst));
        Self { since: now, interval, most, full_at: AtomicU64::new(0) }
    }

    /// Takes one, or answers when there is one again.
    pub(crate) fn try_take(&self, now: Instant) -> Result<(), Duration> {
        let now = self.nanos(now);
        // The word guards nothing but itself.
        let mut full_at = self.full_at.load(Relaxed);
        loop {
            let next = full_at.max(now).saturating_add(self.interval);
            if next - now > self.most {
                return Err(Duration::from_nanos(next - now - self.most));
            }
            match self.full_at.compare_exchange_weak(full_at, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => full_at = current,
            }
        }
    }

    /// Tells the time since the bucket was made; enough for five hundred years.
    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.since).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn taken(bucket: &Bucket, now: Instant, tries: usize) -> usize {
        (0..tries).filter(|_| bucket.try_take(now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let bucket = Bucket::new(Rate::per_second(100).burst(5), start);
        assert_eq!(taken(&bucket, start, 10), 5);
        assert_eq!(bucket.try_take(start), Err(ms(10)));
        assert_eq!(taken(&bucket, start + ms(9), 10), 0);
        assert_eq!(taken(&bucket, start + ms(10), 10), 1);
        assert_eq!(taken(&bucket, start + ms(35), 10), 2);
        assert_eq!(bucket.try_take(start + ms(35)), Err(ms(5)), "what has been refused costs nothing");
    }

    #[test]
    fn a_long_rest_fills_it_to_the_burst_and_no_further() {
        let start = Instant::now();
        let bucket = Bucket::new(Rate::per_minute(60).burst(3), start);
        assert_eq!(taken(&bucket, start, 10), 3);
        assert_eq!(taken(&bucket, start + Duration::from_secs(86_400), 10), 3);
    }

    #[test]
    fn time_that_runs_backwards_lets_nobody_in_early() {
        let start = Instant::now();
        let bucket = Bucket::new(Rate::per_second(10).burst(1), start);
        assert_eq!(bucket.try_take(start + ms(1_000)), Ok(()));
        assert_eq!(bucket.try_take(start), Err(ms(1_100)));
    }

    #[test]
    fn the_default_burst_is_a_seconds_share() {
        for (rate, burst) in [(Rate::per_second(7), 7), (Rate::per_minute(120), 2), (Rate::per_minute(1), 1)]
        {
            let start = Instant::now();
            assert_eq!(taken(&Bucket::new(rate, start), start, 100), burst, "{rate}");
        }
    }

    #[test]
    fn what_lets_nothing_in_is_refused() {
        assert!(Rate::per_second(0).check().unwrap_err().contains("at least 1"));
        assert!(Rate::per_second(1).burst(0).check().unwrap_err().contains("burst of 0"));
        assert!(Rate::per_minute(1).check().is_ok());
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let start = Instant::now();
        for rate in [Rate::per_minute(1).burst(u32::MAX), Rate::per_second(u32::MAX)] {
            let bucket = Bucket::new(rate, start);
            assert_eq!(taken(&bucket, start, 1_000), 1_000);
            assert!(bucket.try_take(start + Duration::from_secs(1 << 40)).is_ok());
        }
    }

    #[test]
    fn threads_together_get_no_more_than_one_would() {
        let start = Instant::now();
        let bucket = Bucket::new(Rate::per_second(1).burst(1_000), start);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&bucket, start, 1_000))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_never_gives_more_than_the_rate_and_its_word_holds(
            count in 1..2_000_u32,
            burst in 1..100_u32,
            steps in proptest::collection::vec(any::<u16>(), 1..200),
        ) {
            let start = Instant::now();
            let bucket = Bucket::new(Rate::per_second(count).burst(burst), start);
            let (mut now, mut passed) = (start, 0_u128);
            for step in steps {
                now += Duration::from_micros(u64::from(step) / 4);
                match bucket.try_take(now) {
                    Ok(()) => passed += 1,
                    Err(retry_after) => {
                        prop_assert!(retry_after <= Duration::from_nanos(bucket.interval));
                        prop_assert_eq!(bucket.try_take(now + retry_after - Duration::from_nanos(1)).is_ok(), false);
                    }
                }
                let earned = (now - start).as_nanos() * u128::from(count) / 1_000_000_000;
                prop_assert!(passed <= u128::from(burst) + earned);
            }
        }
    }
}
