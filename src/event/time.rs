//! Times, as RFC 3339 writes them.

use crate::event::attributes::quoted;

const MINUTES_A_DAY: i32 = 24 * 60;

/// Judges a time: its form, and that there is such a moment.
pub(super) fn check(value: &str) -> Result<(), String> {
    let wrong = match Moment::read(value) {
        None => "its form is another".to_owned(),
        Some(moment) => match moment.check() {
            Ok(()) => return Ok(()),
            Err(wrong) => wrong,
        },
    };
    Err(format!("{} is not an RFC 3339 time: {wrong}; write it like 2018-04-05T17:31:00Z", quoted(value)))
}

struct Moment {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    offset: Offset,
}

struct Offset {
    sign: i32,
    hour: i32,
    minute: i32,
}

impl Moment {
    fn read(value: &str) -> Option<Self> {
        let mut reader = Reader(value.as_bytes());
        let year = reader.number(4)?;
        let month = reader.after(b"-")?.number(2)?;
        let day = reader.after(b"-")?.number(2)?;
        let hour = reader.after(b"Tt")?.number(2)?;
        let minute = reader.after(b":")?.number(2)?;
        let second = reader.after(b":")?.number(2)?;
        reader.skip_fraction()?;
        let offset = reader.offset()?;
        reader.0.is_empty().then_some(Self { year, month, day, hour, minute, second, offset })
    }

    fn check(&self) -> Result<(), String> {
        within("month", self.month, 1, 12)?;
        within("day", self.day, 1, self.days_in_month())?;
        within("hour", self.hour, 0, 23)?;
        within("minute", self.minute, 0, 59)?;
        within("second", self.second, 0, 60)?;
        within("offset hour", self.offset.hour, 0, 23)?;
        within("offset minute", self.offset.minute, 0, 59)?;
        if self.second == 60 && !self.may_leap() {
            return Err("a leap second is 23:59:60 UTC on the last day of a month".to_owned());
        }
        Ok(())
    }

    /// Leap seconds are inserted at the end of a month in UTC, whatever the local date is then.
    fn may_leap(&self) -> bool {
        let utc = self.hour * 60 + self.minute - self.offset.minutes();
        let day = self.day + utc.div_euclid(MINUTES_A_DAY);
        utc.rem_euclid(MINUTES_A_DAY) == MINUTES_A_DAY - 1 && (day == 0 || day == self.days_in_month())
    }

    fn days_in_month(&self) -> i32 {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

impl Offset {
    fn minutes(&self) -> i32 {
        self.sign * (self.hour * 60 + self.minute)
    }
}

fn within(what: &str, number: i32, least: i32, most: i32) -> Result<(), String> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(format!("{what} {number} is not within {least} to {most}"))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<i32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i32::from(b - b'0')))
    }

    fn after(&mut self, any: &[u8]) -> Option<&mut Self> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        any.contains(first).then_some(self)
    }

    fn skip_fraction(&mut self) -> Option<()> {
        if let Some(digits) = self.0.strip_prefix(b".") {
            let len = digits.iter().take_while(|b| b.is_ascii_digit()).count();
            self.0 = &digits[len..];
            return (len > 0).then_some(());
        }
        Some(())
    }

    fn offset(&mut self) -> Option<Offset> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        let sign = match first {
            b'Z' | b'z' => return Some(Offset { sign: 1, hour: 0, minute: 0 }),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        Some(Offset { sign, hour: self.number(2)?, minute: self.after(b":")?.number(2)? })
    }
}
