//! Ranges of numbers.

use crate::filter::tests::{Case, assert_values};

pub(super) const VALUES: &[Case] = &[
    (r#"[{"numeric": ["=", 100]}]"#, "100", true),
    (r#"[{"numeric": ["=", 100]}]"#, "100.0", true),
    (r#"[{"numeric": ["=", 100]}]"#, "1e2", true),
    (r#"[{"numeric": ["=", 100]}]"#, "101", false),
    (r#"[{"numeric": ["=", 100]}]"#, r#""100""#, false),
    (r#"[{"numeric": ["=", 3.018e2]}]"#, "301.8", true),
    (r#"[{"numeric": ["=", 0]}]"#, "-0.0", true),
    (r#"[{"numeric": ["=", 0.1]}]"#, "0.10", true),
    (r#"[{"numeric": ["=", 0.1]}]"#, "0.100001", false),
    (r#"[{"numeric": [">", 10]}]"#, "10", false),
    (r#"[{"numeric": [">", 10]}]"#, "10.000001", true),
    (r#"[{"numeric": [">=", 10]}]"#, "10", true),
    (r#"[{"numeric": [">=", 10]}]"#, "9.999999", false),
    (r#"[{"numeric": ["<", 10]}]"#, "9.999999", true),
    (r#"[{"numeric": ["<", 10]}]"#, "10", false),
    (r#"[{"numeric": ["<=", 10]}]"#, "10", true),
    (r#"[{"numeric": ["<=", 10]}]"#, "10.5", false),
    (r#"[{"numeric": ["<", 10]}]"#, "-1000", true),
    (r#"[{"numeric": [">", 10, "<=", 20]}]"#, "20", true),
    (r#"[{"numeric": [">", 10, "<=", 20]}]"#, "10", false),
    (r#"[{"numeric": [">", 10, "<=", 20]}]"#, "10.5", true),
    (r#"[{"numeric": [">", 10, "<=", 20]}]"#, "20.000001", false),
    (r#"[{"numeric": [">=", 10, "<", 20]}]"#, "10", true),
    (r#"[{"numeric": [">=", 10, "<", 20]}]"#, "20", false),
    (r#"[{"numeric": [">=", -5, "<=", -1]}]"#, "-3", true),
    (r#"[{"numeric": [">=", -5, "<=", -1]}]"#, "-5.5", false),
    (r#"[{"numeric": [">=", -5, "<=", -1]}]"#, "0", false),
    (r#"[{"numeric": [">", -1, "<", 1]}]"#, "-0.999999", true),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "0", false),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, r#""3""#, false),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "null", false),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "true", false),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "[9, 4]", true),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "[9, 7]", false),
    (r#"[{"numeric": ["<", 1]}, {"numeric": [">", 9]}]"#, "5", false),
    (r#"[{"numeric": ["<", 1]}, {"numeric": [">", 9]}]"#, "10", true),
    (r#"[{"numeric": ["<", 1]}, "none"]"#, r#""none""#, true),
    // The published limits: five billion either way, and six digits behind the point.
    (r#"[{"numeric": ["=", 5.0e9]}]"#, "5000000000", true),
    (r#"[{"numeric": ["=", -5.0e9]}]"#, "-5000000000.0", true),
    (r#"[{"numeric": [">", 4999999999.999998]}]"#, "4999999999.999999", true),
    (r#"[{"numeric": ["<", 4999999999.999999]}]"#, "4999999999.999999", false),
    (r#"[{"numeric": ["=", 123456789.123456]}]"#, "123456789.123457", false),
];

#[test]
fn ranges_hold_the_numbers_between_their_ends() {
    assert_values(VALUES);
}

/// EventBridge stops at five billion, its engine at binary64; here every digit counts.
#[test]
fn numbers_beyond_binary64_are_compared_by_every_digit() {
    assert_values(&[
        (r#"[{"numeric": [">", 1700000000000]}]"#, "1700000000001", true),
        (r#"[{"numeric": ["=", 9007199254740993]}]"#, "9007199254740992", false),
        (r#"[9007199254740993]"#, "9007199254740993.0", true),
        (r#"[{"numeric": [">", 0.1]}]"#, "0.1000000000000000000000000001", true),
        (r#"[{"numeric": ["<", 1e400]}]"#, "1e399", true),
        (r#"[{"numeric": [">", 0]}]"#, "1e-400", true),
        (r#"[{"numeric": ["<", -1e400]}]"#, "-2e400", true),
    ]);
}

#[test]
fn a_number_whose_exponent_is_out_of_reach_equals_none() {
    assert_values(&[
        (r#"[{"numeric": [">", 5]}]"#, "1e9999999", false),
        (r#"[{"numeric": [">", 5]}]"#, "1e99999999999999999999999", false),
        (r#"[{"numeric": ["<", 5]}]"#, "1e-9223372036854775808", false),
        (r#"[{"numeric": [">", 5]}]"#, "0.001e-9223372036854775808", false),
        (r#"[{"anything-but": 5}]"#, "1e9999999", true),
        (r#"[{"exists": true}]"#, "1e9999999", true),
        ("[0]", "0e9999999", true),
    ]);
}
