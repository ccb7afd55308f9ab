//! The keys of an authorizer, and which of them may judge a token.

use crate::http::auth::jwt::key::JwtKey;
use crate::http::auth::jwt::material::Verifier;
use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::token::{Header, Token};

/// How many keys are tried for one token; each try costs as much as a signature.
pub(super) const MOST_TRIED: usize = 8;

/// The keys of an authorizer.
#[derive(Debug)]
pub(super) struct Keys(pub(super) Vec<JwtKey>);

impl Keys {
    /// Judges the signature of a token.
    pub(super) fn check(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let fitting = self.fitting(&token.header)?;
        let accepts = |key: &Verifier<'_>| key.accepts(token.message.as_bytes(), &token.signature);
        if fitting.iter().any(accepts) { Ok(()) } else { Err(Refusal::WrongSignature) }
    }

    /// Returns the keys for the algorithm that have the id, or none of their own.
    fn fitting(&self, header: &Header) -> Result<Vec<Verifier<'_>>, Refusal> {
        let algorithm = header.algorithm;
        let able: Vec<_> =
            self.0.iter().filter_map(|key| Some((key.id(), key.verifier(algorithm)?))).collect();
        if able.is_empty() {
            return Err(Refusal::NoKeyFor(algorithm));
        }
        let wanted = header.key_id.as_deref();
        let is_named = |id: Option<&str>| wanted.is_none() || id.is_none() || id == wanted;
        let fitting: Vec<_> = able.into_iter().filter(|(id, _)| is_named(*id)).map(|(_, key)| key).collect();
        match fitting.len() {
            0 => Err(Refusal::UnknownKey(algorithm)),
            1..=MOST_TRIED => Ok(fitting),
            many => Err(Refusal::TooManyKeys(many)),
        }
    }
}
