//! Which events a subscriber wants: patterns with the meaning that Amazon EventBridge gave them.
//!
//! A [`Filter`] promises that a pattern that it accepts says something about each field that it names, that
//! matching never fails, holds no more of a body than one string, and takes time that grows with the body
//! and the pattern and with nothing else. It does not say who gets an event.

mod alternatives;
mod combination;
mod compile;
mod decimal;
mod evaluate;
mod fault;
mod json;
mod leaf;
mod letters;
mod matchers;
mod network;
mod numeric;
mod reader;
mod token;
mod tree;
mod unwanted;
mod view;
mod wildcard;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use self::fault::Fault;
use self::json::Json;
use self::tree::Tree;
use crate::error::Error;
use crate::event::Event;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 64 * 1024;

/// How deep a pattern may be nested.
const MAX_DEPTH: usize = 32;

/// Which events are wanted: a pattern as Amazon EventBridge writes them.
///
/// A pattern is a JSON object that looks like the events it matches. Each field that it names holds a list
/// of what the value may be: plain values, or matchers such as `{"prefix": "eu-"}`. All fields have to
/// match; one entry of each list is enough. The guide `docs/filters.md` in the repository has every matcher.
///
/// An event shows its attributes at the top (`id`, `source`, `type`, `subject`, `time`, `datacontenttype`,
/// `dataschema`, `specversion` and the names of extensions), and its body under `data` if it is JSON. The
/// body is read only if the pattern names `data` and the attributes match.
///
/// ```
/// use fnhost::{Event, Filter};
///
/// let filter = Filter::parse(r#"{
///     "type": [{"prefix": "order."}],
///     "data": {"total": [{"numeric": [">=", 100]}], "country": ["DE", "AT"]}
/// }"#)?;
///
/// let order = |total| Event::json("order.placed", &serde_json::json!({"total": total, "country": "DE"}));
/// assert!(filter.matches(&order(250)?));
/// assert!(!filter.matches(&order(5)?));
///
/// let error = Filter::parse(r#"{"type": [{"prefx": "order."}]}"#).unwrap_err();
/// assert!(error.to_string().contains("line 1, column 12: unknown matcher \"prefx\""));
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct Filter {
    pattern: Arc<str>,
    /// One of them has to be met.
    combinations: Arc<[Tree]>,
}

impl Filter {
    /// Reads a pattern of at most 64 KiB and 32 levels.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` with line and column, what is wrong there, and what to do.
    pub fn parse(pattern: &str) -> Result<Self, Error> {
        let combinations = combinations(pattern).map_err(|fault| fault.into_error(pattern))?;
        Ok(Self { pattern: pattern.into(), combinations: combinations.into() })
    }

    /// Returns the pattern as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Tells whether an event is wanted.
    pub fn matches(&self, event: &Event) -> bool {
        self.combinations.iter().any(|combination| view::meets(event, combination))
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.pattern).finish()
    }
}

fn combinations(pattern: &str) -> Result<Vec<Tree>, Fault> {
    if pattern.len() > MAX_PATTERN {
        let (len, at) = (pattern.len(), MAX_PATTERN);
        let reason = format!("a pattern has at most {MAX_PATTERN} bytes, this one has {len}; split it");
        return Err(Fault::new(at, reason));
    }
    compile::compile(&Json::parse(pattern, MAX_DEPTH)?)
}
