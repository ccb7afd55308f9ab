//! Ticks that were missed, and what they are called.

use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

use super::{cron, ms};
use crate::schedule::{Every, Schedule, tick_name};

fn nightly() -> Schedule {
    cron("30 2 * * *", "Europe/Berlin").into()
}

#[test]
fn missed_ticks_come_oldest_first_and_with_the_end() {
    let (from, to) = (ms("2026-03-27T02:30+01"), ms("2026-03-30T02:30+02"));
    let expected = ["2026-03-28T02:30+01", "2026-03-29T03:00+02", "2026-03-30T02:30+02"].map(ms);
    assert_eq!(nightly().ticks_between(from, to, 10).collect::<Vec<_>>(), expected);
    assert_eq!(nightly().ticks_between(from, to - 1, 10).collect::<Vec<_>>(), expected[..2]);
    assert_eq!(nightly().ticks_between(from - 1, to, 1).collect::<Vec<_>>(), [from]);
}

#[test]
fn no_more_ticks_are_looked_for_than_wanted() {
    let every = Schedule::from(Every::new(Duration::from_secs(1)).unwrap());
    assert_eq!(every.ticks_between(i64::MIN, i64::MAX - 1000, 3).count(), 3);
    assert_eq!(every.ticks_between(0, 10_000, 0).count(), 0);
    assert_eq!(every.ticks_between(10_000, 0, 5).count(), 0);
}

#[test]
fn the_newest_missed_tick_is_found_in_any_time() {
    let (from, to) = (ms("2026-01-01T00:00Z"), ms("2026-03-29T03:10+02"));
    assert_eq!(nightly().last_between(from, to), Some(ms("2026-03-29T03:00+02")));
    assert_eq!(nightly().last_between(i64::MIN, to), Some(ms("2026-03-29T03:00+02")));
    let tick = ms("2026-03-29T03:00+02");
    assert_eq!(nightly().last_between(tick - 1, tick), Some(tick));
    assert_eq!(nightly().last_between(tick, tick + 1000), None);
    assert_eq!(nightly().last_between(to, from), None);
    let every = Schedule::from(Every::new(Duration::from_secs(7)).unwrap());
    assert_eq!(every.last_between(i64::MIN, 20_000), Some(14_000));
}

#[test]
fn a_tick_is_named_by_its_moment_in_utc() {
    assert_eq!(tick_name("nightly", ms("2026-11-25T04:00+01")), "nightly@2026-11-25T03:00:00Z");
    assert_eq!(tick_name("n", ms("2026-11-25T03:00:01.500Z")), "n@2026-11-25T03:00:01.5Z");
    assert_eq!(tick_name("n", ms("1969-12-31T23:59:59Z")), "n@1969-12-31T23:59:59Z");
    assert_eq!(tick_name("n", i64::MAX), "n@9223372036854775807ms");
}

#[test]
fn both_passes_of_a_repeated_hour_have_names_of_their_own() {
    let hourly = Schedule::from(cron("@hourly", "Europe/Berlin"));
    let ticks = hourly.ticks_between(ms("2026-10-25T01:30+02"), ms("2026-10-25T02:30+01"), 10);
    let names: Vec<_> = ticks.map(|tick| tick_name("h", tick)).collect();
    assert_eq!(names, ["h@2026-10-25T00:00:00Z", "h@2026-10-25T01:00:00Z"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_newest_is_the_last_of_all(from in 0..2_000_000_000_000_i64, len in 0..864_000_000_i64) {
        let schedule = Schedule::from(cron("*/17 1-4,20 * * *", "America/New_York"));
        let all = schedule.ticks_between(from, from + len, usize::MAX).last();
        prop_assert_eq!(schedule.last_between(from, from + len), all);
    }
}
