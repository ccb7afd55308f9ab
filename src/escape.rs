//! Text of a guest, made safe to show.

use std::fmt;

/// What is shown of one text.
const SHOWN: usize = 1024;

/// Shows text on one line: control characters escaped, cut at 1 KiB.
///
/// A guest chooses its messages, so what reaches a terminal or a log must not be able to forge lines or
/// move the cursor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for c in self.0.chars() {
            shown += c.len_utf8();
            if shown > SHOWN {
                return f.write_str("...");
            }
            if is_unsafe_to_show(c) {
                write!(f, "{}", c.escape_unicode())?
            } else {
                fmt::Write::write_char(f, c)?
            }
        }
        Ok(())
    }
}

/// Control characters, and the ones that break a line or turn the direction of writing.
fn is_unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn line_breaks_and_controls_are_escaped() {
        assert_eq!(Escaped("a\nb\u{1b}[2J\u{202e}ä").to_string(), "a\\u{a}b\\u{1b}[2J\\u{202e}ä");
    }

    #[test]
    fn long_text_is_cut_on_a_character() {
        let text = "ä".repeat(1000);
        assert_eq!(Escaped(&text).to_string(), format!("{}...", "ä".repeat(512)));
    }
}
