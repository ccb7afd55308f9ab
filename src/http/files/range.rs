//! The range of a file that a client asks for: RFC 9110, section 14.

use std::ops::Range;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it; also what cannot be read as one range of bytes.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// Reads the header `range` for a file of that length.
pub(super) fn parse(header: &str, len: u64) -> Asked {
    let Some((unit, range)) = header.split_once('=') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else { return Asked::Whole };
    match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => from(first, len, len),
        (Some(first), Some(last)) if first <= last => from(first, last.saturating_add(1), len),
        (None, Some(suffix)) if first.is_empty() => suffix_of(suffix, len),
        _ => Asked::Whole,
    }
}

fn from(first: u64, end: u64, len: u64) -> Asked {
    if first < len { Asked::Part(first..end.min(len)) } else { Asked::Nothing }
}

fn suffix_of(suffix: u64, len: u64) -> Asked {
    match (suffix, len) {
        (0, _) => Asked::Nothing,
        // There is no byte to name, though the RFC calls it satisfiable.
        (_, 0) => Asked::Whole,
        _ => Asked::Part(len.saturating_sub(suffix)..len),
    }
}

/// Digits and nothing else; more than fit mean more than there can be.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}
