//! Each limit has an error of its own, which tells the limit, the value, and what to raise.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fnhost::{
    Context, Error, ErrorKind, Event, Failure, Function, MemoryScope, Payload, Response, Runtime,
    ThrottleReason,
};

use crate::kit::{
    ANSWER_BODY, COMMAND, ECHO, Latch, MIB, MISBEHAVE, REUSE, SPIN, ask, assert_quiet, deploy, host, kind,
    module, native_holding, poll, refused, runtime, says, send, small,
};

/// Grows its memory by a MiB at a time, and traps when it is refused.
const GROW: &str = "(loop $l (br_if $l (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) (unreachable)";

#[track_caller]
fn assert_memory_exceeded(error: &Error, limit: u64) {
    let ErrorKind::MemoryExceeded { scope: MemoryScope::Function, limit: told, asked } = *error.kind() else {
        panic!("{error}");
    };
    assert_eq!(told, limit, "{error}");
    assert!(asked > limit && asked <= limit + 2 * MIB, "{error}");
    says(error, &[&limit.to_string(), &asked.to_string(), "`memory`"]);
    assert!(!error.is_retryable() && error.is_function_error());
}

#[track_caller]
fn assert_too_large(error: &Error, payload: Payload, numbers: [u64; 2], setter: &str) {
    let ErrorKind::PayloadTooLarge { what, limit, size } = *error.kind() else { panic!("{error}") };
    assert_eq!((what, [limit, size]), (payload, numbers), "{error}");
    says(error, &[&limit.to_string(), &size.to_string(), setter]);
}

/// A command of so many memories; each in turn grows by a MiB until one is refused.
fn many_memories(memories: u32) -> String {
    let (mut imports, mut calls, mut instances, mut with) = Default::default();
    for i in 0..memories {
        let into = |text: &mut String, line: String| writeln!(text, "{line}").expect("a string takes it");
        into(&mut imports, format!(r#"(import "{i}" "grow" (func $grow{i} (result i32)))"#));
        into(&mut calls, format!("(if (i32.lt_s (call $grow{i}) (i32.const 0)) (then unreachable))"));
        into(&mut instances, format!("(core instance $room{i} (instantiate $room))"));
        into(&mut with, format!(r#"(with "{i}" (instance $room{i}))"#));
    }
    format!(
        r#"(component
            (core module $room (memory 0)
                (func (export "grow") (result i32) (memory.grow (i32.const 16))))
            (core module $main {imports} (func (export "run") (result i32) (loop $l {calls} (br $l)) (i32.const 0)))
            {instances}
            (core instance $main (instantiate $main {with}))
            (func $run (result (result)) (canon lift (core func $main "run")))
            (component $named (import "run" (func $f (result (result)))) (export "run" (func $f)))
            (instance $run (instantiate $named (with "run" (func $run))))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#
    )
}

#[test]
fn a_guest_that_grows_too_far_is_told_the_limit() {
    let limit = 4 * MIB;
    let (runtime, grow) = host(Function::wasm("grow", module("", GROW)).memory(limit));
    let error = send(&grow, "grow", "").unwrap_err();
    assert_memory_exceeded(&error, limit);
    let peak = error.report().unwrap().peak_memory;
    assert!(peak <= limit && peak > limit - MIB, "{peak}");
    assert_quiet(&runtime, &[&grow]);
}

#[test]
fn a_refusal_is_told_even_if_the_guest_makes_an_abort_of_it() {
    let limit = 16 * MIB;
    let (_runtime, grow) = host(Function::wasm("grow", MISBEHAVE).memory(limit));
    assert_memory_exceeded(&send(&grow, "grow", "64").unwrap_err(), limit);
    assert_eq!(ask(&grow, "ok", ""), "ok");
}

#[test]
fn a_guest_that_copes_with_a_refusal_answers() {
    let cope = format!(
        "(if (i32.ge_s (memory.grow (i32.const 999)) (i32.const 0)) (then unreachable)) {ANSWER_BODY}"
    );
    let (_runtime, cope) = host(Function::wasm("cope", module("", &cope)).memory(4 * MIB).isolation(REUSE));
    assert_eq!(ask(&cope, "cope", "fine"), "fine");
    assert_eq!(ask(&cope, "cope", "fine"), "fine");
}

#[test]
fn a_refusal_of_an_earlier_event_is_not_told_of_a_later_one() {
    let handle = "(if (i32.eq (local.get $len) (i32.const 1))
            (then (drop (memory.grow (i32.const 999))) (return (i64.const 0))))
        (unreachable)";
    let (_runtime, f) = host(Function::wasm("f", module("", handle)).memory(4 * MIB).isolation(REUSE));
    assert_eq!(ask(&f, "refused and fine", "1"), "");
    assert_eq!(kind(send(&f, "trap", "22")), "trapped");
}

#[test]
fn the_limit_is_over_all_memories_of_a_module() {
    let more = "(memory $a 0) (memory $b 0)";
    let grow = "(loop $l
        (br_if $l (i32.and
            (i32.ge_s (memory.grow $a (i32.const 16)) (i32.const 0))
            (i32.ge_s (memory.grow $b (i32.const 16)) (i32.const 0)))))
        (unreachable)";
    let limit = 8 * MIB;
    let (_runtime, grow) = host(Function::wasm("grow", several(more, grow)).memory(limit));
    let error = send(&grow, "grow", "").unwrap_err();
    assert_memory_exceeded(&error, limit);
    assert!(error.report().unwrap().peak_memory <= limit);
}

/// A module whose exported memory is the first of several.
fn several(more: &str, handle: &str) -> String {
    module("", handle)
        .replace(r#"(memory (export "memory") 1)"#, &format!(r#"(memory (export "memory") 1) {more}"#))
}

#[test]
fn a_component_of_many_memories_dies_at_its_limit_as_one_with_a_single_memory() {
    let limit = 24 * MIB;
    let runtime = small().places(64).build().unwrap();
    for memories in [1, 16, 48] {
        let name = format!("of-{memories}");
        let grow = deploy(&runtime, Function::wasm(name, many_memories(memories)).memory(limit));
        let error = send(&grow, "grow", "").unwrap_err();
        assert_memory_exceeded(&error, limit);
        assert_eq!(error.report().unwrap().peak_memory, limit, "{memories} memories");
        assert_quiet(&runtime, &[&grow]);
    }
}

#[test]
fn code_of_more_memories_than_there_are_places_is_refused() {
    let runtime = small().places(8).build().unwrap();
    let error = refused(&runtime, Function::wasm("many", many_memories(9)));
    assert_eq!(error.kind().name(), "invalid-configuration", "{error}");
    says(&error, &["9 places", "8", "`places`"]);
    deploy(&runtime, Function::wasm("many", many_memories(8)));
}

#[test]
fn a_first_memory_over_the_limit_is_refused_when_deployed() {
    let code = module("", ANSWER_BODY).replace("(export \"memory\") 1", "(export \"memory\") 33");
    let error = refused(&runtime(), Function::wasm("large", code).memory(2 * MIB));
    let ErrorKind::MemoryExceeded { limit, asked, .. } = *error.kind() else { panic!("{error}") };
    assert_eq!((limit, asked), (2 * MIB, 33 << 16));
    says(&error, &["2097152", "2162688"]);
}

#[test]
fn first_memories_over_the_limit_together_never_make_a_guest() {
    let code = several("(memory 20) (memory 20)", ANSWER_BODY);
    let runtime = runtime();
    let function = Function::wasm("large", code).memory(2 * MIB);
    let error = match runtime.block_on(runtime.deploy(function)) {
        Ok(_) => send(&runtime.handler("large").unwrap(), "any", "").unwrap_err(),
        Err(error) => error,
    };
    assert_memory_exceeded(&error, 2 * MIB);
    assert_eq!(runtime.stats().places_taken, 0);
}

#[test]
fn a_first_table_over_the_limit_is_refused_when_deployed() {
    let code = module("(table 101 funcref)", ANSWER_BODY);
    let error = refused(&runtime(), Function::wasm("large", code).table_elements(100));
    assert!(matches!(error.kind(), ErrorKind::TableExceeded { limit: 100, asked: 101 }), "{error}");
    says(&error, &["100", "101", "`table_elements`"]);
}

#[test]
fn a_table_that_grows_too_far_is_told_the_limit() {
    let grow =
        "(if (i32.lt_s (table.grow $t (ref.null func) (i32.const 91)) (i32.const 0)) (then unreachable))";
    let code = module("(table $t 10 funcref)", &format!("{grow} {ANSWER_BODY}"));
    let runtime = runtime();
    let narrow = deploy(&runtime, Function::wasm("narrow", code.clone()).table_elements(100));
    let error = send(&narrow, "grow", "").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TableExceeded { limit: 100, asked: 101 }), "{error}");
    let wide = deploy(&runtime, Function::wasm("wide", code).table_elements(101));
    assert_eq!(ask(&wide, "grow", "x"), "x");
}

#[test]
fn a_table_limit_over_the_runtimes_is_refused() {
    let runtime = small().table_elements(50).build().unwrap();
    let function = || Function::wasm("f", module("(table 50 funcref)", ANSWER_BODY));
    let error = refused(&runtime, function().table_elements(51));
    assert_eq!(error.kind().name(), "invalid-configuration");
    says(&error, &["51", "50", "table_elements"]);
    assert_eq!(ask(&deploy(&runtime, function().table_elements(50)), "any", "x"), "x");
}

#[test]
fn an_event_over_its_limit_is_refused_before_any_guest_is_made() {
    let (_runtime, echo) = host(Function::wasm("echo", ECHO).max_event(10));
    let error = send(&echo, "any", "12345678901").unwrap_err();
    assert_too_large(&error, Payload::Event, [10, 11], "`max_event`");
    assert_eq!(echo.stats().unwrap().created, 0);
    assert_eq!(ask(&echo, "any", "1234567890"), "1234567890");
}

#[test]
fn a_response_over_its_limit_is_an_error_in_every_contract() {
    let runtime = runtime();
    let native = Function::native("native", async |event: Event, _: Context| -> Result<_, Failure> {
        Ok(Response::from_bytes(event.body().clone()))
    });
    let functions = [
        Function::wasm("function", ECHO),
        Function::wasm("bytes", module("", ANSWER_BODY)),
        Function::wasm("command", COMMAND),
        native,
    ];
    for function in functions {
        let echo = deploy(&runtime, function.max_response(10));
        let error = send(&echo, "any", "12345678901").unwrap_err();
        assert_too_large(&error, Payload::Response, [10, 11], "`max_response`");
        assert!(error.is_function_error());
        assert_eq!(ask(&echo, "any", "1234567890"), "1234567890");
        assert_quiet(&runtime, &[&echo]);
    }
}

#[test]
fn a_response_far_over_its_limit_is_an_error_of_the_same_kind() {
    let (_runtime, huge) = host(Function::wasm("huge", MISBEHAVE).max_response(MIB));
    let error = send(&huge, "huge", (32 * MIB).to_string()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::PayloadTooLarge { what: Payload::Response, .. }), "{error}");
    says(&error, &["1048576"]);
}

#[test]
fn a_host_call_over_its_limit_is_an_error_in_both_contracts() {
    let call = "(drop (call $call (i32.const 8) (i32.const 4) (local.get $at) (local.get $len)))";
    let code = module(crate::kit::IMPORT_HOLD, &format!("{call} {ANSWER_BODY}"));
    let runtime = runtime();
    for function in [Function::wasm("bytes", code), Function::wasm("function", MISBEHAVE)] {
        let echo = async |body: fnhost::Bytes, _: Context| -> Result<fnhost::Bytes, Failure> { Ok(body) };
        let f = deploy(&runtime, function.max_host_call(5_000).grant("hold", echo));
        let send = |len: usize| f.invoke_blocking(Event::bytes("call", vec![b'x'; len]).with_subject("hold"));
        let error = send(6_000).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::PayloadTooLarge { what: Payload::HostCall, .. }),
            "{error}"
        );
        says(&error, &["5000", "`max_host_call`"]);
        assert_eq!(send(1_000).unwrap().bytes().len(), 1_000);
    }
}

#[test]
fn code_over_its_limit_is_refused_before_it_is_parsed() {
    let runtime = runtime();
    let garbage = vec![b'('; 2_000];
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("garbage.wasm");
    std::fs::write(&path, &garbage).unwrap();
    let error = refused(&runtime, Function::wasm("large", garbage.clone()).max_code(1_000));
    assert_too_large(&error, Payload::Code, [1_000, 2_000], "`max_code`");
    let error = refused(&runtime, Function::wasm_file("large", &path).max_code(1_000));
    assert!(matches!(error.kind(), ErrorKind::PayloadTooLarge { limit: 1_000, .. }), "{error}");
    let error = refused(&runtime, Function::wasm_file("large", &path).max_code(2_000));
    assert_eq!(error.kind().name(), "compile", "now it is read");
}

#[test]
fn a_flood_of_log_is_cut_and_counted() {
    let (_runtime, flood) = host(Function::wasm("flood", MISBEHAVE).max_log(64 << 10));
    let response = send(&flood, "flood", "300").unwrap();
    let report = response.report();
    assert_eq!(report.log_dropped, (300 - 64) << 10);
    assert_eq!(report.log_tail.len(), 4 << 10);
    assert!(report.to_string().contains("Log Cut"), "{report}");
    let response = send(&flood, "flood", "3").unwrap();
    let report = response.report();
    assert_eq!((report.log_dropped, report.log_tail.len()), (0, 3 << 10));
}

#[test]
fn one_event_too_many_is_throttled_at_once() {
    let latch = Latch::new();
    let (runtime, held) = host(native_holding("held", &latch).concurrency(1).queue(2));
    let mut there: Vec<_> = (0..3).map(|_| Box::pin(held.invoke(Event::new("held")))).collect();
    assert!(there.iter_mut().all(|event| poll(event).is_pending()));
    let started = Instant::now();
    let error = send(&held, "one too many", "").unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1));
    let ErrorKind::Throttled { reason: ThrottleReason::QueueFull { limit: 2 }, .. } = error.kind() else {
        panic!("{error}");
    };
    assert!(error.is_throttled() && error.is_retryable() && error.retry_after().is_some());
    says(&error, &["2 events", "`queue`"]);
    drop(there);
    latch.open();
    assert!(send(&held, "there is room", "").is_ok());
    assert_quiet(&runtime, &[&held]);
}

#[test]
fn a_queue_of_none_throttles_whoever_would_wait() {
    let latch = Latch::new();
    let (_runtime, held) = host(native_holding("held", &latch).concurrency(1).queue(0));
    let mut running = Box::pin(held.invoke(Event::new("held")));
    assert!(poll(&mut running).is_pending());
    assert_eq!(kind(send(&held, "any", "")), "throttled");
}

fn fuelled() -> Runtime {
    small().fuel(true).build().unwrap()
}

#[test]
fn fuel_that_is_spent_ends_the_event() {
    let runtime = fuelled();
    let spin = Function::wasm("spin", module("", SPIN)).fuel(100_000).timeout(Duration::from_secs(60));
    let spin = deploy(&runtime, spin);
    let error = send(&spin, "spin", "").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FuelSpent { limit: 100_000 }), "{error}");
    says(&error, &["100000", "`fuel`"]);
    let used = error.report().unwrap().fuel.expect("it is metered");
    assert!((99_000..=100_001).contains(&used), "{used}");
}

#[test]
fn each_event_has_its_fuel_and_the_report_says_what_it_used() {
    let runtime = fuelled();
    let echo = Function::wasm("echo", module("", ANSWER_BODY)).fuel(1_000).isolation(REUSE);
    let echo = deploy(&runtime, echo);
    let used: Vec<u64> = (0..50).map(|_| send(&echo, "any", "x").unwrap().report().fuel.unwrap()).collect();
    assert!(used[0] > 0 && used.iter().all(|fuel| *fuel == used[0]), "{used:?}");
}

#[test]
fn a_fuel_limit_without_the_switch_is_refused() {
    let error = refused(&runtime(), Function::wasm("echo", ECHO).fuel(1_000));
    assert_eq!(error.kind().name(), "invalid-configuration");
    says(&error, &["fuel", ".fuel(true)"]);
}

#[test]
fn a_runtime_without_fuel_reports_none() {
    let (_runtime, echo) = host(Function::wasm("echo", ECHO));
    assert_eq!(send(&echo, "any", "x").unwrap().report().fuel, None);
}

#[test]
fn deep_recursion_is_a_trap_with_the_names_of_functions() {
    let dig = "(func $dig (param i32) (result i32) (i32.add (i32.const 1) (call $dig (local.get 0))))";
    let code = module(dig, "(i64.extend_i32_u (call $dig (i32.const 1)))");
    let runtime = runtime();
    let error = send(&deploy(&runtime, Function::wasm("dig", code)), "dig", "").unwrap_err();
    let ErrorKind::Trapped { message, backtrace } = error.kind() else { panic!("{error}") };
    assert!(message.contains("stack exhausted"), "{message}");
    assert!(backtrace.iter().any(|frame| frame.contains("dig")), "{backtrace:?}");
    says(&error, &["dig"]);
    let recurse = deploy(&runtime, Function::wasm("recurse", MISBEHAVE));
    assert_eq!(kind(send(&recurse, "recurse", "")), "trapped");
    assert_eq!(ask(&recurse, "ok", ""), "ok");
}

#[test]
fn settings_that_cannot_work_are_refused_with_what_to_do() {
    let runtime = runtime();
    let echo = || Function::wasm("echo", ECHO);
    let wrong = [
        (echo().concurrency(0), "concurrency"),
        (echo().memory(1), "memory"),
        (echo().timeout(Duration::ZERO), "timeout"),
        (echo().init_timeout(Duration::ZERO), "init_timeout"),
        (echo().isolation(fnhost::Isolation::Reuse { max_uses: 0 }), "max_uses"),
        (echo().version(0), "version"),
        (echo().env("A=B", "c"), "A=B"),
        (echo().env("A", "nul\0"), "A"),
        (echo().arg("nul\0"), "nul"),
        (echo().dir("/no/such/folder", "/data", fnhost::Access::Read), "/no/such/folder"),
        (echo().init_export("nothing"), "nothing"),
        (Function::wasm_file("echo", "/no/such/file.wasm"), "/no/such/file.wasm"),
        (Function::wasm("no spaces", ECHO), "no spaces"),
    ];
    for (function, what) in wrong {
        let error = refused(&runtime, function);
        assert_eq!(error.kind().name(), "invalid-configuration", "{what}: {error}");
        says(&error, &[what]);
    }
    assert!(runtime.functions().is_empty(), "nothing was changed");
}
