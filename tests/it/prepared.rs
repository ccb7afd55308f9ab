//! Guests made before their events come, and large ones that end after them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use fnhost::{Bytes, Context, Event, Failure, Function, Handler, Init, Isolation, Response, Runtime, Start};

use crate::kit::{
    ANSWER_BODY, COMMAND, COUNT, COUNTER, HELLO_JS, IMPORT_HOLD, Latch, MISBEHAVE, REUSE, SPIN, ask,
    assert_quiet, busy, deploy, holding, host, in_child, kind, module, poll, refused, runtime, says, send,
    small, text, until,
};

const LONG: Duration = Duration::from_secs(60);

fn counting() -> Function {
    Function::wasm("count", module("", COUNT))
}

fn prepared(handler: &Handler) -> usize {
    handler.stats().unwrap().prepared
}

/// Waits until so many stand ready.
#[track_caller]
fn until_ready(handler: &Handler, wanted: usize) {
    until("they stand ready", || prepared(handler) == wanted);
}

/// Deploys to a runtime of its own, and waits until all stand ready.
#[track_caller]
fn ready(function: Function, wanted: u32) -> (Runtime, Handler) {
    let (runtime, handler) = host(function.prepared(wanted));
    until_ready(&handler, wanted as usize);
    (runtime, handler)
}

fn start(answer: &Response) -> Start {
    answer.report().start.expect("it started")
}

#[test]
fn an_event_finds_a_new_guest_and_the_report_says_so() {
    let (runtime, count) = ready(counting(), 2);
    let answer = send(&count, "any", "").unwrap();
    let report = answer.report();
    assert_eq!((start(&answer), report.setup, report.init), (Start::Prepared, Duration::ZERO, None));
    assert!(report.to_string().contains("Start: prepared"), "{report}");
    until_ready(&count, 2);
    assert_quiet(&runtime, &[&count]);
    let stats = count.stats().unwrap();
    assert_eq!((stats.live, stats.idle, stats.created, stats.discarded, stats.served), (2, 0, 3, 1, 1));
}

#[test]
fn each_serves_one_event_only() {
    let (_runtime, count) = ready(counting(), 3);
    for _ in 0..50 {
        assert_eq!(ask(&count, "any", ""), "1", "state is never seen again");
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| assert_eq!(ask(&count, "any", ""), "1")));
        }
    });
    until_ready(&count, 3);
    let stats = count.stats().unwrap();
    assert_eq!((stats.served, stats.created - stats.discarded), (450, 3));
}

#[test]
fn their_init_has_run_and_what_it_logged_is_the_first_events() {
    let (_runtime, counter) =
        ready(Function::wasm("counter", COUNTER).init(Init::PerGuest).isolation(REUSE), 1);
    let first = send(&counter, "count", "").unwrap();
    assert_eq!((first.text().unwrap(), start(&first), first.report().init), ("101", Start::Prepared, None));
    let second = send(&counter, "count", "").unwrap();
    assert_eq!((second.text().unwrap(), start(&second)), ("102", Start::Reused));
    let log = r#"(import "fnhost" "log" (func $log (param i32 i32 i32))) (data (i32.const 8) "from init")
        (func (export "fnhost_init") (result i32) (call $log (i32.const 2) (i32.const 8) (i32.const 9)) (i32.const 0))"#;
    let logs = Function::wasm("logs", module(log, ANSWER_BODY)).init(Init::PerGuest).isolation(REUSE);
    let (_runtime, logs) = ready(logs, 1);
    let tail = || send(&logs, "any", "").unwrap().report().log_tail.clone();
    assert!(tail().contains("from init"));
    assert_eq!(tail(), "");
}

#[test]
fn commands_and_engines_are_prepared_too() {
    let (_runtime, command) = ready(Function::wasm("echo", COMMAND).arg("echo"), 1);
    let answer = send(&command, "any", "hello").unwrap();
    assert_eq!(start(&answer), Start::Prepared);
    let (_runtime, script) = ready(Function::wasm("script", HELLO_JS), 2);
    for _ in 0..3 {
        until_ready(&script, 2);
        assert_eq!(start(&send(&script, "any", r#"{"name":"x"}"#).unwrap()), Start::Prepared);
    }
}

#[test]
fn a_burst_of_many_times_as_many_is_served_without_an_error() {
    let latch = Latch::new();
    let runtime = Runtime::builder().places(64).shards(2).build().unwrap();
    let f = deploy(&runtime, holding("f", &latch).prepared(3).concurrency(30));
    until_ready(&f, 3);
    let mut events: Vec<_> = (0..30).map(|_| Box::pin(f.invoke(Event::bytes("any", "x")))).collect();
    assert!(events.iter_mut().all(|event| poll(event).is_pending()));
    until("one that was being made for later goes", || f.stats().unwrap().live <= 30);
    let stats = f.stats().unwrap();
    assert_eq!((stats.running, stats.live, stats.prepared), (30, 30, 0), "as many live as may");
    latch.open();
    let answers = events.into_iter().map(|event| start(&runtime.block_on(event).unwrap()));
    let starts: Vec<Start> = answers.collect();
    let ready = starts.iter().filter(|start| **start == Start::Prepared).count();
    assert!(ready >= 3 && starts.contains(&Start::Fresh), "{starts:?}");
    until_ready(&f, 3);
    assert_quiet(&runtime, &[&f]);
}

#[test]
fn no_more_live_than_may_however_events_come() {
    let _busy = busy();
    let runtime = small().places(5).build().unwrap();
    let count = deploy(&runtime, counting().concurrency(3).prepared(3));
    let other = deploy(&runtime, Function::wasm("other", module("", COUNT)).concurrency(4).prepared(2));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !over.load(SeqCst) {
                assert!(count.stats().unwrap().live <= 3 && other.stats().unwrap().live <= 4);
                assert!(runtime.stats().places_taken <= 5);
            }
        });
        let senders: Vec<_> = [&count, &other, &count, &other]
            .map(|handler| scope.spawn(|| (0..300).for_each(|_| assert_eq!(ask(handler, "any", ""), "1"))))
            .into();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        over.store(true, SeqCst);
        watch.join().unwrap();
    });
    until("both stand again", || prepared(&count) + prepared(&other) == 5);
    assert_quiet(&runtime, &[&count, &other]);
}

#[test]
fn what_cannot_stand_is_refused() {
    let runtime = runtime();
    let error = refused(&runtime, counting().concurrency(3).prepared(4));
    says(&error, &["prepared", "4", "concurrency", "3"]);
    let error = refused(&runtime, counting().prepared(17));
    says(&error, &["prepared", "17", "16", "places"]);
    let error = refused(&runtime, Function::wasm("script", HELLO_JS).prepared(16));
    assert_eq!(error.kind().name(), "invalid-configuration");
    let native = async |_: Event, _: Context| -> Result<Response, Failure> { Ok(Response::new()) };
    says(&refused(&runtime, Function::native("native", native).prepared(1)), &["native", "prepared"]);
    let error = refused(&runtime, counting().prepared(1).idle_timeout(Duration::ZERO));
    says(&error, &["prepared", "idle_timeout", "time"]);
    assert_eq!(runtime.stats().places_taken, 0);
}

#[test]
fn they_make_way_for_another_functions_event() {
    let latch = Latch::new();
    let runtime = small().places(2).build().unwrap();
    let count = deploy(&runtime, counting().prepared(2));
    until_ready(&count, 2);
    let f = deploy(&runtime, holding("f", &latch));
    let mut events: Vec<_> = (0..2).map(|_| Box::pin(f.invoke(Event::bytes("any", "x")))).collect();
    assert!(events.iter_mut().all(|event| poll(event).is_pending()));
    assert_eq!((prepared(&count), f.stats().unwrap().live, runtime.stats().waiting), (0, 2, 0));
    latch.open();
    events.into_iter().for_each(|event| drop(runtime.block_on(event).unwrap()));
    until_ready(&count, 2);
}

#[test]
fn they_are_given_back_when_no_event_comes() {
    let (runtime, count) = ready(counting().idle_timeout(Duration::from_millis(300)), 2);
    until("they are given back", || runtime.stats().places_taken == 0);
    assert_eq!(count.stats().unwrap().live, 0);
    assert_eq!(start(&send(&count, "any", "").unwrap()), Start::Fresh);
    until_ready(&count, 2);
    assert_eq!(start(&send(&count, "any", "").unwrap()), Start::Prepared);
}

#[test]
fn under_reuse_they_are_a_warm_minimum_and_belong_to_no_tenant_yet() {
    let (runtime, count) = ready(counting().isolation(REUSE), 2);
    let as_tenant = |tenant: &str| {
        let context = Context::new().with_tenant(tenant);
        let answer = count.invoke_blocking_with(context, Event::bytes("any", "")).unwrap();
        (start(&answer), text(Ok(answer)))
    };
    assert_eq!(as_tenant("ada"), (Start::Prepared, "1".into()));
    assert_eq!(as_tenant("bob"), (Start::Prepared, "1".into()), "nobody has used it");
    assert_eq!(as_tenant("ada"), (Start::Reused, "2".into()));
    let stats = count.stats().unwrap();
    assert!(stats.created <= 3 && stats.idle == 2, "those that are kept are warm enough: {stats:?}");
    let third = as_tenant("cleo");
    assert_eq!(third.1, "1");
    until("nothing is left to do", || {
        count.stats().unwrap().live == count.stats().unwrap().idle + prepared(&count)
    });
    assert_quiet(&runtime, &[&count]);
}

#[test]
fn removing_and_redeploying_discard_them() {
    let (runtime, count) = ready(counting(), 3);
    let second = deploy(&runtime, counting().prepared(2));
    until_ready(&second, 2);
    assert_eq!(runtime.stats().places_taken, 5, "the old version is there until it is removed");
    runtime.block_on(runtime.remove("count:1")).unwrap();
    assert_eq!(runtime.stats().places_taken, 2);
    assert_eq!(start(&send(&count, "any", "").unwrap()), Start::Prepared);
    runtime.block_on(runtime.remove("count")).unwrap();
    until("what was just being made goes too", || runtime.stats().places_taken == 0);
    assert_eq!(runtime.stats().memory_taken, 0);
}

#[test]
fn an_init_that_fails_leaves_events_to_themselves() {
    let counter = Function::wasm("counter", COUNTER).init(Init::PerGuest);
    let failing = counter.env("INIT_FAIL", "no database").prepared(2);
    let (runtime, counter) = host(failing);
    for _ in 0..3 {
        let error = send(&counter, "count", "").unwrap_err();
        assert_eq!(
            (error.kind().name(), error.message()),
            ("init-failed", Some("init was told to fail: no database"))
        );
        assert_eq!(error.report().unwrap().start, Some(Start::Fresh));
    }
    assert_eq!(prepared(&counter), 0);
    until("nothing is held", || runtime.stats().places_taken == 0);
}

#[test]
fn an_init_that_fails_for_a_while_is_tried_again() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let init = format!(
        r#"{IMPORT_HOLD} (func (export "fnhost_init") (result i32)
            (i32.lt_s (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0)) (i32.const 0)))"#
    );
    let f = Function::wasm("f", module(&init, ANSWER_BODY)).init(Init::PerGuest).prepared(1).grant(
        "hold",
        move |_: Bytes, _: Context| {
            let attempt = counted.fetch_add(1, SeqCst);
            async move { if attempt < 2 { Err(Failure::new("down", "not yet")) } else { Ok(Bytes::new()) } }
        },
    );
    let (_runtime, f) = host(f);
    until_ready(&f, 1);
    assert_eq!(attempts.load(SeqCst), 3);
    assert_eq!(start(&send(&f, "any", "").unwrap()), Start::Prepared);
}

#[test]
fn what_init_asks_of_the_host_runs_under_the_hosts_own_runtime() {
    let init = format!(
        r#"{IMPORT_HOLD} (func (export "fnhost_init") (result i32)
            (drop (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0))) (i32.const 0))"#
    );
    let f = Function::wasm("f", module(&init, ANSWER_BODY)).init(Init::PerGuest).prepared(1).grant(
        "hold",
        async |_: Bytes, _: Context| {
            tokio::spawn(tokio::time::sleep(Duration::from_millis(1))).await.expect("it sleeps");
            Ok(Bytes::new())
        },
    );
    let hosts = tokio::runtime::Runtime::new().unwrap();
    let runtime = runtime();
    hosts.block_on(runtime.deploy(f)).unwrap();
    until_ready(&runtime.handler("f").unwrap(), 1);
}

#[test]
fn a_guest_that_is_cancelled_is_not_put_back() {
    let latch = Latch::new();
    let (runtime, f) = ready(holding("f", &latch).concurrency(1), 1);
    let mut event = Box::pin(f.invoke(Event::bytes("any", "x")));
    assert!(poll(&mut event).is_pending());
    drop(event);
    until_ready(&f, 1);
    let stats = f.stats().unwrap();
    assert_eq!((stats.created, stats.discarded, stats.live), (2, 1, 1));
    assert_quiet(&runtime, &[&f]);
}

/// Spins in init, but only where nobody's event waits for it: a tenant is named for those.
fn spinning() -> Function {
    let init = format!(r#"(func (export "fnhost_init") (result i32) {SPIN})"#);
    Function::wasm("spin", module(&init, ANSWER_BODY)).init(Init::PerGuest).init_timeout(LONG)
}

#[test]
fn shutdown_stops_what_is_being_made() {
    let runtime = runtime();
    let spin = deploy(&runtime, spinning().prepared(1));
    until("it spins", || runtime.stats().places_taken == 1);
    let started = Instant::now();
    runtime.block_on(runtime.shutdown(LONG));
    assert!(started.elapsed() < LONG / 4, "it took {:?}", started.elapsed());
    assert_eq!((runtime.stats().places_taken, runtime.stats().memory_taken), (0, 0));
    assert_eq!(kind(send(&spin, "any", "")), "shutting-down");
}

#[test]
fn making_one_is_cut_off_at_the_time_of_init() {
    let (runtime, spin) = host(spinning().init_timeout(Duration::from_millis(50)).prepared(1));
    until("it spins", || runtime.stats().places_taken == 1);
    until("it is stopped", || runtime.stats().places_taken == 0);
    assert_eq!(kind(send(&spin, "any", "")), "timed-out");
}

/// The threads of this process that are ours.
fn own_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_string()).filter(|name| name.starts_with("fnhost")).collect()
}

#[test]
fn the_thread_comes_with_the_first_function_that_prepares_and_goes_with_the_runtime() {
    let name = "prepared::the_thread_comes_with_the_first_function_that_prepares_and_goes_with_the_runtime";
    let said = in_child(name, "", || {
        let prepares = |name: &str| own_threads().iter().filter(|own| *own == name).count();
        let runtime = runtime();
        let plain = deploy(&runtime, Function::wasm("plain", module("", ANSWER_BODY)));
        (0..100).for_each(|_| drop(ask(&plain, "any", "x")));
        until("who prepares nothing has no thread for it", || own_threads() == ["fnhost-clock"]);
        deploy(&runtime, spinning().prepared(1));
        deploy(&runtime, counting().prepared(1));
        // A thread that this one starts is called the same until it has said its own name.
        until("one thread prepares", || prepares("fnhost-prepare") == 1);
        until("it spins", || runtime.stats().places_taken == 1);
        runtime.block_on(runtime.shutdown(LONG));
        until("all end", || own_threads().is_empty());
        let (runtime, f) = host(spinning().prepared(1));
        until("it spins", || runtime.stats().places_taken == 1);
        drop(runtime);
        until("all end", || own_threads().is_empty());
        drop(f);
        "gone".into()
    });
    assert!(said.is_none_or(|said| said == "gone"));
}

#[test]
fn large_guests_end_after_their_event_and_nothing_is_left() {
    let _busy = busy();
    // 64 MiB that were touched take more than 15 us to give back on any machine.
    let touch = "(drop (memory.grow (i32.const 1023)))
        (memory.fill (i32.const 4096) (i32.const 1) (i32.const 0x3ffe000)) (i64.const 0)";
    let runtime = Runtime::builder().places(200).memory(16 << 30).shards(2).build().unwrap();
    let large = deploy(&runtime, Function::wasm("large", module("", touch)).timeout(LONG));
    for _ in 0..60 {
        assert_eq!(ask(&large, "any", ""), "");
        assert!(runtime.stats().places_taken <= 6);
    }
    until("the last ones are gone", || large.stats().unwrap().live == 0 && runtime.stats().places_taken == 0);
    let (stats, all) = (large.stats().unwrap(), runtime.stats());
    assert_eq!((stats.created, stats.discarded, all.memory_taken), (60, 60, 0));
    (0..20).for_each(|_| drop(ask(&large, "any", "")));
    runtime.block_on(runtime.shutdown(LONG));
    assert_eq!((runtime.stats().places_taken, runtime.stats().memory_taken), (0, 0));
}

#[test]
fn what_a_large_guest_held_is_free_for_who_waits_for_it() {
    let _busy = busy();
    let touch = "(drop (memory.grow (i32.const 255)))
        (memory.fill (i32.const 4096) (i32.const 1) (i32.const 0xffe000)) (i64.const 0)";
    let runtime = small().places(3).memory(64 << 20).build().unwrap();
    let large = deploy(&runtime, Function::wasm("large", module("", touch)).timeout(LONG).concurrency(2));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..60).for_each(|_| assert_eq!(ask(&large, "any", ""), "", "it may grow")));
        }
    });
    until("all is given back", || runtime.stats().places_taken == 0 && runtime.stats().memory_taken == 0);
}

#[test]
fn dropping_the_last_runtime_leaves_no_guest() {
    let (runtime, script) = ready(Function::wasm("f", MISBEHAVE).isolation(Isolation::Fresh), 2);
    assert_eq!(ask(&script, "ok", ""), "ok");
    drop(runtime);
    assert_eq!(kind(send(&script, "ok", "")), "shutting-down");
}
