//! Jitter: the same everywhere, below its bound, and even.

use std::time::Duration;

use super::ms;
use crate::schedule::Jitter;

const MINUTE: i64 = 60_000;

fn delays(jitter: Jitter, trigger: &str, count: i64) -> Vec<u64> {
    let start = ms("2026-11-25T03:00:00Z");
    let ticks = (0..count).map(|n| start + n * MINUTE);
    ticks.map(|tick| u64::try_from(jitter.delay(trigger, tick).as_millis()).unwrap()).collect()
}

/// Sums the squared distances from what is expected, in parts of it.
fn chi_square(counts: &[u32], total: u32) -> f64 {
    let expected = f64::from(total) / counts.len() as f64;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

#[test]
fn a_delay_is_the_same_on_every_machine_and_in_every_build() {
    let jitter = Jitter::below(Duration::from_secs(600));
    let tick = ms("2026-11-25T03:00:00Z");
    assert_eq!(jitter.delay("nightly", tick), Duration::from_millis(452_240));
    assert_ne!(jitter.delay("nightly", tick), jitter.delay("weekly", tick));
    assert_ne!(jitter.delay("nightly", tick), jitter.delay("nightly", tick + MINUTE));
}

#[test]
fn a_delay_is_below_the_bound() {
    assert!(delays(Jitter::default(), "a", 100).iter().all(|delay| *delay == 0));
    assert!(delays(Jitter::below(Duration::from_millis(1)), "a", 100).iter().all(|delay| *delay == 0));
    let three = delays(Jitter::below(Duration::from_millis(3)), "a", 100);
    assert_eq!((three.iter().min(), three.iter().max()), (Some(&0), Some(&2)));
    assert!(Jitter::below(Duration::MAX).delay("a", 0) < Duration::MAX);
}

#[test]
fn delays_of_one_trigger_are_spread_evenly() {
    let mut counts = [0_u32; 100];
    for delay in delays(Jitter::below(Duration::from_secs(100)), "nightly", 20_000) {
        counts[usize::try_from(delay / 1000).unwrap()] += 1;
    }
    // With 99 degrees of freedom one in a thousand is over 148, and one in a thousand under 61.
    let distance = chi_square(&counts, 20_000);
    assert!((61.0..148.0).contains(&distance), "{distance}");
}

#[test]
fn triggers_of_one_tick_are_spread_evenly() {
    let jitter = Jitter::below(Duration::from_secs(64));
    let mut counts = [0_u32; 64];
    for n in 0..10_000 {
        let delay = jitter.delay(&format!("tenant-{n}"), ms("2026-11-25T00:00:00Z"));
        counts[usize::try_from(delay.as_secs()).unwrap()] += 1;
    }
    // 63 degrees of freedom.
    let distance = chi_square(&counts, 10_000);
    assert!((34.0..104.0).contains(&distance), "{distance}");
}

#[test]
fn one_delay_does_not_tell_the_next() {
    let delays = delays(Jitter::below(Duration::from_secs(8)), "nightly", 20_001);
    let mut pairs = [0_u32; 64];
    for pair in delays.windows(2) {
        pairs[usize::try_from(pair[0] / 1000 * 8 + pair[1] / 1000).unwrap()] += 1;
    }
    let distance = chi_square(&pairs, 20_000);
    assert!((34.0..104.0).contains(&distance), "{distance}");
}
