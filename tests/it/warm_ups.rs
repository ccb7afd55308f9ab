//! Samples run at deployment: what they leave is in every guest's start, and what fails is told.

use std::time::Duration;

use fnhost::{Bytes, Context, Event, Failure, Function, Init, Outcome, Response, Start};

use crate::kit::{
    ANSWER_BODY, COMMAND, COMMAND_P2, COUNT, COUNTER, HELLO_JS, HOLD, IMPORT_HOLD, JSON, Latch, MISBEHAVE,
    SPIN, ask, kind, module, refused, runtime, says, send, small, until,
};
use crate::snapshots::{assert_refused, assert_taken, deployed, deployed_to, fails};

fn sample() -> Event {
    Event::bytes("sample", "warm")
}

#[test]
fn what_samples_leave_is_in_every_start_and_never_changes() {
    let function = Function::wasm("f", module("", COUNT)).warm_up(sample()).warm_up(sample());
    let (_runtime, f, deployed) = deployed(function);
    assert_taken(&deployed);
    assert_eq!(deployed.snapshot().to_string(), "snapshot taken after the samples");
    let answers: Vec<&str> = deployed.warm_ups().iter().map(|answer| answer.text().unwrap()).collect();
    assert_eq!(answers, ["1", "2"]);
    for _ in 0..4 {
        assert_eq!(ask(&f, "any", ""), "3");
    }
}

#[test]
fn a_sample_of_a_component_runs_after_its_init() {
    let (_runtime, counter, deployed) =
        deployed(Function::wasm("counter", COUNTER).warm_up(Event::bytes("count", "")));
    assert_taken(&deployed);
    assert_eq!(deployed.warm_ups()[0].text().unwrap(), "101");
    assert_eq!((ask(&counter, "count", ""), ask(&counter, "count", "")), ("102".into(), "102".into()));
}

#[test]
fn each_sample_has_its_report() {
    let function = Function::wasm("counter", COUNTER)
        .version(7)
        .warm_up(Event::bytes("count", "four").with_id("s1"))
        .warm_up(Event::new("count"));
    let (_runtime, _, deployed) = deployed(function);
    let [first, second] = deployed.warm_ups() else { panic!("two samples") };
    let report = first.report();
    assert_eq!((&*report.event_id, report.function(), report.version()), ("s1", "counter", 7));
    assert_eq!((report.bytes_in, report.bytes_out, report.outcome), (4, 3, Outcome::Success));
    assert!(report.init.is_some() && report.total >= report.handler && report.peak_memory > 0);
    let again = second.report();
    assert_eq!((again.start, again.init), (Some(Start::Reused), None));
}

#[test]
fn a_sample_that_fails_fails_the_deployment_with_its_report() {
    let function = |event: Event| Function::wasm("f", MISBEHAVE).memory(8 << 20).warm_up(event);
    let error = fails(function(Event::bytes("fail", "why")), "failed", &["why"]);
    assert_eq!(error.report().unwrap().outcome, Outcome::Error("failed"));
    fails(function(Event::new("trap")), "trapped", &[]);
    fails(function(Event::bytes("grow", "64")), "memory-exceeded", &[]);
    let spins = Function::wasm("f", module("", SPIN)).timeout(Duration::from_millis(50)).warm_up(sample());
    assert!(fails(spins, "timed-out", &["handler"]).report().is_some());
    let second = function(Event::new("ok")).warm_up(Event::new("trap"));
    assert_eq!(fails(second, "trapped", &[]).report().unwrap().start, Some(Start::Reused));
}

#[test]
fn a_sample_that_fails_without_a_snapshot_fails_the_deployment_too() {
    let table = "(table 1 funcref) (elem declare func $f) (func $f (table.set (i32.const 0) (ref.func $f)))";
    let function = Function::wasm("f", module(table, "(unreachable)")).warm_up(sample());
    assert!(fails(function, "trapped", &["unreachable"]).report().is_some());
}

/// Answers `1` if the host's `hold` answered something, else `0`.
const ASKS: &str = "(i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.gt_s
    (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0)) (i32.const 0))))
    (i64.const 0x40_0000_0001)";

#[test]
fn a_sample_is_denied_what_has_no_stand_in_and_gets_what_has_one() {
    let granted = Latch::new();
    granted.open();
    let function = || {
        let granted = granted.clone();
        let grant = move |_: Bytes, _: Context| granted.clone().pass(Bytes::from("yes"));
        Function::wasm("f", module(IMPORT_HOLD, ASKS)).grant("hold", grant).warm_up(sample())
    };
    let (_runtime, f, denied) = deployed(function());
    assert_eq!((denied.warm_ups()[0].text().unwrap(), granted.came()), ("0", 0));
    assert_eq!((ask(&f, "any", ""), granted.came()), ("1".into(), 1));
    let stands_in = function().stand_in("hold", async |_: Bytes, _: Context| Ok("instead".into()));
    let (_runtime, f, given) = deployed(stands_in);
    assert_eq!((given.warm_ups()[0].text().unwrap(), granted.came()), ("1", 1));
    assert_eq!((ask(&f, "any", ""), granted.came()), ("1".into(), 2), "events get what was granted");
}

#[test]
fn who_is_denied_hears_of_stand_ins() {
    let body = "(drop (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0)))
        (i64.or (i64.const 0x40_0000_0000) (i64.extend_i32_u (call $take (i32.const 64) (i32.const 512))))";
    let take = r#"(import "fnhost" "take" (func $take (param i32 i32) (result i32)))"#;
    let function = Function::wasm("f", module(&format!("{take} {IMPORT_HOLD}"), body))
        .grant("hold", async |body: Bytes, _: Context| Ok(body))
        .stand_in_json("other", async |number: u32, _: Context| Ok(number))
        .warm_up(sample());
    let (_runtime, _, deployed) = deployed(function);
    let answer = deployed.warm_ups()[0].text().unwrap();
    assert!(
        ["not-granted", "no stand-in", "other", ".stand_in"].iter().all(|part| answer.contains(part)),
        "{answer}"
    );
}

#[test]
fn a_stand_in_runs_under_the_hosts_async_runtime() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let runtime = runtime();
    let sleeps = async |_: Bytes, _: Context| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok::<_, Failure>("slept".into())
    };
    let function = Function::wasm("f", module(IMPORT_HOLD, ASKS)).stand_in("hold", sleeps).warm_up(sample());
    let deployed = tokio.block_on(runtime.deploy(function)).unwrap();
    assert_eq!(deployed.warm_ups()[0].text().unwrap(), "1");
}

#[test]
fn a_guest_that_cannot_serve_twice_is_not_snapshotted() {
    let once =
        "(if (i32.load8_u (i32.const 0)) (then (unreachable))) (i32.store8 (i32.const 0) (i32.const 1))";
    let (_runtime, f, deployed) =
        deployed(Function::wasm("f", module("", &format!("{once} {ANSWER_BODY}"))).warm_up(sample()));
    assert_refused(&deployed, "a guest made from it does not work: ");
    assert_eq!(deployed.warm_ups()[0].text().unwrap(), "warm");
    assert_eq!((ask(&f, "any", "x"), ask(&f, "any", "y")), ("x".into(), "y".into()));
}

#[test]
fn a_component_in_rust_is_warmed() {
    let body = r#"{"name": "Ada", "numbers": [1, 2]}"#;
    let cold = crate::kit::host(Function::wasm("json", JSON));
    let expected = send(&cold.1, "any", body).map(Response::into_bytes).map_err(|error| error.to_string());
    let (_runtime, json, deployed) =
        deployed(Function::wasm("json", JSON).warm_up(Event::bytes("any", body)));
    assert_taken(&deployed);
    for _ in 0..2 {
        let answer = send(&json, "any", body).map(Response::into_bytes).map_err(|error| error.to_string());
        assert_eq!(answer, expected);
    }
}

#[test]
fn nested_modules_are_refused_and_the_samples_answered() {
    let runtime = runtime();
    let sample = Event::bytes("greet", r#"{"name": "Ada"}"#);
    let (hello, deployed) = deployed_to(&runtime, Function::wasm("hello", HELLO_JS).warm_up(sample.clone()));
    assert_refused(&deployed, "nested components with modules");
    let expected = deployed.warm_ups()[0].bytes();
    assert_eq!(hello.invoke_blocking(sample).unwrap().bytes(), expected);
}

/// A command that answers stdin; `state` runs first.
fn command(more: &str, state: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            {more}
            (func (export "_start")
                {state}
                (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 512))
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                (i32.store (i32.const 4) (i32.load (i32.const 8)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    )
}

#[test]
fn a_command_that_can_run_twice_is_warmed() {
    let (_runtime, f, deployed) = deployed(Function::wasm("f", command("", "")).warm_up(sample()));
    assert_taken(&deployed);
    assert_eq!(deployed.warm_ups()[0].text().unwrap(), "warm");
    assert_eq!((ask(&f, "any", "x"), ask(&f, "any", "y")), ("x".into(), "y".into()));
}

#[test]
fn a_command_that_would_show_its_sample_to_every_event_is_not_snapshotted() {
    let reads = "(drop (call $environ (i32.const 2048) (i32.const 4096)))";
    let (_runtime, _, keeps) = deployed(Function::wasm("f", command("", reads)).warm_up(sample()));
    assert_refused(&keeps, "keeps its sample's variables");
    let (_runtime, _, empty) = deployed(Function::wasm("f", command("", "")).warm_up(Event::new("sample")));
    assert_refused(&empty, "needs a body");
    let counts = "(i32.store8 (i32.const 100) (i32.add (i32.load8_u (i32.const 100)) (i32.const 1)))
        (if (i32.gt_u (i32.load8_u (i32.const 100)) (i32.const 1)) (then return))";
    let (_runtime, _, once) = deployed(Function::wasm("f", command("", counts)).warm_up(sample()));
    assert_refused(&once, "answers its sample differently");
}

#[test]
fn a_command_works_as_before_where_no_snapshot_can_be_taken() {
    for code in [COMMAND, COMMAND_P2] {
        let (_runtime, f, deployed) = deployed(Function::wasm("f", code).args(["echo"]).warm_up(sample()));
        assert_refused(&deployed, "");
        assert_eq!(deployed.warm_ups().len(), 1);
        assert_eq!(ask(&f, "any", "x"), ask(&f, "any", "x"));
    }
}

#[test]
fn samples_that_cannot_be_are_refused_with_what_to_do() {
    let runtime = runtime();
    let f = || Function::wasm("f", module("", ANSWER_BODY));
    let error = refused(&runtime, f().init(Init::PerGuest).warm_up(sample()));
    assert_eq!(error.kind().name(), "invalid-configuration");
    says(&error, &["Init::PerGuest", "warm_up", "leave"]);
    let native = Function::native("n", async |_: Event, _: Context| Ok(Response::new()));
    says(&refused(&runtime, native.warm_up(sample())), &["native", "warm_up"]);
    let twice = Function::wasm("f", COMMAND).warm_up(sample()).warm_up(sample());
    says(&refused(&runtime, twice), &["command", "warm_up"]);
    assert_eq!(refused(&runtime, f().max_event(3).warm_up(sample())).kind().name(), "payload-too-large");
    assert_eq!(refused(&runtime, f().warm_up(Event::new(""))).kind().name(), "invalid-event");
}

#[test]
fn a_sample_that_waits_is_dropped_with_its_deployment() {
    let latch = Latch::new();
    let (runtime, held) = (small().places(1).build().unwrap(), latch.clone());
    let function = Function::wasm("f", module(IMPORT_HOLD, &format!("{HOLD} {ANSWER_BODY}")))
        .timeout(Duration::from_secs(600))
        .stand_in("hold", move |_: Bytes, _: Context| held.clone().pass(Bytes::new()))
        .warm_up(sample());
    let mut deploying = Box::pin(runtime.deploy(function));
    assert!(crate::kit::poll(&mut deploying).is_pending());
    until("the sample runs", || latch.came() == 1);
    drop(deploying);
    until("its place is free", || runtime.stats().places_taken == 0);
    assert_eq!(kind(runtime.handler("f")), "unknown-function");
}
