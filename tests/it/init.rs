//! What runs before the first event of each guest, and what never does.

use fnhost::{Context, Event, Function, Handler, Init, Isolation, Start};

use crate::kit::{
    ANSWER_BODY, COMMAND, COUNTER, HELLO_JS, REUSE, ask, assert_quiet, deploy, host, kind, module, refused,
    runtime, says, send,
};

/// Answers the four bytes at 16, where each init leaves its mark.
const ANSWER_MARKS: &str = "(i64.const 0x10_0000_0004)";
/// Marks that nothing has written.
const BLANK: &str = r#"(data (i32.const 16) "----")"#;

/// An export that leaves its mark.
fn marks(export: &str, result: &str, at: u32, mark: char) -> String {
    let body = format!("(i32.store8 (i32.const {}) (i32.const {}))", 16 + at, mark as u32);
    let answer = if result.is_empty() { "" } else { "(i32.const 0)" };
    format!(r#"(func (export "{export}") {result} {body} {answer})"#)
}

fn reused(code: String) -> Function {
    Function::wasm("f", code).isolation(REUSE).init(Init::PerGuest)
}

fn counter() -> Function {
    Function::wasm("counter", COUNTER).init(Init::PerGuest)
}

#[track_caller]
fn init_of(handler: &Handler) -> bool {
    send(handler, "any", "x").unwrap().report().init.is_some()
}

#[test]
fn init_runs_once_before_the_first_event() {
    let (_runtime, counter) = host(counter().isolation(REUSE));
    let first = send(&counter, "count", "").unwrap();
    assert_eq!(first.text().unwrap(), "101");
    assert!(first.report().init.is_some());
    assert!(first.report().to_string().contains("Init Duration"));
    let second = send(&counter, "count", "").unwrap();
    assert_eq!((second.text().unwrap(), second.report().start), ("102", Some(Start::Reused)));
    assert_eq!(second.report().init, None);
}

#[test]
fn init_runs_for_each_fresh_sandbox() {
    let (_runtime, counter) = host(counter());
    for _ in 0..3 {
        let response = send(&counter, "count", "").unwrap();
        assert_eq!(response.text().unwrap(), "101");
        assert!(response.report().init.is_some());
    }
}

#[test]
fn an_init_that_fails_is_told_and_tried_again() {
    let failing = counter().env("INIT_FAIL", "no database").isolation(REUSE);
    let (runtime, counter) = host(failing);
    for _ in 0..2 {
        let error = send(&counter, "count", "").unwrap_err();
        assert_eq!(error.kind().name(), "init-failed");
        assert_eq!(error.message(), Some("init was told to fail: no database"));
        assert!(error.is_retryable() && error.is_function_error());
        assert!(error.report().unwrap().init.is_some(), "the report tells that it ran");
        assert_quiet(&runtime, &[&counter]);
    }
    assert_eq!(counter.stats().unwrap().served, 0);
}

#[test]
fn an_init_that_fails_at_first_may_succeed_later() {
    let init = r#"(import "fnhost" "get" (func $get (param i32 i32 i32 i32) (result i32)))
        (import "fnhost" "fail" (func $fail (param i32 i32 i32 i32 i32)))
        (data (i32.const 8) "tenant") (data (i32.const 32) "not for nobody")
        (func (export "fnhost_init") (result i32)
            (if (i32.lt_s (call $get (i32.const 8) (i32.const 6) (i32.const 0) (i32.const 0)) (i32.const 0))
                (then (call $fail (i32.const 8) (i32.const 6) (i32.const 32) (i32.const 14) (i32.const 1))
                    (return (i32.const 1))))
            (i32.const 0))"#;
    let (_runtime, f) = host(reused(module(init, ANSWER_BODY)));
    let error = send(&f, "any", "x").unwrap_err();
    assert_eq!((error.kind().name(), error.message()), ("init-failed", Some("not for nobody")));
    let context = Context::new().with_tenant("ada");
    let answer = f.invoke_blocking_with(context, Event::bytes("any", "x")).unwrap();
    assert_eq!(answer.text().unwrap(), "x");
}

#[test]
fn the_init_of_a_module_runs_once() {
    let code = module(&format!("{BLANK} {}", marks("fnhost_init", "(result i32)", 0, 'i')), ANSWER_MARKS);
    let (_runtime, f) = host(reused(code));
    assert!(init_of(&f) && !init_of(&f));
    assert_eq!(ask(&f, "any", ""), "i---");
}

#[test]
fn an_init_that_answers_a_number_or_traps_has_failed() {
    let runtime = runtime();
    for (body, said) in [("(i32.const 7)", "init answered 7"), ("(unreachable)", "unreachable")] {
        let init = format!(r#"(func (export "fnhost_init") (result i32) {body})"#);
        let f = deploy(&runtime, reused(module(&init, ANSWER_BODY)));
        let error = send(&f, "any", "x").unwrap_err();
        assert_eq!(error.kind().name(), "init-failed", "{error}");
        says(&error, &[said]);
        assert_quiet(&runtime, &[&f]);
    }
}

#[test]
fn a_module_is_initialized_before_its_init() {
    let both = format!(
        "{BLANK} {} {}",
        marks("_initialize", "", 0, 'a'),
        marks("fnhost_init", "(result i32)", 1, 'b')
    );
    let (_runtime, f) = host(reused(module(&both, ANSWER_MARKS)));
    assert_eq!(ask(&f, "any", ""), "ab--");
    let (_runtime, f) =
        host(reused(module(&format!("{BLANK} {}", marks("_initialize", "", 0, 'a')), ANSWER_MARKS)));
    assert!(!init_of(&f), "making the guest is no init of its own");
    assert_eq!(ask(&f, "any", ""), "a---");
}

#[test]
fn an_initialize_that_traps_is_an_error_of_making_the_guest() {
    let code = module(r#"(func (export "_initialize") unreachable)"#, ANSWER_BODY);
    let (runtime, f) = host(reused(code));
    let kind = kind(send(&f, "any", "x"));
    assert!(["trapped", "init-failed"].contains(&kind), "{kind}");
    assert_quiet(&runtime, &[&f]);
}

#[test]
fn the_export_that_the_function_names_is_its_init() {
    for result in ["", "(result i32)"] {
        let exports = format!(
            "{BLANK} {} {}",
            marks("wizer-initialize", result, 2, 'w'),
            marks("fnhost_init", "(result i32)", 0, 'i')
        );
        let code = module(&exports, ANSWER_MARKS);
        let (_runtime, f) = host(reused(code).init_export("wizer-initialize"));
        assert!(init_of(&f) && !init_of(&f));
        assert_eq!(ask(&f, "any", ""), "--w-", "it stands in place of the contract's own");
    }
}

#[test]
fn an_export_that_cannot_be_an_init_is_refused() {
    let runtime = runtime();
    let code = module(r#"(func (export "setup") (param i32))"#, ANSWER_BODY);
    for export in ["setup", "memory", "absent"] {
        let error = refused(&runtime, reused(code.clone()).init_export(export));
        assert_eq!(error.kind().name(), "invalid-configuration");
        says(&error, &[export, "init_export"]);
    }
    let error = refused(&runtime, Function::wasm("command", COMMAND).init_export("_start"));
    assert_eq!(error.kind().name(), "invalid-configuration");
}

#[test]
fn an_export_of_a_component_that_cannot_be_an_init_is_refused() {
    let runtime = runtime();
    for export in ["fnhost:function/handler@0.1.0", "absent"] {
        let error = refused(&runtime, Function::wasm("counter", COUNTER).init_export(export));
        assert_eq!(error.kind().name(), "invalid-configuration", "{error}");
        says(&error, &[export, "init_export"]);
    }
}

#[test]
fn no_other_export_is_ever_run() {
    let names = ["init", "main", "_start", "wizer-initialize", "wizer.initialize", "setup", "run"];
    let exports: String = names.iter().map(|name| marks(name, "", 0, 'x')).collect();
    let (_runtime, f) = host(reused(module(&format!("{BLANK} {exports}"), ANSWER_MARKS)));
    assert!(!init_of(&f));
    assert_eq!(ask(&f, "any", ""), "----");
}

#[test]
fn a_leftover_init_of_a_javascript_component_is_not_run() {
    // Compiling it is the slowest thing that a test does, so one runtime must do for both.
    let (runtime, hello) =
        host(Function::wasm("hello", HELLO_JS).isolation(Isolation::Reuse { max_uses: 2 }));
    let response = send(&hello, "greet", r#"{"name": "Ada"}"#).unwrap();
    assert_eq!(response.report().init, None);
    assert_eq!(response.json::<serde_json::Value>().unwrap(), serde_json::json!({ "hello": "Ada" }));
    assert_eq!(kind(send(&hello, "greet", "no JSON")), "failed");
    let error = refused(&runtime, Function::wasm("hello", HELLO_JS).init_export("init"));
    assert_eq!(error.kind().name(), "invalid-configuration", "it takes parameters: {error}");
}
