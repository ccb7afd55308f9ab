//! Reads a set of keys (RFC 7517).
//!
//! Keys of kinds and uses that are none of ours are passed over, as the standard asks; a key of ours that is broken
//! or weak refuses the whole set, so that nobody finds out later.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::error::Error;
use crate::http::auth::jwt::algorithm::JwtAlgorithm;
use crate::http::auth::jwt::json::{self, Fault, Members};
use crate::http::auth::jwt::key::JwtKey;
use crate::http::auth::jwt::keys::Keys;
use crate::http::auth::jwt::material::{Material, UNCOMPRESSED};

/// The longest set, in bytes.
const MAX_TEXT: usize = 256 * 1024;
/// The most keys of one set.
const MAX_KEYS: usize = 64;

/// Whether a set may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrets {
    /// A secret in a set that others can read would let everybody sign.
    Refused,
    /// The set itself is kept secret.
    Taken,
}

/// Reads a set, which has at least one key to check tokens with.
pub(super) fn read(text: &str, secrets: Secrets) -> Result<Keys, Error> {
    let entries = entries(text).map_err(|reason| refused(&reason))?;
    let mut keys = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let key = key(entry, secrets).map_err(|reason| refused(&format!("key {}: {reason}", number + 1)))?;
        keys.extend(key);
    }
    if keys.is_empty() {
        let count = entries.len();
        return Err(refused(&format!(
            "none of its {count} keys checks signatures of tokens; give one that does"
        )));
    }
    Ok(Keys(keys))
}

fn entries(text: &str) -> Result<Vec<Value>, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("{} bytes, the limit is {MAX_TEXT}; drop old keys", text.len()));
    }
    let mut set = json::object(text.as_bytes()).map_err(|fault| match fault {
        Fault::NotAnObject => "it is no JSON object; give the text of the document",
        Fault::Twice => "a member stands twice; leave one of them out",
    })?;
    match set.remove("keys") {
        Some(Value::Array(keys)) if keys.len() <= MAX_KEYS => Ok(keys),
        Some(Value::Array(keys)) => {
            Err(format!("{} keys, the limit is {MAX_KEYS}; drop old ones", keys.len()))
        }
        _ => Err("it has no array `keys`; give a set, not a single key".to_owned()),
    }
}

/// Reads a key; none if it is not for us.
fn key(entry: &Value, secrets: Secrets) -> Result<Option<JwtKey>, String> {
    let entry = entry.as_object().ok_or("it is no object")?;
    let name = text(entry, "alg")?;
    let algorithm = name.and_then(JwtAlgorithm::named);
    if name.is_some() != algorithm.is_some() || !is_to_verify(entry)? {
        return Ok(None);
    }
    let Some(material) = material(entry, secrets)? else { return Ok(None) };
    let key = match algorithm {
        Some(algorithm) => JwtKey::new(material).bound(algorithm)?,
        None => JwtKey::new(material),
    };
    Ok(Some(match text(entry, "kid")? {
        Some(id) => key.with_id(id),
        None => key,
    }))
}

/// Tells whether the key is there for signatures, as far as it says.
fn is_to_verify(entry: &Members) -> Result<bool, String> {
    let serves = text(entry, "use")?.is_none_or(|usage| usage == "sig");
    match entry.get("key_ops") {
        None => Ok(serves),
        Some(Value::Array(operations)) => Ok(serves && operations.iter().any(|name| name == "verify")),
        Some(_) => Err("`key_ops` is no array".to_owned()),
    }
}

fn material(entry: &Members, secrets: Secrets) -> Result<Option<Material>, String> {
    let kind = text(entry, "kty")?.ok_or("it has no `kty`")?;
    let material = match (kind, text(entry, "crv")?) {
        ("oct", _) if secrets == Secrets::Refused => {
            return Err("it is a secret, which no published set may hold; remove it there and change it, \
                        or use `from_secret_jwks` for a set that is kept secret"
                .to_owned());
        }
        ("oct", _) => Material::secret(&bytes(entry, "k")?),
        ("RSA", _) => Material::rsa(&bytes(entry, "n")?, &bytes(entry, "e")?),
        ("EC", Some("P-256")) => Material::p256(&point(entry)?),
        ("EC", Some("P-384")) => Material::p384(&point(entry)?),
        ("OKP", Some("Ed25519")) => Material::ed25519(&bytes(entry, "x")?),
        _ => return Ok(None),
    };
    material.map(Some).map_err(|reason| format!("it is {reason}"))
}

/// Writes the point as one: uncompressed, x, y.
fn point(entry: &Members) -> Result<Vec<u8>, String> {
    let (x, y) = (bytes(entry, "x")?, bytes(entry, "y")?);
    if x.len() != y.len() {
        return Err(format!("its `x` has {} bytes and its `y` {}; export it again", x.len(), y.len()));
    }
    Ok([&[UNCOMPRESSED], &x[..], &y[..]].concat())
}

fn bytes(entry: &Members, name: &str) -> Result<Vec<u8>, String> {
    let text = text(entry, name)?.ok_or_else(|| format!("it has no `{name}`"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("its `{name}` is no base64url without padding"))
}

fn text<'a>(entry: &'a Members, name: &str) -> Result<Option<&'a str>, String> {
    match entry.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its `{name}` is no string")),
    }
}

fn refused(reason: &str) -> Error {
    Error::configuration(format!("the key set is refused: {reason}"))
}
