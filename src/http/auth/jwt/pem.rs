//! Reads a public key as PEM, in the two forms that tools write.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::http::auth::jwt::der::{Der, NULL, OBJECT_ID, SEQUENCE};
use crate::http::auth::jwt::material::Material;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// What a key says of itself, apart from how it is used.
struct Kind<'a> {
    id: &'a [u8],
    curve: Option<&'a [u8]>,
}

/// Reads one `PUBLIC KEY` or `RSA PUBLIC KEY`.
pub(super) fn read(pem: &str) -> Result<Material, String> {
    let (label, text) = block(pem).ok_or("no PEM; it begins with -----BEGIN PUBLIC KEY-----")?;
    let der = decode(text).ok_or("PEM whose base64 is broken; export it again")?;
    match label {
        "PUBLIC KEY" => public_key(&der),
        "RSA PUBLIC KEY" => rsa(&der),
        "CERTIFICATE" => Err("a certificate; take its key with `openssl x509 -pubkey -noout`".to_owned()),
        label if label.ends_with("PRIVATE KEY") => Err(
            "a private key, which only the issuer may have; take its public half with `openssl pkey -pubout`"
                .to_owned(),
        ),
        _ => Err("PEM of another kind; give a PUBLIC KEY".to_owned()),
    }
}

/// Answers the label and the base64 of the only block.
fn block(pem: &str) -> Option<(&str, &str)> {
    let (label, rest) = pem.trim().strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let text = rest.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
    Some((label, text))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let line: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(line).ok()
}

/// Reads a SubjectPublicKeyInfo (RFC 5280).
fn public_key(der: &[u8]) -> Result<Material, String> {
    let (kind, key) = info(der).ok_or_else(broken)?;
    match (kind.id, kind.curve) {
        (RSA, None) => rsa(key),
        (EC, Some(P256)) => Material::p256(key),
        (EC, Some(P384)) => Material::p384(key),
        (EC, _) => Err("a curve other than P-256 and P-384; make a key on one of these".to_owned()),
        (ED25519, None) => Material::ed25519(key),
        _ => Err("neither RSA, EC nor Ed25519; make a key of one of these".to_owned()),
    }
}

fn info(der: &[u8]) -> Option<(Kind<'_>, &[u8])> {
    let mut outer = Der::new(der);
    let mut info = Der::new(outer.take(SEQUENCE)?);
    outer.end()?;
    let kind = kind(info.take(SEQUENCE)?)?;
    let key = info.take_bytes()?;
    info.end()?;
    Some((kind, key))
}

fn kind(der: &[u8]) -> Option<Kind<'_>> {
    let mut kind = Der::new(der);
    let id = kind.take(OBJECT_ID)?;
    let curve = match id {
        EC => Some(kind.take(OBJECT_ID)?),
        RSA => {
            kind.take(NULL).filter(|content| content.is_empty())?;
            None
        }
        // What another kind says of itself is of no interest.
        _ => return Some(Kind { id, curve: None }),
    };
    kind.end()?;
    Some(Kind { id, curve })
}

/// Reads an RSAPublicKey (RFC 8017).
fn rsa(der: &[u8]) -> Result<Material, String> {
    let (n, e) = numbers(der).ok_or_else(broken)?;
    Material::rsa(n, e)
}

fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut outer = Der::new(der);
    let mut key = Der::new(outer.take(SEQUENCE)?);
    outer.end()?;
    let (n, e) = (key.take_number()?, key.take_number()?);
    key.end()?;
    Some((n, e))
}

fn broken() -> String {
    "PEM with broken DER in it; export it again".to_owned()
}
