//! Numbers of JSON, compared exactly.

use std::cmp::Ordering;

/// The largest power of ten that a number may name.
///
/// It keeps sums of exponents far from overflow; binary64 ends at 308.
const MAX_EXPONENT: u64 = 1_000_000;

/// A number of JSON as it was written, so that no digit is lost.
///
/// Its value is `0.DIGITS` times ten to the exponent. Neither end of the digits is zero, so equal numbers
/// are equal values: `301.8`, `3.018e2` and `301.80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    is_negative: bool,
    exponent: i64,
    digits: Box<[u8]>,
}

impl Decimal {
    /// Reads a number that JSON allows; none if its exponent is out of reach.
    pub(super) fn parse(number: &str) -> Option<Self> {
        let (is_negative, number) = match number.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, number),
        };
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self { is_negative: false, exponent: 0, digits: Box::default() });
        }
        let leading = digits.len() - significant.len();
        let written = exponent.parse().ok().filter(|power: &i64| power.unsigned_abs() <= MAX_EXPONENT)?;
        Some(Self {
            is_negative,
            exponent: written + whole.len() as i64 - leading as i64,
            digits: significant.trim_end_matches('0').as_bytes().into(),
        })
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then_with(|| if self.is_negative { size().reverse() } else { size() })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
