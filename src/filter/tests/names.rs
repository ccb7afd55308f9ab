//! Fields by their names: all of them, at their place.

use crate::filter::tests::{Case, assert_cases};

/// An event as the user guide shows them.
const INSTANCE: &str = r#"{
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0", "state": "terminated", "c-count": 5, "x-limit": 301.8,
               "source-ip": "10.0.0.33"}
}"#;

pub(super) const DOCUMENTS: &[Case] = &[
    (r#"{"source": ["aws.ec2"]}"#, INSTANCE, true),
    (r#"{"source": ["aws.s3"]}"#, INSTANCE, false),
    (r#"{"source": ["aws.ec2"], "detail": {"state": ["terminated"]}}"#, INSTANCE, true),
    (r#"{"source": ["aws.ec2"], "detail": {"state": ["running"]}}"#, INSTANCE, false),
    (r#"{"source": ["aws.s3"], "detail": {"state": ["terminated"]}}"#, INSTANCE, false),
    (
        r#"{"detail-type": ["EC2 Instance State-change Notification"], "region": [{"prefix": "us-"}]}"#,
        INSTANCE,
        true,
    ),
    (r#"{"account": ["111122223333"]}"#, INSTANCE, true),
    (r#"{"account": [111122223333]}"#, INSTANCE, false),
    (r#"{"state": ["terminated"]}"#, INSTANCE, false),
    (r#"{"detail": {"detail": {"state": ["terminated"]}}}"#, INSTANCE, false),
    (r#"{"detail": ["terminated"]}"#, INSTANCE, false),
    (r#"{"source": {"ec2": ["aws"]}}"#, INSTANCE, false),
    (r#"{"Source": ["aws.ec2"]}"#, INSTANCE, false),
    (r#"{"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"]}"#, INSTANCE, true),
    (
        r#"{"time": [{"prefix": "2017-12-22"}], "detail": {
            "state": [{"anything-but": "initializing"}],
            "c-count": [{"numeric": [">", 0, "<=", 5]}],
            "d-count": [{"exists": false}],
            "x-limit": [{"anything-but": [100, 200, 300]}],
            "source-ip": [{"cidr": "10.0.0.0/8"}]
        }}"#,
        INSTANCE,
        true,
    ),
    (
        r#"{"time": [{"prefix": "2017-12-22"}], "detail": {
            "state": [{"anything-but": "initializing"}],
            "c-count": [{"numeric": [">", 0, "<", 5]}],
            "source-ip": [{"cidr": "10.0.0.0/8"}]
        }}"#,
        INSTANCE,
        false,
    ),
    (r#"{"": [1]}"#, r#"{"": 1}"#, true),
    (r#"{"ä\u0062": [1]}"#, r#"{"\u00e4b": 1}"#, true),
    (r#"{"a": {"b": {"c": {"d": [1]}}}}"#, r#"{"a": {"b": {"c": {"d": 1}}}}"#, true),
    (r#"{"a": {"b": {"c": {"d": [1]}}}}"#, r#"{"a": {"b": {"d": 1}}}"#, false),
    (r#"{"prefix": ["a"]}"#, r#"{"prefix": "a"}"#, true),
    (r#"{"a.b": [1]}"#, r#"{"a.b": 1}"#, true),
    // Of members with the same name, the last one counts.
    (r#"{"a": ["x"]}"#, r#"{"a": "y", "a": "x"}"#, true),
];

#[test]
fn all_fields_have_to_match_at_their_place() {
    assert_cases(DOCUMENTS);
}

/// EventBridge's engine joins names with dots, and takes the one for the other; its manual advises against
/// relying on that. It also takes either of two members with the same name.
#[test]
fn a_name_is_a_name_also_with_dots_in_it() {
    assert_cases(&[
        (r#"{"a.b": [1]}"#, r#"{"a": {"b": 1}}"#, false),
        (r#"{"a": {"b": [1]}}"#, r#"{"a.b": 1}"#, false),
        (r#"{"a": ["x"]}"#, r#"{"a": "x", "a": "y"}"#, false),
        (r#"{"a": ["x"], "b": [1]}"#, r#"{"a": "x", "b": 1, "a": {"c": "x"}}"#, false),
    ]);
}
