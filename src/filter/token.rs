//! The strings and numbers of JSON, as they stand in its text.

use std::borrow::Cow;

/// What is wrong and what to do, with where, from the token's beginning.
type Wrong = (usize, &'static str);

const UNENDED: &str = "the string does not end; close it with a double quote";
const CONTROL: &str = "a string has a control character; write it as an escape";
const ESCAPE: &str = "a string has an unknown escape; write a backslash as \\\\";
const HEX: &str = "four hexadecimal digits are missing behind \\u; write them";
const SURROGATE: &str = "half of a surrogate pair; write both halves";

/// Reads the string that the text begins with, and answers how long it was.
pub(super) fn string(text: &str) -> Result<(Cow<'_, str>, usize), Wrong> {
    let mut owned = String::new();
    let mut at = 1;
    loop {
        let plain = plain_len(&text[at..]);
        let (begin, end) = (at, at + plain);
        match text.as_bytes().get(end) {
            Some(b'"') if owned.is_empty() && begin == 1 => return Ok(((&text[1..end]).into(), end + 1)),
            Some(b'"') => {
                owned.push_str(&text[begin..end]);
                return Ok((owned.into(), end + 1));
            }
            Some(b'\\') => {
                owned.push_str(&text[begin..end]);
                let (c, len) = escape(&text[end..]).map_err(|(inner, why)| (end + inner, why))?;
                owned.push(c);
                at = end + len;
            }
            Some(_) => return Err((end, CONTROL)),
            None => return Err((0, UNENDED)),
        }
    }
}

fn plain_len(text: &str) -> usize {
    text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(text.len())
}

/// Reads one escape, and answers how long it was.
fn escape(text: &str) -> Result<(char, usize), Wrong> {
    let c = match text.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(text),
        _ => return Err((0, ESCAPE)),
    };
    Ok((c, 2))
}

fn unicode(text: &str) -> Result<(char, usize), Wrong> {
    let first = hex(text).ok_or((0, HEX))?;
    if let Some(c) = char::from_u32(first) {
        return Ok((c, 6));
    }
    let second = hex(&text[6..]).ok_or((0, SURROGATE))?;
    let pair = [first, second].map(|half| half as u16);
    match char::decode_utf16(pair).next() {
        Some(Ok(c)) => Ok((c, 12)),
        _ => Err((0, SURROGATE)),
    }
}

/// Reads what `\u` and four digits stand for.
fn hex(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// Answers how long the number is that the text begins with.
pub(super) fn number_len(text: &str) -> Result<usize, Wrong> {
    let mut at = usize::from(text.starts_with('-'));
    let whole = digits(&text[at..]);
    if whole > 1 && text[at..].starts_with('0') {
        return Err((at, "a number begins with a zero; remove it"));
    }
    at += expect(whole, at)?;
    if text[at..].starts_with('.') {
        at += 1;
        at += expect(digits(&text[at..]), at)?;
    }
    if text[at..].starts_with(['e', 'E']) {
        at += 1;
        at += usize::from(text[at..].starts_with(['+', '-']));
        at += expect(digits(&text[at..]), at)?;
    }
    Ok(at)
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn expect(digits: usize, at: usize) -> Result<usize, Wrong> {
    if digits == 0 { Err((at, "a digit is missing in the number; write it")) } else { Ok(digits) }
}
