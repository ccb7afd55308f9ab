//! Attributes of events as header values: percent-encoded, as the HTTP binding of CloudEvents says.

use crate::event::attributes::quoted;

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Writes a value in printable ASCII without a space, a quote or a percent sign that stands for itself.
pub(super) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 0xf].map(|half| char::from(DIGITS[usize::from(half)]));
            encoded.extend(['%', digits[0], digits[1]]);
        }
    }
    encoded
}

/// Reads a value, or says what is wrong with it.
///
/// Earlier versions of the binding left spaces as they were and quoted the value, so that is read too.
pub(super) fn decode(value: &[u8]) -> Result<String, String> {
    let value = value.trim_ascii();
    let decoded = match value.strip_prefix(b"\"") {
        Some(inside) => unescape(&unquote(inside).ok_or_else(|| unclosed(value))?),
        None => unescape(value),
    };
    let decoded = decoded.ok_or_else(|| {
        let reason = "has a % that lacks its two hexadecimal digits; write %25 for a percent sign";
        format!("{} {reason}", shown(value))
    })?;
    String::from_utf8(decoded)
        .map_err(|_| format!("{} is not UTF-8; percent-encode the bytes of UTF-8", shown(value)))
}

/// Takes the backslashes and the closing quote away; none if it does not close at the very end.
fn unquote(inside: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return bytes.as_slice().is_empty().then_some(text),
            b'\\' => text.push(*bytes.next()?),
            _ => text.push(*byte),
        }
    }
    None
}

/// One round of percent-decoding; none after a percent sign without its digits.
fn unescape(value: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'%' {
            let (digits, behind) = rest.split_at_checked(2)?;
            bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
            rest = behind;
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

fn unclosed(value: &[u8]) -> String {
    format!("{} is not one quoted string; close the quote at its end, or percent-encode it", shown(value))
}

fn shown(value: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(value))
}
