//! What a key is made of, and the signatures that it can judge.
//!
//! Each kind of key knows its own algorithms and no others: the bytes of a public key can never be taken for a secret.

use ring::agreement::{self, EphemeralPrivateKey};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{self, RsaParameters, UnparsedPublicKey, VerificationAlgorithm};

use crate::http::auth::jwt::algorithm::JwtAlgorithm as Algorithm;

/// The least and the most bits of an RSA modulus.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The most bits of an RSA exponent that signatures are checked with.
const EXPONENT_BITS: usize = 33;
/// The least bytes of any secret: as many as the shortest hash has.
const MIN_SECRET: usize = 32;
/// How an uncompressed point begins.
pub(super) const UNCOMPRESSED: u8 = 4;

/// What a key is made of.
#[derive(Clone)]
pub(super) enum Material {
    Secret(Vec<u8>),
    Rsa(PublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key together with the one way in which it is used now.
pub(super) enum Verifier<'a> {
    Secret(hmac::Algorithm, &'a [u8]),
    Rsa(&'static RsaParameters, &'a PublicKeyComponents<Vec<u8>>),
    Public(&'static dyn VerificationAlgorithm, &'a [u8]),
}

impl Material {
    pub(super) fn secret(secret: &[u8]) -> Result<Self, String> {
        if secret.len() < MIN_SECRET {
            let bytes = secret.len();
            return Err(format!("a secret of {bytes} bytes; give at least {MIN_SECRET} random bytes"));
        }
        Ok(Self::Secret(secret.to_vec()))
    }

    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, String> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        let bits = bit_length(n);
        if !RSA_BITS.contains(&bits) {
            let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
            return Err(format!("an RSA key of {bits} bits; give one of {least} to {most}"));
        }
        let is_exponent = (2..=EXPONENT_BITS).contains(&bit_length(e)) && is_odd(e);
        if !is_exponent || !is_odd(n) {
            return Err("numbers that no RSA key has; export it again, with the exponent 65537".to_owned());
        }
        Ok(Self::Rsa(PublicKeyComponents { n: n.to_vec(), e: e.to_vec() }))
    }

    pub(super) fn p256(point: &[u8]) -> Result<Self, String> {
        check_point(point, 32, &agreement::ECDH_P256)?;
        Ok(Self::P256(point.to_vec()))
    }

    pub(super) fn p384(point: &[u8]) -> Result<Self, String> {
        check_point(point, 48, &agreement::ECDH_P384)?;
        Ok(Self::P384(point.to_vec()))
    }

    pub(super) fn ed25519(bytes: &[u8]) -> Result<Self, String> {
        match bytes.len() {
            32 => Ok(Self::Ed25519(bytes.to_vec())),
            len => Err(format!("an Ed25519 key of {len} bytes; it has 32")),
        }
    }

    /// Returns how the key judges signatures of the algorithm; none if it cannot.
    pub(super) fn verifier(&self, algorithm: Algorithm) -> Option<Verifier<'_>> {
        match self {
            Self::Secret(secret) => secret_verifier(secret, algorithm),
            Self::Rsa(components) => Some(Verifier::Rsa(rsa_parameters(algorithm)?, components)),
            Self::P256(point) if algorithm == Algorithm::Es256 => {
                Some(Verifier::Public(&signature::ECDSA_P256_SHA256_FIXED, point))
            }
            Self::P384(point) if algorithm == Algorithm::Es384 => {
                Some(Verifier::Public(&signature::ECDSA_P384_SHA384_FIXED, point))
            }
            Self::Ed25519(bytes) if algorithm == Algorithm::EdDsa => {
                Some(Verifier::Public(&signature::ED25519, bytes))
            }
            Self::P256(_) | Self::P384(_) | Self::Ed25519(_) => None,
        }
    }

    /// Names the kind of key.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Secret(_) => "a secret",
            Self::Rsa(_) => "an RSA key",
            Self::P256(_) => "an EC key of P-256",
            Self::P384(_) => "an EC key of P-384",
            Self::Ed25519(_) => "an Ed25519 key",
        }
    }
}

impl Verifier<'_> {
    /// Tells whether the signature is one of the message.
    pub(super) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match *self {
            // In constant time, as ring compares it.
            Self::Secret(hash, secret) => {
                hmac::verify(&hmac::Key::new(hash, secret), message, signature).is_ok()
            }
            Self::Rsa(parameters, key) => key.verify(parameters, message, signature).is_ok(),
            Self::Public(scheme, key) => {
                UnparsedPublicKey::new(scheme, key).verify(message, signature).is_ok()
            }
        }
    }
}

/// A secret is at least as long as the hash (RFC 7518, section 3.2).
fn secret_verifier(secret: &[u8], algorithm: Algorithm) -> Option<Verifier<'_>> {
    let hash = match algorithm {
        Algorithm::Hs256 => hmac::HMAC_SHA256,
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => return None,
    };
    (secret.len() >= hash.digest_algorithm().output_len()).then_some(Verifier::Secret(hash, secret))
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn check_point(point: &[u8], coordinate: usize, curve: &'static agreement::Algorithm) -> Result<(), String> {
    if point.len() != 1 + 2 * coordinate || point[0] != UNCOMPRESSED {
        let bytes = point.len();
        return Err(format!(
            "a point of {bytes} bytes; give it uncompressed, with {coordinate} bytes for x and y"
        ));
    }
    if is_on_curve(point, curve) {
        Ok(())
    } else {
        Err("a point that is not on its curve; export the key again".to_owned())
    }
}

/// Tells whether the point is on the curve; ring says so only where a secret is to be agreed on.
fn is_on_curve(point: &[u8], curve: &'static agreement::Algorithm) -> bool {
    let mine = EphemeralPrivateKey::generate(curve, &SystemRandom::new());
    mine.and_then(|mine| {
        agreement::agree_ephemeral(mine, &agreement::UnparsedPublicKey::new(curve, point), |_| ())
    })
    .is_ok()
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Returns how many bits a number has that begins with no zero byte.
fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
}
