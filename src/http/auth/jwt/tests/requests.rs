//! How requests carry tokens, and what who is denied is told.

use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};

use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::tests::kit::{
    SECRET, at, at_now, base64, claims, hmac, hs256, judged, jwt, token,
};
use crate::http::auth::jwt::{Jwt, JwtKey, carrier};
use crate::http::auth::{Authorizer, Denied, Identity};

fn authorizer() -> Jwt {
    jwt(JwtKey::hmac(SECRET).unwrap()).attribute("sub")
}

fn good() -> String {
    token(r#"{"alg":"HS256"}"#, claims(r#""sub":"ada""#), &hs256())
}

fn request(headers: &[(&'static str, &[u8])]) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    for (name, value) in headers {
        parts.headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    }
    parts
}

fn authorize(jwt: &impl Authorizer, headers: &[(&'static str, &[u8])]) -> Result<Identity, Denied> {
    jwt.authorize(&request(headers)).now_or_never().expect("it waits for nothing")
}

#[test]
fn a_bearer_is_let_in_whatever_the_case_of_the_scheme() {
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        let value = format!("{scheme} {}", good());
        let identity = authorize(&authorizer(), &[("authorization", value.as_bytes())]).unwrap();
        assert_eq!(identity.attribute("sub"), Some("ada"), "{scheme}");
    }
}

#[test]
fn headers_that_carry_no_token() {
    let good = good();
    let malformed = |part, wrong| Refusal::Malformed { part, wrong };
    let parts = || malformed("it", "needs three parts with dots between them");
    let form = || malformed("its header", "needs the form Bearer TOKEN");
    let rows: Vec<(String, Refusal)> = vec![
        (good.clone(), Refusal::Missing),
        (format!("Basic {good}"), Refusal::Missing),
        (format!("BearerX {good}"), Refusal::Missing),
        (format!(" Bearer {good}"), Refusal::Missing),
        (format!("Bearer\t{good}"), Refusal::Missing),
        (format!("Bearer={good}"), Refusal::Missing),
        ("Bearer".to_owned(), Refusal::Missing),
        ("Bearer ".to_owned(), Refusal::Missing),
        ("Bearer    ".to_owned(), Refusal::Missing),
        (String::new(), Refusal::Missing),
        ("Bearer x".to_owned(), parts()),
        (format!("Bearer {good} "), form()),
        (format!("Bearer {good} {good}"), form()),
        (format!("Bearer {good}, Bearer {good}"), form()),
        (format!("Bearer \"{good}\""), form()),
        (format!("Bearer {good}\u{e9}"), malformed("its header", "has characters other than visible ASCII")),
    ];
    for (value, wanted) in rows {
        let denied = authorize(&authorizer(), &[("authorization", value.as_bytes())]).unwrap_err();
        assert_eq!(denied, Denied::from(wanted), "{value:?}");
    }
}

#[test]
fn two_tokens_are_refused_even_if_both_are_good() {
    let value = format!("Bearer {}", good());
    let twice = [("authorization", value.as_bytes()), ("authorization", value.as_bytes())];
    assert_eq!(authorize(&authorizer(), &twice).unwrap_err(), Refusal::Several(2).into());
    let mixed = [("authorization", value.as_bytes()), ("authorization", b"Basic eDp5")];
    assert_eq!(authorize(&authorizer(), &mixed).unwrap_err(), Refusal::Several(2).into());
}

#[test]
fn a_token_is_looked_for_in_headers_only() {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.uri = format!("/?access_token={}", good()).parse().unwrap();
    let denied = authorizer().authorize(&parts).now_or_never().unwrap().unwrap_err();
    assert_eq!(denied, Refusal::Missing.into());
}

#[test]
fn cookies_count_only_when_asked_for() {
    let pair = format!("session={}", good());
    let cookie = [("cookie", pair.as_bytes())];
    assert_eq!(authorize(&authorizer(), &cookie).unwrap_err(), Refusal::Missing.into());
    let jwt = authorizer().cookie("session");
    authorize(&jwt, &cookie).unwrap();
    let among = format!("a=1; {pair}; b=2");
    authorize(&jwt, &[("cookie", among.as_bytes())]).unwrap();
    authorize(&jwt, &[("cookie", b"a=1"), ("cookie", pair.as_bytes())]).unwrap();
}

#[test]
fn cookies_that_carry_no_token() {
    let jwt = authorizer().cookie("session");
    let good = good();
    let rows = [
        (format!("Session={good}"), Refusal::Missing),
        (format!("session2={good}"), Refusal::Missing),
        (format!("xsession={good}"), Refusal::Missing),
        ("session".to_owned(), Refusal::Missing),
        (String::new(), Refusal::Missing),
        (format!("session={good}; session={good}"), Refusal::Several(2)),
        (format!("session=x;session={good}"), Refusal::Several(2)),
        (
            "session=".to_owned(),
            Refusal::Malformed { part: "it", wrong: "needs three parts with dots between them" },
        ),
    ];
    for (value, wanted) in rows {
        let found = authorize(&jwt, &[("cookie", value.as_bytes())]).unwrap_err();
        assert_eq!(found, wanted.into(), "{value:?}");
    }
}

#[test]
fn a_header_decides_before_a_cookie() {
    let jwt = authorizer().cookie("session");
    let cookie = format!("session={}", good());
    let forged = format!(
        "Bearer {}",
        token(r#"{"alg":"HS256"}"#, claims(""), &hmac(ring::hmac::HMAC_SHA256, &[1; 32]))
    );
    let both = [("authorization", forged.as_bytes()), ("cookie", cookie.as_bytes())];
    assert_eq!(authorize(&jwt, &both).unwrap_err(), Refusal::WrongSignature.into());
    let basic = [("authorization", b"Basic eDp5".as_slice()), ("cookie", cookie.as_bytes())];
    assert_eq!(authorize(&jwt, &basic).unwrap_err(), Refusal::Missing.into());
}

fn challenge(denied: &Denied) -> &str {
    denied.challenge().expect("a challenge").to_str().unwrap()
}

#[test]
fn who_shows_nothing_is_told_no_error() {
    let denied = authorize(&authorizer(), &[]).unwrap_err();
    assert_eq!((denied.status().as_u16(), challenge(&denied)), (401, "Bearer"));
    assert_eq!(denied.reason(), "a token is needed; send it as Authorization: Bearer TOKEN");
}

#[test]
fn a_refused_token_is_told_why() {
    let denied = authorizer().verify("x.y.z").unwrap_err();
    let wanted = "Bearer error=\"invalid_token\", \
        error_description=\"the token is malformed: the header is no base64url without padding\"";
    assert_eq!((denied.status().as_u16(), challenge(&denied)), (401, wanted));
    let denied =
        authorizer().verify(&token(r#"{"alg":"HS256"}"#, r#"{"exp":1999999000}"#, &hs256())).unwrap_err();
    let wanted = "Bearer error=\"invalid_token\", \
        error_description=\"the token expired 1000 s ago, the leeway is 60 s\"";
    assert_eq!((denied.status().as_u16(), challenge(&denied)), (401, wanted));
    assert!(challenge(&Refusal::Several(2).into()).starts_with("Bearer error=\"invalid_request\""));
}

#[test]
fn who_is_known_and_may_not_is_answered_403() {
    let strict = authorizer().require_claim("role", "admin");
    let denied = strict.verify(&good()).unwrap_err();
    let wanted = "Bearer error=\"insufficient_scope\", \
        error_description=\"the token does not permit this; its claim `role` would have to\"";
    assert_eq!((denied.status().as_u16(), challenge(&denied)), (403, wanted));
}

#[test]
fn what_is_expected_is_not_told() {
    let jwt =
        authorizer().issuer("https://id.internal").audience("ledger").require_claim("role", "treasurer");
    let faults = [
        claims(r#""iss":"x","aud":"ledger""#),
        claims(r#""iss":"https://id.internal","aud":"x""#),
        claims(r#""iss":"https://id.internal","aud":"ledger","role":"x""#),
    ];
    for claims in faults {
        let denied = Denied::from(judged(&jwt, &claims).unwrap_err());
        for secret in ["id.internal", "ledger", "treasurer"] {
            assert!(!denied.reason().contains(secret) && !challenge(&denied).contains(secret), "{denied}");
        }
    }
}

#[test]
fn no_name_of_a_claim_breaks_out_of_the_challenge() {
    let strict = authorizer().require_claim("a\"\r\nx: \\é", true);
    let denied = strict.verify(&good()).unwrap_err();
    assert!(challenge(&denied).contains("its claim `a???x: ??` would"), "{denied:?}");
}

#[test]
fn keys_are_replaced_for_every_clone() {
    let set =
        |id: &str, key: &[u8]| format!(r#"{{"keys":[{{"kty":"oct","kid":"{id}","k":"{}"}}]}}"#, base64(key));
    let kept = at_now(Jwt::from_secret_jwks(&set("old", SECRET)).unwrap());
    let serving = kept.clone().attribute("sub");
    serving.verify(&good()).unwrap();
    kept.replace_keys(&set("new", &[9; 32])).unwrap();
    assert_eq!(serving.verify(&good()).unwrap_err(), Refusal::WrongSignature.into());
    kept.replace_keys(&set("old", SECRET)).unwrap();
    assert!(kept.replace_keys("{}").is_err());
    serving.verify(&good()).expect("on an error the old keys stay");
}

#[test]
fn no_secret_comes_in_by_replacing_public_keys() {
    let public = authorizer();
    let set = format!(r#"{{"keys":[{{"kty":"oct","k":"{}"}}]}}"#, base64([9; 32]));
    assert!(public.replace_keys(&set).unwrap_err().to_string().contains("it is a secret"));
    public.verify(&good()).unwrap();
}

#[test]
fn the_clock_is_looked_at_for_every_token() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    let now = Arc::new(AtomicU64::new(2_000_000_000));
    let hand = Arc::clone(&now);
    let jwt = authorizer().clock(move || at(hand.load(SeqCst)));
    jwt.verify(&good()).unwrap();
    now.store(2_000_000_360, SeqCst);
    assert!(jwt.verify(&good()).unwrap_err().reason().contains("expired 60 s ago"));
}

#[test]
fn settings_that_cannot_work_are_reported() {
    authorizer().check().unwrap();
    let error = authorizer().attribute("clientId").check().unwrap_err();
    assert!(error.to_string().contains("\"clientId\" is no name"), "{error}");
    authorizer().attribute_as("clientId", "client_id").check().unwrap();
    let error = authorizer().cookie("a b").attribute("X").check().unwrap_err();
    assert!(error.to_string().contains("\"a b\" is no name of a cookie"), "{error}");
    assert!(!carrier::is_cookie_name("") && carrier::is_cookie_name("__Host-session"));
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", jwt(JwtKey::hmac("correct horse battery staple, twice").unwrap()));
    assert!(shown.contains("a secret") && !shown.contains("horse") && !shown.contains("99, 111"), "{shown}");
}
