//! What is asked for: a name, or one version of it.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Longest function name.
const MAX_NAME: usize = 64;

/// A name, or one version of it; parsed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) qualifier: Qualifier,
}

/// Which version of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qualifier {
    /// Whatever is newest when the event comes.
    Newest,
    /// This one.
    Version(u64),
}

impl Target {
    /// Parses `name` or `name:version`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (name, qualifier) = match text.split_once(':') {
            None => (text, Qualifier::Newest),
            Some((name, version)) => (name, Qualifier::Version(parse_version(text, version)?)),
        };
        check_name(name)?;
        Ok(Self { name: name.into(), qualifier })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.qualifier {
            Qualifier::Newest => f.write_str(&self.name),
            Qualifier::Version(version) => write!(f, "{}:{version}", self.name),
        }
    }
}

fn parse_version(target: &str, text: &str) -> Result<u64, Error> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let version = if digits { text.parse().ok().filter(|version| *version > 0) } else { None };
    version.ok_or_else(|| {
        let hint = "what follows the colon must be a version, a number from 1".into();
        ErrorKind::UnknownFunction { target: target.into(), hint }.into()
    })
}

/// Checks a function's name: `[a-zA-Z0-9-_]{1,64}`.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let allowed = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if allowed && (1..=MAX_NAME).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "function name {name:?} is refused; use 1 to {MAX_NAME} letters, digits, hyphens and underscores"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_names_with_or_without_a_version() {
        let resize = Target::parse("re-size_1:7").unwrap();
        assert_eq!((resize.name.as_str(), resize.qualifier), ("re-size_1", Qualifier::Version(7)));
        assert_eq!(resize.to_string(), "re-size_1:7");
        assert_eq!(Target::parse("a").unwrap().qualifier, Qualifier::Newest);
    }

    #[test]
    fn what_is_neither_is_refused() {
        for wrong in
            ["", ":1", "a:", "a:0", "a:-1", "a:+1", "a:b", "a:1:2", "ä", "a b", "a:99999999999999999999"]
        {
            assert!(Target::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_name(&"x".repeat(64)).is_ok() && check_name(&"x".repeat(65)).is_err());
    }
}
