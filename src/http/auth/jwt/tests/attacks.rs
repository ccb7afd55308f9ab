//! Forged and malformed tokens, and why each of them is refused.

use ring::hmac;

use crate::http::auth::jwt::refusal::Refusal;
use crate::http::auth::jwt::tests::kit::{
    N, SECRET, Signer, assert_refused, at_now, base64, claims, eddsa, es256, hmac, hs256, jwt, malformed,
    pem, rs256, rsa_pem, token, unbase64,
};
use crate::http::auth::jwt::token::MAX_TOKEN;
use crate::http::auth::jwt::{Jwt, JwtAlgorithm as Alg, JwtKey};

const HS256: &str = r#"{"alg":"HS256"}"#;

fn secret() -> Jwt {
    jwt(JwtKey::hmac(SECRET).unwrap().with_id("s"))
}

fn public() -> Jwt {
    jwt(JwtKey::rsa_pem(&rsa_pem()).unwrap().with_id("r"))
}

/// Tokens that are signed with the right key, so that only the header can be at fault.
fn by_header<const N: usize>(
    rows: [(&str, Refusal); N],
    sign: &Signer,
) -> impl Iterator<Item = (String, String, Refusal)> {
    rows.into_iter().map(|(header, refusal)| (header.to_owned(), token(header, claims(""), sign), refusal))
}

fn no_text() -> Refusal {
    malformed("the header", "has an `alg`, `kid`, `typ` or `cty` that is no string")
}

#[test]
fn algorithms_that_are_refused_whoever_signed() {
    let twice = || malformed("the header", "has a member twice");
    let rows = [
        (r#"{"alg":"none"}"#, Refusal::Unsigned),
        (r#"{"alg":"None"}"#, Refusal::Unsigned),
        (r#"{"alg":"NONE"}"#, Refusal::Unsigned),
        (r#"{"alg":"nOnE"}"#, Refusal::Unsigned),
        (r#"{"alg":"\u006eone"}"#, Refusal::Unsigned),
        (r#"{"alg":"none "}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":""}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":"hs256"}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":"HS256\u0000"}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":"HS1"}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":"ES512"}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":"RSA1_5"}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":"dir","enc":"A128GCM"}"#, Refusal::UnknownAlgorithm),
        (r#"{"alg":null}"#, no_text()),
        (r#"{"alg":["HS256"]}"#, no_text()),
        (r#"{"alg":{"HS256":1}}"#, no_text()),
        (r#"{"alg":256}"#, no_text()),
        (r#"{"typ":"JWT"}"#, malformed("the header", "has no `alg`")),
        (r#"{"Alg":"HS256"}"#, malformed("the header", "has no `alg`")),
        (r#"{"alg":"HS256","alg":"none"}"#, twice()),
        (r#"{"alg":"HS256","\u0061lg":"HS256"}"#, twice()),
        (r#"{"alg":"HS256","x":[{"y":{"z":1,"z":2}}]}"#, twice()),
    ];
    assert_refused(&secret(), by_header(rows, &hs256()));
}

#[test]
fn headers_that_are_refused_whoever_signed() {
    let no_object = || malformed("the header", "is no JSON object");
    let rows = [
        (r#"{"alg":"HS256","kid":7}"#, no_text()),
        (r#"{"alg":"HS256","kid":null}"#, no_text()),
        (r#"{"alg":"HS256","typ":["JWT"]}"#, no_text()),
        (r#"{"alg":"HS256","cty":1}"#, no_text()),
        (r#"{"alg":"HS256","cty":"JWT"}"#, Refusal::Nested),
        (r#"{"alg":"HS256","cty":"Application/JWT"}"#, Refusal::Nested),
        (r#"{"alg":"HS256","enc":"A128GCM"}"#, Refusal::Encrypted),
        (r#"{"alg":"HS256","zip":"DEF"}"#, Refusal::Encrypted),
        (r#"{"alg":"HS256","crit":["exp"],"exp":9}"#, Refusal::Extended("crit")),
        (r#"{"alg":"HS256","crit":[]}"#, Refusal::Extended("crit")),
        (r#"{"alg":"HS256","crit":null}"#, Refusal::Extended("crit")),
        (r#"{"alg":"HS256","crit":["b64"],"b64":true}"#, Refusal::Extended("crit")),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, Refusal::Extended("crit")),
        (r#"{"alg":"HS256","b64":false}"#, Refusal::Extended("b64")),
        (r#"{"alg":"HS256","b64":"true"}"#, Refusal::Extended("b64")),
        (r#"{"alg":"HS256","b64":null}"#, Refusal::Extended("b64")),
        (r#"{"alg":"HS256","kid":"other"}"#, Refusal::UnknownKey(Alg::Hs256)),
        (r#"{"alg":"HS256","kid":"../../../dev/null"}"#, Refusal::UnknownKey(Alg::Hs256)),
        (r#"{"alg":"HS256","kid":"s' OR '1'='1"}"#, Refusal::UnknownKey(Alg::Hs256)),
        (r#"{"alg":"HS256","kid":""}"#, Refusal::UnknownKey(Alg::Hs256)),
        (r#"{"alg":"RS256","kid":"s"}"#, Refusal::NoKeyFor(Alg::Rs256)),
        ("", no_object()),
        ("null", no_object()),
        ("[]", no_object()),
        (r#""HS256""#, no_object()),
        (r#"{"alg":"HS256"} x"#, no_object()),
        (r#"{"alg":"HS256",}"#, no_object()),
        (r#"{'alg':'HS256'}"#, no_object()),
        ("\u{feff}{\"alg\":\"HS256\"}", no_object()),
        (r#"{"alg":"HS256"/**/}"#, no_object()),
        (r#"{"alg":"HS256","x":NaN}"#, no_object()),
        (r#"{"alg":"HS256","x":"\ud800"}"#, no_object()),
    ];
    assert_refused(&secret(), by_header(rows, &hs256()));
}

#[test]
fn headers_that_are_of_no_consequence_pass() {
    for header in [
        r#"{"alg":"HS256","typ":"JWT","kid":"s"}"#,
        r#"{"alg":"HS256","b64":true}"#,
        r#"{"alg":"HS256","x5t":"abc","x":{"y":1},"cty":"json"}"#,
        r#"{"alg":"HS256","jku":"https://evil.example/keys","x5u":"file:///etc/passwd","x5c":["AA=="]}"#,
        " {\n\"alg\" : \"HS256\" } ",
    ] {
        secret().judge(&token(header, claims(""), &hs256())).expect(header);
    }
}

#[test]
fn keys_that_a_token_brings_are_never_used() {
    let theirs = b"a secret that the attacker made!";
    let sign = hmac(hmac::HMAC_SHA256, theirs);
    let own = base64(theirs);
    let jwk = format!(r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{own}"}}}}"#);
    let rows = [
        (jwk.as_str(), Refusal::WrongSignature),
        (r#"{"alg":"HS256","jku":"https://evil.example/jwks.json"}"#, Refusal::WrongSignature),
        (r#"{"alg":"HS256","x5u":"https://evil.example/cert.pem"}"#, Refusal::WrongSignature),
        (r#"{"alg":"HS256","x5c":["MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"],"kid":"s"}"#, Refusal::WrongSignature),
    ];
    assert_refused(&secret(), by_header(rows, &sign));
    let (sign, _) = es256();
    let header = r#"{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}"#;
    assert_eq!(public().judge(&token(header, claims(""), &sign)), Err(Refusal::NoKeyFor(Alg::Es256)));
}

#[test]
fn a_public_key_is_no_secret() {
    let (ec_pem, ed_pem) = (es256().1, eddsa().1);
    let n = unbase64(N);
    let rsa_pem = rsa_pem();
    let secrets: [&[u8]; 6] =
        [rsa_pem.as_bytes(), rsa_pem.trim_end().as_bytes(), &n, &[], ec_pem.as_bytes(), ed_pem.as_bytes()];
    let all = at_now(Jwt::new([
        JwtKey::rsa_pem(&rsa_pem).unwrap().with_id("r"),
        JwtKey::ec_pem(&ec_pem).unwrap(),
        JwtKey::ed_pem(&ed_pem).unwrap(),
    ]));
    for secret in secrets {
        let hashes = [
            ("HS256", Alg::Hs256, hmac::HMAC_SHA256),
            ("HS384", Alg::Hs384, hmac::HMAC_SHA384),
            ("HS512", Alg::Hs512, hmac::HMAC_SHA512),
        ];
        for (name, algorithm, hash) in hashes {
            let header = format!(r#"{{"alg":"{name}","kid":"r"}}"#);
            let forged = token(&header, claims(""), &hmac(hash, secret));
            assert_eq!(all.judge(&forged), Err(Refusal::NoKeyFor(algorithm)));
        }
    }
}

#[test]
fn a_secret_beside_a_public_key_stays_apart() {
    let both = at_now(Jwt::new([
        JwtKey::hmac(SECRET).unwrap().with_id("s"),
        JwtKey::rsa_pem(&rsa_pem()).unwrap().with_id("r"),
    ]));
    let forged = hmac(hmac::HMAC_SHA256, rsa_pem().as_bytes());
    let rows = [
        (r#"{"alg":"HS256"}"#, Refusal::WrongSignature),
        (r#"{"alg":"HS256","kid":"s"}"#, Refusal::WrongSignature),
        (r#"{"alg":"HS256","kid":"r"}"#, Refusal::UnknownKey(Alg::Hs256)),
        (r#"{"alg":"RS256","kid":"r"}"#, Refusal::WrongSignature),
        (r#"{"alg":"RS256","kid":"s"}"#, Refusal::UnknownKey(Alg::Rs256)),
    ];
    assert_refused(&both, by_header(rows, &forged));
    both.judge(&token(r#"{"alg":"HS256","kid":"s"}"#, claims(""), &hs256())).unwrap();
    both.judge(&token(r#"{"alg":"RS256","kid":"r"}"#, claims(""), &rs256())).unwrap();
    both.judge(&token(r#"{"alg":"RS256"}"#, claims(""), &rs256())).unwrap();
}

#[test]
fn parts_that_do_not_belong_together() {
    let good = token(HS256, claims(""), &hs256());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other_claims = base64(claims(r#""sub":"admin""#));
    let other_header = base64(r#"{"alg":"HS256","typ":"JWT"}"#);
    let parts = || malformed("it", "needs three parts with dots between them");
    let no_base64 = |part| malformed(part, "is no base64url without padding");
    let rows = [
        ("other claims", format!("{header}.{other_claims}.{signature}"), Refusal::WrongSignature),
        ("other header", format!("{other_header}.{payload}.{signature}"), Refusal::WrongSignature),
        ("no claims", format!("{header}..{signature}"), Refusal::WrongSignature),
        (
            "claims in place of a header",
            format!("{payload}.{payload}.{signature}"),
            malformed("the header", "has no `alg`"),
        ),
        ("no signature", format!("{header}.{payload}."), Refusal::WrongSignature),
        ("nothing", String::new(), parts()),
        ("one part", header.to_owned(), parts()),
        ("two parts", format!("{header}.{payload}"), parts()),
        ("four parts", format!("{good}.x"), parts()),
        ("five parts", format!("{good}.x.y"), Refusal::Encrypted),
        ("six parts", format!("{good}.x.y.z"), parts()),
        ("dots", "..".to_owned(), malformed("the header", "is no JSON object")),
        ("many dots", ".".repeat(MAX_TOKEN), parts()),
        ("JSON serialization", format!(r#"{{"payload":"{payload}"}}"#), parts()),
        ("padding", format!("{good}="), no_base64("the signature")),
        ("padded header", format!("{header}=.{payload}.{signature}"), no_base64("the header")),
        ("line break", format!("{good}\n"), no_base64("the signature")),
        ("space before", format!(" {good}"), no_base64("the header")),
        ("line break inside", format!("{}\n{}", &good[..9], &good[9..]), no_base64("the header")),
        ("NUL", format!("{good}\0"), no_base64("the signature")),
        ("letters of no alphabet", format!("{header}.{payload}.é"), no_base64("the signature")),
        ("the other alphabet", format!("{header}.{payload}.+/+/"), no_base64("the signature")),
        ("one letter too many", format!("{header}.{payload}.AAAAA"), no_base64("the signature")),
        ("percent encoding", good.replace('.', "%2E"), parts()),
    ];
    assert_refused(&secret(), rows.map(|(name, token, refusal)| (name.to_owned(), token, refusal)));
}

#[test]
fn claims_that_are_no_claims() {
    let no_object = || malformed("the claims", "is no JSON object");
    let twice = || malformed("the claims", "has a member twice");
    let deep = format!("{{\"exp\":2000000300,\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let rows: [(&[u8], Refusal); 13] = [
        (b"", no_object()),
        (b"[]", no_object()),
        (b"1", no_object()),
        (b"\"exp\"", no_object()),
        (b"{\"exp\":2000000300,\"sub\":\"\xff\"}", no_object()),
        (b"{\"exp\":2000000300", no_object()),
        (b"{\"exp\":2000000300}{}", no_object()),
        (b"{\"exp\":02000000300}", no_object()),
        (b"{\"exp\":+2000000300}", no_object()),
        (b"{\"exp\":0x77359400}", no_object()),
        (deep.as_bytes(), no_object()),
        (b"{\"exp\":1,\"exp\":2000000300}", twice()),
        (b"{\"exp\":2000000300,\"realm\":{\"roles\":[],\"roles\":[\"admin\"]}}", twice()),
    ];
    let rows = rows.map(|(claims, refusal)| {
        (String::from_utf8_lossy(claims).into_owned(), token(HS256, claims, &hs256()), refusal)
    });
    assert_refused(&secret(), rows);
}

#[test]
fn claims_of_an_unsigned_token_are_not_looked_at() {
    let wrong = hmac(hmac::HMAC_SHA256, &[1; 32]);
    for claims in ["{\"exp\":1}", "{\"exp\":\"x\"}", "no JSON", "{}"] {
        assert_eq!(secret().judge(&token(HS256, claims, &wrong)), Err(Refusal::WrongSignature), "{claims}");
    }
}

#[test]
fn a_token_has_a_longest_length() {
    let fill = |len: usize| token(HS256, claims(&format!("\"fill\":\"{}\"", "x".repeat(len))), &hs256());
    let longest = (5_900..6_100).map(fill).rfind(|token| token.len() <= MAX_TOKEN).unwrap();
    assert!(longest.len() > MAX_TOKEN - 2, "{}", longest.len());
    secret().judge(&longest).unwrap();
    let longer = fill(6_100);
    assert_eq!(secret().judge(&longer), Err(Refusal::TooLong(longer.len())));
    let just = "x".repeat(MAX_TOKEN + 1);
    assert_eq!(secret().judge(&just), Err(Refusal::TooLong(MAX_TOKEN + 1)));
}

#[test]
fn a_token_without_a_name_for_its_key_is_tried_a_few_times_only() {
    let other = |n: u8| JwtKey::hmac([n; 32]).unwrap().with_id(format!("{n}"));
    let of = |count: u8| {
        at_now(Jwt::new((1..count).map(other).chain([JwtKey::hmac(SECRET).unwrap().with_id("s")])))
    };
    let nameless = token(HS256, claims(""), &hs256());
    of(8).judge(&nameless).unwrap();
    assert_eq!(of(9).judge(&nameless), Err(Refusal::TooManyKeys(9)));
    of(9).judge(&token(r#"{"alg":"HS256","kid":"s"}"#, claims(""), &hs256())).unwrap();
}

#[test]
fn without_keys_nobody_passes() {
    let good = token(HS256, claims(""), &hs256());
    assert_eq!(Jwt::new([]).judge(&good), Err(Refusal::NoKeyFor(Alg::Hs256)));
}

#[test]
fn a_token_of_another_type_is_refused() {
    let typed = secret().token_type("at+jwt");
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        typed.judge(&token(format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#), claims(""), &hs256())).expect(typ);
    }
    let rows = [
        (HS256, Refusal::OtherType),
        (r#"{"alg":"HS256","typ":"JWT"}"#, Refusal::OtherType),
        (r#"{"alg":"HS256","typ":"application/application/at+jwt"}"#, Refusal::OtherType),
    ];
    assert_refused(&typed, by_header(rows, &hs256()));
}

#[test]
fn no_letter_of_a_token_can_be_changed() {
    let good = token(r#"{"alg":"HS256","kid":"s"}"#, claims(r#""sub":"ada""#), &hs256());
    let jwt = secret();
    jwt.judge(&good).unwrap();
    for at in 0..good.len() {
        for letter in "AQgw_-.=09 ".chars().filter(|letter| !good[at..].starts_with(*letter)) {
            let changed = format!("{}{letter}{}", &good[..at], &good[at + 1..]);
            assert!(jwt.judge(&changed).is_err(), "{changed}");
            let more = format!("{}{letter}{}", &good[..at], &good[at..]);
            assert!(jwt.judge(&more).is_err(), "{more}");
        }
        let fewer = format!("{}{}", &good[..at], &good[at + 1..]);
        assert!(jwt.judge(&fewer).is_err(), "{fewer}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,300}", header in "\\PC{0,60}", claims in "\\PC{0,60}") {
        let jwt = secret();
        proptest::prop_assert!(jwt.judge(&text).is_err());
        proptest::prop_assert!(jwt.judge(&token(&header, &claims, &hs256())).is_err());
        proptest::prop_assert!(jwt.judge(&token(HS256, &claims, &hs256())).is_err());
        proptest::prop_assert!(Jwt::from_jwks(&text).is_err());
        proptest::prop_assert!(JwtKey::rsa_pem(&text).is_err());
    }

    #[test]
    fn no_bytes_break_the_reader_of_keys(der in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        proptest::prop_assert!(JwtKey::ec_pem(&pem("PUBLIC KEY", &der)).is_err());
        proptest::prop_assert!(JwtKey::rsa_pem(&pem("RSA PUBLIC KEY", &der)).is_err());
    }
}
