//! The fields of an expression, and what may stand in them.

use std::fmt;

use super::fault::Fault;
use super::word::Word;

/// A field of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// 0 to 59, and 0 where it is not written.
    Second,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12.
    Month,
    /// 0 to 7, from Sunday to Sunday.
    DayOfWeek,
}

impl Field {
    /// Returns the smallest value that may be written.
    pub(super) fn least(self) -> u8 {
        u8::from(matches!(self, Self::DayOfMonth | Self::Month))
    }

    /// Returns the largest value that may be written.
    pub(super) fn most(self) -> u8 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::DayOfMonth => 31,
            Self::Month => 12,
            Self::DayOfWeek => 7,
        }
    }

    /// Returns how many different values there are; Sunday is both 0 and 7.
    pub(super) fn count(self) -> u8 {
        if self == Self::DayOfWeek { 7 } else { self.most() - self.least() + 1 }
    }

    /// Reads one value.
    pub(super) fn value(self, word: Word<'_>) -> Result<u8, Fault> {
        if word.is_empty() {
            return Err(self.fault(word, format!("a value is missing; write {}", self.allowed())));
        }
        let number = number(word).filter(|value| (self.least()..=self.most()).contains(value));
        number.or_else(|| self.named(word.text())).ok_or_else(|| self.refuse(word))
    }

    /// Says that this may not stand here, and what may.
    pub(super) fn refuse(self, word: Word<'_>) -> Fault {
        self.fault(word, format!("`{}` is not allowed; write {}", word.text(), self.allowed()))
    }

    /// Makes a fault where the word begins.
    pub(super) fn fault(self, word: Word<'_>, reason: impl Into<String>) -> Fault {
        Fault::within(self, word.column(), reason)
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0 to 59",
            Self::Hour => "0 to 23",
            Self::DayOfMonth => "1 to 31, or a day such as `L`, `L-3`, `LW` or `15W`",
            Self::Month => "1 to 12, or JAN to DEC",
            Self::DayOfWeek => "0 to 7, or SUN to SAT, or a day such as `FRI#2` or `FRIL`",
        }
    }

    fn named(self, text: &str) -> Option<u8> {
        let at = self.names().iter().position(|name| name.eq_ignore_ascii_case(text))?;
        u8::try_from(at).ok().map(|at| at + self.least())
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => {
                &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
            }
            Self::DayOfWeek => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
            _ => &[],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// Reads a number; no sign may stand before it.
pub(super) fn number(word: Word<'_>) -> Option<u8> {
    let is_number = word.text().bytes().all(|byte| byte.is_ascii_digit());
    word.text().parse().ok().filter(|_| is_number)
}
