//! As whom a request passes.

use std::sync::Arc;

use crate::context::Context;
use crate::error::{Error, ErrorKind};

const MAX_TENANT: usize = 256;
const MAX_ATTRIBUTES: usize = 64;
const MAX_ATTRIBUTE_NAME: usize = 64;
/// Names and values together.
const MAX_ATTRIBUTE_BYTES: usize = 16 * 1024;

/// As whom a request passes: a tenant, and attributes that the handler can ask for.
///
/// At most 64 attributes, 16 KB together; a name has 1 to 64 characters of `a-z`, `0-9`, `.`, `_` and `-`, a value
/// no control characters. A handler reads the attribute `sub` as `auth.sub`.
///
/// ```
/// use fnhost::http::Identity;
///
/// let identity = Identity::new().with_tenant("acme").with_attribute("sub", "ada");
/// identity.check()?;
/// assert_eq!((identity.tenant(), identity.attribute("sub")), (Some("acme"), Some("ada")));
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "an identity does nothing until an authorizer answers it"]
pub struct Identity {
    tenant: Option<Arc<str>>,
    attributes: Vec<(String, String)>,
}

impl Identity {
    /// Creates an identity that says nothing but that the request may pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whose requests these are; 1 to 256 bytes, none by default. A reused guest never serves two tenants.
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Sets an attribute, in the place of an earlier one of that name; none by default.
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.attributes.push((name, value)),
        }
        self
    }

    /// Returns whose requests these are.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Returns the attributes, in the order in which they were given.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns one attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Reports the tenant or the first attribute that breaks the rules; the gateway asks before anything runs.
    ///
    /// # Errors
    ///
    /// `InvalidEvent` with the attribute, what is wrong with it, and what to do.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(tenant) = &self.tenant
            && !(1..=MAX_TENANT).contains(&tenant.len())
        {
            return Err(fault("tenant", format!("{} bytes long; give 1 to {MAX_TENANT}", tenant.len())));
        }
        self.check_amounts()?;
        self.attributes.iter().try_for_each(|(name, value)| check_attribute(name, value))
    }

    fn check_amounts(&self) -> Result<(), Error> {
        if self.attributes.len() > MAX_ATTRIBUTES {
            let count = self.attributes.len();
            return Err(fault(
                "auth",
                format!("{count} attributes, the limit is {MAX_ATTRIBUTES}; give fewer"),
            ));
        }
        let bytes: usize = self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_ATTRIBUTE_BYTES {
            let reason =
                format!("attributes of {bytes} bytes, the limit is {MAX_ATTRIBUTE_BYTES}; give less");
            return Err(fault("auth", reason));
        }
        Ok(())
    }

    /// Hands the tenant and the attributes to a context.
    pub(crate) fn join(self, context: Context) -> Result<Context, Error> {
        self.check()?;
        let context = match self.tenant {
            Some(tenant) => context.with_tenant(tenant),
            None => context,
        };
        let add = |context: Context, (name, value)| context.with_attribute(format!("auth.{name}"), value);
        Ok(self.attributes.into_iter().fold(context, add))
    }
}

fn check_attribute(name: &str, value: &str) -> Result<(), Error> {
    check_name(name)?;
    if value.chars().any(char::is_control) {
        let reason = "the value has a control character; remove it".to_owned();
        return Err(fault(&format!("auth.{name}"), reason));
    }
    Ok(())
}

/// Judges the name of an attribute.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_fine = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if (1..=MAX_ATTRIBUTE_NAME).contains(&name.len()) && name.bytes().all(is_fine) {
        return Ok(());
    }
    let shown: String = name.chars().take(MAX_ATTRIBUTE_NAME).collect();
    let reason =
        format!("{shown:?} is no name; give 1 to {MAX_ATTRIBUTE_NAME} characters of a-z, 0-9, '.', '_', '-'");
    Err(fault("auth", reason))
}

fn fault(attribute: &str, reason: String) -> Error {
    ErrorKind::InvalidEvent { attribute: attribute.to_owned(), reason }.into()
}
