//! Hosts: one spelling for each, and none that another parser reads differently.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use crate::outbound::host::Host;
use crate::outbound::origin::Origin;
use crate::outbound::refusal::Refusal;

/// What a spelling has to be read as.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    V4(u8, u8, u8, u8),
    Name(&'static str),
    Refused,
}

use Is::{Name, Refused, V4};

/// Spellings and their meaning, by the rules of the URL standard for hosts that end in a number.
const SPELLINGS: &[(&str, Is)] = &[
    ("127.0.0.1", V4(127, 0, 0, 1)),
    ("127.0.0.1.", V4(127, 0, 0, 1)),
    ("127.1", V4(127, 0, 0, 1)),
    ("127.1.", V4(127, 0, 0, 1)),
    ("127.0.1", V4(127, 0, 0, 1)),
    ("2130706433", V4(127, 0, 0, 1)),
    ("2130706433.", V4(127, 0, 0, 1)),
    ("0x7f000001", V4(127, 0, 0, 1)),
    ("0X7F000001", V4(127, 0, 0, 1)),
    ("0x7F.1", V4(127, 0, 0, 1)),
    ("0x7f.0x0.0x0.0x1", V4(127, 0, 0, 1)),
    ("0x7f.0.0.1", V4(127, 0, 0, 1)),
    ("0177.0.0.1", V4(127, 0, 0, 1)),
    ("0177.0.0.01", V4(127, 0, 0, 1)),
    ("0177.1", V4(127, 0, 0, 1)),
    ("017700000001", V4(127, 0, 0, 1)),
    ("00000000177.0.0.1", V4(127, 0, 0, 1)),
    ("0x00000000000007f.1", V4(127, 0, 0, 1)),
    ("127.0x1", V4(127, 0, 0, 1)),
    ("127.0x.0.01", V4(127, 0, 0, 1)),
    ("127.65535", V4(127, 0, 255, 255)),
    ("127.65536", V4(127, 1, 0, 0)),
    ("127.16777215", V4(127, 255, 255, 255)),
    ("1.2.65535", V4(1, 2, 255, 255)),
    ("10.0.0.010", V4(10, 0, 0, 8)),
    ("0", V4(0, 0, 0, 0)),
    ("0x", V4(0, 0, 0, 0)),
    ("0x.0x.0", V4(0, 0, 0, 0)),
    ("0.0.0.0", V4(0, 0, 0, 0)),
    ("00", V4(0, 0, 0, 0)),
    ("000.0x00.0", V4(0, 0, 0, 0)),
    ("1", V4(0, 0, 0, 1)),
    ("010", V4(0, 0, 0, 8)),
    ("0x10", V4(0, 0, 0, 16)),
    ("256", V4(0, 0, 1, 0)),
    ("4294967295", V4(255, 255, 255, 255)),
    ("0xffffffff", V4(255, 255, 255, 255)),
    ("037777777777", V4(255, 255, 255, 255)),
    ("0xA9FEA9FE", V4(169, 254, 169, 254)),
    ("2852039166", V4(169, 254, 169, 254)),
    ("0251.0376.0251.0376", V4(169, 254, 169, 254)),
    ("169.254.43518", V4(169, 254, 169, 254)),
    ("4294967296", Refused),
    ("0x100000000", Refused),
    ("040000000000", Refused),
    ("99999999999999999999999", Refused),
    ("256.1", Refused),
    ("1.256.1", Refused),
    ("1.1.1.256", Refused),
    ("1.1.65536", Refused),
    ("1.16777216", Refused),
    ("1.2.3.4.5", Refused),
    ("1.2.3.4.5.", Refused),
    ("08", Refused),
    ("09.1", Refused),
    ("1.2.3.08", Refused),
    ("1..1", Refused),
    (".1", Refused),
    ("127.0.0..1", Refused),
    ("127.0.0.1..", Refused),
    ("foo.1", Refused),
    ("foo.0x1", Refused),
    ("foo.0x", Refused),
    ("foo.2.3", Refused),
    ("a.b.c.d.255", Refused),
    ("0x7g.1", Refused),
    ("+1.2.3.4", Refused),
    ("-1.2.3.4", Refused),
    ("1.2.3.+4", Refused),
    ("127.0.0.1%00", Refused),
    ("127。0。0。1", Refused),
    ("１２７.0.0.1", Refused),
    ("%31%32%37.0.0.1", Refused),
    ("127.0.0.1 ", Refused),
    (" 127.0.0.1", Refused),
    ("127.0.0.1\n", Refused),
    ("127.0.0.1\0", Refused),
    ("", Refused),
    (".", Refused),
    ("..", Refused),
    ("a..b", Refused),
    (".a", Refused),
    ("a b", Refused),
    ("a/b", Refused),
    ("a\\b", Refused),
    ("a@b", Refused),
    ("a:b", Refused),
    ("a#b", Refused),
    ("bücher.example", Refused),
    ("::1", Refused),
    ("[::1", Refused),
    ("[::1]x", Refused),
    ("[::1%25eth0]", Refused),
    ("[fe80::1%eth0]", Refused),
    ("[127.0.0.1]", Refused),
    ("[1]", Refused),
    ("[]", Refused),
    ("[::127.1]", Refused),
    ("[::ffff:127.0.0.1]", V4(127, 0, 0, 1)),
    ("[::FFFF:7F00:1]", V4(127, 0, 0, 1)),
    ("[0:0:0:0:0:ffff:a00:1]", V4(10, 0, 0, 1)),
    ("API.Example.COM", Name("api.example.com")),
    ("api.example.com.", Name("api.example.com")),
    ("localhost", Name("localhost")),
    ("0x7g", Name("0x7g")),
    ("1.2.3.4.example", Name("1.2.3.4.example")),
    ("127.0.0.1.nip.example", Name("127.0.0.1.nip.example")),
    ("1e3", Name("1e3")),
    ("0b1", Name("0b1")),
    ("0o17", Name("0o17")),
    ("x127", Name("x127")),
    ("xn--bcher-kva.example", Name("xn--bcher-kva.example")),
    ("_srv.example", Name("_srv.example")),
];

fn read(text: &str) -> Result<Host, String> {
    Host::parse(text).map_err(|fault| fault.reason.into_owned())
}

#[test]
fn every_spelling_is_read_as_the_url_standard_reads_it() {
    for (text, expected) in SPELLINGS {
        let expected = match expected {
            V4(a, b, c, d) => Some(Host::Address(Ipv4Addr::new(*a, *b, *c, *d).into())),
            Name(name) => Some(Host::Name((*name).into())),
            Refused => None,
        };
        assert_eq!(read(text).ok(), expected, "{text:?}");
    }
}

#[test]
fn ipv6_is_read_in_brackets_only() {
    let parsed = read("[2001:DB8::0:1]").unwrap();
    assert_eq!(parsed, Host::Address(IpAddr::V6("2001:db8::1".parse::<Ipv6Addr>().unwrap())));
    assert_eq!(parsed.to_string(), "[2001:db8::1]");
}

#[test]
fn names_are_as_long_as_dns_allows() {
    let label = "a".repeat(63);
    let name = [label.as_str(), &label, &label, &label[..61]].join(".");
    assert!(read(&name).is_ok());
    assert!(read(&format!("{name}b")).unwrap_err().contains("253"));
    assert!(read(&format!("{label}a.example")).unwrap_err().contains("63"));
}

#[test]
fn a_url_leads_to_one_origin() {
    let origin = |url: &'static str| Origin::of(&Uri::from_static(url)).map(|origin| origin.to_string());
    assert_eq!(origin("https://API.example.com./a?b").as_deref(), Ok("https://api.example.com"));
    assert_eq!(origin("https://api.example.com:443/").as_deref(), Ok("https://api.example.com"));
    assert_eq!(origin("http://api.example.com:443/").as_deref(), Ok("http://api.example.com:443"));
    assert_eq!(origin("http://0x7f.1:8080/").as_deref(), Ok("http://127.0.0.1:8080"));
    assert_eq!(origin("HTTP://[::ffff:10.0.0.1]/").as_deref(), Ok("http://10.0.0.1"));
    assert_eq!(origin("http://[::1]:81/").as_deref(), Ok("http://[::1]:81"));
}

#[test]
fn urls_that_two_parsers_could_read_differently_are_refused() {
    let refused = [
        "https://user:secret@api.example.com/",
        "https://user@api.example.com/",
        "https://@api.example.com/",
        "https://api.example.com:0/",
        "ftp://api.example.com/",
        "/path",
        "api.example.com:80",
        "http://[fe80::1%25eth0]/",
    ];
    for url in refused {
        let Ok(uri) = url.parse::<Uri>() else { continue };
        let refusal = Origin::of(&uri).unwrap_err();
        assert!(matches!(refusal, Refusal::InvalidUrl { .. }), "{url}: {refusal}");
        assert!(!refusal.to_string().contains("secret"), "{refusal}");
    }
}

/// One number as URLs may spell it.
fn spelled(number: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("{number}")),
        Just(format!("0x{number:x}")),
        Just(format!("0X{number:X}")),
        Just(format!("0x000{number:x}")),
        Just(format!("0{number:o}")),
        Just(format!("0000{number:o}")),
    ]
}

/// An address in one to four parts, each in any radix.
fn spelled_address() -> impl Strategy<Value = (u32, String)> {
    (any::<u32>(), 0..4_u32, proptest::bool::ANY).prop_flat_map(|(bits, bytes, dot)| {
        let mut numbers: Vec<u32> = (0..bytes).map(|i| bits >> (24 - 8 * i) & 0xff).collect();
        numbers.push(bits & u32::MAX.checked_shr(8 * bytes).unwrap_or(0));
        let parts: Vec<_> = numbers.into_iter().map(spelled).collect();
        let end = if dot { "." } else { "" };
        parts.prop_map(move |parts| (bits, parts.join(".") + end))
    })
}

proptest! {
    #[test]
    fn any_spelling_of_an_address_is_that_address((bits, text) in spelled_address()) {
        let host = Host::parse(&text).map_err(|fault| fault.reason);
        proptest::prop_assert_eq!(host, Ok(Host::Address(Ipv4Addr::from_bits(bits).into())), "{}", text);
    }

    #[test]
    fn what_is_read_is_read_the_same_again(text in "[0-9a-fxX.:\\[\\]%@A-Z_-]{0,20}") {
        if let Ok(host) = Host::parse(&text) {
            proptest::prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
        }
    }

    #[test]
    fn no_name_is_left_that_a_resolver_could_read_as_a_number(text in "[0-9a-fxX.]{1,16}") {
        if let Ok(Host::Name(name)) = Host::parse(&text) {
            let last = name.rsplit('.').next().unwrap_or_default();
            proptest::prop_assert!(last.bytes().any(|c| !c.is_ascii_digit()), "{}", name);
        }
    }
}
