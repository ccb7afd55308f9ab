//! Addresses: nothing special passes as public, however it is wrapped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::{any, proptest};

use crate::outbound::address::{Special, special};

/// Addresses of each kind, the first and the last of each range among them.
const SPECIAL: &[(Special, &[&str])] = &[
    (
        Special::Metadata,
        &[
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
        ],
    ),
    (
        Special::Loopback,
        &[
            "127.0.0.0",
            "127.0.0.1",
            "127.255.255.255",
            "::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
        ],
    ),
    (
        Special::Private,
        &[
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "::ffff:10.0.0.1",
            "::ffff:c0a8:1",
            "2002:c0a8:0101::1",
            "64:ff9b::10.0.0.1",
            // Teredo: a private server, then a private client behind a public one.
            "2001:0:a00:1::",
            "2001:0:4136:e378:8000:63bf:3f57:fffe",
            "2a00:1450::5efe:10.0.0.1",
            "2a00:1450::200:5efe:192.168.0.1",
            "fc00::",
            "fdff:ffff::1",
            "fec0::1",
        ],
    ),
    (Special::LinkLocal, &["169.254.0.0", "169.254.255.255", "fe80::1", "febf::1", "::ffff:169.254.1.1"]),
    (Special::CarrierGrade, &["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"]),
    (Special::Unspecified, &["0.0.0.0", "0.255.255.255", "::", "::ffff:0.0.0.0", "2002::"]),
    (Special::Multicast, &["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1"]),
    (
        Special::Documentation,
        &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "64:ff9b::192.0.2.33"],
    ),
    (Special::Benchmark, &["198.18.0.0", "198.19.255.255", "2001:2::1"]),
    (
        Special::Reserved,
        &[
            "192.0.0.1",
            "192.88.99.1",
            "240.0.0.1",
            "255.255.255.254",
            // Compatible with and translated to IPv4, public or not.
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b:1::7f00:1",
            "100::1",
            "2001:20::1",
            "2001:1ff::1",
            "4000::1",
            "5f00::1",
            "1::1",
        ],
    ),
];

const PUBLIC: &[&str] = &[
    "8.8.8.8",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2a00:1450:4001:81b::200e",
    "2002:808:808::1",
    "64:ff9b::808:808",
    "2a00:1450::5efe:8.8.8.8",
];

fn judged(text: &str) -> Option<Special> {
    special(text.parse().unwrap())
}

#[test]
fn special_addresses_are_recognised_at_both_ends_of_their_range() {
    for (kind, addresses) in SPECIAL {
        for address in *addresses {
            assert_eq!(judged(address), Some(*kind), "{address}");
        }
    }
}

#[test]
fn public_addresses_beside_those_ranges_pass() {
    for address in PUBLIC {
        assert_eq!(judged(address), None, "{address}");
    }
}

proptest! {
    #[test]
    fn an_address_is_judged_the_same_inside_another(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from_bits(bits);
        let plain = special(v4.into());
        let nat64 = Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(bits));
        let six_to_four = Ipv6Addr::from_bits(0x2002 << 112 | u128::from(bits) << 80);
        for wrapped in [v4.to_ipv6_mapped(), nat64, six_to_four] {
            proptest::prop_assert_eq!(special(wrapped.into()), plain, "{}", wrapped);
        }
    }

    #[test]
    fn only_global_unicast_and_nat64_are_ever_public(bits in any::<u128>()) {
        let v6 = Ipv6Addr::from_bits(bits);
        let is_global = v6.segments()[0] & 0xe000 == 0x2000 || bits >> 32 == 0x0064_ff9b << 64;
        proptest::prop_assert!(is_global || v6.to_ipv4_mapped().is_some() || special(IpAddr::V6(v6)).is_some());
    }
}
