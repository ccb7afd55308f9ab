//! What may be requested: the allow rules of a function, parsed once.
//!
//! A rule that names a host allows that name at public addresses only: whoever owns a name decides where it leads,
//! and may lead it into the network of the host. A special address is reached in one of two ways: a rule names it
//! or a range that has it, or the rule of the name was given by [`Rules::allow_private`]. Metadata addresses are
//! reached by a rule that names just that address, and in no other way.

use std::fmt;
use std::net::SocketAddr;

use super::address::{Special, special};
use super::host::{Fault, Host};
use super::origin::{Origin, Scheme};
use super::refusal::Refusal;
use super::rule::Rule;

/// The allow rules of one function; none allows nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

/// What the rules say of a request before its host is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    private: bool,
}

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidRule {
    rule: String,
    fault: Fault,
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "outbound rule {:?}, at byte {}: {}", self.rule, self.fault.at, self.fault.reason)
    }
}

impl std::error::Error for InvalidRule {}

impl Rules {
    /// Adds a rule such as `https://api.example.com`, `http://*.internal.example:8080`, `https://example.com:*`,
    /// `http://10.0.0.0/8:8080` or `http://[fd00::/8]`.
    ///
    /// # Errors
    ///
    /// What is wrong with the rule, where, and what to write.
    pub(crate) fn allow(&mut self, rule: &str) -> Result<(), InvalidRule> {
        self.add(rule, false)
    }

    /// Adds a rule that names a host, and allows it at private and other special addresses too.
    ///
    /// # Errors
    ///
    /// As [`allow`](Self::allow), and for a rule that names addresses, since it allows those already.
    pub(crate) fn allow_private(&mut self, rule: &str) -> Result<(), InvalidRule> {
        self.add(rule, true)
    }

    /// Tells whether nothing is allowed.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Tells whether any rule needs TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.rules.iter().any(|rule| rule.scheme() == Scheme::Https)
    }

    /// Judges where a request goes, as it is written.
    ///
    /// # Errors
    ///
    /// `DeniedByRule` if no rule allows it.
    pub(crate) fn judge(&self, origin: &Origin) -> Result<Grant, Refusal> {
        let mut matching = self.rules.iter().filter(|rule| rule.allows(origin)).peekable();
        if matching.peek().is_none() {
            return Err(Refusal::DeniedByRule { origin: origin.to_string() });
        }
        Ok(Grant { private: matching.any(|rule| rule.is_private()) })
    }

    /// Judges one address that the host of the request leads to.
    ///
    /// # Errors
    ///
    /// `DeniedAddress` if it is special and not allowed.
    pub(crate) fn judge_address(
        &self,
        origin: &Origin,
        grant: Grant,
        address: SocketAddr,
    ) -> Result<(), Refusal> {
        let Some(special) = special(address.ip()) else { return Ok(()) };
        let named = |exactly| self.rules.iter().any(|rule| rule.names(origin.scheme, address, exactly));
        let allowed = match special {
            Special::Metadata => named(true),
            _ => grant.private || named(false),
        };
        let refuse = || Refusal::DeniedAddress {
            origin: origin.to_string(),
            address: address.ip(),
            special,
            fix: fix(origin, address, special),
        };
        if allowed { Ok(()) } else { Err(refuse()) }
    }

    fn add(&mut self, text: &str, private: bool) -> Result<(), InvalidRule> {
        let rule = Rule::parse(text, private).map_err(|fault| InvalidRule { rule: text.into(), fault })?;
        self.rules.push(rule);
        Ok(())
    }
}

/// Says which rule would allow an address.
fn fix(origin: &Origin, address: SocketAddr, special: Special) -> String {
    let named = Origin { scheme: origin.scheme, host: Host::Address(address.ip()), port: address.port() };
    match (&origin.host, special) {
        (Host::Name(_), special) if special != Special::Metadata => {
            format!("add `.allow_outbound(\"{named}\")`, or `.allow_outbound_private(\"{origin}\")`")
        }
        _ => format!("add `.allow_outbound(\"{named}\")`"),
    }
}
