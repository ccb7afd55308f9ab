//! Ranges of addresses.

use crate::filter::tests::{Case, assert_values};

pub(super) const VALUES: &[Case] = &[
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.0.0""#, true),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.0.33""#, true),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.0.255""#, true),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.1.0""#, false),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""9.255.255.255""#, false),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.0""#, false),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.0.0/24""#, false),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""host.example""#, false),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""""#, false),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, "true", false),
    (r#"[{"cidr": "10.0.0.0/8"}]"#, r#""10.255.3.4""#, true),
    (r#"[{"cidr": "10.0.0.77/24"}]"#, r#""10.0.0.5""#, true),
    (r#"[{"cidr": "10.0.0.64/26"}]"#, r#""10.0.0.127""#, true),
    (r#"[{"cidr": "10.0.0.64/26"}]"#, r#""10.0.0.128""#, false),
    (r#"[{"cidr": "10.0.0.2/31"}]"#, r#""10.0.0.3""#, true),
    (r#"[{"cidr": "10.0.0.2/31"}]"#, r#""10.0.0.4""#, false),
    (r#"[{"cidr": "0.0.0.0/0"}]"#, r#""203.0.113.9""#, true),
    (r#"[{"cidr": "2001:db8::/32"}]"#, r#""2001:db8::1""#, true),
    (r#"[{"cidr": "2001:db8::/32"}]"#, r#""2001:0DB8:ffff:0:0:0:0:1""#, true),
    (r#"[{"cidr": "2001:db8::/32"}]"#, r#""2001:db9::1""#, false),
    (r#"[{"cidr": "2001:db8::/127"}]"#, r#""2001:db8::1""#, true),
    (r#"[{"cidr": "2001:db8::/127"}]"#, r#""2001:db8::2""#, false),
    (r#"[{"cidr": "::/0"}]"#, r#""fe80::1""#, true),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""2001:db8::1""#, false),
    (r#"[{"cidr": "2001:db8::/32"}]"#, r#""10.0.0.1""#, false),
    (r#"[{"cidr": "10.0.0.0/24"}, {"cidr": "2001:db8::/32"}]"#, r#""2001:db8::9""#, true),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#"["9.9.9.9", "10.0.0.9"]"#, true),
];

#[test]
fn ranges_hold_their_addresses() {
    assert_values(VALUES);
}

/// EventBridge's engine takes 31 and 127 bits at most, and reads mapped addresses and leading
/// zeros; a range of no bits holds all texts that begin like addresses of either version.
#[test]
fn a_range_may_be_one_address_and_versions_do_not_mix() {
    assert_values(&[
        (r#"[{"cidr": "10.0.0.1/32"}]"#, r#""10.0.0.1""#, true),
        (r#"[{"cidr": "10.0.0.1/32"}]"#, r#""10.0.0.2""#, false),
        (r#"[{"cidr": "::1/128"}]"#, r#""::1""#, true),
        (r#"[{"cidr": "::1/128"}]"#, r#""::""#, false),
        (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""::ffff:a00:1""#, false),
        (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""010.0.0.1""#, false),
        (r#"[{"cidr": "0.0.0.0/0"}]"#, r#""::1""#, false),
        (r#"[{"cidr": "::/0"}]"#, r#""10.0.0.1""#, false),
        (r#"[{"cidr": "0.0.0.0/0"}]"#, "1", false),
    ]);
}
