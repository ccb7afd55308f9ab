//! Random expressions, beside the oracle and against what must always hold.

use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{
    BoxedStrategy, Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::sample::select;

use super::cron;
use super::oracle::{Plan, Term};
use crate::schedule::Cron;

/// Zones, and moments around which they change their clocks, or do not.
const MIDDLES: &[(&str, &str)] = &[
    ("UTC", "2026-03-29T00:00Z"),
    ("Asia/Kolkata", "2026-10-25T00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00Z"),
    ("Europe/Berlin", "2028-02-29T01:00Z"),
    ("America/New_York", "2026-03-08T07:00Z"),
    ("America/New_York", "2026-11-01T06:00Z"),
    ("America/New_York", "2026-12-31T06:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    ("Africa/Cairo", "2026-04-23T22:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00Z"),
    ("America/St_Johns", "2006-10-29T02:31Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
    ("Pacific/Kwajalein", "1993-08-21T12:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00Z"),
];

fn plain(low: i8, high: i8, most_step: i8) -> BoxedStrategy<Term> {
    let (value, step) = (low..=high, 1..=most_step);
    prop_oneof![
        3 => Just(Term::Any),
        2 => step.clone().prop_map(Term::AnyStep),
        3 => value.clone().prop_map(Term::One),
        1 => (value.clone(), step.clone()).prop_map(|(value, step)| Term::OnwardsStep(value, step)),
        2 => (value.clone(), value.clone()).prop_map(|(low, high)| Term::Range(low, high)),
        1 => (value.clone(), value, step).prop_map(|(low, high, step)| Term::RangeStep(low, high, step)),
    ]
    .boxed()
}

fn list(term: impl Strategy<Value = Term> + 'static) -> BoxedStrategy<Vec<Term>> {
    vec(term, 1..=2).boxed()
}

fn days() -> BoxedStrategy<Vec<Term>> {
    list(prop_oneof![
        6 => plain(1, 31, 31),
        1 => Just(Term::Last),
        1 => (1..=30_i8).prop_map(Term::BeforeLast),
        1 => Just(Term::LastWorking),
        1 => (1..=31_i8).prop_map(Term::Nearest),
        // Most of the time there would be no tick otherwise.
        6 => Just(Term::Any),
    ])
}

fn weekdays() -> BoxedStrategy<Vec<Term>> {
    list(prop_oneof![
        6 => plain(0, 6, 7),
        1 => (0..=6_i8, 1..=5_i8).prop_map(|(weekday, nth)| Term::Nth(weekday, nth)),
        1 => (0..=6_i8).prop_map(Term::LastOf),
        4 => Just(Term::Any),
    ])
}

fn hours() -> BoxedStrategy<Vec<Term>> {
    // Where the clock is changed.
    list(prop_oneof![2 => plain(0, 23, 23), 1 => plain(0, 3, 3)])
}

fn months() -> BoxedStrategy<Vec<Term>> {
    prop_oneof![4 => Just(vec![Term::Any]), 1 => list(plain(1, 12, 12))].boxed()
}

fn plans() -> impl Strategy<Value = Plan> {
    let minutes = list(plain(0, 59, 59));
    let parts = (option::of(0..=59_i8), minutes, hours(), days(), months(), weekdays());
    parts.prop_map(|(second, minutes, hours, days, months, weekdays)| Plan {
        second,
        minutes,
        hours,
        days,
        months,
        weekdays,
    })
}

/// What expressions are made of, and a little more.
const PIECES: &[&str] = &[
    "*", "?", "/", "-", ",", "#", "L", "W", "LW", "L-", "0", "1", "7", "31", "60", "255", "256", "MON",
    "JAN", "FRI", "@daily", "@", " ", " ", " ", "\t", "\u{e9}", "\0",
];

fn almost() -> impl Strategy<Value = String> {
    vec(select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

fn days_around(middle: &str) -> (Timestamp, Timestamp) {
    let middle: Timestamp = middle.parse().unwrap();
    let half = SignedDuration::from_hours(48);
    (middle - half, middle + half)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ticks_are_those_that_a_walk_through_time_finds(plan in plans(), around in select(MIDDLES)) {
        let (zone, middle) = around;
        let (from, to) = days_around(middle);
        // A day that never comes is refused, and so is nothing to compare.
        if let Ok(cron) = Cron::parse(&plan.text(), zone) {
            let expected = plan.ticks(&TimeZoneDatabase::bundled().get(zone).unwrap(), from, to);
            let mut after = from.as_millisecond() - 1;
            for tick in expected {
                prop_assert_eq!(cron.next_after(after), Some(tick.as_millisecond()), "{} after {}", cron, after);
                after = tick.as_millisecond();
            }
            let next = cron.next_after(after);
            let is_beyond = next.is_none_or(|next| next > to.as_millisecond());
            prop_assert!(is_beyond, "{} after {}: {:?}", cron, after, next);
        }
    }

    #[test]
    fn the_answer_is_the_same_from_every_moment_before_a_tick(
        plan in plans(),
        around in select(MIDDLES),
        moments in vec(0..345_600_000_i64, 12),
    ) {
        let (from, _) = days_around(around.1);
        if let Ok(cron) = Cron::parse(&plan.text(), around.0) {
            for after in moments.into_iter().map(|moment| from.as_millisecond() + moment) {
                let next = cron.next_after(after);
                prop_assert!(next.is_none_or(|next| next > after));
                let between = next.and_then(|next| cron.next_after(after + (next - after) / 2));
                prop_assert_eq!(between, next, "{} after {}", cron, after);
            }
        }
    }

    #[test]
    fn ticks_grow_from_any_moment(plan in plans(), around in select(MIDDLES), start in any::<i64>()) {
        if let Ok(cron) = Cron::parse(&plan.text(), around.0) {
            let start = start % 253_000_000_000_000;
            let mut after = start;
            for _ in 0..20 {
                let Some(next) = cron.next_after(after) else { break };
                prop_assert!(next > after, "{} after {}: {}", cron, after, next);
                after = next;
            }
        }
    }

    #[test]
    fn reading_never_panics(text in almost(), zone in ".{0,12}") {
        let _ = Cron::parse(&text, "UTC");
        let _ = Cron::parse("@daily", &zone);
    }

    #[test]
    fn a_fault_points_into_the_expression(text in almost()) {
        if let Err(fault) = Cron::parse(&text, "UTC") {
            let column = fault.column().unwrap();
            prop_assert!((1..=text.chars().count() + 1).contains(&column), "{}: {}", text, fault);
        }
    }

    #[test]
    fn what_is_shown_reads_as_the_same(plan in plans(), around in select(MIDDLES)) {
        if let Ok(parsed) = Cron::parse(&plan.text(), around.0) {
            let shown = parsed.to_string();
            let (expression, zone) = shown.rsplit_once(' ').unwrap();
            prop_assert_eq!(cron(expression, zone), parsed);
        }
    }
}
