//! Rules: what they allow, what they do not, and what cannot be one.

use std::net::SocketAddr;

use http::Uri;

use crate::outbound::address::Special;
use crate::outbound::origin::Origin;
use crate::outbound::refusal::Refusal;
use crate::outbound::rules::Rules;

fn rules(texts: &[&str]) -> Rules {
    let mut rules = Rules::default();
    texts.iter().for_each(|text| rules.allow(text).unwrap());
    rules
}

fn origin(url: &str) -> Origin {
    Origin::of(&url.parse::<Uri>().unwrap()).unwrap()
}

fn allows(rule: &str, url: &str) -> bool {
    rules(&[rule]).judge(&origin(url)).is_ok()
}

/// Judges the URL, and then the address it leads to.
fn judge(rules: &Rules, url: &str, address: &str) -> Result<(), Refusal> {
    let origin = origin(url);
    let address = SocketAddr::new(address.parse().unwrap(), origin.port);
    rules.judge_address(&origin, rules.judge(&origin)?, address)
}

#[test]
fn nothing_is_allowed_without_a_rule() {
    let refusal = Rules::default().judge(&origin("https://api.example.com/v1")).unwrap_err();
    let expected = "no rule allows requests to https://api.example.com; add `.allow_outbound(\"https://api.example.com\")`";
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn what_a_refusal_says_to_add_is_a_rule_that_allows() {
    for url in
        ["https://a.example:8443/", "http://127.0.0.1/", "http://[2001:db8::1]:99/", "https://a.example/"]
    {
        let Err(Refusal::DeniedByRule { origin: rule }) = Rules::default().judge(&origin(url)) else {
            panic!("{url} must be denied");
        };
        assert!(allows(&rule, url), "{rule} for {url}");
    }
}

#[test]
fn a_rule_allows_its_scheme_host_and_port_only() {
    let rule = "https://api.example.com";
    assert!(allows(rule, "https://api.example.com/any/path?query"));
    assert!(allows(rule, "https://API.EXAMPLE.COM.:443/"));
    for url in [
        "http://api.example.com/",
        "http://api.example.com:443/",
        "https://api.example.com:8443/",
        "https://example.com/",
        "https://x.api.example.com/",
        "https://api.example.com.evil.example/",
        "https://evilapi.example.com/",
    ] {
        assert!(!allows(rule, url), "{url}");
    }
    assert!(allows("HTTPS://API.example.com.:*", "https://api.example.com:8443/"));
    assert!(!allows("https://example.com:*", "http://example.com/"));
}

#[test]
fn a_suffix_needs_a_label_in_front_and_ends_at_a_dot() {
    let rule = "http://*.internal.example:8080";
    assert!(allows(rule, "http://a.internal.example:8080/"));
    assert!(allows(rule, "http://a.b.internal.example:8080/"));
    for url in [
        "http://internal.example:8080/",
        "http://evilinternal.example:8080/",
        "http://a.internal.example/",
        "http://a.internal.example.evil.example:8080/",
    ] {
        assert!(!allows(rule, url), "{url}");
    }
}

#[test]
fn a_range_allows_its_addresses_however_they_are_spelled() {
    let rule = "http://10.0.0.0/8:8080";
    for host in ["10.0.0.0", "10.255.255.255", "10.1", "012.0.0.1", "0xa.1", "167772161", "[::ffff:10.0.0.1]"]
    {
        assert!(allows(rule, &format!("http://{host}:8080/")), "{host}");
    }
    for host in ["11.0.0.0", "9.255.255.255", "127.0.0.1", "[::a00:1]", "ten.example"] {
        assert!(!allows(rule, &format!("http://{host}:8080/")), "{host}");
    }
    assert!(allows("http://[fd00::/8]", "http://[fdff::1]/"));
    assert!(!allows("http://[fd00::/8]", "http://[fe80::1]/"));
    assert!(allows("http://[::1]:8080", "http://[0:0::1]:8080/"));
    assert!(allows("http://0.0.0.0/0", "http://8.8.8.8/") && allows("http://[::/0]", "http://[2a00::1]/"));
}

#[test]
fn a_name_is_allowed_at_public_addresses_only() {
    let rules = rules(&["https://api.example.com"]);
    assert_eq!(judge(&rules, "https://api.example.com/", "93.184.216.34"), Ok(()));
    let refusal = judge(&rules, "https://api.example.com/", "10.0.0.7").unwrap_err();
    let expected = "https://api.example.com leads to 10.0.0.7, a private address, which no rule names; add \
        `.allow_outbound(\"https://10.0.0.7\")`, or `.allow_outbound_private(\"https://api.example.com\")`";
    assert_eq!(refusal.to_string(), expected);
    assert!(judge(&rules, "https://api.example.com/", "::ffff:10.0.0.7").is_err());
}

#[test]
fn a_special_address_needs_a_rule_of_its_own_or_one_for_private_names() {
    let mut both = rules(&["http://a.example:8080", "http://10.0.0.0/8:8080"]);
    assert_eq!(judge(&both, "http://a.example:8080/", "10.0.0.7"), Ok(()));
    assert!(judge(&both, "http://a.example:8080/", "192.168.0.1").is_err());
    both.allow_private("http://a.example:8080").unwrap();
    assert_eq!(judge(&both, "http://a.example:8080/", "192.168.0.1"), Ok(()));

    let other_port = rules(&["http://a.example:8080", "http://10.0.0.0/8:81", "https://10.0.0.0/8:8080"]);
    assert!(judge(&other_port, "http://a.example:8080/", "10.0.0.7").is_err());
}

#[test]
fn metadata_is_reached_by_its_own_address_only() {
    let mut wide = rules(&["http://169.254.0.0/16", "http://0.0.0.0/0", "http://[::/0]"]);
    wide.allow_private("http://a.example").unwrap();
    for (url, address) in [
        ("http://169.254.169.254/", "169.254.169.254"),
        ("http://0xa9fea9fe/", "169.254.169.254"),
        ("http://a.example/", "169.254.169.254"),
        ("http://a.example/", "fd00:ec2::254"),
        ("http://a.example/", "64:ff9b::a9fe:a9fe"),
        ("http://168.63.129.16/", "168.63.129.16"),
    ] {
        let refusal = judge(&wide, url, address).unwrap_err();
        assert!(matches!(refusal, Refusal::DeniedAddress { special: Special::Metadata, .. }), "{url}");
        assert!(!refusal.to_string().contains("allow_outbound_private"), "{refusal}");
    }
    wide.allow("http://169.254.169.254").unwrap();
    assert_eq!(judge(&wide, "http://169.254.169.254/", "169.254.169.254"), Ok(()));
    assert_eq!(judge(&wide, "http://a.example/", "169.254.169.254"), Ok(()));
}

#[test]
fn a_mistake_is_refused_with_its_place_and_a_fix() {
    for (rule, at, fix) in [
        ("", 0, "write `https://`"),
        ("api.example.com", 0, "write `https://api.example.com`"),
        ("ftp://a.example", 0, "`http` nor `https`"),
        ("https://", 8, "host is missing"),
        ("https://:443", 8, "host is missing"),
        ("https://*", 8, "`*.example.com`"),
        ("https://a.*.example", 10, "`*.example.com`"),
        ("https://*a.example", 8, "`*.example.com`"),
        ("https://*.", 10, "host is missing"),
        ("https://*.*.example", 10, "cannot have '*'"),
        ("https://*.10.0.0.1", 10, "`10.0.0.0/8`"),
        ("https://a..example", 10, "between two dots"),
        ("https://a.example/", 17, "no path"),
        ("https://a.example/v1", 17, "no path"),
        ("https://a.example?x", 17, "end it here"),
        ("https://u:p@a.example", 11, "end it here"),
        ("https://a.example:0", 18, "or `*` for all"),
        ("https://a.example:+1", 18, "1 to 65535"),
        ("https://a.example:65536", 18, "1 to 65535"),
        ("https://a.example:", 18, "1 to 65535"),
        ("https://a.example:80:80", 18, "1 to 65535"),
        ("https://b\u{fc}cher.example", 9, "`xn--...`"),
        (" https://a.example", 0, "neither"),
        ("https://a.example ", 17, "cannot have ' '"),
        ("http://10.0.0.1/8", 16, "write `10.0.0.0/8`"),
        ("http://10.0.0.0/33", 16, "0 to 32"),
        ("http://10.0.0.0/+8", 16, "0 to 32"),
        ("http://10.0.0.0/", 16, "0 to 32"),
        ("http://127.1", 7, "write `127.0.0.1`"),
        ("http://0x7f000001", 7, "write `127.0.0.1`"),
        ("http://1.2.3.4.5", 7, "192.0.2.1"),
        ("http://[::1", 11, "`]` is missing"),
        ("http://[::g]", 8, "not an IPv6 address"),
        ("http://[::1%1]", 11, "zone"),
        ("http://[::ffff:10.0.0.1]", 8, "write `10.0.0.1` without brackets"),
        ("http://[fd00::]/8", 15, "`[fd00::/8]`"),
        ("http://[fd00::1/8]", 16, "write `[fd00::/8]`"),
        ("http://[fd00::/129]", 15, "0 to 128"),
    ] {
        let error = Rules::default().allow(rule).unwrap_err().to_string();
        assert!(error.contains(&format!("at byte {at}:")) && error.contains(fix), "{rule}: {error}");
    }
    let error = Rules::default().allow_private("http://10.0.0.0/8").unwrap_err();
    assert!(error.to_string().contains("use `allow_outbound`"));
}
