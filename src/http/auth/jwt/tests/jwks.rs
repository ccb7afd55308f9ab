//! Sets of keys: what is taken, passed over, and refused.

use crate::http::auth::jwt::Jwt;
use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::tests::kit::{N, at_now, base64, claims, rs256, rsa, token};
use crate::http::auth::jwt::{JwtAlgorithm as Alg, jwks};

const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// An RSA key with more members.
fn rsa_key(more: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB"{more}}}"#)
}

fn count(text: &str) -> usize {
    jwks::read(text, jwks::Secrets::Refused).unwrap().0.len()
}

#[test]
fn keys_that_are_not_for_us_are_passed_over() {
    let others = [
        r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.to_owned(),
        r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"EC","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#.to_owned(),
        r#"{"kty":"OKP","crv":"Ed448","x":"AA"}"#.to_owned(),
        rsa_key(r#","use":"enc""#),
        rsa_key(r#","use":"tls""#),
        rsa_key(r#","key_ops":[]"#),
        rsa_key(r#","key_ops":["encrypt","wrapKey"]"#),
        rsa_key(r#","use":"sig","key_ops":["sign"]"#),
        rsa_key(r#","alg":"RSA-OAEP-256""#),
        rsa_key(r#","alg":"none""#),
        rsa_key(r#","alg":"rs256""#),
    ];
    for other in &others {
        let alone = Jwt::from_jwks(&set(std::slice::from_ref(other))).unwrap_err().to_string();
        assert!(alone.contains("none of its 1 keys checks signatures"), "{other}: {alone}");
        assert_eq!(count(&set(&[other.clone(), rsa_key("")])), 1, "{other}");
    }
}

#[test]
fn keys_of_every_kind_are_taken() {
    let keys = [
        rsa_key(
            r#","use":"sig","key_ops":["verify"],"alg":"PS512","kid":"a","x5c":["AA=="],"x5t":"x","foo":{}"#,
        ),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","alg":"ES256"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}","alg":"EdDSA"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}","alg":"Ed25519"}}"#),
        rsa_key(r#","d":"AQAB""#),
        rsa_key("").replace("\"n\":\"", "\"n\":\"AAAA"),
    ];
    assert_eq!(count(&set(&keys)), keys.len());
}

#[test]
fn sets_that_are_refused() {
    let ec = |x: &str, y: &str| format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    let weak = base64([0xff; 255]);
    let of = |key: &str| set(&[rsa_key(""), key.to_owned()]);
    let rows = [
        (String::new(), "no JSON object"),
        ("[]".to_owned(), "no JSON object"),
        (r#"{"keys":[]}"#.to_owned(), "none of its 0 keys"),
        (r#"{"keys":{}}"#.to_owned(), "no array `keys`"),
        (rsa_key(""), "no array `keys`; give a set, not a single key"),
        (r#"{"keys":[],"keys":[]}"#.to_owned(), "stands twice"),
        (of(r#"{"kty":"RSA","kty":"oct"}"#), "stands twice"),
        (of("7"), "key 2: it is no object"),
        (of("{}"), "key 2: it has no `kty`"),
        (of(r#"{"kty":7}"#), "key 2: its `kty` is no string"),
        (of(r#"{"kty":"RSA","n":"AQAB"}"#), "key 2: it has no `e`"),
        (of(&format!(r#"{{"kty":"RSA","n":"{weak}","e":"AQAB"}}"#)), "key 2: it is an RSA key of 2040 bits"),
        (of(&rsa_key("").replace("AQAB", "AQAB==")), "its `e` is no base64url without padding"),
        (of(&rsa_key("").replace("AQAB", "AA")), "numbers that no RSA key has"),
        (of(&rsa_key(r#","kid":7"#)), "its `kid` is no string"),
        (of(&rsa_key(r#","alg":7"#)), "its `alg` is no string"),
        (of(&rsa_key(r#","use":["sig"]"#)), "its `use` is no string"),
        (of(&rsa_key(r#","key_ops":"verify""#)), "`key_ops` is no array"),
        (of(&rsa_key(r#","alg":"HS256""#)), "key 2: it is an RSA key, which cannot check HS256"),
        (of(&rsa_key(r#","alg":"ES256""#)), "an RSA key, which cannot check ES256"),
        (of(&ec(X, X)), "key 2: it is a point that is not on its curve"),
        (of(&ec(X, "AA")), "its `x` has 32 bytes and its `y` 1"),
        (of(&ec("AA", "AA")), "a point of 3 bytes; give it uncompressed, with 32 bytes"),
        (of(r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#), "an Ed25519 key of 1 bytes; it has 32"),
        (of(r#"{"kty":"oct","k":"AA"}"#), "key 2: it is a secret, which no published set may hold"),
        (set(&vec![rsa_key(""); 65]), "65 keys, the limit is 64"),
        (" ".repeat(256 * 1024 + 1), "262145 bytes, the limit is 262144"),
    ];
    for (text, wanted) in rows {
        let error = Jwt::from_jwks(&text).unwrap_err().to_string();
        let is_right = error.contains("the key set is refused: ") && error.contains(wanted);
        assert!(is_right, "{error} and not {wanted}");
    }
}

#[test]
fn short_secrets_are_refused_in_a_secret_set_too() {
    let text = format!(r#"{{"keys":[{{"kty":"oct","k":"{}"}}]}}"#, base64([7; 31]));
    let error = Jwt::from_secret_jwks(&text).unwrap_err().to_string();
    assert!(error.contains("key 1: it is a secret of 31 bytes"), "{error}");
}

#[test]
fn the_algorithm_of_a_key_binds_it() {
    let jwt = at_now(Jwt::from_jwks(&set(&[rsa_key(r#","alg":"PS256","kid":"a""#)])).unwrap());
    let signed = |header: &str, sign| token(header, claims(""), &sign);
    let ps256 = signed(r#"{"alg":"PS256","kid":"a"}"#, rsa(&ring::signature::RSA_PSS_SHA256));
    jwt.judge(&ps256).unwrap();
    let rs256 = signed(r#"{"alg":"RS256","kid":"a"}"#, rs256());
    assert_eq!(jwt.judge(&rs256), Err(Refusal::NoKeyFor(Alg::Rs256)));
}
