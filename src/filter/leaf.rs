//! What a value may be: the list that stands behind a name in a pattern.

use std::ops::{Bound, RangeBounds};

use crate::filter::decimal::Decimal;
use crate::filter::letters::Letters;
use crate::filter::network::Network;
use crate::filter::reader::Scalar;
use crate::filter::wildcard::Wildcard;

/// What a value may be: one of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Leaf {
    /// Sorted, as the numbers are: lists of thousands of names are searched and not compared one by one.
    strings: Vec<Box<str>>,
    numbers: Vec<Decimal>,
    booleans: Vec<bool>,
    has_null: bool,
    matchers: Vec<Matcher>,
    allows_absence: bool,
}

/// What a value may be like.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Matcher {
    Prefix(Box<str>),
    Suffix(Box<str>),
    EqualsIgnoreCase(Letters),
    PrefixIgnoreCase(Letters),
    SuffixIgnoreCase(Letters),
    Wildcard(Wildcard),
    Numeric(Bound<Decimal>, Bound<Decimal>),
    Cidr(Network),
    Exists,
    AnythingBut(Leaf),
}

/// A value with its number read.
enum Value<'a> {
    Null,
    Boolean(bool),
    /// None for a number that nothing is equal to.
    Number(Option<Decimal>),
    String(&'a str),
}

impl Leaf {
    pub(super) fn push_string(&mut self, string: &str) {
        self.strings.push(string.into());
    }

    pub(super) fn push_number(&mut self, number: Decimal) {
        self.numbers.push(number);
    }

    pub(super) fn push_boolean(&mut self, boolean: bool) {
        self.booleans.push(boolean);
    }

    pub(super) fn push_null(&mut self) {
        self.has_null = true;
    }

    pub(super) fn push(&mut self, matcher: Matcher) {
        self.matchers.push(matcher);
    }

    pub(super) fn allow_absence(&mut self) {
        self.allows_absence = true;
    }

    /// Makes it ready to match.
    pub(super) fn sorted(mut self) -> Self {
        self.strings.sort_unstable();
        self.numbers.sort_unstable();
        self
    }

    pub(super) fn allows_absence(&self) -> bool {
        self.allows_absence
    }

    /// Tells whether a value that is there is one of these.
    pub(super) fn matches(&self, scalar: &Scalar<'_>) -> bool {
        self.has(&match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(boolean) => Value::Boolean(*boolean),
            Scalar::Number(number) => Value::Number(Decimal::parse(number)),
            Scalar::String(string) => Value::String(string),
        })
    }

    fn has(&self, value: &Value<'_>) -> bool {
        let is_listed = match value {
            Value::Null => self.has_null,
            Value::Boolean(boolean) => self.booleans.contains(boolean),
            Value::Number(None) => false,
            Value::Number(Some(number)) => self.numbers.binary_search(number).is_ok(),
            Value::String(string) => self.strings.binary_search_by(|own| (**own).cmp(string)).is_ok(),
        };
        is_listed || self.matchers.iter().any(|matcher| matcher.matches(value))
    }
}

impl Matcher {
    fn matches(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::AnythingBut(unwanted), value) => !unwanted.has(value),
            (Self::Numeric(low, high), Value::Number(Some(number))) => {
                (low.as_ref(), high.as_ref()).contains(number)
            }
            (matcher, Value::String(text)) => matcher.matches_text(text),
            _ => false,
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::EqualsIgnoreCase(letters) => letters.are(text),
            Self::PrefixIgnoreCase(letters) => letters.begin(text),
            Self::SuffixIgnoreCase(letters) => letters.end(text),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Cidr(network) => network.contains(text),
            Self::Numeric(..) | Self::Exists | Self::AnythingBut(_) => false,
        }
    }
}
