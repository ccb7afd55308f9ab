//! JSON bodies that live through being parsed and written again.

use serde_json::Value;

/// The deepest body that is written in place. A reader counts the nesting of the event and of a batch too,
/// and many stop at 128.
const MAX_DEPTH: usize = 64;

/// Parses a body, if the value says all that the text says.
///
/// Members of the same name, whole numbers beyond 64 bits, and fractions that would come out as another
/// double are lost in a value; such a body is not parsed here.
pub(super) fn parse(body: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let outline = Outline::of(std::str::from_utf8(body).ok()?);
    let faithful = outline.is_exact && outline.depth <= MAX_DEPTH && outline.members == members(&value);
    faithful.then_some(value)
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
        _ => 0,
    }
}

/// What is seen of a JSON text without understanding it.
#[derive(Default)]
struct Outline {
    depth: usize,
    members: usize,
    is_exact: bool,
}

impl Outline {
    /// The text is known to be JSON.
    fn of(text: &str) -> Self {
        let mut outline = Self { is_exact: true, ..Self::default() };
        let (mut open, mut at) = (0_usize, 0);
        while let Some(first) = text.as_bytes().get(at) {
            let len = token(&text[at..]);
            match first {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                b':' => outline.members += 1,
                b'-' | b'0'..=b'9' => outline.is_exact &= is_exact(&text[at..at + len]),
                _ => {}
            }
            outline.depth = outline.depth.max(open);
            at += len;
        }
        outline
    }
}

/// Returns the length of the string, the number, or the one other character that the text begins with.
fn token(text: &str) -> usize {
    match text.as_bytes() {
        [b'"', rest @ ..] => string(rest),
        [b'-' | b'0'..=b'9', ..] => text.find(is_not_of_number).unwrap_or(text.len()),
        _ => 1,
    }
}

fn string(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (at, b) in rest.iter().enumerate() {
        match b {
            b'"' if !escaped => return at + 2,
            b => escaped = *b == b'\\' && !escaped,
        }
    }
    rest.len() + 1
}

fn is_not_of_number(c: char) -> bool {
    !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')
}

fn is_exact(number: &str) -> bool {
    if number.contains(['.', 'e', 'E']) {
        return is_exact_fraction(number);
    }
    number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok()
}

/// The parser of JSON is fast and may miss the nearest double by one; so it must hit it here, and again
/// when it reads what was written.
fn is_exact_fraction(number: &str) -> bool {
    let Ok(nearest) = number.parse::<f64>() else {
        return false;
    };
    let reads_as_nearest = |text: &str| serde_json::from_str::<f64>(text).is_ok_and(|read| read == nearest);
    reads_as_nearest(number) && serde_json::to_string(&nearest).is_ok_and(|text| reads_as_nearest(&text))
}
