//! Texts with `*` for any run of characters.

/// A text with `*` for any run of characters, also none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wildcard {
    /// What stands before, between and behind the asterisks; never none.
    parts: Box<[Box<str>]>,
}

impl Wildcard {
    /// Reads `*`, `\*` for an asterisk and `\\` for a backslash.
    ///
    /// # Errors
    ///
    /// What is wrong and what to do.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = vec![String::new()];
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, chars.peek()) {
                ('*', Some('*')) => return Err("two asterisks in a row; write one"),
                ('*', _) => parts.push(String::new()),
                ('\\', Some('*' | '\\')) => push(&mut parts, chars.next()),
                ('\\', _) => return Err("a backslash before neither * nor \\; write \\\\ for a backslash"),
                (c, _) => push(&mut parts, Some(c)),
            }
        }
        Ok(Self { parts: parts.into_iter().map(Into::into).collect() })
    }

    /// Tells whether the whole text is like this.
    ///
    /// Each part is taken where it comes first, and never tried anew: a later place could only leave less
    /// for the parts behind it. So the time is that of one search through the text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (first, rest) = self.parts.split_first().expect("there is a part even of an empty text");
        let Some((last, between)) = rest.split_last() else {
            return **first == *text;
        };
        let inner = text.strip_prefix(&**first).and_then(|text| text.strip_suffix(&**last));
        inner.is_some_and(|text| are_in_order(between, text))
    }
}

fn push(parts: &mut [String], c: Option<char>) {
    if let (Some(part), Some(c)) = (parts.last_mut(), c) {
        part.push(c);
    }
}

fn are_in_order(parts: &[Box<str>], mut text: &str) -> bool {
    parts.iter().all(|part| match text.find(&**part) {
        Some(at) => {
            text = &text[at + part.len()..];
            true
        }
        None => false,
    })
}
