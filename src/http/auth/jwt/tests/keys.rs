//! Which keys are taken, and what is said of the others.

use crate::error::Error;
use crate::http::auth::jwt::tests::kit::{
    N, SECRET, claims, hs256, jwt, pem, rs256, rsa_der, rsa_pem, token, unbase64,
};
use crate::http::auth::jwt::{Jwt, JwtAlgorithm, JwtKey};

// These were made by OpenSSL 3; nobody has their private halves.
const RSA_2048: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAntAHZRjdjsF44L/48hLv
ROcGBMZWHbZjmrrP6/HEwSiNHQjCbpV9MTD+vxpATRNtCdQVxNAXXs3/iMaF6Pdq
vVssSJoigKak6oFKXlqoIr926b4laxJ9ScUM1Gesq46B00j+P1943Cx2RxfVLBJY
7fKHM32C0VarpGAA6IMjCpH7rQnunuse9U3zW9WmHp238kAlbnIYWNaHiEdBi4T6
mvpxN3uTEkIhg4plGWNv66hkEjruLLWK3Z8pZm3EsEpIvIENRSaZ5bPInJdRwdPp
loeWzn0rL890aLZA0pfCleKHpK0pARhqNRk2afPA5rlp0Kl6IpW4JAnUKd5K3MJh
JQIDAQAB
-----END PUBLIC KEY-----
";
const RSA_2048_PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAntAHZRjdjsF44L/48hLvROcGBMZWHbZjmrrP6/HEwSiNHQjCbpV9
MTD+vxpATRNtCdQVxNAXXs3/iMaF6PdqvVssSJoigKak6oFKXlqoIr926b4laxJ9
ScUM1Gesq46B00j+P1943Cx2RxfVLBJY7fKHM32C0VarpGAA6IMjCpH7rQnunuse
9U3zW9WmHp238kAlbnIYWNaHiEdBi4T6mvpxN3uTEkIhg4plGWNv66hkEjruLLWK
3Z8pZm3EsEpIvIENRSaZ5bPInJdRwdPploeWzn0rL890aLZA0pfCleKHpK0pARhq
NRk2afPA5rlp0Kl6IpW4JAnUKd5K3MJhJQIDAQAB
-----END RSA PUBLIC KEY-----
";
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDcq+W0zrtzsDaD0x7qhaqTqSJp
Y5Kv3GsjMOmuUxrXW6ekRdvOIjIUgMiZ2jz0Uddi1l1bN48hmiXUFQ2ReoIAYWE/
VGW9VcmxzL4PInfbxW+33ru4Og9zjhCOpmLnaVoxPz9C21RJLuYEX++bY/clPvSE
aC7u54G+8q6Xt/yBPQIDAQAB
-----END PUBLIC KEY-----
";
const RSA_PSS: &str = "-----BEGIN PUBLIC KEY-----
MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAMqA0NAe/rukvxtcs4ijtIZD
cUDr3/luTnHJhX3XKsGoGARW4NRmEctMQIbKJx+AhyU2aniXHqXhWLdPip39+sLr
LUVZSCxGSut/xAfFPjlV2MNreyJmV0avOmQhldbz+fCPN3ev8y0AiLNjuWtv63RW
3rp/Kr7d4Z1cjTE6vLLSASE1dR1qo01bdZe94//fsooYMTtYhf1uYb7Wp3XzT92l
vK0ECVtl+9/LqSWTG8Ui2fubrksDRfAEbo9UgBPNcXEjtOgbhffKSkPsnP7ZiChM
qRGAGMCCycMXvQQV4xj8xe/+2UkwfQx9z4j/A9JGXiOhqV3g23KAjv8dR1mT8jkC
AwEAAQ==
-----END PUBLIC KEY-----
";
const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWMq+oAtwq5PQJGvKh5nuQl/3vbeN
TdgKTJi8M4De3UqFJ4P/sICUX95ClAgQEWfqoSw1eDIhl3HDbGiWR9GVtQ==
-----END PUBLIC KEY-----
";
const P256_COMPRESSED: &str = "-----BEGIN PUBLIC KEY-----
MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgAC4/iiPySvcVN7A3J3frvvLzNIqlIF
PRWMKT8KGjsRmZw=
-----END PUBLIC KEY-----
";
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEkxYLyTYhU/KvzjcobQuQ2NL6ZA1Wr7w2
k3A76hLBhM/dcLuxe79p7jHCJ7Wq8KGCLwke34MOCAbHk8Mp0he+vtJm6UZIOMe0
5UEGlDF8KsGdY51YmmTSoCTayhWPvsd2
-----END PUBLIC KEY-----
";
const P521: &str = "-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAoUZn0T90GCdQoLUJuuKfJ5ykzgux
ZKEXkLDuVKBIkKwbZQD2X0MJmRrwwbWwCoSdcvSt5vr5bmzlgDOimIig+/wB9TZz
gPi/XxiNKJb/b7uLhEujs4e+PbhDEBnLoyfvvoWNfNimjFvvDzoz9LL2qX1IJJf4
paAHvL1yCRTXNhS2Sfg=
-----END PUBLIC KEY-----
";
const SECP256K1: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEuZy/2R1QyK4+Q6nKsd0J3SQx1pt/+NyN
Ge1WEo7ELAEJQ4W3qkcrTvDbiJV55LGCvwjUQGA7sA2S+/L7dNPVXQ==
-----END PUBLIC KEY-----
";
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEADJFdE50lfqZPWxUdiLHnxxJDbZMpSdsH8UtULjBSVWs=
-----END PUBLIC KEY-----
";
const X25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEABWaa1DDFF4riJxFrxIp5rbyJB+imAeb1hW3zRGv6G1c=
-----END PUBLIC KEY-----
";

type Constructor = fn(&str) -> Result<JwtKey, Error>;

#[test]
fn keys_as_openssl_writes_them() {
    JwtKey::rsa_pem(RSA_2048).unwrap();
    JwtKey::rsa_pem(RSA_2048_PKCS1).unwrap();
    JwtKey::ec_pem(P256).unwrap();
    JwtKey::ec_pem(P384).unwrap();
    JwtKey::ed_pem(ED25519).unwrap();
    JwtKey::ed_pem(&ED25519.replace('\n', "\r\n")).unwrap();
    JwtKey::ed_pem(ED25519.trim()).unwrap();
}

#[test]
fn both_forms_of_an_rsa_key_are_the_same_key() {
    let algorithm =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let inner = rsa_der();
    let bits = [&[0x03, 0x82, 1, 15, 0][..], &inner].concat();
    let spki = [&[0x30, 0x82, 1, 34][..], &algorithm, &bits].concat();
    let good = token(r#"{"alg":"RS256"}"#, claims(""), &rs256());
    for pem in [pem("PUBLIC KEY", &spki), rsa_pem()] {
        jwt(JwtKey::rsa_pem(&pem).unwrap()).judge(&good).unwrap();
    }
}

#[test]
fn keys_that_are_refused() {
    let (rsa, ec, ed): (Constructor, Constructor, Constructor) =
        (JwtKey::rsa_pem, JwtKey::ec_pem, JwtKey::ed_pem);
    let certificate = pem("CERTIFICATE", &[0x30, 0]);
    let private = pem("PRIVATE KEY", &[0x30, 0]);
    let ec_private = pem("EC PRIVATE KEY", &[0x30, 0]);
    let other = pem("PGP PUBLIC KEY BLOCK", &[0x30, 0]);
    let two = format!("{ED25519}{ED25519}");
    let rows: [(Constructor, &str, &str); 24] = [
        (rsa, RSA_1024, "an RSA key of 1024 bits; give one of 2048 to 8192"),
        (rsa, RSA_PSS, "neither RSA, EC nor Ed25519"),
        (rsa, P256, "an EC key of P-256, and an RSA key was asked for"),
        (rsa, ED25519, "an Ed25519 key, and an RSA key was asked for"),
        (ec, RSA_2048, "an RSA key, and an EC key was asked for"),
        (ec, P521, "a curve other than P-256 and P-384"),
        (ec, SECP256K1, "a curve other than P-256 and P-384"),
        (ec, P256_COMPRESSED, "a point of 33 bytes; give it uncompressed"),
        (ed, P384, "an EC key of P-384, and an Ed25519 key was asked for"),
        (ed, X25519, "neither RSA, EC nor Ed25519"),
        (ed, &certificate, "openssl x509 -pubkey -noout"),
        (ed, &private, "a private key, which only the issuer may have"),
        (ec, &ec_private, "a private key, which only the issuer may have"),
        (rsa, &other, "PEM of another kind"),
        (rsa, "", "no PEM"),
        (rsa, "AAAA", "no PEM"),
        (ed, &two, "more than one key; give one"),
        (ed, &ED25519.replace("END PUBLIC", "END PRIVATE"), "no PEM"),
        (ed, &ED25519.replace("BEGIN PUBLIC", "BEGIN RSA PUBLIC"), "no PEM"),
        (ed, &ED25519.replace("MCow", "MC!w"), "broken base64"),
        (ed, &ED25519.replace("VWs=", "VWs"), "broken base64"),
        (ed, &ED25519.replace("MCow", "MCsw"), "broken DER"),
        (ed, &ED25519.replace("MCow", "MCkw"), "broken DER"),
        (ec, &P256.replace("GVtQ==", "GVtg=="), "not on its curve"),
    ];
    for (constructor, pem, wanted) in rows {
        let error = constructor(pem).unwrap_err().to_string();
        assert!(
            error.contains("the key is refused: it is ") && error.contains(wanted),
            "{error} and not {wanted}"
        );
    }
}

/// Every point of small order, in every spelling that is read; the first bit of the last byte is the sign.
#[test]
fn ed25519_keys_under_which_anybody_can_sign() {
    let top = [&[0xff; 31][..], &[0x7f]].concat();
    let with_first = |first: u8| [&[first], &top[1..]].concat();
    let order_8 =
        ["JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU", "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"];
    let some: Vec<Vec<u8>> =
        [vec![0; 32], [&[1][..], &[0; 31]].concat(), with_first(0xec), with_first(0xed), with_first(0xee)]
            .into_iter()
            .chain(order_8.map(unbase64))
            .collect();
    for key in some {
        for sign in [0, 0x80] {
            let mut key = key.clone();
            key[31] |= sign;
            let der = [&[0x30, 42, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 33, 0][..], &key].concat();
            let found = JwtKey::ed_pem(&pem("PUBLIC KEY", &der)).map_err(|error| error.to_string());
            let is_refused = found.is_err_and(|error| error.contains("under which anybody can sign"));
            assert!(is_refused, "{key:?}");
        }
    }
}

/// Writes an RSA key of these numbers.
fn rsa_of(n: &[u8], e: &[u8]) -> String {
    let number = |bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        match bytes.len() {
            0..0x80 => [&[2, len[1]], bytes].concat(),
            0x80..0x100 => [&[2, 0x81, len[1]], bytes].concat(),
            _ => [&[2, 0x82, len[0], len[1]], bytes].concat(),
        }
    };
    let inside = [number(n), number(e)].concat();
    let len = u16::try_from(inside.len()).unwrap().to_be_bytes();
    pem("RSA PUBLIC KEY", &[&[0x30, 0x82, len[0], len[1]], &inside[..]].concat())
}

#[test]
fn numbers_that_no_rsa_key_has() {
    let n = [&[0][..], &unbase64(N)].concat();
    JwtKey::rsa_pem(&rsa_of(&n, &[1, 0, 1])).unwrap();
    JwtKey::rsa_pem(&rsa_of(&n, &[3])).unwrap();
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let long = [&[0x7f][..], &[0xff; 1024]].concat();
    let short = [&[0x7f][..], &[0xff; 255]].concat();
    let rows: [(&[u8], &[u8], &str); 9] = [
        (&n, &[1], "numbers that no RSA key has"),
        (&n, &[2], "numbers that no RSA key has"),
        (&n, &[4, 0, 0, 0, 1], "numbers that no RSA key has"),
        (&even, &[3], "numbers that no RSA key has"),
        (&long, &[3], "an RSA key of 8199 bits"),
        (&short, &[3], "an RSA key of 2047 bits"),
        (&unbase64(N), &[3], "broken DER"),
        (&n, &[0, 3], "broken DER"),
        (&n, &[], "broken DER"),
    ];
    for (n, e, wanted) in rows {
        let error = JwtKey::rsa_pem(&rsa_of(n, e)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error} and not {wanted}");
    }
}

#[test]
fn der_has_one_spelling() {
    let der = rsa_der();
    let [0x30, 0x82, _, _, 0x02, 0x82, _, _, n @ ..] = &der[..] else { panic!("as it is written") };
    let (n, e) = n.split_at(257);
    // The exponent's length, and with it the whole, a byte longer than it has to be.
    let longer = [&[0x30, 0x82, 1, 11, 2, 0x82, 1, 1][..], n, &[2, 0x81, 3], &e[2..]].concat();
    assert!(JwtKey::rsa_pem(&pem("RSA PUBLIC KEY", &longer)).unwrap_err().to_string().contains("broken DER"));
    let ed25519 = |algorithm: &[u8]| {
        let len = u8::try_from(algorithm.len()).unwrap();
        let der = [&[0x30, 37 + len, 0x30, len][..], algorithm, &[3, 33, 0], &[7; 32]].concat();
        JwtKey::ed_pem(&pem("PUBLIC KEY", &der))
    };
    ed25519(&[0x06, 3, 0x2b, 0x65, 0x70]).unwrap();
    let with_parameters = ed25519(&[0x06, 3, 0x2b, 0x65, 0x70, 0x05, 0]).unwrap_err().to_string();
    assert!(with_parameters.contains("broken DER"), "{with_parameters}");
}

#[test]
fn der_that_was_cut_anywhere_is_refused() {
    let der = rsa_der();
    for len in 0..der.len() {
        let error = JwtKey::rsa_pem(&pem("RSA PUBLIC KEY", &der[..len])).unwrap_err().to_string();
        assert!(error.contains("broken DER"), "{len}: {error}");
    }
    let longer = [&der[..], &[0]].concat();
    assert!(JwtKey::rsa_pem(&pem("RSA PUBLIC KEY", &longer)).is_err());
}

#[test]
fn secrets_are_long_and_no_pem() {
    for short in ["", "password", "31 bytes are one byte too few.."] {
        let error = JwtKey::hmac(short).unwrap_err().to_string();
        assert!(error.contains(&format!("a secret of {} bytes; give at least 32", short.len())), "{error}");
    }
    JwtKey::hmac("32 bytes are just enough........").unwrap();
    let error = JwtKey::hmac(RSA_2048).unwrap_err().to_string();
    assert!(error.contains("it is PEM"), "{error}");
}

#[test]
fn only_an_algorithm_of_the_family_can_be_chosen() {
    let secret = |len| JwtKey::hmac(&SECRET[..len]).unwrap();
    let rsa = || JwtKey::rsa_pem(RSA_2048).unwrap();
    let rows = [
        (secret(63), JwtAlgorithm::Hs512, "a secret, which cannot check HS512"),
        (secret(47), JwtAlgorithm::Hs384, "a secret, which cannot check HS384"),
        (secret(64), JwtAlgorithm::Rs256, "a secret, which cannot check RS256"),
        (rsa(), JwtAlgorithm::Hs256, "an RSA key, which cannot check HS256"),
        (rsa(), JwtAlgorithm::Es256, "an RSA key, which cannot check ES256"),
        (
            rsa().only(JwtAlgorithm::Rs256).unwrap(),
            JwtAlgorithm::Ps256,
            "an RSA key, which cannot check PS256",
        ),
        (JwtKey::ec_pem(P256).unwrap(), JwtAlgorithm::Es384, "P-256, which cannot check ES384"),
        (JwtKey::ec_pem(P384).unwrap(), JwtAlgorithm::Es256, "P-384, which cannot check ES256"),
        (JwtKey::ed_pem(ED25519).unwrap(), JwtAlgorithm::Es256, "an Ed25519 key, which cannot check ES256"),
    ];
    for (key, algorithm, wanted) in rows {
        let error = key.only(algorithm).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error} and not {wanted}");
    }
}

#[test]
fn keys_without_an_id_are_tried_for_every_id() {
    let jwt = jwt(JwtKey::hmac(SECRET).unwrap());
    for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","kid":"any"}"#] {
        jwt.judge(&token(header, claims(""), &hs256())).unwrap();
    }
    assert_eq!(format!("{:?}", Jwt::new([]).keys.load()), "Keys([])");
}
