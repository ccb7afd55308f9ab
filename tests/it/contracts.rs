//! What guests are given and what they answer, contract by contract.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fnhost::{Bytes, Context, Contract, ErrorKind, Event, Failure, Function};
use serde_json::{Value, json};

use crate::kit::{
    ANSWER_BODY, COMMAND, COMMAND_P2, COUNTER, ECHO, ECHO_WASI, JSON, MISBEHAVE, MISBEHAVE_BYTES, REUSE, ask,
    deploy, host, kind, module, refused, runtime, says, send,
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn the_contract_is_found_out_from_the_code() {
    let runtime = runtime();
    let found = |name: &str, code: &'static [u8]| {
        let deployed = runtime.block_on(runtime.deploy(Function::wasm(name, code))).unwrap();
        (deployed.contract(), runtime.describe(name).unwrap().contract)
    };
    assert_eq!(found("function", ECHO), (Contract::Function, Contract::Function));
    assert_eq!(found("module", COMMAND), (Contract::Command, Contract::Command));
    assert_eq!(found("component", COMMAND_P2), (Contract::Command, Contract::Command));
    assert_eq!(found("bytes", MISBEHAVE_BYTES), (Contract::Bytes, Contract::Bytes));
}

#[test]
fn a_component_reads_and_answers_json() {
    let (_runtime, json) = host(Function::wasm("json", JSON));
    let event = Event::json("greet", &json!({ "name": "Ada", "numbers": [1, 2, 3] })).unwrap();
    let answer: Value = json.invoke_blocking(event).unwrap().json().unwrap();
    assert_eq!((&answer["sum"], &answer["count"]), (&json!(6.0), &json!(3)));
    let error = send(&json, "greet", "no JSON").unwrap_err();
    let ErrorKind::Failed(failure) = error.kind() else { panic!("{error}") };
    assert_eq!((failure.kind(), failure.is_retryable()), ("bad-request", false));
}

#[test]
fn a_response_has_its_content_type_and_attributes() {
    let runtime = runtime();
    let echo = deploy(&runtime, Function::wasm("echo", ECHO));
    let event = Event::bytes("any", "x").with_content_type("text/x-odd");
    assert_eq!(echo.invoke_blocking(event).unwrap().content_type(), Some("text/x-odd"));
    let misbehave = deploy(&runtime, Function::wasm("misbehave", MISBEHAVE));
    let response = send(&misbehave, "attributes", "3").unwrap();
    let names: Vec<&str> = response.attributes().map(|(name, _)| name).collect();
    assert_eq!(names, ["a0", "a1", "a2"]);
    let set = r#"(import "fnhost" "set" (func $set (param i32 i32 i32 i32)))
        (data (i32.const 8) "content-typetext/plainpath/a")"#;
    let handle = format!(
        "(call $set (i32.const 8) (i32.const 12) (i32.const 20) (i32.const 10))
        (call $set (i32.const 30) (i32.const 4) (i32.const 34) (i32.const 2)) {ANSWER_BODY}"
    );
    let bytes = deploy(&runtime, Function::wasm("bytes", module(set, &handle)));
    let response = send(&bytes, "any", "x").unwrap();
    assert_eq!((response.content_type(), response.attribute("path")), (Some("text/plain"), Some("/a")));
}

#[test]
fn a_component_asks_for_its_context() {
    let (_runtime, counter) =
        host(Function::wasm("counter", COUNTER).version(7).timeout(Duration::from_secs(20)));
    let context = Context::new().with_tenant("ada").with_traceparent(TRACE).with_attribute("color", "blue");
    let id = context.request_id().to_string();
    let answer: Value = counter.invoke_blocking_with(context, Event::new("context")).unwrap().json().unwrap();
    let left = answer["remaining-ms"].as_u64().unwrap();
    assert!((15_000..=20_000).contains(&left), "{left}");
    let expected = json!({
        "request-id": id, "function-name": "counter", "function-version": 7, "attempt": 1, "remaining-ms": left,
        "memory-limit": 128 << 20, "tenant": "ada", "traceparent": TRACE, "color": "blue",
    });
    assert_eq!(answer, expected);
    let nothing: Value = send(&counter, "context", "").unwrap().json().unwrap();
    assert_eq!([&nothing["tenant"], &nothing["traceparent"], &nothing["color"]], [&Value::Null; 3]);
}

#[test]
fn a_module_asks_for_attributes_by_name() {
    let (_runtime, bytes) = host(Function::wasm("bytes", MISBEHAVE_BYTES).version(3));
    let event = |name: &str| {
        let body = [&[17], name.as_bytes()].concat();
        Event::bytes("order.placed", body).with_id("e1").with_source("/shop").with_subject("sku 7")
    };
    let get = |name: &str| {
        let context = Context::new().with_tenant("ada").with_attribute("color", "blue");
        bytes.invoke_blocking_with(context, event(name)).map(|answer| answer.text().unwrap().to_string())
    };
    let known = [
        ("id", "e1"),
        ("source", "/shop"),
        ("type", "order.placed"),
        ("subject", "sku 7"),
        ("function", "bytes"),
        ("version", "3"),
        ("attempt", "1"),
        ("memory-limit", "134217728"),
        ("tenant", "ada"),
        ("color", "blue"),
    ];
    for (name, value) in known {
        assert_eq!(get(name).unwrap(), value, "{name}");
    }
    assert_eq!(kind(get("traceparent")), "failed", "absent");
    assert_eq!(get("request-id").unwrap().len(), 36);
}

#[test]
fn a_command_reads_its_event_on_stdin_and_answers_on_stdout() {
    let runtime = runtime();
    for (name, code) in [("module", COMMAND), ("component", COMMAND_P2)] {
        let command = deploy(&runtime, Function::wasm(name, code));
        assert_eq!(ask(&command, "any", "hello"), "HELLO");
        assert_eq!(ask(&command, "any", ""), "");
    }
}

#[test]
fn a_command_has_its_functions_name_and_arguments() {
    let (_runtime, args) = host(Function::wasm("echo-args", COMMAND).arg("args").args(["a b", ""]));
    assert_eq!(ask(&args, "any", ""), "echo-args\nargs\na b\n\n");
}

#[test]
fn a_command_finds_its_event_in_variables() {
    let (_runtime, env) = host(Function::wasm("env", COMMAND).arg("env").env("QUALITY", "80").version(2));
    let event = Event::bytes("image.uploaded", "x")
        .with_id("e1")
        .with_source("/camera")
        .with_subject("cat.jpg")
        .with_time("2018-04-05T17:31:00Z")
        .with_content_type("image/jpeg")
        .with_extension("priority", "high");
    let context = Context::new().with_tenant("ada").with_traceparent(TRACE);
    let id = context.request_id();
    let answer = env.invoke_blocking_with(context, event).unwrap();
    let (mut lines, mut deadline) = (Vec::new(), None);
    for line in answer.text().unwrap().lines() {
        match line.strip_prefix("FNHOST_DEADLINE_MS=") {
            Some(ms) => deadline = ms.parse::<u128>().ok(),
            None => lines.push(line.to_string()),
        }
    }
    let mut expected = vec![
        "CE_DATACONTENTTYPE=image/jpeg".to_string(),
        "CE_ID=e1".into(),
        "CE_PRIORITY=high".into(),
        "CE_SOURCE=/camera".into(),
        "CE_SUBJECT=cat.jpg".into(),
        "CE_TIME=2018-04-05T17:31:00Z".into(),
        "CE_TYPE=image.uploaded".into(),
        "FNHOST_ATTEMPT=1".into(),
        "FNHOST_FUNCTION=env".into(),
        "FNHOST_MEMORY_LIMIT=134217728".into(),
        format!("FNHOST_REQUEST_ID={id}"),
        "FNHOST_TENANT=ada".into(),
        "FNHOST_VERSION=2".into(),
        "QUALITY=80".into(),
        format!("TRACEPARENT={TRACE}"),
    ];
    expected.sort();
    assert_eq!(lines, expected);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let deadline = deadline.expect("a deadline");
    assert!((now..=now + 3_000).contains(&deadline), "{deadline} at {now}");
}

#[test]
fn what_a_function_sets_wins_over_what_its_event_says() {
    let runtime = runtime();
    let env =
        || Function::wasm("env", COMMAND).arg("env").env("CE_TYPE", "mine").env("FNHOST_TENANT", "mine");
    let both = deploy(&runtime, env());
    let context = || Context::new().with_tenant("ada");
    let answer = both.invoke_blocking_with(context(), Event::new("theirs")).unwrap();
    let lines: Vec<&str> = answer.text().unwrap().lines().filter(|line| line.ends_with("=mine")).collect();
    assert_eq!(lines, ["CE_TYPE=mine", "FNHOST_TENANT=mine"]);
    assert!(!answer.text().unwrap().contains("theirs"));
    let own = deploy(&runtime, env().event_variables(false));
    let answer = own.invoke_blocking_with(context(), Event::new("theirs")).unwrap();
    assert_eq!(answer.text().unwrap(), "CE_TYPE=mine\nFNHOST_TENANT=mine\n");
}

#[test]
fn a_component_has_the_functions_variables_and_none_of_the_hosts() {
    let (_runtime, wasi) = host(Function::wasm("wasi", ECHO_WASI).env("A", "1").env("B", "2").env("A", "3"));
    let answer: Value = send(&wasi, "env", "").unwrap().json().unwrap();
    assert_eq!(answer, json!({ "A": "3", "B": "2" }));
}

#[test]
fn clocks_and_randomness_are_given() {
    let (_runtime, wasi) = host(Function::wasm("wasi", ECHO_WASI));
    let told: u128 = ask(&wasi, "time", "").parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(now.abs_diff(told) < 10_000);
    let random = || send(&wasi, "random", "").unwrap().into_bytes();
    assert_ne!(random(), random());
}

#[test]
fn a_command_that_exits_with_another_code_has_failed() {
    let runtime = runtime();
    for (name, code, exit) in [("module", COMMAND, 7), ("component", COMMAND_P2, 1)] {
        let fail = deploy(&runtime, Function::wasm(name, code).args(["exit", "7"]));
        let error = send(&fail, "any", "").unwrap_err();
        let ErrorKind::Exited { code, stderr } = error.kind() else { panic!("{error}") };
        assert_eq!((*code, stderr.as_str()), (exit, "about to fail\n"));
        says(&error, &[&exit.to_string(), "about to fail"]);
        assert!(error.is_function_error());
        let fine = deploy(&runtime, Function::wasm(name, COMMAND).args(["exit", "0"]));
        assert_eq!(ask(&fine, "any", ""), "");
    }
}

#[test]
fn a_command_that_panics_leaves_the_tail_of_stderr() {
    let (_runtime, panics) = host(Function::wasm("panics", COMMAND).arg("panic"));
    let error = send(&panics, "any", "").unwrap_err();
    assert_eq!(error.kind().name(), "trapped");
    assert!(error.report().unwrap().log_tail.contains("command panicked on purpose"));
}

#[test]
fn a_command_is_never_reused_and_calls_no_host_function() {
    let runtime = runtime();
    let error = refused(&runtime, Function::wasm("command", COMMAND).isolation(REUSE));
    assert_eq!(error.kind().name(), "invalid-configuration");
    says(&error, &["runs once", "Isolation::Fresh"]);
    let echo = async |body: Bytes, _: Context| -> Result<Bytes, Failure> { Ok(body) };
    let error = refused(&runtime, Function::wasm("command", COMMAND).grant("echo", echo));
    assert_eq!(error.kind().name(), "invalid-configuration");
    says(&error, &["grant"]);
}

#[test]
fn an_import_that_is_not_offered_is_refused_when_deployed() {
    let runtime = runtime();
    let link = |code: &str| {
        let error = refused(&runtime, Function::wasm("f", code));
        assert_eq!(error.kind().name(), "link", "{error}");
        error
    };
    says(
        &link(&module(r#"(import "env" "abort" (func))"#, ANSWER_BODY)),
        &["env::abort", "wasi_snapshot_preview1"],
    );
    let wrong_type = r#"(import "fnhost" "remaining_ms" (func (result f32)))"#;
    says(&link(&module(wrong_type, ANSWER_BODY)), &["fnhost::remaining_ms", "docs/contracts.md"]);
    let unknown = r#"(import "fnhost" "shout" (func))"#;
    says(&link(&module(unknown, ANSWER_BODY)), &["fnhost::shout", "remaining_ms"]);
    let run = r#"(core module $m (func (export "run") (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (component $c (import "run" (func $f (result (result)))) (export "run" (func $f)))
        (instance $r (instantiate $c (with "run" (func $run))))
        (export "wasi:cli/run@0.2.0" (instance $r))"#;
    let importing = |import: &str| format!(r#"(component (import "{import}" (instance)) {run})"#);
    let error = link(&importing("wasi:keyvalue/store@0.2.0-draft"));
    says(&error, &["wasi:keyvalue/store@0.2.0-draft", "wasi:cli@0.2", ".grant"]);
    let error = link(&importing("wasi:clocks/wall-clock@0.4.0"));
    says(&error, &["wasi:clocks/wall-clock@0.4.0", "wants 0.4.0", "offered is 0.2", "build it against"]);
    let error = link(&importing("acme:shop/prices"));
    says(&error, &["acme:shop/prices", ".grant"]);
    deploy(&runtime, Function::wasm("f", format!("(component {run})")));
}

#[test]
fn a_handler_of_another_version_says_which_is_offered() {
    let code = r#"(component (instance $i) (export "fnhost:function/handler@0.9.0" (instance $i)))"#;
    let error = refused(&runtime(), Function::wasm("f", code));
    assert_eq!(error.kind().name(), "link");
    says(&error, &["0.9.0", "0.1.0"]);
}

#[test]
fn code_that_speaks_no_contract_is_told_what_was_found_and_what_is_needed() {
    let runtime = runtime();
    let unknown = |code: &str| {
        let error = refused(&runtime, Function::wasm("f", code));
        assert_eq!(error.kind().name(), "unknown-contract", "{error}");
        error
    };
    let needed = ["fnhost:function/handler", "wasi:cli/run", "fnhost_handle", "_start"];
    let error = unknown(r#"(module (func (export "add")) (func (export "sub")))"#);
    says(&error, &["add, sub"]);
    says(&error, &needed);
    says(&unknown("(module)"), &["no exports"]);
    says(&unknown("(component)"), &needed);
    says(
        &unknown(r#"(module (func (export "fnhost_handle")) (memory (export "memory") 1))"#),
        &["fnhost_alloc"],
    );
    let no_memory = module("", ANSWER_BODY).replace(r#"(export "memory")"#, "");
    says(&unknown(&no_memory), &["memory"]);
}

#[test]
fn code_that_is_no_webassembly_says_why() {
    let runtime = runtime();
    let codes: [&[u8]; 4] = [b"", b"(module", b"\0asm\x01\0\0", b"#!/bin/sh"];
    for code in codes {
        let error = refused(&runtime, Function::wasm("f", code.to_vec()));
        assert_eq!(error.kind().name(), "compile", "{code:?}: {error}");
        says(&error, &["\"f\""]);
    }
}

#[test]
fn code_comes_from_a_file_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/echo.wasm");
    let (_runtime, echo) = host(Function::wasm_file("echo", path));
    assert_eq!(ask(&echo, "any", "x"), "x");
}
