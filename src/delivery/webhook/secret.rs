//! What messages are signed with, and how.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use ring::hmac;

/// What the text of a secret begins with.
const PREFIX: &[u8] = b"whsec_";
/// The fewest bytes of a secret.
const LEAST: usize = 24;

/// Base64 with or without its padding, which gets lost on the way.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What messages are signed with; it shows nothing of itself.
#[derive(Clone)]
pub(super) struct Secret(hmac::Key);

impl Secret {
    /// Takes base64 behind `whsec_`, or any other bytes as they are.
    pub(super) fn parse(given: &[u8]) -> Result<Self, String> {
        let decoded = given.strip_prefix(PREFIX).map(|text| LENIENT.decode(text)).transpose();
        let decoded = decoded.map_err(|_| "the secret behind `whsec_` is no base64")?;
        let bytes = decoded.as_deref().unwrap_or(given);
        if bytes.len() < LEAST {
            return Err(format!("the secret has {} bytes; give at least {LEAST}", bytes.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// Signs a message of an id, sent at a time in seconds since the Unix epoch.
    pub(super) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_others_make() {
        // Computed with Python's hmac module.
        let secret = Secret::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn bytes_are_taken_as_they_are_and_text_behind_its_prefix_is_decoded() {
        let bytes: Vec<u8> = (0..25).collect();
        let signed = |secret: &[u8]| Secret::parse(secret).unwrap().sign("a", 1, b"body");
        let text = format!("whsec_{}", STANDARD.encode(&bytes));
        assert!(text.ends_with('='));
        assert_eq!(signed(&bytes), signed(text.as_bytes()));
        assert_eq!(signed(&bytes), signed(text.trim_end_matches('=').as_bytes()));
    }

    #[test]
    fn a_secret_that_is_weak_or_broken_is_refused_and_not_shown() {
        for (secret, word) in
            [("", "0 bytes"), ("a-password", "24"), ("whsec_AAAA", "3 bytes"), ("whsec_?", "base64")]
        {
            let Err(reason) = Secret::parse(secret.as_bytes()) else { panic!("{secret}") };
            assert!(reason.contains(word) && !reason.contains("password"), "{reason}");
        }
    }
}
