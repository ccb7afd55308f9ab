//! The examples of the standards: RFC 7515, 7517, 7519, 7520 and 8037.

use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::tests::kit::{N, at, base64, unbase64};
use crate::http::auth::jwt::{Jwt, JwtKey};

/// The claims of most examples: by joe, until 1300819380, and one more.
const CLAIMS: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const EXPIRY: u64 = 1_300_819_380;

const A1_KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const A2_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp\
    5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN\
    9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmt\
    VrBp0igcN_IoypGlUPQGe77Rw";

fn a1_token() -> String {
    format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
}

/// Joe is let in a second before his token expires, and not when it has.
#[track_caller]
fn assert_joe_is_let_in(jwt: Jwt, token: &str) {
    let jwt = jwt.issuer("joe").leeway(std::time::Duration::ZERO);
    let jwt = jwt.attribute("iss").attribute_as("http://example.com/is_root", "is_root");
    let identity = jwt.clone().clock(|| at(EXPIRY - 1)).judge(token).unwrap();
    assert_eq!(identity.attributes().collect::<Vec<_>>(), [("iss", "joe"), ("is_root", "true")]);
    let refusal = jwt.clock(|| at(EXPIRY)).judge(token).unwrap_err();
    assert!(matches!(refusal, Refusal::Expired { .. }), "{refusal:?}");
}

#[test]
fn rfc_7515_a1_hs256() {
    let jwks = format!(r#"{{"keys":[{{"kty":"oct","k":"{A1_KEY}"}}]}}"#);
    assert_joe_is_let_in(Jwt::from_secret_jwks(&jwks).unwrap(), &a1_token());
    assert_joe_is_let_in(Jwt::new([JwtKey::hmac(unbase64(A1_KEY)).unwrap()]), &a1_token());
}

#[test]
fn rfc_7515_a2_rs256() {
    let jwks = format!(r#"{{"keys":[{{"kty":"RSA","n":"{N}","e":"AQAB"}}]}}"#);
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}.{A2_SIGNATURE}");
    assert_joe_is_let_in(Jwt::from_jwks(&jwks).unwrap(), &token);
}

#[test]
fn rfc_7515_a3_es256() {
    let jwks = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}"#;
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_joe_is_let_in(
        Jwt::from_jwks(jwks).unwrap(),
        &format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.{signature}"),
    );
}

#[test]
fn rfc_7515_a5_and_rfc_7519_6_1_are_not_signed() {
    let jwt = Jwt::new([JwtKey::hmac(unbase64(A1_KEY)).unwrap()]).clock(|| at(EXPIRY - 1));
    assert_eq!(jwt.judge(&format!("eyJhbGciOiJub25lIn0.{CLAIMS}.")), Err(Refusal::Unsigned));
}

#[test]
fn rfc_7519_3_1_is_let_in() {
    let header = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
    let claims = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    assert_eq!(a1_token().rsplit_once('.').unwrap().0, format!("{}.{}", base64(header), base64(claims)));
    let jwt = Jwt::new([JwtKey::hmac(unbase64(A1_KEY)).unwrap()]).token_type("application/jwt");
    assert_joe_is_let_in(jwt, &a1_token());
}

#[test]
fn rfc_7519_appendix_a_is_encrypted() {
    let jwt = Jwt::new([]);
    let five = format!(
        "{}.UGhIOguC7Iu.AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4Hf.fiK51VwhsxJ-siBMR-YFiA",
        base64(r#"{"alg":"RSA1_5","enc":"A128CBC-HS256"}"#)
    );
    assert_eq!(jwt.judge(&five), Err(Refusal::Encrypted));
}

/// The payload of these is no JSON, which is said only when the signature proved good.
const NO_OBJECT: Refusal = Refusal::Malformed { part: "the claims", wrong: "is no JSON object" };

#[test]
fn rfc_8037_a4_eddsa() {
    let key = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let jwt = Jwt::from_jwks(key).unwrap();
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(jwt.judge(&format!("{message}.{signature}")), Err(NO_OBJECT));
    let changed = message.replace(".R", ".S");
    assert_eq!(jwt.judge(&format!("{changed}.{signature}")), Err(Refusal::WrongSignature));
}

#[test]
fn rfc_7520_4_2_ps384() {
    let n = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrK\
        b2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTw\
        Jlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQk\
        qgc5gHdrNP5zw";
    let id = "bilbo.baggins@hobbiton.example";
    let key = format!(r#"{{"keys":[{{"kty":"RSA","kid":"{id}","use":"sig","n":"{n}","e":"AQAB"}}]}}"#);
    let jwt = Jwt::from_jwks(&key).unwrap();
    let payload = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGU\
        gcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB\
        0IG9mZiB0by4";
    let signature = "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDIt\
        llVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8\
        d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6\
        oD4ifKo8DYM-X72Eaw";
    let header = "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9";
    assert_eq!(jwt.judge(&format!("{header}.{payload}.{signature}")), Err(NO_OBJECT));
    let other = base64(r#"{"alg":"PS256","kid":"bilbo.baggins@hobbiton.example"}"#);
    assert_eq!(jwt.judge(&format!("{other}.{payload}.{signature}")), Err(Refusal::WrongSignature));
}

#[test]
fn rfc_7517_a1_has_one_key_for_signatures() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4\
        n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd\
        AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur\
        -kEgU8awapJzKnqDKgw";
    let set = format!(
        r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}},
        {{"kty":"RSA","n":"{n}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}]}}"#
    );
    let jwt = Jwt::from_jwks(&set).unwrap();
    let ids: Vec<_> = jwt.keys.load().0.iter().map(|key| key.id().map(str::to_owned)).collect();
    assert_eq!(ids, [Some("2011-04-29".to_owned())]);
}

#[test]
fn rfc_7517_a3_symmetric_keys_are_taken_only_when_asked_for() {
    let set = format!(
        r#"{{"keys":[{{"kty":"oct","alg":"A128KW","k":"GawgguFyGrWKav7AX4VKUg"}},
        {{"kty":"oct","k":"{A1_KEY}","kid":"HMAC key used in JWS spec Appendix A.1 example"}}]}}"#
    );
    assert!(Jwt::from_jwks(&set).unwrap_err().to_string().contains("key 2: it is a secret"));
    assert_joe_is_let_in(Jwt::from_secret_jwks(&set).unwrap(), &a1_token());
}
