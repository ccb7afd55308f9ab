//! Signatures: each counts for its own algorithm, its own key, and in one spelling.

use ring::{hmac, signature};

use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::tests::kit::{
    SECRET, Signer, assert_refused, base64, claims, eddsa, es256, es256_in_der, es384, hmac, hs256, jwt,
    malformed, rs256, rsa, rsa_pem, token, unbase64,
};
use crate::http::auth::jwt::{JwtAlgorithm as Alg, JwtKey};

/// One issuer for each algorithm, with the key that its tokens are checked with.
fn issuers() -> [(&'static str, Signer, JwtKey); 12] {
    let ((es256, p256), (es384, p384), (eddsa, ed)) = (es256(), es384(), eddsa());
    let rsa_key = JwtKey::rsa_pem(&rsa_pem()).unwrap();
    let secret = JwtKey::hmac(SECRET).unwrap();
    [
        ("HS256", hs256(), secret.clone()),
        ("HS384", hmac(hmac::HMAC_SHA384, SECRET), secret.clone()),
        ("HS512", hmac(hmac::HMAC_SHA512, SECRET), secret),
        ("RS256", rs256(), rsa_key.clone()),
        ("RS384", rsa(&signature::RSA_PKCS1_SHA384), rsa_key.clone()),
        ("RS512", rsa(&signature::RSA_PKCS1_SHA512), rsa_key.clone()),
        ("PS256", rsa(&signature::RSA_PSS_SHA256), rsa_key.clone()),
        ("PS384", rsa(&signature::RSA_PSS_SHA384), rsa_key.clone()),
        ("PS512", rsa(&signature::RSA_PSS_SHA512), rsa_key),
        ("ES256", es256, JwtKey::ec_pem(&p256).unwrap()),
        ("ES384", es384, JwtKey::ec_pem(&p384).unwrap()),
        ("EdDSA", eddsa, JwtKey::ed_pem(&ed).unwrap()),
    ]
}

/// Names the keys that an algorithm is of.
fn family(algorithm: &str) -> &str {
    match &algorithm[..2] {
        "RS" | "PS" => "RSA",
        "HS" => "secret",
        _ => algorithm,
    }
}

#[test]
fn a_signature_counts_under_its_own_name_only() {
    let issuers = issuers();
    for (name, sign, _) in &issuers {
        for (other, _, key) in &issuers {
            let renamed = token(format!(r#"{{"alg":"{other}"}}"#), claims(""), sign);
            let found = jwt(key.clone()).judge(&renamed);
            let is_right = if name == other { found.is_ok() } else { found == Err(Refusal::WrongSignature) };
            assert!(is_right, "{name} as {other}: {found:?}");
        }
    }
}

#[test]
fn an_algorithm_is_checked_with_keys_of_its_family_only() {
    let issuers = issuers();
    for (name, sign, _) in &issuers {
        let honest = token(format!(r#"{{"alg":"{name}"}}"#), claims(""), sign);
        for (other, _, key) in &issuers {
            let found = jwt(key.clone()).judge(&honest);
            let is_right = match family(name) == family(other) {
                true => found.is_ok(),
                false => matches!(found, Err(Refusal::NoKeyFor(_))),
            };
            assert!(is_right, "{name} before a key for {other}: {found:?}");
        }
    }
}

#[test]
fn the_newer_name_of_eddsa_is_known() {
    let (sign, pem) = eddsa();
    jwt(JwtKey::ed_pem(&pem).unwrap()).judge(&token(r#"{"alg":"Ed25519"}"#, claims(""), &sign)).unwrap();
}

#[test]
fn a_key_for_one_algorithm_takes_no_other() {
    let only = jwt(JwtKey::rsa_pem(&rsa_pem()).unwrap().only(Alg::Ps256).unwrap());
    let rs256_token = token(r#"{"alg":"RS256"}"#, claims(""), &rs256());
    assert_eq!(only.judge(&rs256_token), Err(Refusal::NoKeyFor(Alg::Rs256)));
    let short = jwt(JwtKey::hmac([1; 47]).unwrap());
    for (name, algorithm) in [("HS384", Alg::Hs384), ("HS512", Alg::Hs512)] {
        let signed = token(format!(r#"{{"alg":"{name}"}}"#), claims(""), &hs256());
        assert_eq!(short.judge(&signed), Err(Refusal::NoKeyFor(algorithm)));
    }
}

/// Rows that change the signature of a good token.
fn by_signature(good: &str, rows: Vec<(&str, Vec<u8>)>) -> Vec<(String, String, Refusal)> {
    let message = good.rsplit_once('.').unwrap().0;
    let row = |(name, signature): (&str, Vec<u8>)| {
        (name.to_owned(), format!("{message}.{}", base64(signature)), Refusal::WrongSignature)
    };
    rows.into_iter().map(row).collect()
}

fn signature_of(token: &str) -> Vec<u8> {
    unbase64(token.rsplit_once('.').unwrap().1)
}

fn flipped(signature: &[u8], at: usize) -> Vec<u8> {
    let mut signature = signature.to_vec();
    signature[at] ^= 1;
    signature
}

fn changed_signatures(signature: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let last = signature.len() - 1;
    vec![
        ("empty", Vec::new()),
        ("one byte", vec![0]),
        ("all zeros", vec![0; signature.len()]),
        ("all ones", vec![0xff; signature.len()]),
        ("cut", signature[..last].to_vec()),
        ("cut to half", signature[..signature.len() / 2].to_vec()),
        ("one byte more", [signature, &[0]].concat()),
        ("one byte before", [&[0], signature].concat()),
        ("first bit", flipped(signature, 0)),
        ("last bit", flipped(signature, last)),
    ]
}

#[test]
fn changed_signatures_of_every_family() {
    let ((es256, p256), (eddsa, ed)) = (es256(), eddsa());
    let issuers: [(&str, Signer, JwtKey); 4] = [
        ("HS256", hs256(), JwtKey::hmac(SECRET).unwrap()),
        ("RS256", rs256(), JwtKey::rsa_pem(&rsa_pem()).unwrap()),
        ("ES256", es256, JwtKey::ec_pem(&p256).unwrap()),
        ("EdDSA", eddsa, JwtKey::ed_pem(&ed).unwrap()),
    ];
    for (name, sign, key) in issuers {
        let good = token(format!(r#"{{"alg":"{name}"}}"#), claims(""), &sign);
        let rows = by_signature(&good, changed_signatures(&signature_of(&good)));
        assert_refused(&jwt(key), rows);
    }
}

#[test]
fn signatures_of_ecdsa_are_two_plain_numbers() {
    let (sign, pem) = es256_in_der();
    let in_der = token(r#"{"alg":"ES256"}"#, claims(""), &sign);
    assert_eq!(jwt(JwtKey::ec_pem(&pem).unwrap()).judge(&in_der), Err(Refusal::WrongSignature));
    let (sign, pem) = es256();
    let good = token(r#"{"alg":"ES256"}"#, claims(""), &sign);
    let order = unbase64("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
    let signature = signature_of(&good);
    let rows = vec![
        ("r is the order", [&order, &signature[32..]].concat()),
        ("s is the order", [&signature[..32], &order].concat()),
        ("both are the order", [&order[..], &order].concat()),
        ("s is zero", [&signature[..32], &[0; 32]].concat()),
        ("r and s swapped", [&signature[32..], &signature[..32]].concat()),
    ];
    assert_refused(&jwt(JwtKey::ec_pem(&pem).unwrap()), by_signature(&good, rows));
}

#[test]
fn a_second_spelling_of_an_ed25519_signature_is_refused() {
    let (sign, pem) = eddsa();
    let good = token(r#"{"alg":"EdDSA"}"#, claims(""), &sign);
    let order = unbase64("7dP1XBpjEljWnPei3vneFAAAAAAAAAAAAAAAAAAAABA");
    let mut signature = signature_of(&good);
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    let rows = by_signature(&good, vec![("s plus the order", signature)]);
    assert_refused(&jwt(JwtKey::ed_pem(&pem).unwrap()), rows);
}

#[test]
fn a_signature_has_one_spelling() {
    let good = token(r#"{"alg":"HS256"}"#, claims(""), &hs256());
    let (rest, last) = good.split_at(good.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    // The last letter of 32 bytes has two bits to spare.
    let other = format!("{rest}{}", &alphabet[at ^ 1..][..1]);
    assert_eq!(
        jwt(JwtKey::hmac(SECRET).unwrap()).judge(&other),
        Err(malformed("the signature", "is no base64url without padding"))
    );
}
