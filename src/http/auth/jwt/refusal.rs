//! Why a token is refused, in words for who sends it.
//!
//! What is wrong with the form is said at once; what is wrong with the claims only after the signature proved good.

use std::time::Duration;

use http::HeaderValue;

use crate::http::auth::Denied;
use crate::http::auth::jwt::algorithm::JwtAlgorithm;
use crate::http::auth::jwt::keys::MOST_TRIED;
use crate::http::auth::jwt::token::MAX_TOKEN;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a token is needed; send it as Authorization: Bearer TOKEN")]
    Missing,
    #[error("{0} tokens were sent; send one")]
    Several(usize),
    #[error("the token has {0} bytes, the limit is {MAX_TOKEN}")]
    TooLong(usize),
    #[error("the token is malformed: {part} {wrong}")]
    Malformed { part: &'static str, wrong: &'static str },
    #[error("the token is not signed")]
    Unsigned,
    #[error("the token is encrypted; send one that is signed only")]
    Encrypted,
    #[error("the token holds another token; send the inner one")]
    Nested,
    #[error("the token has header extensions that are not understood here (`{0}`)")]
    Extended(&'static str),
    #[error("the token is of another type; look at its header `typ`")]
    OtherType,
    #[error("the token's algorithm is unknown here")]
    UnknownAlgorithm,
    #[error("no key here checks {0}")]
    NoKeyFor(JwtAlgorithm),
    #[error("no key for {0} has the token's `kid`; it may have been replaced")]
    UnknownKey(JwtAlgorithm),
    #[error("{0} keys fit the token, at most {MOST_TRIED} are tried; name one with `kid`")]
    TooManyKeys(usize),
    #[error("the token's signature is wrong")]
    WrongSignature,
    #[error("the token has no claim `{0}`")]
    NoClaim(String),
    #[error("the token's claim `{0}` is {1}")]
    WrongType(String, &'static str),
    #[error("the token expired {} s ago, the leeway is {} s", ago.as_secs(), leeway.as_secs())]
    Expired { ago: Duration, leeway: Duration },
    #[error("the token is valid in {} s, the leeway is {} s", ahead.as_secs(), leeway.as_secs())]
    NotYet { ahead: Duration, leeway: Duration },
    #[error("the token was issued {} s in the future, the leeway is {} s", ahead.as_secs(), leeway.as_secs())]
    IssuedLater { ahead: Duration, leeway: Duration },
    #[error("the token is by another issuer")]
    OtherIssuer,
    #[error("the token is for another audience")]
    OtherAudience,
    #[error("the token does not permit this; its claim `{0}` would have to")]
    NotPermitted(String),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.to_string();
        let code = match refusal {
            // Who did not try is told no error (RFC 6750, section 3.1).
            Refusal::Missing => return Self::unauthorized(reason),
            Refusal::Several(_) => "invalid_request",
            Refusal::NotPermitted(_) => {
                let challenge = challenge("insufficient_scope", &reason);
                return Self::forbidden(reason).with_challenge(challenge);
            }
            _ => "invalid_token",
        };
        let challenge = challenge(code, &reason);
        Self::unauthorized(reason).with_challenge(challenge)
    }
}

/// Writes the challenge of RFC 6750.
fn challenge(code: &str, reason: &str) -> HeaderValue {
    let description: String = reason.chars().map(|c| if is_described(c) { c } else { '?' }).collect();
    let challenge = format!("Bearer error=\"{code}\", error_description=\"{description}\"");
    HeaderValue::try_from(challenge).expect("its characters are visible ASCII")
}

/// Tells whether an error description may have the character.
fn is_described(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\')
}
