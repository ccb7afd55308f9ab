//! The values of one field, as lists, ranges and steps say.

use super::fault::Fault;
use super::field::{Field, number};
use super::word::Word;

/// The values of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// A bit for each value.
    bits: u64,
    /// Whether a `*` or a `?` stands in it.
    pub(super) has_star: bool,
}

impl Values {
    /// Returns one value.
    pub(super) fn only(value: u8) -> Self {
        Self { bits: 1 << value, has_star: false }
    }

    /// Reads a list of values, ranges and steps.
    pub(super) fn parse(field: Field, word: Word<'_>) -> Result<Self, Fault> {
        let mut values = Self::default();
        for term in terms(field, word) {
            values.add(field, term?)?;
        }
        Ok(values)
    }

    /// Reads one entry of a list and adds its values.
    pub(super) fn add(&mut self, field: Field, term: Word<'_>) -> Result<(), Fault> {
        let (base, step) = match term.split_once('/') {
            None => (term, None),
            Some((base, step)) => (base, Some(parse_step(field, step)?)),
        };
        self.has_star |= base.text() == "*";
        let (low, high) = parse_range(field, base, step.is_some())?;
        // What ends before it begins goes on past the last value.
        let high = if high < low { high + field.count() } else { high };
        for value in (low..=high).step_by(usize::from(step.unwrap_or(1))) {
            self.bits |= 1 << ((value - field.least()) % field.count() + field.least());
        }
        Ok(())
    }

    /// Adds every value: any will do.
    pub(super) fn add_any(&mut self, field: Field) {
        self.has_star = true;
        (field.least()..field.least() + field.count()).for_each(|value| self.bits |= 1 << value);
    }

    pub(super) fn has(self, value: u8) -> bool {
        self.bits >> value & 1 == 1
    }

    /// Returns the first value that is at least this one.
    pub(super) fn from(self, value: u8) -> Option<u8> {
        let rest = self.bits >> value;
        let skipped = u8::try_from(rest.trailing_zeros()).expect("a word has 64 bits");
        (rest != 0).then_some(value + skipped)
    }

    pub(super) fn first(self) -> u8 {
        self.from(0).expect("a list has an entry, and an entry has a value")
    }

    /// Returns a bit for each value.
    pub(super) fn bits(self) -> u64 {
        self.bits
    }
}

/// Returns the entries of a list.
pub(super) fn terms(field: Field, word: Word<'_>) -> impl Iterator<Item = Result<Word<'_>, Fault>> {
    word.split(|c| c == ',').map(move |term| match term.is_empty() {
        true => Err(field.fault(term, "an entry of the list is empty; write one, or take the comma away")),
        false => Ok(term),
    })
}

fn parse_range(field: Field, base: Word<'_>, has_step: bool) -> Result<(u8, u8), Fault> {
    let last = field.least() + field.count() - 1;
    if base.text() == "*" {
        return Ok((field.least(), last));
    }
    if let Some((low, high)) = base.split_once('-') {
        return Ok((field.value(low)?, field.value(high)?));
    }
    let value = field.value(base)?;
    Ok((value, if has_step { last } else { value }))
}

fn parse_step(field: Field, step: Word<'_>) -> Result<u8, Fault> {
    let most = field.most();
    number(step).filter(|value| (1..=most).contains(value)).ok_or_else(|| {
        let wrong = match step.text() {
            "" => "a step is missing".to_owned(),
            text => format!("a step of `{text}` is not allowed"),
        };
        field.fault(step, format!("{wrong}; write 1 to {most}"))
    })
}
