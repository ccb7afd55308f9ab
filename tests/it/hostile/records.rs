//! Everything that a component can answer wrongly: each list and string of its records, and the ABI around them.

use fnhost::Function;

use crate::hostile::House;
use crate::hostile::components::{Parts, failure, response};

const INVALID: &str = "invalid-answer";
const TOO_LARGE: &str = "payload-too-large";
const NONE: [u32; 2] = [0, 0];
const FINE: [u32; 2] = [8, 4];

fn area(area: Vec<u32>) -> Parts {
    Parts { area, ..Parts::default() }
}

/// Code that writes `count` pairs of strings, all of them the same, to 0x8000.
fn pairs(count: u32, at: u32, len: u32) -> String {
    format!(
        "(global.set $free (i32.const 0x8000))
         (loop $next
             (i32.store (global.get $free) (i32.const {at}))
             (i32.store offset=4 (global.get $free) (i32.const {len}))
             (i32.store offset=8 (global.get $free) (i32.const {at}))
             (i32.store offset=12 (global.get $free) (i32.const {len}))
             (global.set $free (i32.add (global.get $free) (i32.const 16)))
             (br_if $next (i32.lt_u (global.get $free) (i32.const {}))))
         (i32.const 2048)",
        0x8000 + 16 * count
    )
}

#[test]
fn an_answer_that_is_fine_is_fine() {
    let house = House::of(area(response(Some(FINE), NONE, FINE)).function());
    let answer = house.send("x").unwrap();
    assert_eq!((answer.content_type(), answer.text().unwrap()), (Some("fine"), "fine"));
    house.is_healthy("after");
}

#[test]
fn a_record_out_of_bounds_or_unaligned_is_invalid() {
    for (at, saying) in [("-1", "aligned"), ("2049", "aligned"), ("-4", ""), ("0x1ffff0", "")] {
        Parts { handle: format!("i32.const {at}"), ..Parts::default() }.refuses(INVALID, saying);
    }
}

#[test]
fn an_unknown_case_of_a_result_or_an_option_is_invalid() {
    for wrong in [vec![2], vec![255], vec![0, 2], vec![0, 255]] {
        area(wrong).refuses(INVALID, "discriminant");
    }
}

#[test]
fn a_list_or_string_out_of_bounds_is_invalid() {
    let out = [[0x20_0000, 1], [0xffff_ffff, 2], [0xffff_fff0, 0x20], [0x1f_fff0, 0x20], [8, 0xffff_ffff]];
    for wrong in out {
        area(response(None, NONE, wrong)).refuses(INVALID, "out of bounds");
        area(response(Some(wrong), NONE, FINE)).refuses(INVALID, "out of bounds");
        area(failure(wrong, FINE)).refuses(INVALID, "out of bounds");
        area(failure(FINE, wrong)).refuses(INVALID, "out of bounds");
    }
    for wrong in [[0x20_0000, 1], [0xffff_fffc, 1], [0x1f_fff8, 1], [8, 0x1000_0000], [8, 0xffff_ffff]] {
        area(response(None, wrong, FINE)).refuses(INVALID, "out of bounds");
    }
    area(response(None, [0x8002, 1], FINE)).refuses(INVALID, "aligned");
    Parts { handle: pairs(1, 0xffff_0000, 4), ..area(response(None, [0x8000, 1], FINE)) }
        .refuses(INVALID, "out of bounds");
}

#[test]
fn text_that_is_not_utf8_is_invalid() {
    let wrong = [16, 2];
    area(response(Some(wrong), NONE, FINE)).refuses(INVALID, "utf-8");
    area(failure(wrong, FINE)).refuses(INVALID, "utf-8");
    area(failure(FINE, wrong)).refuses(INVALID, "utf-8");
    Parts { handle: pairs(1, 16, 2), ..area(response(None, [0x8000, 1], FINE)) }.refuses(INVALID, "utf-8");
}

#[test]
fn a_body_over_the_limit_is_too_large() {
    let parts = area(response(None, NONE, [0, 0x20_0000]));
    let make = || parts.function().max_response(1 << 20);
    crate::hostile::refuses(make, TOO_LARGE, "the limit is 1048576");
    let parts = area(response(None, NONE, [0, 0x20_0000]));
    crate::hostile::refuses(|| parts.function().max_response(1000), TOO_LARGE, "the limit is 1000");
}

#[test]
fn strings_that_all_point_to_the_same_mebibyte_are_too_large_together() {
    let same = area(response(None, [0x8000, 4000], FINE));
    Parts { handle: pairs(4000, 0x2_0000, 1 << 20), ..same.clone() }.refuses(TOO_LARGE, "response too large");
    Parts { handle: pairs(4000, 0x2_0000, 1 << 16), ..same }.refuses(TOO_LARGE, "response too large");
    let half_a_million = Parts { pages: 33, ..area(response(None, [0x8000, 130_000], FINE)) };
    let many = Parts { handle: pairs(130_000, 8, 4), ..half_a_million };
    many.refuses(INVALID, "130000 attributes, the limit is 64");
}

#[test]
fn lists_of_empty_strings_are_counted_by_what_they_take_in_the_host() {
    // 16 bytes each in the guest, 48 in the host, and all of them overlap.
    let parts = Parts { pages: 64, ..area(response(None, [0, 0x3f_0000 / 16], FINE)) };
    let error = House::of(parts.function()).send("x").unwrap_err();
    assert!([INVALID, TOO_LARGE].contains(&error.kind().name()), "{error}");
}

#[test]
fn attributes_of_a_wrong_name_or_number_are_invalid() {
    let with = |count: u32, at, len, saying: &str| {
        Parts { handle: pairs(count, at, len), ..area(response(None, [0x8000, count], FINE)) }
            .refuses(INVALID, saying);
    };
    with(65, 8, 4, "65 attributes, the limit is 64");
    with(2, 8, 4, "given twice");
    with(1, 8, 0, "not the name of an attribute");
    with(1, 0, 4, "not the name of an attribute");
    with(1, 0x4000, 10_000, "20000 bytes of attributes");
}

#[test]
fn a_content_type_that_breaks_the_line_or_is_too_long_is_invalid() {
    area(response(Some([0, 4]), NONE, FINE)).refuses(INVALID, "control character");
    area(response(Some([0x4000, 1025]), NONE, FINE)).refuses(INVALID, "1025 bytes of content type");
}

#[test]
fn a_failure_is_the_guests_own_however_odd_and_is_bounded() {
    let house = House::of(area(failure([0x4000, 1000], [0x8_0000, 0x10_0000])).function());
    let error = house.send("x").unwrap_err();
    assert_eq!((error.kind().name(), error.message().unwrap().len()), ("failed", 0x10_0000));
    assert!(error.to_string().len() < 20_000, "shown cut and escaped");
    house.is_healthy("after");
    let huge = Parts { pages: 64, ..area(failure([0x2_0000, 0x3c_0000], [0x2_0000, 0x3c_0000])) };
    huge.refuses(TOO_LARGE, "response too large");
}

#[test]
fn a_realloc_that_lies_about_the_event_is_invalid_or_its_own_trap() {
    // Only the body of the event is nine bytes long.
    let realloc = |code: &str, kind: &str, saying: &str| {
        let realloc = format!("(if (i32.eq (local.get $size) (i32.const 9)) (then {code}))");
        Parts { realloc, area: response(None, NONE, FINE), ..Parts::default() }.refuses(kind, saying);
    };
    realloc("(return (i32.const -1))", INVALID, "beyond end of memory");
    realloc("(return (i32.const 0x200000))", INVALID, "beyond end of memory");
    realloc("(return (i32.const 0x1fffff))", INVALID, "beyond end of memory");
    realloc("unreachable", "trapped", "unreachable");
    realloc("(loop $ever (br $ever))", "timed-out", "the handler");
    realloc(
        "(drop (memory.grow (i32.const 65))) (return (i32.const 0x200000))",
        INVALID,
        "beyond end of memory",
    );
}

#[test]
fn an_unaligned_place_for_the_event_is_invalid() {
    let realloc = "(if (i32.eq (local.get $size) (i32.const 88)) (then (return (i32.const 0x10003))))";
    let house = House::of(Parts { realloc: realloc.into(), ..Parts::default() }.function());
    for _ in 0..2 {
        let error = house.send("x").unwrap_err();
        assert_eq!(error.kind().name(), INVALID, "{error}");
        assert_eq!(house.handler.stats().unwrap().live, 0);
    }
}

#[test]
fn a_realloc_that_answers_where_the_event_lies_already_harms_only_the_guest() {
    let realloc = "(if (i32.eq (local.get $size) (i32.const 9)) (then (return (i32.const 0x10000))))";
    let parts = Parts { realloc: realloc.into(), ..area(response(None, NONE, [0x10000, 9])) };
    let house = House::of(parts.function());
    assert_eq!(house.send("some body").unwrap().bytes().len(), 9);
    house.is_healthy("after");
}

#[test]
fn a_post_return_that_traps_or_spins_ends_the_guest() {
    let post = |post: &str, kind: &str, saying: &str| {
        Parts { post: post.into(), ..area(response(None, NONE, FINE)) }.refuses(kind, saying);
    };
    post("unreachable", "trapped", "unreachable");
    post("(loop $ever (br $ever))", "timed-out", "the handler");
}

#[test]
fn utf16_and_latin1_strings_are_read_as_what_they_are() {
    for options in ["string-encoding=utf16", "string-encoding=latin1+utf16"] {
        let parts = Parts { options, ..area(failure([0x4000, 0x8000_0002], [0x4001, 1])) };
        let error = House::of(parts.function()).send("x").unwrap_err();
        assert!([INVALID, TOO_LARGE, "failed"].contains(&error.kind().name()), "{error}");
        // Lone surrogates.
        let parts = Parts {
            options,
            handle: "(i32.store (i32.const 0x4000) (i32.const 0xd800d800)) (i32.const 2048)".into(),
            ..area(failure([0x4000, 0x8000_0002], [0x4000, 0]))
        };
        let error = House::of(parts.function()).send("x").unwrap_err();
        assert_eq!(error.kind().name(), INVALID, "{error}");
    }
}

#[test]
fn a_handler_that_is_missing_or_of_another_type_never_runs() {
    let of = |interface: &str| {
        let module = r#"(core module $m (func (export "f") (result i32) unreachable))
            (core instance $i (instantiate $m))
            (func $handle (result u32) (canon lift (core func $i "f")))"#;
        let export = r#"(export "fnhost:function/handler@0.1.0" (instance $h))"#;
        House::try_of(Function::wasm("wrong", format!("(component {module} {interface} {export})")))
    };
    let error = of(r#"(instance $h (export "other" (func $handle)))"#).err().unwrap();
    assert_eq!(error.kind().name(), "unknown-contract", "{error}");
    let error = of(r#"(instance $h (export "handle" (func $handle)))"#).and_then(|house| house.send("x"));
    let error = error.unwrap_err();
    assert!(["unknown-contract", INVALID].contains(&error.kind().name()), "{error}");
}
