//! Even intervals: where their ticks lie.

use std::time::Duration;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::ms;
use crate::schedule::{Every, Schedule};

fn every(period: Duration) -> Every {
    Every::new(period).unwrap()
}

#[test]
fn ticks_lie_at_multiples_of_the_period_since_the_epoch() {
    let every = every(Duration::from_secs(300));
    assert_eq!(every.next_after(ms("2026-11-25T03:02:11Z")), Some(ms("2026-11-25T03:05:00Z")));
    assert_eq!(every.next_after(ms("2026-11-25T03:05:00Z")), Some(ms("2026-11-25T03:10:00Z")));
    assert_eq!(every.next_after(-1), Some(0));
    assert_eq!(every.next_after(-300_000), Some(0));
    assert_eq!(every.next_after(-300_001), Some(-300_000));
}

#[test]
fn an_anchor_moves_the_ticks_before_and_behind_it() {
    let every = every(Duration::from_secs(3600)).anchored_at(ms("2026-11-25T03:20:00Z"));
    assert_eq!(every.next_after(ms("2026-11-25T03:00:00Z")), Some(ms("2026-11-25T03:20:00Z")));
    assert_eq!(every.next_after(ms("1969-12-31T00:00:00Z")), Some(ms("1969-12-31T00:20:00Z")));
    assert_eq!(every.next_after(ms("2100-01-01T00:20:00Z")), Some(ms("2100-01-01T01:20:00Z")));
}

#[test]
fn a_period_has_bounds_and_is_no_finer_than_a_tick() {
    let said = |period| Every::new(period).map(|_| ()).map_err(|fault| fault.to_string());
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(said(Duration::from_secs(1)), Ok(()));
    assert_eq!(said(day * 366), Ok(()));
    assert_eq!(
        said(Duration::from_millis(999)),
        Err("a period of 999ms is not allowed; give 1s to 366 days".into())
    );
    assert!(said(Duration::ZERO).is_err() && said(day * 367).is_err() && said(Duration::MAX).is_err());
    assert_eq!(
        said(Duration::from_micros(1_000_500)),
        Err("a period of 1.0005s is too fine; give whole milliseconds".into())
    );
}

#[test]
fn it_ends_where_the_number_does() {
    let every = every(Duration::from_secs(1)).anchored_at(i64::MIN);
    assert_eq!(every.next_after(i64::MAX), None);
    assert!(every.next_after(i64::MIN).is_some_and(|tick| tick > i64::MIN));
    assert_eq!(Schedule::from(every).to_string(), "every 1s");
}

proptest! {
    #[test]
    fn the_next_tick_is_on_the_grid_and_within_a_period(
        step in 1000..=31_622_400_000_i64,
        anchor in any::<i64>(),
        after in -1_000_000_000_000_000..1_000_000_000_000_000_i64,
    ) {
        let every = every(Duration::from_millis(step.unsigned_abs())).anchored_at(anchor);
        let tick = every.next_after(after).unwrap();
        prop_assert!(tick > after && tick - after <= step);
        prop_assert_eq!((i128::from(tick) - i128::from(anchor)) % i128::from(step), 0);
    }
}
