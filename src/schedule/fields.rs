//! What an expression says, and the wall clock times that it means; no time zone here.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, date, time};

use super::days::Days;
use super::fault::Fault;
use super::field::Field;
use super::values::Values;
use super::word::Word;

/// Characters of an expression.
const MOST: usize = 256;
/// The calendar comes again after so many months, so what has not come by then never will.
const CYCLE: i32 = 400 * 12;
const MACROS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// What an expression says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    seconds: Values,
    minutes: Values,
    hours: Values,
    days: Days,
    months: Values,
}

impl Fields {
    /// Reads an expression.
    pub(super) fn parse(expression: &str) -> Result<Self, Fault> {
        check_characters(expression)?;
        let words = Word::new(expression).split(|c| c.is_ascii_whitespace());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        match words[..] {
            [name] if name.text().starts_with('@') => Self::parse_macro(name),
            [minute, hour, day, month, weekday] => Self::read(None, [minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => {
                Self::read(Some(second), [minute, hour, day, month, weekday])
            }
            _ => Err(wrong_count(&words)),
        }
    }

    /// Tells whether the hours are written with a `*`, so that the schedule follows the time that passes.
    pub(super) fn has_any_hour(&self) -> bool {
        self.hours.has_star
    }

    /// Returns the first time behind this one.
    pub(super) fn next_after(&self, after: DateTime) -> Option<DateTime> {
        let from = after.checked_add(SignedDuration::from_secs(1)).ok()?;
        let date = from.date();
        match self.time_from(from.time()).filter(|_| self.has(date)) {
            Some(time) => Some(date.to_datetime(time)),
            None => Some(self.date_after(date)?.to_datetime(self.first_time())),
        }
    }

    fn parse_macro(name: Word<'_>) -> Result<Self, Fault> {
        let found = MACROS.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name.text()));
        let (_, expression) = found.ok_or_else(|| {
            let known = MACROS.map(|(own, _)| own).join(", ");
            Fault::at(name.column(), format!("`{}` is not known; write one of {known}", name.text()))
        })?;
        Self::parse(expression)
    }

    fn read(second: Option<Word<'_>>, rest: [Word<'_>; 5]) -> Result<Self, Fault> {
        let [minute, hour, day, month, weekday] = rest;
        let seconds = second.map_or(Ok(Values::only(0)), |word| Values::parse(Field::Second, word))?;
        let fields = Self {
            seconds,
            minutes: Values::parse(Field::Minute, minute)?,
            hours: Values::parse(Field::Hour, hour)?,
            days: Days::parse(day, weekday)?,
            months: Values::parse(Field::Month, month)?,
        };
        // Any day will do to begin with: the whole calendar is looked through.
        match fields.date_after(date(2000, 1, 1)) {
            Some(_) => Ok(fields),
            None => Err(never([day, month, weekday])),
        }
    }

    fn has(&self, date: Date) -> bool {
        self.months.has(date.month().unsigned_abs()) && self.days.of(date) >> date.day() & 1 == 1
    }

    fn date_after(&self, after: Date) -> Option<Date> {
        let begins = i32::from(after.year()) * 12 + i32::from(after.month()) - 1;
        let behind = self.days.of(after) & (u32::MAX << after.day() << 1);
        if self.months.has(after.month().unsigned_abs()) && behind != 0 {
            return first_of(after, behind);
        }
        let months = (begins + 1..=begins + CYCLE).filter_map(|month| self.month(month));
        months.map_while(|month| month).find_map(|month| first_of(month, self.days.of(month)))
    }

    /// Returns the first of a month if it is meant; none inside if time ends before.
    fn month(&self, months: i32) -> Option<Option<Date>> {
        let month = i8::try_from(months.rem_euclid(12) + 1).expect("a year has twelve months");
        let first = || Date::new(i16::try_from(months.div_euclid(12)).ok()?, month, 1).ok();
        self.months.has(month.unsigned_abs()).then(first)
    }

    fn first_time(&self) -> Time {
        clock(self.hours.first(), self.minutes.first(), self.seconds.first())
    }

    /// Returns the first time of a day that is at least this one.
    fn time_from(&self, from: Time) -> Option<Time> {
        let [hour, minute, second] = [from.hour(), from.minute(), from.second()].map(i8::unsigned_abs);
        if self.hours.has(hour) {
            let second = self.seconds.from(second).filter(|_| self.minutes.has(minute));
            if let Some(second) = second {
                return Some(clock(hour, minute, second));
            }
            if let Some(minute) = self.minutes.from(minute + 1) {
                return Some(clock(hour, minute, self.seconds.first()));
            }
        }
        let hour = self.hours.from(hour + 1)?;
        Some(clock(hour, self.minutes.first(), self.seconds.first()))
    }
}

fn clock(hour: u8, minute: u8, second: u8) -> Time {
    time(hour.cast_signed(), minute.cast_signed(), second.cast_signed(), 0)
}

/// Returns the day of the first bit in the month of a date.
fn first_of(month: Date, days: u32) -> Option<Date> {
    let day = i8::try_from(days.trailing_zeros()).ok().filter(|_| days != 0)?;
    Date::new(month.year(), month.month(), day).ok()
}

fn check_characters(expression: &str) -> Result<(), Fault> {
    let wrong = expression.chars().position(|c| !c.is_ascii_graphic() && !c.is_ascii_whitespace());
    if let Some((at, c)) = wrong.and_then(|at| Some((at, expression.chars().nth(at)?))) {
        let reason = format!("the character `{}` is not allowed; write ASCII", c.escape_default());
        return Err(Fault::at(at + 1, reason));
    }
    if expression.len() > MOST {
        let len = expression.len();
        let reason = format!("an expression has at most {MOST} characters, this one has {len}; shorten it");
        return Err(Fault::at(MOST + 1, reason));
    }
    Ok(())
}

fn wrong_count(words: &[Word<'_>]) -> Fault {
    let found = words.len();
    let column = words.get(6).map_or_else(|| words.last().map_or(1, |word| word.end()), |word| word.column());
    let order = "`minute hour day-of-month month day-of-week`, with the second in front if you want it";
    Fault::at(column, format!("an expression has 5 or 6 fields, this one has {found}; write {order}"))
}

fn never([day, month, weekday]: [Word<'_>; 3]) -> Fault {
    let [of_month, in_month, of_week] = [day, month, weekday].map(Word::text);
    let which = format!("day of month `{of_month}`, month `{in_month}` and day of week `{of_week}`");
    Field::DayOfMonth.fault(day, format!("it would never run, as no day has {which}; change one of them"))
}
