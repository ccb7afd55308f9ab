//! A token on the wire: three parts, and a header that says how it is signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::http::auth::jwt::algorithm::JwtAlgorithm;
use crate::http::auth::jwt::json::{self, Fault, Members};
use crate::http::auth::jwt::refusal::Refusal;

/// The longest token, in bytes.
pub(super) const MAX_TOKEN: usize = 8 * 1024;

/// A token whose signature was not looked at yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) header: Header,
    /// What the signature is of.
    pub(super) message: &'a str,
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

/// What of a header is believed: it chooses among the keys that there are, and brings none.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: JwtAlgorithm,
    pub(super) key_id: Option<String>,
    pub(super) token_type: Option<String>,
}

impl<'a> Token<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > MAX_TOKEN {
            return Err(Refusal::TooLong(text.len()));
        }
        let [header, payload, signature] = split(text)?;
        let message = &text[..text.len() - signature.len() - 1];
        let header = Header::read(&members("the header", header)?)?;
        Ok(Self { header, message, signature: decode("the signature", signature)?, payload })
    }

    /// Reads the claims, which deserve no belief before the signature proved good.
    pub(super) fn claims(&self) -> Result<Members, Refusal> {
        members("the claims", self.payload)
    }
}

impl Header {
    fn read(members: &Members) -> Result<Self, Refusal> {
        let algorithm = algorithm(members)?;
        check_extensions(members)?;
        if text(members, "cty")?.is_some_and(|content| is_type(content, "jwt")) {
            return Err(Refusal::Nested);
        }
        let owned = |name| Ok(text(members, name)?.map(str::to_owned));
        Ok(Self { algorithm, key_id: owned("kid")?, token_type: owned("typ")? })
    }
}

/// Tells whether a header names the type, with `application/` or without it.
pub(super) fn is_type(found: &str, wanted: &str) -> bool {
    let short = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.strip_prefix("application/").map(str::to_owned).unwrap_or(name)
    };
    short(found) == short(wanted)
}

fn split(text: &str) -> Result<[&str; 3], Refusal> {
    match text.splitn(6, '.').collect::<Vec<_>>()[..] {
        [header, payload, signature] => Ok([header, payload, signature]),
        [_, _, _, _, _] => Err(Refusal::Encrypted),
        _ => Err(Refusal::Malformed { part: "it", wrong: "needs three parts with dots between them" }),
    }
}

/// Strict: no padding, no line breaks, and no bits left over, so that a token has one spelling only.
fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, Refusal> {
    let malformed = |_| Refusal::Malformed { part, wrong: "is no base64url without padding" };
    URL_SAFE_NO_PAD.decode(text).map_err(malformed)
}

fn members(part: &'static str, text: &str) -> Result<Members, Refusal> {
    let wrong = match json::object(&decode(part, text)?) {
        Ok(members) => return Ok(members),
        Err(Fault::NotAnObject) => "is no JSON object",
        Err(Fault::Twice) => "has a member twice",
    };
    Err(Refusal::Malformed { part, wrong })
}

fn algorithm(members: &Members) -> Result<JwtAlgorithm, Refusal> {
    let missing = Refusal::Malformed { part: "the header", wrong: "has no `alg`" };
    let name = text(members, "alg")?.ok_or(missing)?;
    if name.eq_ignore_ascii_case("none") {
        return Err(Refusal::Unsigned);
    }
    JwtAlgorithm::named(name).ok_or(Refusal::UnknownAlgorithm)
}

/// Refuses what would change how the token is to be read.
fn check_extensions(members: &Members) -> Result<(), Refusal> {
    if ["enc", "zip"].iter().any(|name| members.contains_key(*name)) {
        return Err(Refusal::Encrypted);
    }
    if members.contains_key("crit") {
        return Err(Refusal::Extended("crit"));
    }
    match members.get("b64") {
        None | Some(Value::Bool(true)) => Ok(()),
        Some(_) => Err(Refusal::Extended("b64")),
    }
}

fn text<'a>(members: &'a Members, name: &str) -> Result<Option<&'a str>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => {
            let wrong = "has an `alg`, `kid`, `typ` or `cty` that is no string";
            Err(Refusal::Malformed { part: "the header", wrong })
        }
    }
}
