//! Everything that a core module can hand to its imports wrongly.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fnhost::{Bytes, Context, Event, Failure, Function, Handler};

use crate::hostile::{House, Module, module_refuses};

const INVALID: &str = "invalid-answer";
const IMPORTS: &str = r#"
    (import "fnhost" "fail" (func $fail (param i32 i32 i32 i32 i32)))
    (import "fnhost" "log" (func $log (param i32 i32 i32)))
    (import "fnhost" "get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "fnhost" "set" (func $set (param i32 i32 i32 i32)))
    (import "fnhost" "remaining_ms" (func $remaining (result i64)))
    (import "fnhost" "call" (func $call (param i32 i32 i32 i32) (result i32)))
    (import "fnhost" "take" (func $take (param i32 i32) (result i32)))"#;

/// A module that does this with every event that has a body, and then answers nothing.
fn calls(code: &str) -> String {
    Module { imports: IMPORTS, handle: &format!("{code} i64.const 0"), ..Module::default() }.text()
}

fn function(code: &str) -> Function {
    Function::wasm("hostile", calls(code)).timeout(Duration::from_millis(300))
}

fn refuses(code: &str, kind: &str, saying: &str) {
    crate::hostile::refuses(|| function(code), kind, saying);
}

/// Asserts that an event with a body is served, and the next one too.
fn endures(function: Function) -> fnhost::Response {
    let house = House::of(function);
    let answer = house.send("a body").unwrap();
    house.is_healthy("after");
    answer
}

#[test]
fn text_out_of_bounds_is_invalid_in_every_import() {
    let out = "out of bounds";
    for (at, len) in [("0x10000", "1"), ("-1", "2"), ("0xfff0", "0x20"), ("-16", "32")] {
        let region = format!("(i32.const {at}) (i32.const {len})");
        let fine = "(i32.const 16) (i32.const 4)";
        refuses(&format!("(call $fail {region} {fine} (i32.const 0))"), INVALID, out);
        refuses(&format!("(call $fail {fine} {region} (i32.const 0))"), INVALID, out);
        refuses(&format!("(call $log (i32.const 3) {region})"), INVALID, out);
        refuses(&format!("(drop (call $get {region} {fine}))"), INVALID, out);
        refuses(&format!("(call $set {region} {fine})"), INVALID, out);
        refuses(&format!("(call $set {fine} {region})"), INVALID, out);
        refuses(&format!("(drop (call $call {region} {fine}))"), INVALID, out);
        refuses(&format!("(drop (call $call {fine} {region}))"), INVALID, out);
    }
}

#[test]
fn huge_lengths_are_refused_before_anything_is_copied() {
    let (fine, huge) = ("(i32.const 16) (i32.const 4)", "(i32.const 0) (i32.const -1)");
    refuses(
        &format!("(call $fail {huge} {fine} (i32.const 0))"),
        INVALID,
        "4294967295 bytes, the limit is 65536",
    );
    refuses(&format!("(call $set {fine} {huge})"), INVALID, "4294967295 bytes, the limit is 16384");
    refuses(&format!("(drop (call $get {huge} {fine}))"), INVALID, "the limit is 16384");
    refuses(&format!("(drop (call $call {huge} {fine}))"), INVALID, "the limit is 16384");
    refuses(&format!("(drop (call $call {fine} {huge}))"), "payload-too-large", "host call too large");
    refuses(&format!("(call $log (i32.const 1) {huge})"), INVALID, "out of bounds");
}

#[test]
fn text_that_is_not_utf8_is_invalid_but_in_a_log() {
    let (fine, wrong) = ("(i32.const 16) (i32.const 4)", "(i32.const 24) (i32.const 2)");
    for code in [
        format!("(call $fail {wrong} {fine} (i32.const 0))"),
        format!("(call $fail {fine} {wrong} (i32.const 0))"),
        format!("(drop (call $get {wrong} {fine}))"),
        format!("(call $set {wrong} {fine})"),
        format!("(call $set {fine} {wrong})"),
        format!("(drop (call $call {wrong} {fine}))"),
    ] {
        refuses(&code, INVALID, "not UTF-8");
    }
    let answer = endures(function(&format!("(call $log (i32.const 1) {wrong})")));
    assert_eq!(answer.report().log_tail, "\u{fffd}\u{fffd}\n");
}

#[test]
fn room_out_of_bounds_for_an_attribute_is_invalid() {
    for at in ["-1", "0x10000", "0xffff", "0x7fffffff"] {
        let code = format!(
            r#"(i32.store (i32.const 32) (i32.const 0x65707974))
               (drop (call $get (i32.const 32) (i32.const 4) (i32.const {at}) (i32.const 64)))"#
        );
        refuses(&code, INVALID, "the room given to get");
    }
}

#[test]
fn room_that_overlaps_the_name_or_is_too_small_is_written_as_far_as_it_goes() {
    // "type" at 32; its value "strike" over its own name, and cut to two bytes.
    let code = |len: u32| {
        format!(
            r#"(i32.store (i32.const 32) (i32.const 0x65707974))
               (if (i32.ne (call $get (i32.const 32) (i32.const 4) (i32.const 32) (i32.const {len})) (i32.const 6))
                   (then unreachable))
               (return (i64.const 0x20_00000006))"#
        )
    };
    assert_eq!(endures(function(&code(64))).text().unwrap(), "strike");
    assert_eq!(endures(function(&code(2))).text().unwrap(), "stpe\0\0");
    assert_eq!(endures(function(&code(0))).text().unwrap(), "type\0\0");
}

#[test]
fn room_out_of_bounds_for_a_host_functions_answer_is_invalid() {
    for at in ["-1", "0x10000", "0xffff"] {
        let code = format!(
            "(drop (call $call (i32.const 16) (i32.const 4) (i32.const 8) (i32.const 4)))
             (drop (call $take (i32.const {at}) (i32.const 4)))"
        );
        let make = || function(&code).grant("name", async |body: Bytes, _: Context| Ok(body));
        crate::hostile::refuses(make, INVALID, "the room given to take");
    }
}

#[test]
fn taking_without_a_call_gives_nothing() {
    let code = "(if (call $take (i32.const 0) (i32.const -1)) (then unreachable))";
    endures(function(code));
}

#[test]
fn what_was_taken_in_one_event_is_gone_in_the_next() {
    let code = "(if (i32.eq (local.get $len) (i32.const 1)) (then
                    (drop (call $call (i32.const 16) (i32.const 4) (i32.const 8) (i32.const 4)))
                    (call $set (i32.const 16) (i32.const 4) (i32.const 8) (i32.const 4))
                    (return (i64.const 0))))
                (if (call $take (i32.const 0) (i32.const 100)) (then unreachable))";
    let reuse = fnhost::Isolation::Reuse { max_uses: 100 };
    let house =
        House::of(function(code).isolation(reuse).grant("name", async |body: Bytes, _: Context| Ok(body)));
    assert_eq!(house.send("1").unwrap().attribute("name"), Some("fine"));
    assert_eq!(house.send("22").unwrap().attributes().count(), 0);
    assert_eq!(house.handler.stats().unwrap().created, 1);
}

#[test]
fn log_levels_out_of_range_are_invalid() {
    for level in ["0", "6", "-1", "0x7fffffff"] {
        refuses(
            &format!("(call $log (i32.const {level}) (i32.const 8) (i32.const 4))"),
            INVALID,
            "levels 1 to 5",
        );
    }
}

#[test]
fn attributes_are_bounded_in_number_name_and_size() {
    let many = "(loop $next
            (i32.store8 (i32.const 66) (i32.add (i32.const 0x30) (i32.and (global.get $calls) (i32.const 7))))
            (i32.store8 (i32.const 64) (i32.add (i32.const 0x61) (i32.shr_u (global.get $calls) (i32.const 3))))
            (i32.store8 (i32.const 65) (i32.const 0x61))
            (call $set (i32.const 64) (i32.const 3) (i32.const 8) (i32.const 4))
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (br_if $next (i32.lt_u (global.get $calls) (i32.const 100))))";
    refuses(many, INVALID, "at most 64 attributes");
    let set = |name: &str, value: &str| format!("(call $set {name} {value})");
    let fine = "(i32.const 16) (i32.const 4)";
    refuses(&set("(i32.const 16) (i32.const 0)", fine), INVALID, "not the name of an attribute");
    refuses(&set("(i32.const 0) (i32.const 4)", fine), INVALID, "not the name of an attribute");
    refuses(&set("(i32.const 0) (i32.const 16000)", fine), INVALID, "");
    refuses(&set(fine, "(i32.const 0) (i32.const 16384)"), INVALID, "");
    refuses(&set(fine, "(i32.const 0) (i32.const 4)"), INVALID, "control character");
}

#[test]
fn an_attribute_that_is_set_twice_has_its_last_value() {
    let code = "(call $set (i32.const 16) (i32.const 4) (i32.const 16) (i32.const 4))
                (call $set (i32.const 16) (i32.const 4) (i32.const 8) (i32.const 4))";
    let answer = endures(function(code));
    assert_eq!(answer.attributes().collect::<Vec<_>>(), [("name", "fine")]);
}

#[test]
fn a_content_type_with_line_breaks_or_over_its_limit_is_invalid() {
    let with = |value: &str| format!(r#"(call $set (i32.const 48) (i32.const 12) {value})"#);
    let more = r#"(data (i32.const 48) "content-typetext/plain\0d\0aset-cookie: a=b")"#;
    for (value, saying) in [
        ("(i32.const 60) (i32.const 28)", "control character"),
        ("(i32.const 0x1000) (i32.const 2000)", "2000 bytes of content type"),
    ] {
        let handle = format!("{} i64.const 0", with(value));
        module_refuses(
            Module { imports: IMPORTS, handle: &handle, more, ..Module::default() },
            INVALID,
            saying,
        );
    }
}

#[test]
fn failing_twice_counts_once_and_failing_beats_answering() {
    let twice = "(call $fail (i32.const 16) (i32.const 4) (i32.const 16) (i32.const 4) (i32.const 0))
                 (call $fail (i32.const 8) (i32.const 4) (i32.const 16) (i32.const 4) (i32.const -7))
                 (return (i64.const -1))";
    let house = House::of(function(twice));
    let error = house.send("x").unwrap_err();
    assert_eq!((error.kind().name(), error.message(), error.is_retryable()), ("failed", Some("name"), true));
    house.is_healthy("after");
    // In alloc too; the event is not delivered to a handler that would answer well.
    let alloc =
        "(call $fail (i32.const 16) (i32.const 4) (i32.const 16) (i32.const 4) (i32.const 0)) i32.const 1024";
    let house = House::of(Module { imports: IMPORTS, alloc, ..Module::default() }.function());
    assert_eq!(house.send("x").unwrap_err().kind().name(), "failed");
    house.is_healthy("after");
}

#[test]
fn names_and_bodies_that_overlap_reach_the_host_function_as_they_are() {
    let code = "(drop (call $call (i32.const 16) (i32.const 4) (i32.const 17) (i32.const 3)))
                (drop (call $take (i32.const 15) (i32.const 6)))
                (return (i64.const 0xf_00000005))";
    let make = || function(code).grant("name", async |body: Bytes, _: Context| Ok(body));
    assert_eq!(endures(make()).text().unwrap(), "ameme");
}

#[test]
fn a_host_function_that_was_not_granted_or_fails_or_panics_is_a_failure_of_the_call() {
    let code =
        "(if (i32.ne (call $call (i32.const 16) (i32.const 4) (i32.const 8) (i32.const 4)) (i32.const -1))
                    (then unreachable))
                (return (i64.or (i64.const 0x400_00000000)
                    (i64.extend_i32_u (call $take (i32.const 0x400) (i32.const 0x8000)))))";
    assert!(endures(function(code)).text().unwrap().contains("not-granted"));
    let panics = function(code).grant("name", async |body: Bytes, _: Context| {
        assert!(body.is_empty(), "on purpose");
        Ok(body)
    });
    assert!(endures(panics).text().unwrap().contains("panic"));
    let fails = function(code).grant("name", async |_: Bytes, _: Context| Err(Failure::new("\"", "\u{1}")));
    assert!(endures(fails).text().unwrap().contains(r#""kind":"\"""#));
}

#[test]
fn a_host_function_that_invokes_the_same_handler_ends_at_its_deadline_and_never_hangs() {
    let own: Arc<OnceLock<Handler>> = Arc::default();
    let known = Arc::clone(&own);
    let again = move |body: Bytes, _: Context| {
        let handler = known.get().expect("it is deployed").clone();
        async move { Ok(handler.invoke(Event::bytes("again", body)).await?.into_bytes()) }
    };
    let code = "(drop (call $call (i32.const 16) (i32.const 4) (i32.const 8) (i32.const 4)))";
    let house = House::of(function(code).concurrency(1).grant("name", again));
    own.set(house.handler.clone()).unwrap();
    let error = house.send("x").unwrap_err();
    assert!(error.is_timeout(), "{error}");
    house.is_healthy("after");
}
