//! Issuers for tests: they sign whatever they are told to.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaEncoding};
use ring::{hmac, rsa};

use crate::http::auth::Identity;
use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::{Jwt, JwtKey};

/// The moment of every test: 2033-05-18T03:33:20Z.
pub(super) const NOW: u64 = 2_000_000_000;

pub(super) const SECRET: &[u8] = &[0x5e; 64];

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn unbase64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// Signs a header and claims, whatever they are.
pub(super) fn token(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>, sign: &Signer) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64(signature))
}

pub(super) type Signer = Box<dyn Fn(&[u8]) -> Vec<u8>>;

pub(super) fn hmac(algorithm: hmac::Algorithm, secret: &[u8]) -> Signer {
    let key = hmac::Key::new(algorithm, secret);
    Box::new(move |message| hmac::sign(&key, message).as_ref().to_vec())
}

pub(super) fn hs256() -> Signer {
    hmac(hmac::HMAC_SHA256, SECRET)
}

pub(super) fn rsa(padding: &'static dyn RsaEncoding) -> Signer {
    Box::new(|message| {
        let mut signature = vec![0; RSA.public().modulus_len()];
        RSA.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    })
}

pub(super) fn rs256() -> Signer {
    rsa(&signature::RSA_PKCS1_SHA256)
}

/// An issuer with a new key, and that key as PEM.
pub(super) fn es256() -> (Signer, String) {
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    (ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &key), spki(&key))
}

pub(super) fn es384() -> (Signer, String) {
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    (ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &key), spki(&key))
}

/// An issuer that writes its signatures as X.509 has them.
pub(super) fn es256_in_der() -> (Signer, String) {
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    (ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &key), spki(&key))
}

pub(super) fn eddsa() -> (Signer, String) {
    let key = rcgen::KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(key.serialized_der()).unwrap();
    (Box::new(move |message| pair.sign(message).as_ref().to_vec()), spki(&key))
}

fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm, key: &rcgen::KeyPair) -> Signer {
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.serialized_der(), &SystemRandom::new()).unwrap();
    Box::new(move |message| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
}

fn spki(key: &rcgen::KeyPair) -> String {
    pem("PUBLIC KEY", &key.subject_public_key_info())
}

/// The RSA key as `RSA PUBLIC KEY`.
pub(super) fn rsa_pem() -> String {
    pem("RSA PUBLIC KEY", &rsa_der())
}

pub(super) fn rsa_der() -> Vec<u8> {
    RSA.public().as_ref().to_vec()
}

/// An authorizer that lives at [`NOW`] and takes what the key has signed.
pub(super) fn jwt(key: JwtKey) -> Jwt {
    at_now(Jwt::new([key]))
}

pub(super) fn at_now(jwt: Jwt) -> Jwt {
    jwt.clock(|| at(NOW))
}

pub(super) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Claims that pass at [`NOW`], with more of them.
pub(super) fn claims(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!("{{\"exp\":{}{comma}{more}}}", NOW + 300)
}

/// Answers an authorizer of the secret, and a token of these claims.
pub(super) fn judged(jwt: &Jwt, claims: &str) -> Result<Identity, Refusal> {
    jwt.judge(&token(r#"{"alg":"HS256"}"#, claims, &hs256()))
}

pub(super) fn malformed(part: &'static str, wrong: &'static str) -> Refusal {
    Refusal::Malformed { part, wrong }
}

/// Judges a table: what it is, the token, and why it is refused.
#[track_caller]
pub(super) fn assert_refused(jwt: &Jwt, table: impl IntoIterator<Item = (String, String, Refusal)>) {
    let wrong: Vec<String> = table
        .into_iter()
        .filter_map(|(name, token, wanted)| {
            let found = jwt.judge(&token);
            (found.as_ref() != Err(&wanted)).then(|| format!("\n  {name}: {found:?} and not {wanted:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// The modulus of RFC 7515, appendix A.2.
pub(super) const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm\
    4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS\
    -UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91k\
    zk2PAcDTW9gb54h4FRWyuXpoQ";

/// The key pair of RFC 7515, appendix A.2: ring makes none.
static RSA: LazyLock<rsa::KeyPair> = LazyLock::new(|| {
    let d = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395I\
        W_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBj\
        udU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1D\
        hOVRuOopznQ";
    let p = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7o\
        uZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
    let q = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDm\
        pe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
    let dp = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12S\
        k3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
    let dq = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd\
        2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
    let qi = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKL\
        EdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";
    let components = rsa::KeyPairComponents {
        public_key: rsa::PublicKeyComponents { n: unbase64(N), e: vec![1, 0, 1] },
        d: unbase64(d),
        p: unbase64(p),
        q: unbase64(q),
        dP: unbase64(dp),
        dQ: unbase64(dq),
        qInv: unbase64(qi),
    };
    rsa::KeyPair::from_components(&components).unwrap()
});
