//! A key that tokens are checked with, bound to its algorithms when it is made.

use std::fmt;

use crate::error::Error;
use crate::http::auth::jwt::algorithm::JwtAlgorithm;
use crate::http::auth::jwt::material::{Material, Verifier};
use crate::http::auth::jwt::pem;

/// A key that tokens are checked with.
///
/// A key judges signatures of its own family only, whatever a token says: RSA keys RS256 to PS512, P-256 keys
/// ES256, P-384 keys ES384, Ed25519 keys EdDSA, and secrets HS256, HS384 from 48 bytes on and HS512 from 64.
/// [`only`](Self::only) narrows it to one algorithm.
///
/// ```
/// use fnhost::http::{JwtAlgorithm, JwtKey};
///
/// let key = JwtKey::hmac([7; 64])?.with_id("2026-01").only(JwtAlgorithm::Hs512)?;
/// assert_eq!(key.id(), Some("2026-01"));
/// assert!(JwtKey::hmac("password").is_err());
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct JwtKey {
    id: Option<String>,
    material: Material,
    only: Option<JwtAlgorithm>,
}

impl JwtKey {
    /// Makes a key of a secret that the issuer shares: at least 32 random bytes, and no password.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` for a shorter one.
    pub fn hmac(secret: impl AsRef<[u8]>) -> Result<Self, Error> {
        Material::secret(secret.as_ref()).map(Self::new).map_err(|reason| refused(&format!("it is {reason}")))
    }

    /// Reads an RSA key of 2048 to 8192 bits from PEM, `PUBLIC KEY` or `RSA PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` for a key of another kind, a weak one, and for what is no public key.
    pub fn rsa_pem(pem: &str) -> Result<Self, Error> {
        Self::read(pem, "an RSA key", |material| matches!(material, Material::Rsa(_)))
    }

    /// Reads an EC key of P-256 or P-384 from PEM, `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// As [`rsa_pem`](Self::rsa_pem).
    pub fn ec_pem(pem: &str) -> Result<Self, Error> {
        Self::read(pem, "an EC key", |material| matches!(material, Material::P256(_) | Material::P384(_)))
    }

    /// Reads an Ed25519 key from PEM, `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// As [`rsa_pem`](Self::rsa_pem).
    pub fn ed_pem(pem: &str) -> Result<Self, Error> {
        Self::read(pem, "an Ed25519 key", |material| matches!(material, Material::Ed25519(_)))
    }

    /// Sets the id that tokens name it by (`kid`); none by default, so that it is tried for every `kid`.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Narrows the key to one algorithm; by default all of its family.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` for an algorithm of another family, or one that needs a longer secret.
    pub fn only(self, algorithm: JwtAlgorithm) -> Result<Self, Error> {
        self.bound(algorithm).map_err(|reason| refused(&reason))
    }

    /// Returns the id that tokens name it by.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn new(material: Material) -> Self {
        Self { id: None, material, only: None }
    }

    /// Returns how the key judges signatures of the algorithm; none if it does not.
    pub(super) fn verifier(&self, algorithm: JwtAlgorithm) -> Option<Verifier<'_>> {
        let may = self.only.is_none_or(|only| only == algorithm);
        self.material.verifier(algorithm).filter(|_| may)
    }

    /// Narrows the key to one algorithm.
    pub(super) fn bound(self, algorithm: JwtAlgorithm) -> Result<Self, String> {
        match self.verifier(algorithm) {
            Some(_) => Ok(Self { only: Some(algorithm), ..self }),
            None => {
                Err(format!("it is {}, which cannot check {algorithm}; choose another", self.material.kind()))
            }
        }
    }

    fn read(pem: &str, wanted: &str, is_wanted: impl Fn(&Material) -> bool) -> Result<Self, Error> {
        let material = pem::read(pem).map_err(|reason| refused(&format!("it is {reason}")))?;
        if is_wanted(&material) {
            return Ok(Self::new(material));
        }
        let kind = material.kind();
        Err(refused(&format!("it is {kind}, and {wanted} was asked for; use the constructor of its kind")))
    }
}

/// Shows no secret.
impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey")
            .field("id", &self.id)
            .field("kind", &self.material.kind())
            .field("only", &self.only)
            .finish()
    }
}

fn refused(reason: &str) -> Error {
    Error::configuration(format!("the key is refused: {reason}"))
}
