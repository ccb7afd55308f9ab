//! Which days of a month are meant.
//!
//! When both the day of month and the day of week are named, a day that is either of them is meant. When one of the
//! fields has a `*` or a `?`, a day has to be both.

use jiff::civil::{Date, date};

use super::fault::Fault;
use super::field::{Field, number};
use super::values::{Values, terms};
use super::word::Word;

const SUNDAY: u8 = 0;
const SATURDAY: u8 = 6;

/// Which days of a month are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    month: MonthDays,
    week: WeekDays,
}

impl Days {
    /// Reads the two fields of days.
    pub(super) fn parse(month: Word<'_>, week: Word<'_>) -> Result<Self, Fault> {
        Ok(Self { month: MonthDays::parse(month)?, week: WeekDays::parse(week)? })
    }

    /// Returns the days of the month in which this date is, a bit for each; the first is bit 1.
    pub(super) fn of(&self, date: Date) -> u32 {
        let shape = Shape::of(date);
        let (month, week) = (self.month.of(&shape), self.week.of(&shape));
        let either = !self.month.values.has_star && !self.week.values.has_star;
        if either { month | week } else { month & week }
    }
}

/// What a month looks like.
struct Shape {
    days: u8,
    /// The weekday of the first, from Sunday as 0.
    first: u8,
}

impl Shape {
    fn of(month: Date) -> Self {
        let first = date(month.year(), month.month(), 1).weekday().to_sunday_zero_offset();
        Self { days: month.days_in_month().unsigned_abs(), first: first.unsigned_abs() }
    }

    fn weekday(&self, day: u8) -> u8 {
        (self.first + day - 1) % 7
    }

    /// Returns the day from Monday to Friday that is nearest to this one and in the same month.
    fn working_day(&self, day: u8) -> u8 {
        match self.weekday(day) {
            SATURDAY if day == 1 => 3,
            SATURDAY => day - 1,
            SUNDAY if day == self.days => day - 2,
            SUNDAY => day + 1,
            _ => day,
        }
    }
}

/// The field of days of the month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct MonthDays {
    values: Values,
    /// A bit for each distance from the last day.
    before_last: u32,
    /// A bit for each day whose nearest working day is meant.
    nearest: u32,
    last_working: bool,
}

impl MonthDays {
    const FIELD: Field = Field::DayOfMonth;

    fn parse(word: Word<'_>) -> Result<Self, Fault> {
        let mut days = Self::default();
        if word.text() == "?" {
            days.values.add_any(Self::FIELD);
            return Ok(days);
        }
        for term in terms(Self::FIELD, word) {
            days.add(term?)?;
        }
        Ok(days)
    }

    fn add(&mut self, term: Word<'_>) -> Result<(), Fault> {
        if let Some(distance) = term.strip_prefix("L-") {
            self.before_last |= 1 << parse_distance(distance)?;
        } else if term.text().eq_ignore_ascii_case("L") {
            self.before_last |= 1;
        } else if term.text().eq_ignore_ascii_case("LW") {
            self.last_working = true;
        } else if let Some(day) = term.strip_suffix('W') {
            self.nearest |= 1 << Self::FIELD.value(day)?;
        } else {
            self.values.add(Self::FIELD, term)?;
        }
        Ok(())
    }

    fn of(&self, month: &Shape) -> u32 {
        let is_in = |day: &u8| (1..=month.days).contains(day);
        let mut found = self.values.bits();
        for distance in bits(self.before_last).filter(|distance| *distance < month.days) {
            found |= 1 << (month.days - distance);
        }
        for day in bits(self.nearest).filter(is_in) {
            found |= 1 << month.working_day(day);
        }
        if self.last_working {
            found |= 1 << month.working_day(month.days);
        }
        u32::try_from(found & ((1 << (month.days + 1)) - 2)).expect("a month has at most 31 days")
    }
}

/// The field of days of the week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct WeekDays {
    values: Values,
    /// For each weekday, a bit for each one of the month that is meant.
    nth: [u8; 7],
    /// A bit for each weekday whose last one is meant.
    last: u8,
}

impl WeekDays {
    const FIELD: Field = Field::DayOfWeek;

    fn parse(word: Word<'_>) -> Result<Self, Fault> {
        let mut days = Self::default();
        if word.text() == "?" {
            days.values.add_any(Self::FIELD);
            return Ok(days);
        }
        for term in terms(Self::FIELD, word) {
            days.add(term?)?;
        }
        Ok(days)
    }

    fn add(&mut self, term: Word<'_>) -> Result<(), Fault> {
        if let Some((day, nth)) = term.split_once('#') {
            self.nth[usize::from(Self::weekday(day)?)] |= 1 << parse_nth(nth)?;
        } else if term.text().eq_ignore_ascii_case("L") {
            return Err(Self::FIELD.fault(term, "`L` needs a weekday in front, such as `FRIL`"));
        } else if let Some(day) = term.strip_suffix('L') {
            self.last |= 1 << Self::weekday(day)?;
        } else {
            self.values.add(Self::FIELD, term)?;
        }
        Ok(())
    }

    fn weekday(word: Word<'_>) -> Result<u8, Fault> {
        Ok(Self::FIELD.value(word)? % Self::FIELD.count())
    }

    fn of(&self, month: &Shape) -> u32 {
        let days = (1..=month.days).filter(|day| {
            let weekday = month.weekday(*day);
            let is_nth = self.nth[usize::from(weekday)] >> ((day - 1) / 7 + 1) & 1 == 1;
            let is_last = self.last >> weekday & 1 == 1 && day + 7 > month.days;
            self.values.has(weekday) || is_nth || is_last
        });
        days.fold(0, |found, day| found | 1 << day)
    }
}

fn parse_distance(word: Word<'_>) -> Result<u8, Fault> {
    number(word).filter(|distance| (1..=30).contains(distance)).ok_or_else(|| {
        let reason = format!("`{}` days before the last is not allowed; write 1 to 30", word.text());
        Field::DayOfMonth.fault(word, reason)
    })
}

fn parse_nth(word: Word<'_>) -> Result<u8, Fault> {
    number(word).filter(|nth| (1..=5).contains(nth)).ok_or_else(|| {
        let reason = format!("`{}` behind the `#` is not allowed; write 1 to 5", word.text());
        Field::DayOfWeek.fault(word, reason)
    })
}

/// Returns the places of the bits that are set.
fn bits(set: u32) -> impl Iterator<Item = u8> {
    (0..32).filter(move |place| set >> place & 1 == 1)
}
