//! Guests that misbehave while they are made: start functions, `_initialize`, init.

use std::time::Duration;

use fnhost::{Event, Function, Init};

use crate::hostile::{House, Module};

/// Sends one event and asserts how it ends, twice: what fails in the making is tried again for the next event.
fn fails(more: &str, imports: &str, kind: &str, saying: &str) {
    let _busy = crate::kit::busy();
    let module = Module { more, imports, ..Module::default() };
    let function = Function::wasm("hostile", module.text())
        .init_timeout(Duration::from_millis(200))
        .init(Init::PerGuest);
    let house = House::of(function);
    for _ in 0..2 {
        let error = house.send("x").unwrap_err();
        assert_eq!(error.kind().name(), kind, "{more}: {error}");
        assert!(error.to_string().contains(saying), "{more}: {error}");
        let (stats, all) = (house.handler.stats().unwrap(), house.runtime.stats());
        assert_eq!((stats.live, stats.running, all.places_taken, all.memory_taken), (0, 0, 0, 0), "{more}");
    }
}

const FAIL: &str = r#"(import "fnhost" "fail" (func $fail (param i32 i32 i32 i32 i32)))"#;

#[test]
fn a_start_function_that_traps_spins_or_grows_ends_the_event_only() {
    fails("(func $s unreachable) (start $s)", "", "trapped", "unreachable");
    fails("(func $s (loop $ever (br $ever))) (start $s)", "", "timed-out", "in init");
    fails("(func $s (call $s)) (start $s)", "", "trapped", "stack");
}

#[test]
fn data_or_elements_out_of_bounds_trap_when_the_guest_is_made() {
    fails(r#"(data (i32.const 0xffff) "no room")"#, "", "trapped", "out of bounds");
    fails("(table 1 funcref) (func $f) (elem (i32.const 1) func $f)", "", "trapped", "out of bounds");
}

#[test]
fn an_initialize_that_traps_or_spins_ends_the_event_only() {
    fails(r#"(func (export "_initialize") unreachable)"#, "", "trapped", "unreachable");
    fails(r#"(func (export "_initialize") (loop $ever (br $ever)))"#, "", "timed-out", "in init");
}

#[test]
fn an_init_that_fails_traps_spins_or_gives_no_reason_is_an_error_of_its_own() {
    let init = |body: &str| format!(r#"(func (export "fnhost_init") (result i32) {body})"#);
    fails(&init("i32.const 7"), "", "init-failed", "init answered 7");
    fails(&init("unreachable"), "", "init-failed", "unreachable");
    fails(&init("(loop $ever (br $ever)) i32.const 0"), "", "timed-out", "in init");
    let fail =
        |kind: &str, text: &str| init(&format!("(call $fail {kind} {text} (i32.const 0)) i32.const 0"));
    let fine = "(i32.const 16) (i32.const 4)";
    fails(&fail(fine, fine), FAIL, "init-failed", "init failed: name");
    fails(&fail(fine, "(i32.const -1) (i32.const 4)"), FAIL, "invalid-answer", "out of bounds");
    fails(&fail(fine, "(i32.const 24) (i32.const 2)"), FAIL, "invalid-answer", "not UTF-8");
}

#[test]
fn memory_beyond_the_limit_in_the_making_is_the_limits_error() {
    let start = "(func $s (drop (memory.grow (i32.const 60))) unreachable) (start $s)";
    let text = Module { more: start, ..Module::default() }.text();
    let house = House::of(Function::wasm("hostile", text).memory(1 << 20));
    assert_eq!(house.send("x").unwrap_err().kind().name(), "memory-exceeded");
    assert_eq!(house.runtime.stats().memory_taken, 0);
}

#[test]
fn a_reason_of_an_init_with_line_breaks_is_shown_on_one_line() {
    let more = r#"(data (i32.const 64) "one\0atwo\1b[2J")
        (func (export "fnhost_init") (result i32)
            (call $fail (i32.const 16) (i32.const 4) (i32.const 64) (i32.const 11) (i32.const 0)) i32.const 1)"#;
    let text = Module { more, imports: FAIL, ..Module::default() }.text();
    let house = House::of(Function::wasm("hostile", text).init(Init::PerGuest));
    let error = house.handler.invoke_blocking(Event::bytes("strike", "x")).unwrap_err();
    assert_eq!(error.message(), Some("one\ntwo\u{1b}[2J"));
    assert!(!error.to_string().contains(char::is_control), "{error}");
}
