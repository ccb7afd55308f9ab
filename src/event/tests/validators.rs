//! What each validator accepts and refuses.

use crate::event::{media_type, time, uri};

type Check = fn(&str) -> Result<(), String>;

#[track_caller]
fn assert_table(check: Check, accepted: &[&str], refused: &[&str]) {
    for value in accepted {
        assert_eq!(check(value), Ok(()), "{value:?} is refused");
    }
    for value in refused {
        assert!(check(value).is_err(), "{value:?} is accepted");
    }
}

#[test]
fn sources_are_uri_references() {
    let accepted = [
        "/",
        "/fnhost",
        "a",
        "a/b:c",
        "./a:b",
        "?",
        "#",
        "?q=1/?&x=%20#frag/?",
        "//host",
        "//host/path",
        "mailto:a@b.example",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "https://example.com",
        "https://user:pw@example.com:8080/a;b=c?d#e",
        "http://[::1]:80/",
        "http://[2001:db8::192.0.2.1]",
        "http://[v1.fe80:a]/",
        "file:///etc",
        "http://host:/",
        "a:",
        "s3+x-1.y:z",
        "tag:a,2018:b",
        "/%C3%A4",
    ];
    let refused = [
        "",
        " ",
        "a b",
        "/ä",
        "/\"",
        "<a>",
        "1a:b",
        ":a",
        "a_b:c",
        "%",
        "/%2",
        "/%zz",
        "a#b#c",
        "http://[::1",
        "http://[::1]x",
        "http://[::g]/",
        "http://[v.a]/",
        "http://[v1.]/",
        "http://[fe80::1%25eth0]/",
        "http://host:8a/",
        "http://a@b@c/",
        "http://a:1:2/",
        "/a\\b",
        "/a^b",
        "/a|b",
        "/{a}",
        "/[a]",
        "/a\n",
        "http://h?[a]",
    ];
    assert_table(uri::check_reference, &accepted, &refused);
}

#[test]
fn data_schemas_are_absolute_uris_without_fragment() {
    let accepted = ["https://example.com/schema?v=1", "urn:example:schema", "a:b", "file:///s.json"];
    let refused = [
        "",
        "/schema",
        "schema",
        "//host/schema",
        "https://example.com/s#a",
        "https://example.com/a b",
        "1:a",
    ];
    assert_table(uri::check_absolute, &accepted, &refused);
}

#[test]
fn times_are_moments_of_rfc_3339() {
    let accepted = [
        "1985-04-12T23:20:50.52Z",
        "1996-12-19T16:39:57-08:00",
        "1990-12-31T23:59:60Z",
        "1990-12-31T15:59:60-08:00",
        "1991-01-01T01:59:60+02:00",
        "2016-06-30T23:59:60.9Z",
        "1937-01-01T12:00:27.87+00:20",
        "2018-04-05t17:31:00z",
        "2000-02-29T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999999Z",
        "2018-04-05T17:31:00-00:00",
        "2018-04-05T17:31:00+23:59",
    ];
    let refused = [
        "",
        "now",
        "2018-04-05",
        "2018-04-05T17:31Z",
        "2018-04-05T17:31:00",
        "2018-04-05 17:31:00Z",
        "2018-04-05T17:31:00.Z",
        "2018-04-05T17:31:00,5Z",
        "2018-4-05T17:31:00Z",
        "18-04-05T17:31:00Z",
        "12018-04-05T17:31:00Z",
        "+018-04-05T17:31:00Z",
        "2018-00-05T17:31:00Z",
        "2018-13-05T17:31:00Z",
        "2018-04-00T17:31:00Z",
        "2018-04-31T17:31:00Z",
        "2018-01-32T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2018-04-05T24:00:00Z",
        "2018-04-05T23:60:00Z",
        "2018-04-05T23:59:61Z",
        "2018-04-05T23:59:60Z",
        "1990-12-31T23:58:60Z",
        "1990-12-31T23:59:60-08:00",
        "1990-12-31T01:59:60+02:00",
        "2018-04-05T17:31:00+24:00",
        "2018-04-05T17:31:00+01:60",
        "2018-04-05T17:31:00+0100",
        "2018-04-05T17:31:00+01",
        "2018-04-05T17:31:00Z ",
        " 2018-04-05T17:31:00Z",
        "2018-04-05T17:31:00ZZ",
        "２018-04-05T17:31:00Z",
    ];
    assert_table(time::check, &accepted, &refused);
}

#[test]
fn content_types_are_media_types() {
    let accepted = [
        "text/plain",
        "text/plain; charset=utf-8",
        "text/plain;charset=utf-8",
        "TEXT/Plain ; a=b; c=\"d \\\" e;\"",
        "a/b;c=\"\"",
        "application/vnd.api+json",
        "application/cloudevents+json; charset=UTF-8",
        "x-a/b.c_d!#$%&'*+^`{|}~-",
    ];
    let refused = [
        "",
        "text",
        "text/",
        "/plain",
        "text/plain/x",
        "text plain",
        "text/plain;",
        "text/plain; charset",
        "text/plain; =a",
        "text/plain; a=",
        "text/plain; a=b c",
        "text/plain; a=\"b",
        "text/plain; a=\"b\"c",
        "text/plain; a =b",
        "text/plain a=b",
        "text/plain; a=\"\t\"",
        "text/pläin",
        "text/plain; a=ä",
        "text/plain; a=\"ä\"",
        " text/plain",
        "text/plain ",
        "te(xt/plain",
        "text/plain; a=\"b\\",
    ];
    assert_table(media_type::check, &accepted, &refused);
}
