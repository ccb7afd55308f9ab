//! Another way to find ticks: walk through the moments one by one and ask what the clock shows.
//!
//! It knows nothing of gaps and folds but what the walk meets, and it reads no expressions: a [`Plan`] is what an
//! expression means, and is written down as one.

use std::collections::HashSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// One entry of a list in any field.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Any,
    AnyStep(i8),
    One(i8),
    OnwardsStep(i8, i8),
    Range(i8, i8),
    RangeStep(i8, i8, i8),
    Last,
    BeforeLast(i8),
    LastWorking,
    Nearest(i8),
    Nth(i8, i8),
    LastOf(i8),
}

impl Term {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Any => "*".into(),
            Self::AnyStep(step) => format!("*/{step}"),
            Self::One(value) => value.to_string(),
            Self::OnwardsStep(value, step) => format!("{value}/{step}"),
            Self::Range(low, high) => format!("{low}-{high}"),
            Self::RangeStep(low, high, step) => format!("{low}-{high}/{step}"),
            Self::Last => "L".into(),
            Self::BeforeLast(days) => format!("L-{days}"),
            Self::LastWorking => "LW".into(),
            Self::Nearest(day) => format!("{day}W"),
            Self::Nth(weekday, nth) => format!("{weekday}#{nth}"),
            Self::LastOf(weekday) => format!("{weekday}L"),
        }
    }

    /// Tells whether a value of a field from `low` to `high` is meant.
    fn has(&self, value: i8, low: i8, high: i8) -> bool {
        match *self {
            Self::Any => true,
            Self::AnyStep(step) => walk(low, high, low, high, step).contains(&value),
            Self::One(one) => one == value,
            Self::OnwardsStep(one, step) => walk(one, high, low, high, step).contains(&value),
            Self::Range(from, to) => walk(from, to, low, high, 1).contains(&value),
            Self::RangeStep(from, to, step) => walk(from, to, low, high, step).contains(&value),
            _ => false,
        }
    }

    fn has_day(&self, date: Date) -> bool {
        let last = date.days_in_month();
        match *self {
            Self::Last => date.day() == last,
            Self::BeforeLast(days) => date.day() == last - days,
            Self::LastWorking => date.day() == nearest_working(date, last),
            Self::Nearest(day) => day <= last && date.day() == nearest_working(date, day),
            _ => self.has(date.day(), 1, 31),
        }
    }

    fn has_weekday(&self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset();
        match *self {
            Self::Nth(own, nth) => own == weekday && (date.day() + 6) / 7 == nth,
            Self::LastOf(own) => own == weekday && (date + 7.days()).month() != date.month(),
            _ => self.has(weekday, 0, 6),
        }
    }
}

/// Goes from one value to another, past the end to the beginning, and keeps one of each `step`.
fn walk(from: i8, to: i8, low: i8, high: i8, step: i8) -> Vec<i8> {
    let mut met = vec![from];
    while met[met.len() - 1] != to {
        let last = met[met.len() - 1];
        met.push(if last == high { low } else { last + 1 });
    }
    met.into_iter().step_by(usize::try_from(step).unwrap()).collect()
}

/// Looks at every day of the month; no two working days are equally near.
fn nearest_working(month: Date, day: i8) -> i8 {
    let is_working = |day: &i8| {
        let weekday = month.with().day(*day).build().unwrap().weekday().to_sunday_zero_offset();
        (1..=5).contains(&weekday)
    };
    (1..=month.days_in_month()).filter(is_working).min_by_key(|other| (other - day).abs()).unwrap()
}

/// What an expression means.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// None leaves the field out.
    pub(super) second: Option<i8>,
    pub(super) minutes: Vec<Term>,
    pub(super) hours: Vec<Term>,
    pub(super) days: Vec<Term>,
    pub(super) months: Vec<Term>,
    pub(super) weekdays: Vec<Term>,
}

impl Plan {
    pub(super) fn text(&self) -> String {
        let fields = [&self.minutes, &self.hours, &self.days, &self.months, &self.weekdays];
        let list = |terms: &Vec<Term>| terms.iter().map(Term::text).collect::<Vec<_>>().join(",");
        let second = self.second.iter().map(i8::to_string);
        second.chain(fields.map(list)).collect::<Vec<_>>().join(" ")
    }

    /// Finds the ticks from one moment, which is a full minute, up to another.
    pub(super) fn ticks(&self, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let minute = SignedDuration::from_mins(1);
        let (mut ticks, mut seen) = (Vec::new(), HashSet::new());
        let times = self.times();
        let is_meant =
            |time: &DateTime| times.contains(&(time.hour(), time.minute())) && self.has_date(time.date());
        // What is shown a second time may have been shown for the first before all this began.
        let mut at = from - SignedDuration::from_hours(3);
        let mut shown = zone.to_datetime(at);
        while at < to {
            seen.insert(shown);
            at += minute;
            let now = zone.to_datetime(at);
            if !has_star(&self.hours) && between(shown, now).any(|time| is_meant(&time)) {
                ticks.push(at);
            }
            if is_meant(&now) && (has_star(&self.hours) || !seen.contains(&now)) {
                ticks.push(at + SignedDuration::from_secs(self.second.unwrap_or(0).into()));
            }
            shown = now;
        }
        ticks.dedup();
        ticks.retain(|tick| (from..=to).contains(tick));
        ticks
    }

    /// Returns the hours and minutes that are meant, on whatever day.
    fn times(&self) -> HashSet<(i8, i8)> {
        let any = |terms: &[Term], value, high| terms.iter().any(|term| term.has(value, 0, high));
        let hours = (0..24).filter(|hour| any(&self.hours, *hour, 23));
        let minutes: Vec<i8> = (0..60).filter(|minute| any(&self.minutes, *minute, 59)).collect();
        hours.flat_map(|hour| minutes.iter().map(move |minute| (hour, *minute))).collect()
    }

    fn has_date(&self, date: Date) -> bool {
        if !self.months.iter().any(|term| term.has(date.month(), 1, 12)) {
            return false;
        }
        let of_month = self.days.iter().any(|term| term.has_day(date));
        let of_week = self.weekdays.iter().any(|term| term.has_weekday(date));
        match has_star(&self.days) || has_star(&self.weekdays) {
            true => of_month && of_week,
            false => of_month || of_week,
        }
    }
}

fn has_star(terms: &[Term]) -> bool {
    terms.iter().any(|term| matches!(term, Term::Any | Term::AnyStep(_)))
}

/// Returns the minutes behind one time and before another.
fn between(from: DateTime, to: DateTime) -> impl Iterator<Item = DateTime> {
    let minute = SignedDuration::from_mins(1);
    std::iter::successors(Some(from + minute), move |time| Some(*time + minute))
        .take_while(move |time| *time < to)
}
