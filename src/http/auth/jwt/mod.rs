//! Lets in who shows a JSON Web Token that a known key has signed (RFC 7519, with the advice of RFC 8725).
//!
//! Its contract: the keys decide which algorithms there are, and the token never does. No key is taken from a token or
//! fetched by its word. A claim of the wrong type refuses, as one that is wrong does. Claims are looked at when the
//! signature has proved good, so nobody learns from guesses. It does not decrypt, and it fetches nothing.

mod algorithm;
mod carrier;
mod claims;
mod date;
mod der;
mod json;
mod jwks;
mod key;
mod keys;
mod material;
mod pem;
mod refusal;
mod token;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::request::Parts;

pub use self::algorithm::JwtAlgorithm;
use self::claims::{Audience, Rules};
use self::jwks::Secrets;
pub use self::key::JwtKey;
use self::keys::Keys;
use self::refusal::Refusal;
use self::token::{Token, is_type};
use crate::error::Error;
use crate::event::Extension;
use crate::http::auth::identity::check_name;
use crate::http::auth::{Authorizer, Denied, Identity, Verdict};

/// Lets in who shows a JSON Web Token that one of its keys has signed.
///
/// The token comes as `Authorization: Bearer TOKEN`. It has at most 8 KiB, an expiry, and if it names an audience one
/// of those set here. Who shows none, or one that is refused, is answered 401 with a challenge that says why; who
/// lacks a required claim, 403.
///
/// Clones share their keys, so one of them can be kept to [replace](Self::replace_keys) them.
///
/// ```
/// use fnhost::http::{Jwt, JwtKey};
///
/// let jwt = Jwt::new([JwtKey::hmac([7; 32])?])
///     .issuer("https://id.example")
///     .audience("shop")
///     .require_claim("role", "buyer")
///     .tenant_claim("org")
///     .attribute("sub");
/// let denied = jwt.verify("eyJhbGciOiJub25lIn0.e30.").unwrap_err();
/// assert_eq!(denied.reason(), "the token is not signed");
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "an authorizer does nothing until a gateway asks it"]
pub struct Jwt {
    keys: Arc<ArcSwap<Keys>>,
    secrets: Secrets,
    rules: Rules,
    token_type: Option<String>,
    cookie: Option<String>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    fault: Option<String>,
}

impl Jwt {
    /// Makes an authorizer of keys.
    pub fn new(keys: impl IntoIterator<Item = JwtKey>) -> Self {
        Self::of(Keys(keys.into_iter().collect()), Secrets::Refused)
    }

    /// Makes an authorizer of a set of public keys (JWKS, RFC 7517), given as the text of the document.
    ///
    /// Keys for other uses and of kinds that are unknown here are passed over.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` if no key remains, or one is broken, weak, or a secret.
    pub fn from_jwks(text: &str) -> Result<Self, Error> {
        Ok(Self::of(jwks::read(text, Secrets::Refused)?, Secrets::Refused))
    }

    /// Makes an authorizer of a set of keys that is kept secret, and so may hold secrets (`kty` of `oct`).
    ///
    /// # Errors
    ///
    /// As [`from_jwks`](Self::from_jwks), but for the secrets.
    pub fn from_secret_jwks(text: &str) -> Result<Self, Error> {
        Ok(Self::of(jwks::read(text, Secrets::Taken)?, Secrets::Taken))
    }

    /// Replaces the keys of this authorizer and of all its clones by those of a set; on an error the old ones stay.
    ///
    /// # Errors
    ///
    /// As the constructor: secrets are taken only after [`from_secret_jwks`](Self::from_secret_jwks).
    pub fn replace_keys(&self, text: &str) -> Result<(), Error> {
        self.keys.store(Arc::new(jwks::read(text, self.secrets)?));
        Ok(())
    }

    fn of(keys: Keys, secrets: Secrets) -> Self {
        Self {
            keys: Arc::new(ArcSwap::from_pointee(keys)),
            secrets,
            rules: Rules::default(),
            token_type: None,
            cookie: None,
            clock: Arc::new(SystemTime::now),
            fault: None,
        }
    }

    /// Adds an issuer (`iss`) whose tokens are taken; any by default.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.rules.issuers.push(issuer.into());
        self
    }

    /// Adds a name of this service that a token has to be for (`aud`); by default only tokens that name nobody.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        match &mut self.rules.audience {
            Audience::OneOf(known) => known.push(audience.into()),
            Audience::Any => self.rules.audience = Audience::OneOf(vec![audience.into()]),
        }
        self
    }

    /// Takes tokens for any audience, so those that users gave to other services of the issuer as well.
    pub fn any_audience(mut self) -> Self {
        self.rules.audience = Audience::Any;
        self
    }

    /// Takes tokens that never expire; refused by default.
    pub fn without_expiry(mut self) -> Self {
        self.rules.needs_expiry = false;
        self
    }

    /// Sets how far the issuer's clock may differ; 60 s by default.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway = leeway;
        self
    }

    /// Takes only tokens whose header `typ` is this, such as `at+jwt`; any by default.
    pub fn token_type(mut self, name: impl Into<String>) -> Self {
        self.token_type = Some(name.into());
        self
    }

    /// Requires that a claim has the value, or is an array that holds it; who lacks it is answered 403.
    pub fn require_claim(mut self, name: impl Into<String>, value: impl Into<Extension>) -> Self {
        self.rules.required.push((name.into(), value.into()));
        self
    }

    /// Takes the tenant from a claim, which every token then has to have; no tenant by default.
    pub fn tenant_claim(mut self, name: impl Into<String>) -> Self {
        self.rules.tenant = Some(name.into());
        self
    }

    /// Hands a claim on as the attribute of that name, if a token has it; none by default.
    ///
    /// Text is handed on as it is, anything else as JSON. For a claim whose name is none for an attribute, there is
    /// [`attribute_as`](Self::attribute_as).
    pub fn attribute(self, claim: impl Into<String>) -> Self {
        let claim = claim.into();
        self.attribute_as(claim.clone(), claim)
    }

    /// Hands a claim on as an attribute of another name, 1 to 64 characters of `a-z`, `0-9`, `.`, `_` and `-`.
    pub fn attribute_as(mut self, claim: impl Into<String>, name: impl Into<String>) -> Self {
        let name = name.into();
        if let Err(error) = check_name(&name) {
            self.remember(format!("the attribute of a claim: {error}"));
        }
        self.rules.attributes.push((claim.into(), name));
        self
    }

    /// Looks for the token in a cookie as well, where there is no header `Authorization`; never by default.
    ///
    /// A browser sends cookies with requests that other sites cause: set it with `HttpOnly; Secure; SameSite=Strict`.
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if !carrier::is_cookie_name(&name) {
            self.remember(format!("{name:?} is no name of a cookie; give letters, digits, '-' and '_'"));
        }
        self.cookie = Some(name);
        self
    }

    /// Sets what tells the time; the system's clock by default.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Judges a token, wherever it came from.
    ///
    /// # Errors
    ///
    /// The denial that a request with this token is answered.
    pub fn verify(&self, token: &str) -> Result<Identity, Denied> {
        Ok(self.judge(token)?)
    }

    fn admit(&self, headers: &HeaderMap) -> Result<Identity, Denied> {
        let token = carrier::find(headers, self.cookie.as_deref())?;
        self.verify(token)
    }

    fn judge(&self, token: &str) -> Result<Identity, Refusal> {
        let token = Token::read(token)?;
        self.check_type(token.header.token_type.as_deref())?;
        self.keys.load().check(&token)?;
        let claims = token.claims()?;
        let now = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.rules.check(&claims, now)?;
        self.rules.identity(&claims)
    }

    fn check_type(&self, found: Option<&str>) -> Result<(), Refusal> {
        match (&self.token_type, found) {
            (None, _) => Ok(()),
            (Some(wanted), Some(found)) if is_type(found, wanted) => Ok(()),
            (Some(_), _) => Err(Refusal::OtherType),
        }
    }

    fn remember(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

impl Authorizer for Jwt {
    fn authorize<'a>(&'a self, request: &'a Parts) -> Verdict<'a> {
        Box::pin(std::future::ready(self.admit(&request.headers)))
    }

    fn check(&self) -> Result<(), Error> {
        self.fault.as_ref().map_or(Ok(()), |fault| Err(Error::configuration(fault.as_str())))
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("keys", &self.keys.load())
            .field("rules", &self.rules)
            .field("token_type", &self.token_type)
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}
