//! What a token has to say, once it is known who signed it.

use std::time::Duration;

use serde_json::Value;

use crate::event::Extension;
use crate::http::auth::Identity;
use crate::http::auth::jwt::date;
use crate::http::auth::jwt::json::Members;
use crate::http::auth::jwt::refusal::Refusal;

/// How far clocks may differ, unless another leeway is set.
const LEEWAY: Duration = Duration::from_secs(60);

/// What a token has to say.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Empty for any issuer.
    pub(super) issuers: Vec<String>,
    pub(super) audience: Audience,
    pub(super) needs_expiry: bool,
    pub(super) leeway: Duration,
    pub(super) required: Vec<(String, Extension)>,
    pub(super) tenant: Option<String>,
    /// Claims, and the attributes that they become.
    pub(super) attributes: Vec<(String, String)>,
}

/// For whom a token may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Audience {
    /// For whoever takes it.
    Any,
    /// For one of these. A token for an audience is refused while there are none (RFC 7519, section 4.1.3).
    OneOf(Vec<String>),
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audience: Audience::OneOf(Vec::new()),
            needs_expiry: true,
            leeway: LEEWAY,
            required: Vec::new(),
            tenant: None,
            attributes: Vec::new(),
        }
    }
}

impl Rules {
    pub(super) fn check(&self, claims: &Members, now: Duration) -> Result<(), Refusal> {
        check_texts(claims)?;
        date::Window { now, leeway: self.leeway, needs_expiry: self.needs_expiry }.check(claims)?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        self.required.iter().try_for_each(|(name, wanted)| check_required(claims, name, wanted))
    }

    fn check_issuer(&self, claims: &Members) -> Result<(), Refusal> {
        if self.issuers.is_empty() {
            return Ok(());
        }
        let issuer = claims.get("iss").ok_or_else(|| no_claim("iss"))?;
        if self.issuers.iter().any(|known| issuer == known.as_str()) {
            Ok(())
        } else {
            Err(Refusal::OtherIssuer)
        }
    }

    fn check_audience(&self, claims: &Members) -> Result<(), Refusal> {
        let named = audience(claims)?;
        match (&self.audience, named) {
            (Audience::Any, _) => Ok(()),
            (Audience::OneOf(known), None) if known.is_empty() => Ok(()),
            (Audience::OneOf(_), None) => Err(no_claim("aud")),
            (Audience::OneOf(known), Some(named)) => {
                let is_known = named.iter().any(|name| known.iter().any(|known| known == name));
                if is_known { Ok(()) } else { Err(Refusal::OtherAudience) }
            }
        }
    }

    /// Makes of the claims who it is that passes.
    pub(super) fn identity(&self, claims: &Members) -> Result<Identity, Refusal> {
        let mut identity = Identity::new();
        if let Some(name) = &self.tenant {
            identity = identity.with_tenant(tenant(claims, name)?);
        }
        for (claim, attribute) in &self.attributes {
            if let Some(value) = claims.get(claim) {
                identity = identity.with_attribute(attribute, written(claim, value)?);
            }
        }
        Ok(identity)
    }
}

/// Refuses the registered claims of text that are no text.
fn check_texts(claims: &Members) -> Result<(), Refusal> {
    let wrong =
        ["iss", "sub", "jti"].into_iter().find(|name| claims.get(*name).is_some_and(|v| !v.is_string()));
    wrong.map_or(Ok(()), |name| Err(wrong_type(name, "no string")))
}

/// Returns for whom the token is: a string, or an array of strings.
fn audience(claims: &Members) -> Result<Option<Vec<&str>>, Refusal> {
    let wrong = || wrong_type("aud", "neither a string nor an array of strings");
    match claims.get("aud") {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(vec![name])),
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            names.map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

/// A claim permits when it has the value, or is an array that holds it.
fn check_required(claims: &Members, name: &str, wanted: &Extension) -> Result<(), Refusal> {
    let is_wanted = |value: &Value| match wanted {
        Extension::String(text) => value == text.as_str(),
        Extension::Boolean(flag) => value == flag,
        Extension::Integer(number) => value == number,
    };
    let permits = match claims.get(name) {
        Some(Value::Array(values)) => values.iter().any(is_wanted),
        Some(value) => is_wanted(value),
        None => false,
    };
    if permits { Ok(()) } else { Err(Refusal::NotPermitted(name.to_owned())) }
}

fn tenant<'a>(claims: &'a Members, name: &str) -> Result<&'a str, Refusal> {
    let value = claims.get(name).ok_or_else(|| no_claim(name))?;
    let tenant = value.as_str().ok_or_else(|| wrong_type(name, "no string"))?;
    let is_fine = Identity::new().with_tenant(tenant).check().is_ok();
    is_fine.then_some(tenant).ok_or_else(|| wrong_type(name, "no tenant; one has 1 to 256 bytes"))
}

/// Writes a claim as an attribute: text as it is, anything else as JSON.
fn written(claim: &str, value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) if text.chars().any(char::is_control) => {
            Err(wrong_type(claim, "text with control characters"))
        }
        Value::String(text) => Ok(text.clone()),
        other => Ok(other.to_string()),
    }
}

fn no_claim(name: &str) -> Refusal {
    Refusal::NoClaim(name.to_owned())
}

pub(super) fn wrong_type(name: &str, found: &'static str) -> Refusal {
    Refusal::WrongType(name.to_owned(), found)
}
