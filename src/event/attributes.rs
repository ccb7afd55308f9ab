//! The attributes of an event, judged as they are set.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::escape::Escaped;
use crate::event::extension::Extension;

/// What an error shows of a value, in characters.
const SHOWN: usize = 64;

/// The longest name of an extension.
const MAX_EXTENSION_NAME: usize = 20;

/// Names that an extension cannot take: the specification gave them a meaning.
const RESERVED: [&str; 10] = [
    "id",
    "source",
    "type",
    "specversion",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
];

/// Tells why a value is refused: what is wrong with it and what to do.
type Check = fn(&str) -> Result<(), String>;

/// Everything of an event but its body.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes {
    pub(super) id: Arc<str>,
    pub(super) source: Cow<'static, str>,
    pub(super) event_type: String,
    pub(super) subject: Option<String>,
    pub(super) time: Option<String>,
    pub(super) content_type: Option<Cow<'static, str>>,
    pub(super) data_schema: Option<String>,
    pub(super) extensions: BTreeMap<String, Extension>,
    pub(super) fault: Option<Box<Fault>>,
}

impl Attributes {
    /// Judges the type only: the other two are the runtime's own, or set again at once.
    // What it answers is large and moved at once.
    #[inline]
    pub(super) fn new(id: Arc<str>, source: Cow<'static, str>, event_type: String) -> Self {
        let mut attributes = Self {
            id,
            source,
            event_type: String::new(),
            subject: None,
            time: None,
            content_type: None,
            data_schema: None,
            extensions: BTreeMap::new(),
            fault: None,
        };
        attributes.event_type = attributes.judged("type", event_type, check_required);
        attributes
    }

    /// Gives the value back, and remembers why it is refused.
    pub(super) fn judged(&mut self, attribute: &str, value: String, check: Check) -> String {
        if let Err(reason) = check(&value) {
            self.remember(attribute, reason);
        }
        value
    }

    pub(super) fn extend(&mut self, name: String, value: Extension) {
        if let Err(reason) = check_extension(&name, &value) {
            self.remember(&label(&name), reason);
        }
        self.extensions.insert(name, value);
    }

    fn remember(&mut self, attribute: &str, reason: String) {
        self.fault.get_or_insert_with(|| Box::new(Fault::new(attribute, reason)));
    }
}

/// Why an event is not one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    attribute: String,
    reason: String,
}

impl Fault {
    pub(super) fn new(attribute: &str, reason: impl Into<String>) -> Self {
        Self { attribute: attribute.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid event: {}: {}", self.attribute, self.reason)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        ErrorKind::InvalidEvent { attribute: fault.attribute, reason: fault.reason }.into()
    }
}

/// Judges a string that may not be empty.
pub(super) fn check_required(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("it is empty; give it at least one character".to_owned());
    }
    check_string(value)
}

fn check_string(value: &str) -> Result<(), String> {
    // Nearly all are plain, and this is a part of making an event (bench `pool`).
    if value.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Ok(());
    }
    match value.chars().find(|c| c.is_control() || is_noncharacter(*c)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "{} has the character U+{:04X}, a control or noncharacter; \
             remove it, or carry the value in the body",
            quoted(value),
            u32::from(c)
        )),
    }
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

fn check_extension(name: &str, value: &Extension) -> Result<(), String> {
    check_extension_name(name)?;
    match value {
        Extension::String(text) => check_string(text),
        Extension::Boolean(_) | Extension::Integer(_) => Ok(()),
    }
}

fn check_extension_name(name: &str) -> Result<(), String> {
    if RESERVED.contains(&name) {
        return Err("an extension cannot take a name of the specification; use that setter, or another name"
            .to_owned());
    }
    if name.is_empty() || name.len() > MAX_EXTENSION_NAME {
        return Err(format!(
            "an extension's name has 1 to {MAX_EXTENSION_NAME} characters, {} has {}; choose another",
            quoted(name),
            name.chars().count()
        ));
    }
    match name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9')) {
        None => Ok(()),
        Some(c) => Err(format!(
            "an extension's name has only characters of a-z and 0-9, {} has {}; rename it",
            quoted(name),
            quoted(c.encode_utf8(&mut [0; 4]))
        )),
    }
}

/// Shows a value in quotes, cut and escaped.
pub(super) fn quoted(value: &str) -> String {
    format!("\"{}\"", cut(value))
}

/// Names an extension in an error, whatever its name is made of.
pub(super) fn label(name: &str) -> String {
    if name.is_empty() { "extension".to_owned() } else { cut(name) }
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        None => Escaped(value).to_string(),
        Some((end, _)) => format!("{}...", Escaped(&value[..end])),
    }
}
