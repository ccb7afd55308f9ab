//! The value of an extension attribute.

use std::fmt;

use serde::{Serialize, Serializer};

/// The value of an extension attribute, in the types that JSON can tell apart.
///
/// `Display` shows it as every other transport carries it: `true`, `-7`, or the text itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// Text; binary values, URIs and times are written as text too.
    String(String),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i32),
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => text.fmt(f),
            Self::Boolean(flag) => flag.fmt(f),
            Self::Integer(number) => number.fmt(f),
        }
    }
}

impl Serialize for Extension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => serializer.serialize_str(text),
            Self::Boolean(flag) => serializer.serialize_bool(*flag),
            Self::Integer(number) => serializer.serialize_i32(*number),
        }
    }
}

impl From<&str> for Extension {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Extension {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Extension {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

impl From<i32> for Extension {
    fn from(number: i32) -> Self {
        Self::Integer(number)
    }
}
