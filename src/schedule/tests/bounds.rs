//! Ends of time, and how much work one answer may be.

use jiff::Timestamp;

use super::{cron, ms};
use crate::schedule::Cron;

/// Expressions that come as rarely as any can, or have most to look through.
const RARE: [&str; 6] =
    ["0 0 29 2 *", "0 0 29 2 MON#5", "0 0 ? 2 MON#5", "59 59 23 L-28 2 ?", "0 0 29W 2 ?", "* * * * * *"];

#[test]
fn a_tick_is_a_whole_second_behind_the_moment() {
    let every_second = cron("* * * * * *", "UTC");
    assert_eq!(every_second.next_after(0), Some(1000));
    assert_eq!(every_second.next_after(999), Some(1000));
    assert_eq!(every_second.next_after(1000), Some(2000));
    assert_eq!(every_second.next_after(-1), Some(0));
    assert_eq!(every_second.next_after(-1000), Some(0));
    assert_eq!(every_second.next_after(-1001), Some(-1000));
}

#[test]
fn time_has_ends_and_nothing_breaks_there() {
    for expression in RARE {
        for zone in ["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"] {
            let cron = cron(expression, zone);
            assert_eq!(cron.next_after(i64::MAX), None);
            assert_eq!(cron.next_after(ms("9999-12-30T22:00:00Z")), None);
            let first = cron.next_after(i64::MIN);
            assert!(first.is_some_and(|tick| tick > Timestamp::MIN.as_millisecond()), "{cron}: {first:?}");
        }
    }
}

#[test]
fn a_leap_day_that_is_rarest_is_found() {
    // 2096 is a leap year and 2100 is not: forty years between two of these.
    let cron = cron("0 0 ? 2 WED#5", "UTC");
    assert_eq!(cron.next_after(ms("2072-02-29T00:00Z")), Some(ms("2096-02-29T00:00Z")));
}

#[test]
fn days_that_a_zone_left_out_run_at_the_first_moment_behind() {
    // Samoa went from the 29th to the 31st of December 2011.
    let apia = |expression| cron(expression, "Pacific/Apia").next_after(ms("2011-12-29T23:59:59-10"));
    assert_eq!(apia("0 12 30 12 ?"), Some(ms("2011-12-31T00:00+14")));
    assert_eq!(apia("*/10 12 * * *"), Some(ms("2011-12-31T00:00+14")));
    assert_eq!(apia("0 */12 30 12 ?"), Some(ms("2012-12-30T00:00+14")));
}

#[test]
fn a_midnight_that_is_left_out_is_made_up_for() {
    // Cairo puts its clock forward at midnight, to one o'clock.
    let cairo = |expression| cron(expression, "Africa/Cairo").next_after(ms("2026-04-23T12:00+02"));
    assert_eq!(cairo("@daily"), Some(ms("2026-04-24T01:00+03")));
    assert_eq!(cairo("30 0 24 4 ?"), Some(ms("2026-04-24T01:00+03")));
}

#[test]
fn a_day_that_ends_twice_is_one_day() {
    // Cairo puts its clock back at midnight, to eleven at night.
    let cairo = |expression, after| cron(expression, "Africa/Cairo").next_after(ms(after));
    assert_eq!(cairo("30 23 * * *", "2026-10-29T23:30+03"), Some(ms("2026-10-30T23:30+02")));
    assert_eq!(cairo("30 * 29 10 ?", "2026-10-29T23:30+03"), Some(ms("2026-10-29T23:30+02")));
    assert_eq!(cairo("@daily", "2026-10-29T12:00+03"), Some(ms("2026-10-30T00:00+02")));
}

#[test]
fn what_is_even_longer_ago_is_told_in_the_offsets_of_then() {
    // Local mean time, with an offset of 53 minutes and 28 seconds.
    let cron = cron("0 0 * * *", "Europe/Berlin");
    assert_eq!(cron.next_after(ms("1880-01-01T12:00Z")), Some(ms("1880-01-01T23:06:32Z")));
}

#[test]
fn the_calendar_is_looked_through_once_before_an_expression_is_refused() {
    for month in 1..=12_u8 {
        let days = if month == 2 { 29 } else { 30 + u8::from([1, 3, 5, 7, 8, 10, 12].contains(&month)) };
        for day in 1..=31 {
            let parsed = Cron::parse(&format!("0 0 {day} {month} ?"), "UTC");
            assert_eq!(parsed.is_ok(), day <= days, "{day} of {month}");
        }
    }
}
