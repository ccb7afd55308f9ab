//! Where a request goes: scheme, host and port.

use std::fmt;

use http::Uri;

use super::host::{Fault, Host};
use super::refusal::Refusal;

/// The schemes that a guest may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// Reads a scheme as URLs write it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Returns the port that URLs leave out.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port; shown as a rule writes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

impl Origin {
    /// Reads where an absolute URL leads.
    ///
    /// # Errors
    ///
    /// `InvalidUrl` for another scheme, credentials, or a host or port that cannot be.
    pub(crate) fn of(uri: &Uri) -> Result<Self, Refusal> {
        let scheme = Scheme::parse(uri.scheme_str().unwrap_or_default());
        let scheme = scheme.ok_or_else(|| invalid("a URL begins with http:// or https://"))?;
        let authority = uri.authority().ok_or_else(|| invalid("the host is missing"))?.as_str();
        if authority.contains('@') {
            // The text is not shown: it holds a password.
            return Err(invalid("a URL has no credentials; send a header in their place"));
        }
        let (host, port) = split(authority);
        let host = Host::parse(host).map_err(|fault| invalid(format!("in {host:?}: {}", fault.reason)))?;
        let port = port.filter(|port| !port.is_empty()).map_or(Ok(scheme.default_port()), parse_port);
        let port = port.map_err(|fault| invalid(fault.reason))?;
        Ok(Self { scheme, host, port })
    }

    /// Returns host and port as the `host` header names them.
    pub(crate) fn authority(&self) -> String {
        let Self { scheme, host, port } = self;
        if *port == scheme.default_port() { host.to_string() } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// Takes host and port apart; colons inside brackets belong to the host.
pub(crate) fn split(authority: &str) -> (&str, Option<&str>) {
    let host_ends = if authority.starts_with('[') { authority.find(']') } else { Some(0) };
    let colon = host_ends.and_then(|at| Some(at + authority[at..].find(':')?));
    colon.map_or((authority, None), |at| (&authority[..at], Some(&authority[at + 1..])))
}

/// Reads a port that one can connect to.
pub(crate) fn parse_port(text: &str) -> Result<u16, Fault> {
    let plain = text.bytes().all(|c| c.is_ascii_digit());
    let port = text.parse().ok().filter(|port| plain && *port != 0);
    port.ok_or_else(|| Fault::new(0, "a port from 1 to 65535 belongs here"))
}

fn invalid(reason: impl Into<String>) -> Refusal {
    Refusal::InvalidUrl { reason: reason.into() }
}
