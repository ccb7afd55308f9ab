//! Header values: the vectors of the binding's section 3.1.3.2, and what its text says beside them.

use crate::event::http::percent::{decode, encode};

#[test]
fn values_are_encoded_as_the_binding_says() {
    let vectors = [
        ("", ""),
        ("abc", "abc"),
        ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
        (" ", "%20"),
        ("\"", "%22"),
        ("%", "%25"),
        ("%20", "%2520"),
        ("!", "!"),
        ("~", "~"),
        ("#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}", "#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}"),
        ("\u{0}", "%00"),
        ("\r\n", "%0D%0A"),
        ("\t", "%09"),
        ("\u{7f}", "%7F"),
        ("\u{9f}", "%C2%9F"),
        ("\u{a0}", "%C2%A0"),
        ("ä", "%C3%A4"),
        ("\u{ffff}", "%EF%BF%BF"),
        ("\u{10ffff}", "%F4%8F%BF%BF"),
        ("\u{1f469}\u{200d}\u{1f680}", "%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80"),
        (" lead and trail ", "%20lead%20and%20trail%20"),
        ("2018-04-05T03:56:24Z", "2018-04-05T03:56:24Z"),
        ("/mycontext/subcontext", "/mycontext/subcontext"),
    ];
    for (value, encoded) in vectors {
        assert_eq!(encode(value), encoded, "{value:?}");
        assert_eq!(decode(encoded.as_bytes()).as_deref(), Ok(value), "{encoded:?}");
    }
}

#[test]
fn values_that_need_not_be_encoded_so_are_read_all_the_same() {
    let vectors: [(&[u8], &str); 17] = [
        (b"Euro%20%e2%82%ac", "Euro €"),
        (b"%61%62%63", "abc"),
        (b"Euro \xe2\x82\xac", "Euro €"),
        (b"a b", "a b"),
        (b"  a \t", "a"),
        (b"\"a b\"", "a b"),
        (b" \"a\" ", "a"),
        (b"\"\"", ""),
        (b"\" a \"", " a "),
        (b"\"a\\\"b\"", "a\"b"),
        (b"\"a\\\\b\"", "a\\b"),
        (b"\"\\a\"", "a"),
        (b"\"a%20b\"", "a b"),
        (b"\"\\%20\"", " "),
        (b"%2520", "%20"),
        (b"a\"b\"", "a\"b\""),
        (b"a\\b", "a\\b"),
    ];
    for (encoded, value) in vectors {
        assert_eq!(decode(encoded).as_deref(), Ok(value), "{}", encoded.escape_ascii());
    }
}

#[test]
fn values_that_say_nothing_clear_are_refused() {
    let refused: [(&[u8], &str); 18] = [
        (b"%", "hexadecimal"),
        (b"100%", "hexadecimal"),
        (b"%2", "hexadecimal"),
        (b"%2g", "hexadecimal"),
        (b"%g2", "hexadecimal"),
        (b"%+1", "hexadecimal"),
        (b"% 20", "hexadecimal"),
        (b"%%2020", "hexadecimal"),
        (b"%C0%A0", "UTF-8"),
        (b"%ff", "UTF-8"),
        (b"%ED%A0%80", "UTF-8"),
        (b"%F4%90%80%80", "UTF-8"),
        (b"%E2%82", "UTF-8"),
        (b"\xe4", "UTF-8"),
        (b"\"", "quoted"),
        (b"\"a\"b", "quoted"),
        (b"\"a\\\"", "quoted"),
        (b"\"a\" \"b\"", "quoted"),
    ];
    for (encoded, why) in refused {
        let reason = decode(encoded).expect_err(&encoded.escape_ascii().to_string());
        assert!(reason.contains(why), "{}: {reason}", encoded.escape_ascii());
    }
}
