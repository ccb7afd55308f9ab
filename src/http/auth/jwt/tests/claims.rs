//! What signed claims have to say, and what each fault in them is called.

use std::time::Duration;

use crate::http::auth::Identity;
use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::tests::kit::{NOW, SECRET, at, claims, judged, jwt};
use crate::http::auth::jwt::{Jwt, JwtKey};

const LEEWAY: Duration = Duration::from_secs(60);
const NO_DATE: &str = "no number of seconds from 1970 to 9999";
const NO_STRINGS: &str = "neither a string nor an array of strings";

fn authorizer() -> Jwt {
    jwt(JwtKey::hmac(SECRET).unwrap())
}

fn wrong(claim: &str, found: &'static str) -> Refusal {
    Refusal::WrongType(claim.to_owned(), found)
}

fn none(claim: &str) -> Refusal {
    Refusal::NoClaim(claim.to_owned())
}

/// Judges a table of claims, which are taken if no refusal is named.
#[track_caller]
fn assert_judged<'a>(jwt: &Jwt, table: impl IntoIterator<Item = (&'a str, Option<Refusal>)>) {
    let wrong: Vec<String> = table
        .into_iter()
        .filter_map(|(claims, wanted)| {
            let found = judged(jwt, claims).err();
            (found != wanted).then(|| format!("\n  {claims}: {found:?} and not {wanted:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn expiry() {
    let expired = |seconds| Some(Refusal::Expired { ago: secs(seconds), leeway: LEEWAY });
    let no_date = || Some(wrong("exp", NO_DATE));
    let rows = [
        (r#"{"exp":2000000300}"#, None),
        (r#"{"exp":2000000000}"#, None),
        (r#"{"exp":1999999941}"#, None),
        (r#"{"exp":1999999940.5}"#, None),
        (r#"{"exp":2.0e9}"#, None),
        (r#"{"exp":253402300799}"#, None),
        (r#"{"exp":1999999940}"#, expired(60)),
        (r#"{"exp":1999999939}"#, expired(61)),
        (r#"{"exp":0}"#, expired(NOW)),
        ("{}", Some(none("exp"))),
        (r#"{"EXP":2000000300}"#, Some(none("exp"))),
        (r#"{"exp":"2000000300"}"#, no_date()),
        (r#"{"exp":"2033-05-18T03:38:20Z"}"#, no_date()),
        (r#"{"exp":null}"#, no_date()),
        (r#"{"exp":true}"#, no_date()),
        (r#"{"exp":[2000000300]}"#, no_date()),
        (r#"{"exp":{"at":2000000300}}"#, no_date()),
        (r#"{"exp":-1}"#, no_date()),
        (r#"{"exp":-0.0}"#, no_date()),
        (r#"{"exp":-2000000300}"#, no_date()),
        (r#"{"exp":253402300800}"#, no_date()),
        (r#"{"exp":2000000300000000000000000000}"#, no_date()),
        (r#"{"exp":18446744073709551615}"#, no_date()),
        (r#"{"exp":1e300}"#, no_date()),
    ];
    assert_judged(&authorizer(), rows);
}

#[test]
fn numbers_that_json_does_not_know_are_no_claims() {
    let no_object = || Some(Refusal::Malformed { part: "the claims", wrong: "is no JSON object" });
    let rows = [(r#"{"exp":NaN}"#, no_object()), (r#"{"exp":Infinity}"#, no_object())];
    assert_judged(&authorizer(), rows);
    // As no JSON or as no date, which depends on a feature of `serde_json`.
    judged(&authorizer(), r#"{"exp":1e999}"#).unwrap_err();
}

#[test]
fn a_token_may_be_allowed_never_to_expire() {
    let lasting = authorizer().without_expiry();
    let expired = Refusal::Expired { ago: secs(61), leeway: LEEWAY };
    assert_judged(&lasting, [("{}", None), (r#"{"exp":1999999939}"#, Some(expired))]);
}

#[test]
fn not_before() {
    let early = |seconds| Some(Refusal::NotYet { ahead: secs(seconds), leeway: LEEWAY });
    let rows = [
        (r#"{"exp":2000000300,"nbf":0}"#, None),
        (r#"{"exp":2000000300,"nbf":2000000060}"#, None),
        (r#"{"exp":2000000300,"nbf":2000000061}"#, early(61)),
        (r#"{"exp":2000000300,"nbf":253402300799}"#, early(251_402_300_799)),
        (r#"{"exp":2000000300,"nbf":"0"}"#, Some(wrong("nbf", NO_DATE))),
        (r#"{"exp":2000000300,"nbf":null}"#, Some(wrong("nbf", NO_DATE))),
        (r#"{"exp":2000000300,"nbf":-5}"#, Some(wrong("nbf", NO_DATE))),
        (r#"{"exp":1,"nbf":2000009999}"#, Some(Refusal::Expired { ago: secs(NOW - 1), leeway: LEEWAY })),
    ];
    assert_judged(&authorizer(), rows);
}

#[test]
fn issued_at() {
    let later = |seconds| Some(Refusal::IssuedLater { ahead: secs(seconds), leeway: LEEWAY });
    let rows = [
        (r#"{"exp":2000000300,"iat":1}"#, None),
        (r#"{"exp":2000000300,"iat":2000000060}"#, None),
        (r#"{"exp":2000000300,"iat":2000000061}"#, later(61)),
        (r#"{"exp":2000000300,"iat":"now"}"#, Some(wrong("iat", NO_DATE))),
        (r#"{"exp":2000000300,"iat":false}"#, Some(wrong("iat", NO_DATE))),
    ];
    assert_judged(&authorizer(), rows);
}

#[test]
fn the_leeway_can_be_set() {
    let strict = authorizer().leeway(Duration::ZERO);
    let zero = Duration::ZERO;
    let rows = [
        (r#"{"exp":2000000000}"#, Some(Refusal::Expired { ago: zero, leeway: zero })),
        (r#"{"exp":2000000001,"nbf":2000000000,"iat":2000000000}"#, None),
        (r#"{"exp":2000000001,"nbf":2000000001}"#, Some(Refusal::NotYet { ahead: secs(1), leeway: zero })),
    ];
    assert_judged(&strict, rows);
    judged(&authorizer().leeway(Duration::MAX), r#"{"exp":1,"nbf":253402300799}"#).unwrap();
}

#[test]
fn a_clock_before_1970_lets_nobody_in_from_the_future() {
    let early = authorizer().clock(|| at(0) - secs(5));
    let refusal = judged(&early, &claims(r#""iat":2000000000"#)).unwrap_err();
    assert!(matches!(refusal, Refusal::IssuedLater { .. }), "{refusal:?}");
}

#[test]
fn issuer() {
    let two = authorizer().issuer("https://id.example").issuer("joe");
    let other = || Some(Refusal::OtherIssuer);
    let rows = [
        (r#"{"exp":2000000300,"iss":"https://id.example"}"#, None),
        (r#"{"exp":2000000300,"iss":"joe"}"#, None),
        (r#"{"exp":2000000300,"iss":"https://id.example/"}"#, other()),
        (r#"{"exp":2000000300,"iss":"HTTPS://id.example"}"#, other()),
        (r#"{"exp":2000000300,"iss":"https://id.example.evil"}"#, other()),
        (r#"{"exp":2000000300,"iss":""}"#, other()),
        (r#"{"exp":2000000300}"#, Some(none("iss"))),
        (r#"{"exp":2000000300,"iss":["joe"]}"#, Some(wrong("iss", "no string"))),
        (r#"{"exp":2000000300,"iss":null}"#, Some(wrong("iss", "no string"))),
    ];
    assert_judged(&two, rows);
}

#[test]
fn audience() {
    let two = authorizer().audience("shop").audience("https://shop.example");
    let other = || Some(Refusal::OtherAudience);
    let no_strings = || Some(wrong("aud", NO_STRINGS));
    let rows = [
        (r#"{"exp":2000000300,"aud":"shop"}"#, None),
        (r#"{"exp":2000000300,"aud":["bank","https://shop.example"]}"#, None),
        (r#"{"exp":2000000300,"aud":"bank"}"#, other()),
        (r#"{"exp":2000000300,"aud":"shop bank"}"#, other()),
        (r#"{"exp":2000000300,"aud":["bank"]}"#, other()),
        (r#"{"exp":2000000300,"aud":[]}"#, other()),
        (r#"{"exp":2000000300}"#, Some(none("aud"))),
        (r#"{"exp":2000000300,"aud":null}"#, no_strings()),
        (r#"{"exp":2000000300,"aud":7}"#, no_strings()),
        (r#"{"exp":2000000300,"aud":{"shop":true}}"#, no_strings()),
        (r#"{"exp":2000000300,"aud":["shop",7]}"#, no_strings()),
        (r#"{"exp":2000000300,"aud":[["shop"]]}"#, no_strings()),
    ];
    assert_judged(&two, rows);
}

#[test]
fn a_token_for_somebody_is_for_nobody_else() {
    let for_shop = claims(r#""aud":"shop""#);
    assert_judged(&authorizer(), [(for_shop.as_str(), Some(Refusal::OtherAudience)), (&claims(""), None)]);
    let any = authorizer().any_audience();
    let odd = claims(r#""aud":7"#);
    assert_judged(
        &any,
        [(for_shop.as_str(), None), (&claims(""), None), (&odd, Some(wrong("aud", NO_STRINGS)))],
    );
    assert_judged(&any.audience("bank"), [(for_shop.as_str(), Some(Refusal::OtherAudience))]);
}

#[test]
fn other_registered_claims_are_text() {
    let rows = [
        (r#"{"exp":2000000300,"sub":7}"#, Some(wrong("sub", "no string"))),
        (r#"{"exp":2000000300,"sub":null}"#, Some(wrong("sub", "no string"))),
        (r#"{"exp":2000000300,"jti":["a"]}"#, Some(wrong("jti", "no string"))),
        (r#"{"exp":2000000300,"iss":1}"#, Some(wrong("iss", "no string"))),
    ];
    assert_judged(&authorizer(), rows);
}

#[test]
fn required_claims_have_the_value_or_hold_it() {
    let strict =
        authorizer().require_claim("role", "buyer").require_claim("mfa", true).require_claim("level", 3);
    let lacks = |name: &str| Some(Refusal::NotPermitted(name.to_owned()));
    let rows = [
        (r#"{"exp":2000000300,"role":"buyer","mfa":true,"level":3}"#, None),
        (r#"{"exp":2000000300,"role":["guest","buyer"],"mfa":[true],"level":[1,3]}"#, None),
        (r#"{"exp":2000000300,"mfa":true,"level":3}"#, lacks("role")),
        (r#"{"exp":2000000300,"role":"Buyer","mfa":true,"level":3}"#, lacks("role")),
        (r#"{"exp":2000000300,"role":"guest buyer","mfa":true,"level":3}"#, lacks("role")),
        (r#"{"exp":2000000300,"role":[["buyer"]],"mfa":true,"level":3}"#, lacks("role")),
        (r#"{"exp":2000000300,"role":{"buyer":true},"mfa":true,"level":3}"#, lacks("role")),
        (r#"{"exp":2000000300,"role":null,"mfa":true,"level":3}"#, lacks("role")),
        (r#"{"exp":2000000300,"role":"buyer","mfa":"true","level":3}"#, lacks("mfa")),
        (r#"{"exp":2000000300,"role":"buyer","mfa":1,"level":3}"#, lacks("mfa")),
        (r#"{"exp":2000000300,"role":"buyer","mfa":true,"level":"3"}"#, lacks("level")),
        (r#"{"exp":2000000300,"role":"buyer","mfa":true,"level":4}"#, lacks("level")),
        // Who is known not to be valid at all learns nothing of what would be required.
        (r#"{"exp":2000000300,"iss":1}"#, Some(wrong("iss", "no string"))),
        (r#"{}"#, Some(none("exp"))),
    ];
    assert_judged(&strict, rows);
}

#[test]
fn the_tenant_comes_from_a_claim_that_every_token_has() {
    let shared = authorizer().tenant_claim("org");
    let identity = judged(&shared, &claims(r#""org":"acme""#)).unwrap();
    assert_eq!(identity.tenant(), Some("acme"));
    let no_tenant = "no tenant; one has 1 to 256 bytes";
    let long = claims(&format!(r#""org":"{}""#, "x".repeat(257)));
    let rows = [
        (r#"{"exp":2000000300}"#, Some(none("org"))),
        (r#"{"exp":2000000300,"org":null}"#, Some(wrong("org", "no string"))),
        (r#"{"exp":2000000300,"org":["acme"]}"#, Some(wrong("org", "no string"))),
        (r#"{"exp":2000000300,"org":7}"#, Some(wrong("org", "no string"))),
        (r#"{"exp":2000000300,"org":""}"#, Some(wrong("org", no_tenant))),
        (&long, Some(wrong("org", no_tenant))),
    ];
    assert_judged(&shared, rows);
}

#[test]
fn claims_become_attributes_only_where_asked_for() {
    let jwt =
        authorizer().attribute("sub").attribute("roles").attribute("n").attribute_as("https://x/y", "y");
    let some = claims(r#""sub":"ada","roles":["a","b"],"n":1.5,"https://x/y":true,"secret":"s""#);
    let identity = judged(&jwt, &some).unwrap();
    let wanted = [("sub", "ada"), ("roles", r#"["a","b"]"#), ("n", "1.5"), ("y", "true")];
    assert_eq!(identity.attributes().collect::<Vec<_>>(), wanted);
    identity.check().unwrap();
    assert_eq!(judged(&jwt, &claims("")).unwrap(), Identity::new());
}

#[test]
fn text_with_control_characters_becomes_no_attribute() {
    let jwt = authorizer().attribute("sub").attribute("x");
    let lines = claims(r#""sub":"ada\r\nx-admin: 1""#);
    assert_judged(&jwt, [(lines.as_str(), Some(wrong("sub", "text with control characters")))]);
    let nested = judged(&jwt, &claims(r#""x":["a\nb"]"#)).unwrap();
    assert_eq!(nested.attribute("x"), Some(r#"["a\nb"]"#));
    nested.check().unwrap();
}
