//! Alternatives: `$or`.

use crate::filter::tests::{Case, assert_cases};

/// The source, and one of two names.
const NORMAL: &str = r#"{
    "source": ["aws.cloudwatch"],
    "$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}]
}"#;

/// One of two at the top, and one of two within.
const PARALLEL: &str = r#"{
    "$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}],
    "detail": {"$or": [{"source": ["aws.cloudwatch"]}, {"detail-type": ["Alarm"]}]}
}"#;

/// An alternative that demands two things.
const AND_INSIDE: &str = r#"{"source": ["s"], "$or": [
    {"metricName": ["m"]}, {"metricType": ["t"], "namespace": ["n"]}, {"scope": ["Service"]}
]}"#;

/// Alternatives within an alternative.
const NESTED: &str = r#"{"source": ["s"], "$or": [
    {"metricName": ["m"]},
    {"metricType": ["t"], "$or": [{"metricId": [1234]}, {"spaceId": [1000]}]},
    {"scope": ["Service"]}
]}"#;

pub(super) const DOCUMENTS: &[Case] = &[
    (NORMAL, r#"{"source": "aws.cloudwatch", "metricName": "ReadLatency"}"#, true),
    (NORMAL, r#"{"source": "aws.cloudwatch", "namespace": "AWS/ES"}"#, true),
    (NORMAL, r#"{"source": "aws.cloudwatch", "metricName": "ReadLatency", "namespace": "AWS/ES"}"#, true),
    (NORMAL, r#"{"source": "aws.cloudwatch", "metricName": "other", "namespace": "AWS/ES"}"#, true),
    (NORMAL, r#"{"source": "aws.cloudwatch", "metricName": "other"}"#, false),
    (NORMAL, r#"{"source": "aws.ec2", "metricName": "ReadLatency"}"#, false),
    (NORMAL, r#"{"metricName": "ReadLatency"}"#, false),
    (PARALLEL, r#"{"metricName": "CPUUtilization", "detail": {"detail-type": "Alarm"}}"#, true),
    (PARALLEL, r#"{"namespace": "AWS/EC2", "detail": {"source": "aws.cloudwatch"}}"#, true),
    (PARALLEL, r#"{"namespace": "AWS/EC2", "detail": {"source": "aws.ec2"}}"#, false),
    (PARALLEL, r#"{"detail": {"source": "aws.cloudwatch"}}"#, false),
    (AND_INSIDE, r#"{"source": "s", "metricType": "t", "namespace": "n"}"#, true),
    (AND_INSIDE, r#"{"source": "s", "metricType": "t"}"#, false),
    (AND_INSIDE, r#"{"source": "s", "namespace": "n", "scope": "Service"}"#, true),
    (NESTED, r#"{"source": "s", "metricType": "t", "metricId": 1234}"#, true),
    (NESTED, r#"{"source": "s", "metricType": "t", "spaceId": 1000}"#, true),
    (NESTED, r#"{"source": "s", "metricType": "t", "spaceId": 1234}"#, false),
    (NESTED, r#"{"source": "s", "metricId": 1234}"#, false),
    (NESTED, r#"{"source": "s", "metricName": "m"}"#, true),
    (
        r#"{"$or": [{"a": [{"numeric": [">", 5]}]}, {"b": [{"exists": false}]}]}"#,
        r#"{"a": 1, "b": 1}"#,
        false,
    ),
    (r#"{"$or": [{"a": [{"numeric": [">", 5]}]}, {"b": [{"exists": false}]}]}"#, r#"{"a": 1}"#, true),
    (r#"{"$or": [{"a": [1]}, {"a": [2]}]}"#, r#"{"a": 2}"#, true),
    (r#"{"$or": [{"a": [1]}, {"a": {"b": [2]}}]}"#, r#"{"a": {"b": 2}}"#, true),
    (r#"{"$or": [{"a": [1]}, {"a": [2]}]}"#, r#"{"$or": 2}"#, false),
    (r#"{"d": {"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}}"#, r#"{"d": {"b": 2, "c": 3}}"#, true),
    (r#"{"d": {"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}}"#, r#"{"d": {"b": 2, "c": 4}}"#, false),
    // A field may be called so where it cannot mean alternatives.
    (r#"{"$or": ["a", "b"]}"#, r#"{"$or": "b"}"#, true),
    (r#"{"$or": {"metricType": ["m"]}}"#, r#"{"$or": {"metricType": "m"}}"#, true),
    (r#"{"$or": {"metricType": ["m"]}}"#, r#"{"metricType": "m"}"#, false),
    (r#"{"$or": [{"cidr": "10.0.0.0/24"}]}"#, r#"{"$or": "10.0.0.7"}"#, true),
    (r#"{"$or": [{"numeric": [">", 0, "<=", 5]}, {"numeric": [">", 10]}]}"#, r#"{"$or": 11}"#, true),
    (r#"{"$or": [{"numeric": [">", 0, "<=", 5]}, {"numeric": [">", 10]}]}"#, r#"{"$or": 7}"#, false),
];

#[test]
fn one_of_the_alternatives_is_enough() {
    assert_cases(DOCUMENTS);
}
