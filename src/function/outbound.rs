//! What a function may reach over HTTP.

use std::time::Duration;

use crate::error::Error;
use crate::function::Function;
use crate::outbound::{InvalidRule, Limits, Roots, Rules};

/// How much a function may do over HTTP; see [`Function::outbound_limits`].
///
/// ```
/// use fnhost::{Function, OutboundLimits};
///
/// let function = Function::wasm("prices", "(module)")
///     .allow_outbound("https://api.example.com")
///     .outbound_limits(OutboundLimits::new().max_requests(3).max_response_bytes(1 << 20));
/// # drop(function);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "limits do nothing until they are given to a function"]
pub struct OutboundLimits(Limits);

impl OutboundLimits {
    /// Makes the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long finding the address, connecting and agreeing on TLS may take together; 10 seconds unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.0.patience.connect = timeout;
        self
    }

    /// Sets how long the server may take until its answer begins; 60 seconds unless set.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.0.patience.first_byte = timeout;
        self
    }

    /// Sets how long the server may take between two pieces of its answer; 60 seconds unless set.
    pub fn between_bytes_timeout(mut self, timeout: Duration) -> Self {
        self.0.patience.between_bytes = timeout;
        self
    }

    /// Sets how many requests of the function may be under way at once; 64 unless set.
    pub fn max_at_once(mut self, most: usize) -> Self {
        self.0.max_at_once = most;
        self
    }

    /// Sets how many requests one event may make; 100 unless set.
    pub fn max_requests(mut self, most: usize) -> Self {
        self.0.max_requests = most;
        self
    }

    /// Sets how large the head of a request may be, in bytes; 32 KiB unless set.
    pub fn max_request_head(mut self, bytes: usize) -> Self {
        self.0.max_request_head = bytes;
        self
    }

    /// Sets how much one event may send in bodies, in bytes; 100 MiB unless set.
    pub fn max_request_bytes(mut self, bytes: u64) -> Self {
        self.0.max_request_bytes = bytes;
        self
    }

    /// Sets how large the head of an answer may be, in bytes; 64 KiB unless set, at least 8 KiB.
    pub fn max_response_head(mut self, bytes: usize) -> Self {
        self.0.max_response_head = bytes;
        self
    }

    /// Sets how many headers an answer may have; 100 unless set.
    pub fn max_headers(mut self, most: usize) -> Self {
        self.0.max_headers = most;
        self
    }

    /// Sets how much one event may receive in bodies, in bytes; 100 MiB unless set.
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.0.max_response_bytes = bytes;
        self
    }
}

impl Function {
    /// Lets guests make HTTP requests to a scheme, host and port; nothing is within reach unless allowed.
    ///
    /// The host is exact (`https://api.example.com`), a suffix (`https://*.example.com`), an address or a range of
    /// them (`http://10.0.0.0/8:8080`); the port is the scheme's unless given, `*` is any. A name is allowed, not what
    /// it leads to: loopback, private, link-local and metadata addresses stay out of reach unless a rule names the
    /// address, or [`allow_outbound_private`](Self::allow_outbound_private) is used. A rule that cannot be read is an
    /// error of `deploy`.
    ///
    /// ```
    /// use fnhost::Function;
    ///
    /// let function = Function::wasm("prices", "(module)").allow_outbound("https://api.example.com");
    /// # drop(function);
    /// ```
    pub fn allow_outbound(self, rule: impl AsRef<str>) -> Self {
        self.allowing(|rules| rules.allow(rule.as_ref()))
    }

    /// Lets guests make HTTP requests to a name that leads to loopback or private addresses.
    ///
    /// ```
    /// use fnhost::Function;
    ///
    /// let function = Function::wasm("stock", "(module)").allow_outbound_private("http://stock.internal:8080");
    /// # drop(function);
    /// ```
    pub fn allow_outbound_private(self, rule: impl AsRef<str>) -> Self {
        self.allowing(|rules| rules.allow_private(rule.as_ref()))
    }

    /// Sets how much guests may do over HTTP; the defaults of [`OutboundLimits`] unless set.
    pub fn outbound_limits(mut self, limits: OutboundLimits) -> Self {
        self.recipe.outbound.limits = limits.0;
        self
    }

    /// Trusts these certificates (PEM) in place of Mozilla's for what guests reach over HTTPS.
    ///
    /// ```
    /// use fnhost::Function;
    ///
    /// # let pem = b"";
    /// let function = Function::wasm("prices", "(module)").roots(pem);
    /// # drop(function);
    /// ```
    pub fn roots(mut self, pem: &[u8]) -> Self {
        match Roots::only(pem) {
            Ok(roots) => self.recipe.outbound.roots = roots,
            Err(reason) => self.fault(reason),
        }
        self
    }

    /// Trusts these certificates (PEM) beside those that are trusted already for what guests reach over HTTPS.
    pub fn more_roots(mut self, pem: &[u8]) -> Self {
        match std::mem::take(&mut self.recipe.outbound.roots).and(pem) {
            Ok(roots) => self.recipe.outbound.roots = roots,
            Err(reason) => self.fault(reason),
        }
        self
    }

    fn allowing(mut self, allow: impl FnOnce(&mut Rules) -> Result<(), InvalidRule>) -> Self {
        if let Err(invalid) = allow(&mut self.recipe.outbound.rules) {
            self.fault(invalid.to_string());
        }
        self
    }

    /// Remembers the first thing that is wrong, for `deploy` to say.
    fn fault(&mut self, reason: String) {
        self.outbound_fault.get_or_insert(reason);
    }

    pub(super) fn check_outbound(&self) -> Result<(), Error> {
        match &self.outbound_fault {
            Some(reason) => Err(Error::configuration(format!("{:?}: {reason}", self.name))),
            None => Ok(()),
        }
    }
}
