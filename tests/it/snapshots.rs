//! Init runs once, at deployment: what its snapshot holds, and when there is none.

use std::time::Duration;

use fnhost::{
    Access, Bytes, Context, Deployed, Error, ErrorKind, Event, Function, Handler, Init, Phase, Runtime,
    Snapshot,
};

use crate::hostile::components::Parts;
use crate::kit::{
    ANSWER_BODY, COUNT, COUNTER, HOLD, IMPORT_HOLD, Latch, REUSE, SPIN, ask, assert_quiet, kind, module,
    poll, refused, runtime, says, send, small, until,
};

const PAGE: u64 = 1 << 16;

/// Deploys to a runtime of its own.
#[track_caller]
pub(crate) fn deployed(function: Function) -> (Runtime, Handler, Deployed) {
    let runtime = runtime();
    let (handler, deployed) = deployed_to(&runtime, function);
    (runtime, handler, deployed)
}

#[track_caller]
pub(crate) fn deployed_to(runtime: &Runtime, function: Function) -> (Handler, Deployed) {
    let deployed = runtime.block_on(runtime.deploy(function)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((runtime.stats().places_taken, runtime.stats().memory_taken), (0, 0), "all was given back");
    (runtime.handler(deployed.name()).unwrap(), deployed)
}

/// An init with this body.
fn init(imports: &str, body: &str) -> String {
    format!(r#"{imports} (func (export "fnhost_init") (result i32) {body} (i32.const 0))"#)
}

/// Answers so many bytes from 64 on, after this.
fn answering(body: &str, len: u32) -> String {
    format!("{body} (i64.const {:#x})", 64_u64 << 32 | u64::from(len))
}

#[track_caller]
pub(crate) fn assert_taken(deployed: &Deployed) {
    assert!(matches!(deployed.snapshot(), Snapshot::Taken { .. }), "{}", deployed.snapshot());
}

#[track_caller]
pub(crate) fn assert_refused(deployed: &Deployed, saying: &str) {
    match deployed.snapshot() {
        Snapshot::Refused { reason, .. } => {
            assert!(reason.contains(saying), "{saying:?} is missing: {reason}")
        }
        other => panic!("{saying:?} must be the reason, not: {other}"),
    }
    assert!(!deployed.snapshot().to_string().contains('\n'));
}

/// Asserts that a function is not deployed, that this is how, and that nothing of it is left.
#[track_caller]
pub(crate) fn fails(function: Function, kind: &str, parts: &[&str]) -> Error {
    let runtime = runtime();
    let name = function.name().to_string();
    let error = refused(&runtime, function);
    assert_eq!(error.kind().name(), kind, "{error}");
    says(&error, parts);
    assert_quiet(&runtime, &[]);
    assert!(runtime.handler(&name).is_err(), "nothing is deployed");
    error
}

#[test]
fn init_runs_once_at_deployment_and_never_again() {
    let latch = Latch::new();
    latch.open();
    let counting = latch.clone();
    let code = module(&init(IMPORT_HOLD, HOLD), ANSWER_BODY);
    let function = Function::wasm("f", code.clone())
        .stand_in("hold", move |_: Bytes, _: Context| counting.clone().pass(Bytes::new()));
    let (_runtime, f, deployed) = deployed(function);
    assert_eq!(latch.came(), 1);
    assert!(matches!(deployed.snapshot(), Snapshot::Taken { init: Some(_), .. }), "{}", deployed.snapshot());
    assert!(deployed.snapshot().to_string().starts_with("snapshot taken after an init of "));
    let expected = blake3::hash(&wat::parse_str(code).unwrap()).to_hex().to_string();
    assert_eq!(deployed.hash(), Some(expected.as_str()), "the hash is the original code's");
    for _ in 0..3 {
        let response = send(&f, "any", "x").unwrap();
        assert_eq!((response.text().unwrap(), response.report().init), ("x", None));
    }
    assert_eq!(latch.came(), 1);
}

#[test]
fn the_init_of_a_component_runs_once_at_deployment() {
    let (_runtime, counter, deployed) = deployed(Function::wasm("counter", COUNTER));
    assert_taken(&deployed);
    for _ in 0..3 {
        let response = send(&counter, "count", "").unwrap();
        assert_eq!((response.text().unwrap(), response.report().init), ("101", None));
    }
}

#[test]
fn what_an_event_changes_is_not_in_the_next_ones_start() {
    let start = init("", "(i32.store8 (i32.const 0) (i32.const 4))");
    let (_runtime, f, deployed) = deployed(Function::wasm("f", module(&start, COUNT)));
    assert_taken(&deployed);
    for _ in 0..3 {
        assert_eq!(ask(&f, "any", ""), "5");
    }
}

#[test]
fn a_reused_guest_goes_on_from_the_snapshot() {
    let start = init("", "(i32.store8 (i32.const 0) (i32.const 4))");
    let (_runtime, f, deployed) = deployed(Function::wasm("f", module(&start, COUNT)).isolation(REUSE));
    assert_taken(&deployed);
    assert_eq!((ask(&f, "any", ""), ask(&f, "any", "")), ("5".into(), "6".into()));
    let other = Context::new().with_tenant("ada");
    let answer = f.invoke_blocking_with(other, Event::bytes("any", "")).unwrap();
    assert_eq!(answer.text().unwrap(), "5", "another tenant starts from the snapshot");
}

#[test]
fn an_init_that_fails_in_any_way_fails_the_deployment_with_its_report() {
    let function = |body: &str| Function::wasm("f", module(&init("", body), ANSWER_BODY));
    let error = fails(function("(unreachable)"), "init-failed", &["unreachable"]);
    assert!(error.report().unwrap().init.is_some());
    fails(function("(return (i32.const 7))"), "init-failed", &["init answered 7"]);
    let failing = Function::wasm("counter", COUNTER).env("INIT_FAIL", "no database");
    assert_eq!(fails(failing, "init-failed", &[]).message(), Some("init was told to fail: no database"));
    let start = "(func $start unreachable) (start $start)";
    fails(Function::wasm("f", module(&init(start, ""), ANSWER_BODY)), "trapped", &["unreachable"]);
}

#[test]
fn an_init_that_does_not_end_fails_the_deployment() {
    let limit = Duration::from_millis(60);
    let latch = Latch::new();
    let spins = Function::wasm("f", module(&init("", &format!("(block {SPIN})")), ANSWER_BODY));
    let waits = Function::wasm("f", module(&init(IMPORT_HOLD, HOLD), ANSWER_BODY))
        .stand_in("hold", move |_: Bytes, _: Context| latch.clone().pass(Bytes::new()));
    for function in [spins, waits] {
        let error = fails(function.init_timeout(limit), "timed-out", &["init"]);
        assert!(matches!(error.kind(), ErrorKind::TimedOut { phase: Phase::Init, .. }));
        assert!(error.report().is_some());
    }
}

#[test]
fn an_init_is_denied_what_has_no_stand_in() {
    let latch = Latch::new();
    let granted = latch.clone();
    // It fails when the call does.
    let asks = "(return (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0)))";
    let function = Function::wasm("f", module(&init(IMPORT_HOLD, asks), ANSWER_BODY))
        .grant("hold", move |_: Bytes, _: Context| granted.clone().pass(Bytes::new()));
    fails(function, "init-failed", &["init answered -1"]);
    assert_eq!(latch.came(), 0, "the grant is for events");
}

#[test]
fn memory_that_init_grew_is_there_and_counts() {
    let grows =
        init("", "(drop (memory.grow (i32.const 2))) (i32.store8 (i32.const 0x2ffff) (i32.const 55))");
    let reads = answering("(i32.store8 (i32.const 64) (i32.load8_u (i32.const 0x2ffff)))", 1);
    let function = || Function::wasm("f", module(&grows, &reads));
    let (_runtime, f, deployed) = deployed(function().memory(3 * PAGE));
    assert_taken(&deployed);
    let response = send(&f, "any", "").unwrap();
    assert_eq!((response.text().unwrap(), response.report().peak_memory), ("7", 3 * PAGE));
    let error = fails(function().memory(2 * PAGE), "memory-exceeded", &[]);
    assert!(error.report().is_some());
}

/// A component whose named init counts up what its handler answers.
fn component() -> Parts {
    Parts {
        imports: "",
        more: r#"(func (export "setup")
            (i32.store8 (i32.const 4096) (i32.add (i32.load8_u (i32.const 4096)) (i32.const 49))))"#
            .into(),
        area: crate::hostile::components::response(None, [0, 0], [4096, 1]),
        lifted: r#"(func (export "setup") (canon lift (core func $i "setup")))"#,
        ..Parts::default()
    }
}

#[test]
fn a_component_at_its_memory_limit_can_still_be_read() {
    let parts = component();
    let function =
        Function::wasm("f", parts.text()).init_export("setup").memory(u64::from(parts.pages) * PAGE);
    let (_runtime, f, deployed) = deployed(function);
    assert_taken(&deployed);
    for _ in 0..2 {
        assert_eq!(ask(&f, "any", "x"), "1");
    }
}

#[test]
fn the_fuel_of_an_event_does_not_limit_the_reading() {
    let runtime = small().fuel(true).build().unwrap();
    let function = || {
        Function::wasm("f", component().text()).init_export("setup").warm_up(Event::bytes("sample", "warm"))
    };
    let (_, deployed) = deployed_to(&runtime, function());
    let needed = deployed.warm_ups()[0].report().fuel.unwrap();
    let (f, deployed) = deployed_to(&runtime, function().fuel(needed));
    assert_taken(&deployed);
    assert_eq!(ask(&f, "any", "x"), "1");
}

#[test]
fn what_a_guest_may_hand_to_the_host_does_not_limit_the_reading() {
    let function = Function::wasm("f", component().text()).init_export("setup").max_host_call(1_000);
    let (_runtime, f, deployed) = deployed(function);
    assert_taken(&deployed);
    assert_eq!(ask(&f, "any", "x"), "1");
}

#[test]
fn a_component_that_makes_resources_runs_init_for_each_guest() {
    let lifted = r#"(func (export "setup") (canon lift (core func $i "setup")))
        (type $own (resource (rep i32))) (core func (canon resource.new $own))"#;
    let function = Function::wasm("f", Parts { lifted, ..component() }.text()).init_export("setup");
    let (_runtime, f, deployed) = deployed(function);
    assert_refused(&deployed, "resources of its own");
    assert_eq!(ask(&f, "any", "x"), "1");
}

#[test]
fn one_place_is_enough_for_all_that_deployment_does() {
    let runtime = small().places(1).build().unwrap();
    let (counter, deployed) = deployed_to(&runtime, Function::wasm("counter", COUNTER));
    assert_taken(&deployed);
    assert_eq!(ask(&counter, "count", ""), "101");
}

#[test]
fn a_named_init_and_initialize_run_once_too() {
    let add = |export: &str| {
        format!(
            r#"(func (export "{export}") (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 2))))"#
        )
    };
    let code = module(&format!("{} {}", add("_initialize"), add("wizer-initialize")), COUNT);
    for name in ["wizer-initialize", "_initialize"] {
        let (_runtime, f, deployed) = deployed(Function::wasm("f", code.clone()).init_export(name));
        assert_taken(&deployed);
        assert_eq!((ask(&f, "any", ""), ask(&f, "any", "")), ("5".into(), "5".into()), "{name}");
    }
}

#[test]
fn init_for_each_guest_is_as_it_always_was() {
    let (_runtime, counter, deployed) = deployed(Function::wasm("counter", COUNTER).init(Init::PerGuest));
    assert_eq!(deployed.snapshot(), &Snapshot::None);
    for _ in 0..2 {
        let response = send(&counter, "count", "").unwrap();
        assert!(response.text().unwrap() == "101" && response.report().init.is_some());
    }
    let (_runtime, _, plain) = crate::snapshots::deployed(Function::wasm("f", module("", ANSWER_BODY)));
    assert_eq!((plain.snapshot(), plain.warm_ups().len()), (&Snapshot::None, 0));
}

#[test]
fn code_that_the_tool_cannot_take_runs_init_for_each_guest() {
    let table = "(table 1 funcref) (elem declare func $f) (func $f)";
    let sets =
        init(table, "(table.set (i32.const 0) (ref.func $f)) (i32.store8 (i32.const 0) (i32.const 4))");
    let (_runtime, f, deployed) = deployed(Function::wasm("f", module(&sets, COUNT)));
    assert_refused(&deployed, "table.set");
    for _ in 0..2 {
        let response = send(&f, "any", "").unwrap();
        assert!(response.text().unwrap() == "5" && response.report().init.is_some());
    }
}

#[test]
fn code_that_is_wrong_is_told_as_ever() {
    let wrong = module(&init(r#"(import "env" "nothing" (func))"#, ""), ANSWER_BODY);
    fails(Function::wasm("f", wrong), "link", &["env::nothing"]);
    fails(Function::wasm("f", "(module").warm_up(Event::new("any")), "compile", &[]);
    let absent = Function::wasm("f", module(&init("", ""), ANSWER_BODY)).init_export("absent");
    fails(absent, "invalid-configuration", &["absent", "init_export"]);
}

const P1: &str = r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (data (i32.const 512) "file")"#;

#[test]
fn randomness_before_the_snapshot_is_the_same_in_each_guest_and_after_it_differs() {
    let code = module(
        &init(P1, "(drop (call $random (i32.const 64) (i32.const 8)))"),
        &answering("(drop (call $random (i32.const 72) (i32.const 8)))", 16),
    );
    let (_runtime, f, deployed) = deployed(Function::wasm("f", code));
    assert_taken(&deployed);
    let [a, b] = [(); 2].map(|()| send(&f, "any", "").unwrap().into_bytes());
    assert_eq!(a[..8], b[..8]);
    assert_ne!(a[8..], b[8..]);
    assert_ne!(a[..8], a[8..]);
}

#[test]
fn what_init_read_of_its_variables_stays() {
    let reads = "(drop (call $environ (i32.const 256) (i32.const 64)))";
    let code = module(&init(P1, reads), &answering("", 5));
    let (_runtime, f, deployed) = deployed(Function::wasm("f", code).env("A", "one"));
    assert_taken(&deployed);
    assert_eq!(ask(&f, "any", ""), "A=one");
}

#[test]
fn a_clock_that_init_read_never_lies_ahead() {
    let now = |at: u32| format!("(drop (call $time (i32.const 1) (i64.const 0) (i32.const {at})))");
    let later = "(i32.store8 (i32.const 64) (i32.add (i32.const 48)
        (i64.gt_u (i64.load (i32.const 136)) (i64.load (i32.const 128)))))";
    let code = module(&init(P1, &now(128)), &answering(&format!("{} {later}", now(136)), 1));
    let (_runtime, f, deployed) = deployed(Function::wasm("f", code));
    assert_taken(&deployed);
    assert_eq!(ask(&f, "any", ""), "1");
}

#[test]
fn an_init_may_log() {
    let import = r#"(import "fnhost" "log" (func $log (param i32 i32 i32)))"#;
    let logs = init(
        &format!("{P1} {import}"),
        "(i32.store (i32.const 64) (i32.const 512)) (i32.store (i32.const 68) (i32.const 4))
        (drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 72)))
        (call $log (i32.const 2) (i32.const 512) (i32.const 4))",
    );
    let again = "(drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 72)))";
    let code = module(&logs, &format!("{again} {ANSWER_BODY}"));
    let (_runtime, f, deployed) = deployed(Function::wasm("f", code));
    assert_taken(&deployed);
    let response = send(&f, "any", "x").unwrap();
    assert_eq!((response.text().unwrap(), &*response.report().log_tail), ("x", "file"));
}

#[test]
fn an_init_that_leaves_a_file_open_runs_for_each_guest() {
    let dir = std::env::temp_dir().join(format!("fnhost-snapshot-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("file"), "x").unwrap();
    let opens = "(drop (call $open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 4) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 256)))
        (i32.store8 (i32.const 0) (i32.load8_u (i32.const 256)))";
    let closes = format!("{opens} (drop (call $close (i32.load (i32.const 256))))");
    let function =
        |body: &str| Function::wasm("f", module(&init(P1, body), COUNT)).dir(&dir, "/data", Access::Read);
    let (_runtime, f, left) = deployed(function(opens));
    assert_refused(&left, "left a handle open");
    let response = send(&f, "any", "").unwrap();
    assert!(response.text().unwrap() == "5" && response.report().init.is_some(), "it was given 4");
    let (_runtime, f, closed) = deployed(function(&closes));
    assert_taken(&closed);
    assert_eq!(ask(&f, "any", ""), "5");
    let (_runtime, _, gave_away) = deployed(function("(drop (call $close (i32.const 3)))"));
    assert_refused(&gave_away, "a granted folder closed");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn dropping_the_deployment_ends_an_init_that_runs_and_gives_its_place_back() {
    let latch = Latch::new();
    let (runtime, held) = (runtime(), latch.clone());
    let function = Function::wasm("f", module(&init(IMPORT_HOLD, HOLD), ANSWER_BODY))
        .init_timeout(Duration::from_secs(600))
        .stand_in("hold", move |_: Bytes, _: Context| held.clone().pass(Bytes::new()));
    let mut deploying = Box::pin(runtime.deploy(function));
    assert!(poll(&mut deploying).is_pending());
    until("init runs", || latch.came() == 1);
    assert_eq!(runtime.stats().places_taken, 1);
    drop(deploying);
    until("its place is free", || runtime.stats().places_taken == 0);
    assert_eq!((kind(runtime.handler("f")), runtime.stats().memory_taken), ("unknown-function", 0));
}

#[test]
fn a_shutdown_cuts_an_init_at_deployment_off() {
    let latch = Latch::new();
    let (runtime, held) = (runtime(), latch.clone());
    let function = Function::wasm("f", module(&init(IMPORT_HOLD, HOLD), ANSWER_BODY))
        .init_timeout(Duration::from_secs(600))
        .stand_in("hold", move |_: Bytes, _: Context| held.clone().pass(Bytes::new()));
    let deploying = std::thread::spawn({
        let runtime = runtime.clone();
        move || runtime.block_on(runtime.deploy(function))
    });
    until("init runs", || latch.came() == 1);
    runtime.block_on(runtime.shutdown(Duration::ZERO));
    assert_eq!(kind(deploying.join().unwrap()), "shutting-down");
    assert_eq!(runtime.stats().places_taken, 0);
}
