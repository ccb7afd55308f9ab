//! Numbers as decimal text.

use crate::memory::{self, Region};

/// As many digits as `u64::MAX` has.
const DIGITS: usize = 20;

/// The number that the text says, if it says one.
pub fn number(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

pub fn decimal(number: u64) -> Region {
    let mut digits = [0; DIGITS];
    let (mut first, mut left) = (DIGITS, number);
    loop {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            return memory::copy(&digits[first..]);
        }
    }
}
