//! What is wrong with a JSON text, and where.

use std::borrow::Cow;

use crate::error::Error;
use crate::escape::Escaped;

/// How much is repeated of a pattern's own words, in characters.
const SHOWN: usize = 64;

/// What is wrong with a JSON text, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// In bytes from the beginning.
    at: usize,
    reason: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(at: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { at, reason: reason.into() }
    }

    /// Makes an error of it that names line and column in the pattern.
    pub(super) fn into_error(self, pattern: &str) -> Error {
        let (line, column) = position(pattern, self.at);
        Error::configuration(format!("the filter's line {line}, column {column}: {}", self.reason))
    }
}

/// Shows a word of the pattern in quotes, cut and escaped.
pub(super) fn quoted(word: &str) -> String {
    match word.char_indices().nth(SHOWN) {
        None => format!("\"{}\"", Escaped(word)),
        Some((end, _)) => format!("\"{}...\"", Escaped(&word[..end])),
    }
}

/// Answers line and column, both from 1; a column is a character.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}
