//! Texts compared without regard to case.

/// A text whose letters may come in either case.
///
/// A character stands for itself, its lower and its upper case, as Unicode maps single characters: `ß` is
/// also `SS`, and no language has rules of its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Letters(pub(super) Box<str>);

impl Letters {
    /// Tells whether it is the whole text.
    pub(super) fn are(&self, text: &str) -> bool {
        self.after(text) == Some("")
    }

    /// Tells whether the text begins with it.
    pub(super) fn begin(&self, text: &str) -> bool {
        self.after(text).is_some()
    }

    /// Tells whether the text ends with it.
    pub(super) fn end(&self, text: &str) -> bool {
        self.0.chars().rev().try_fold(text, without_last).is_some()
    }

    fn after<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.0.chars().try_fold(text, without_first)
    }
}

fn without_first(text: &str, letter: char) -> Option<&str> {
    text.strip_prefix(letter)
        .or_else(|| letter.to_lowercase().try_fold(text, |text, c| text.strip_prefix(c)))
        .or_else(|| letter.to_uppercase().try_fold(text, |text, c| text.strip_prefix(c)))
}

fn without_last(text: &str, letter: char) -> Option<&str> {
    text.strip_suffix(letter)
        .or_else(|| letter.to_lowercase().rev().try_fold(text, |text, c| text.strip_suffix(c)))
        .or_else(|| letter.to_uppercase().rev().try_fold(text, |text, c| text.strip_suffix(c)))
}
