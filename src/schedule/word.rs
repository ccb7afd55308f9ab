//! A piece of an expression that knows where it stands.

/// A piece of an expression that knows where it stands.
///
/// Expressions are ASCII when they are cut into words, so a byte is a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Word<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    pub(super) fn text(self) -> &'a str {
        self.text
    }

    pub(super) fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    /// Returns the column, counted from 1.
    pub(super) fn column(self) -> usize {
        self.start + 1
    }

    /// Returns the column behind the word.
    pub(super) fn end(self) -> usize {
        self.column() + self.text.len()
    }

    pub(super) fn split(self, separates: fn(char) -> bool) -> impl Iterator<Item = Self> {
        let mut start = self.start;
        self.text.split(separates).map(move |text| {
            let word = Self { text, start };
            start += text.len() + 1;
            word
        })
    }

    pub(super) fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (text, rest) = self.text.split_once(separator)?;
        Some((Self { text, ..self }, Self { text: rest, start: self.start + text.len() + 1 }))
    }

    pub(super) fn strip_suffix(self, suffix: char) -> Option<Self> {
        let text = self.text.strip_suffix(|last: char| last.eq_ignore_ascii_case(&suffix))?;
        Some(Self { text, ..self })
    }

    pub(super) fn strip_prefix(self, prefix: &str) -> Option<Self> {
        let (front, text) = self.text.split_at_checked(prefix.len())?;
        front.eq_ignore_ascii_case(prefix).then_some(Self { text, start: self.start + prefix.len() })
    }
}
