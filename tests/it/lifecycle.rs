//! From deployment to shutdown: versions, removal, and an end in bounded time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use fnhost::{Context, Contract, Event, Failure, Function, FunctionInfo, Handler, Response, Runtime};

use crate::kit::{
    ANSWER_BODY, ECHO, Latch, MISBEHAVE, REUSE, SPIN, ask, assert_quiet, busy, deploy, holding, host,
    in_child, kind, module, native_holding, poll, refused, runtime, says, send, small, until,
};

const LONG: Duration = Duration::from_secs(60);

/// Answers its own number, whatever is asked.
fn numbered(number: u64) -> Function {
    let data = format!(r#"(data (i32.const 0) "{number:04}")"#);
    Function::wasm("f", module(&data, "(i64.const 4)")).version(number)
}

#[test]
fn redeploying_under_load_loses_no_event() {
    let _busy = busy();
    let runtime = runtime();
    let f = deploy(&runtime, numbered(1));
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let work = || {
        let mut newest = 0;
        while !over.load(SeqCst) {
            let response = send(&f, "any", "x").unwrap_or_else(|error| panic!("an event is lost: {error}"));
            let number: u64 = response.text().unwrap().parse().unwrap();
            assert_eq!(number, response.report().version(), "the report names who answered");
            assert!(number >= newest, "{number} after {newest}");
            newest = number;
            answered.fetch_add(1, SeqCst);
        }
        newest
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
        for version in 2..=12 {
            deploy(&runtime, numbered(version));
            let seen = answered.load(SeqCst);
            until("events go on", || answered.load(SeqCst) > seen + 5);
            // Old versions go while the name is busy; whoever follows the name does not notice.
            runtime.block_on(runtime.remove(&format!("f:{}", version - 1))).unwrap();
        }
        over.store(true, SeqCst);
        let newest = workers.into_iter().map(|worker| worker.join().unwrap()).max();
        assert_eq!(newest, Some(12));
    });
    assert_quiet(&runtime, &[&f]);
}

#[test]
fn an_event_in_flight_finishes_on_the_version_that_it_began_with() {
    let latch = Latch::new();
    let (runtime, f) = host(holding("f", &latch));
    let mut running = Box::pin(f.invoke(Event::bytes("any", "old")));
    assert!(poll(&mut running).is_pending());
    runtime.block_on(runtime.deploy(numbered(2))).unwrap();
    assert_eq!(ask(&f, "any", "x"), "0002", "the next event goes to the new one");
    latch.open();
    let old = runtime.block_on(running).unwrap();
    assert_eq!((old.text().unwrap(), old.report().version()), ("old", 1));
}

#[test]
fn versions_count_up_and_each_can_be_reached() {
    let runtime = runtime();
    let deploy = |function: Function| runtime.block_on(runtime.deploy(function)).unwrap().version();
    let unnumbered = || Function::wasm("f", ECHO);
    assert_eq!(
        [deploy(unnumbered()), deploy(unnumbered()), deploy(numbered(7)), deploy(unnumbered())],
        [1, 2, 7, 8]
    );
    let newest = runtime.handler("f").unwrap();
    let old = runtime.handler("f:7").unwrap();
    assert_eq!((ask(&newest, "any", "x"), ask(&old, "any", "x")), ("x".into(), "0007".into()));
    assert_eq!(runtime.functions(), runtime.functions());
    let FunctionInfo { name, versions, .. } = runtime.functions().remove(0);
    assert_eq!((name.as_str(), versions), ("f", vec![1, 2, 7, 8]));
    let error = refused(&runtime, numbered(7));
    assert_eq!(error.kind().name(), "invalid-configuration");
    says(&error, &["7", "before"]);
    runtime.block_on(runtime.remove("f:8")).unwrap();
    assert_eq!(deploy(unnumbered()), 9, "a number is never given twice");
}

#[test]
fn a_version_is_described() {
    let runtime = runtime();
    let deployed = runtime
        .block_on(
            runtime.deploy(Function::wasm("f", ECHO).concurrency(3).queue(4).timeout(LONG).memory(1 << 25)),
        )
        .unwrap();
    assert_eq!((deployed.name(), deployed.version(), deployed.contract()), ("f", 1, Contract::Function));
    assert!(deployed.compile_time() > Duration::ZERO);
    let hash = deployed.hash().expect("it is code").to_string();
    assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
    let described = runtime.describe("f:1").unwrap();
    assert_eq!(
        (described.name.as_str(), described.version, described.concurrency, described.queue),
        ("f", 1, 3, 4)
    );
    assert_eq!((described.hash.as_deref(), described.contract), (Some(hash.as_str()), Contract::Function));
    assert_eq!((described.limits.timeout, described.limits.memory), (LONG, 1 << 25));
    let same = runtime.block_on(runtime.deploy(Function::wasm("g", ECHO))).unwrap();
    assert_eq!(same.hash(), Some(hash.as_str()), "the hash is the code's");
    let native = async |_: Event, _: Context| -> Result<Response, Failure> { Ok(Response::new()) };
    let native = runtime.block_on(runtime.deploy(Function::native("n", native))).unwrap();
    assert_eq!(
        (native.contract(), native.hash(), native.compile_time()),
        (Contract::Native, None, Duration::ZERO)
    );
    let names: Vec<String> = runtime.functions().into_iter().map(|info| info.name).collect();
    assert_eq!(names, ["f", "g", "n"]);
}

#[test]
fn statistics_count_what_happens() {
    let latch = Latch::new();
    let (runtime, f) = host(holding("f", &latch).isolation(REUSE).concurrency(1));
    let mut events: Vec<_> = (0..3).map(|_| Box::pin(f.invoke(Event::bytes("any", "x")))).collect();
    assert!(events.iter_mut().all(|event| poll(event).is_pending()));
    let stats = f.stats().unwrap();
    assert_eq!((stats.running, stats.waiting, stats.live, stats.idle), (1, 2, 1, 0));
    let all = runtime.stats();
    assert_eq!((all.places, all.places_taken, all.waiting, all.pooled, all.shards), (16, 1, 0, true, 2));
    assert!(all.memory_taken >= 1 << 16 && all.memory_taken <= all.memory, "{all:?}");
    latch.open();
    events.into_iter().for_each(|event| drop(runtime.block_on(event).unwrap()));
    let stats = f.stats().unwrap();
    assert_eq!((stats.running, stats.live, stats.idle), (0, 1, 1));
    assert_eq!((stats.created, stats.discarded, stats.served), (1, 0, 3));
}

#[test]
fn removing_lets_events_in_flight_finish() {
    let latch = Latch::new();
    let (runtime, f) = host(holding("f", &latch).concurrency(1));
    let mut running = Box::pin(f.invoke(Event::bytes("any", "runs")));
    let mut waiting = Box::pin(f.invoke(Event::bytes("any", "waits")));
    assert!(poll(&mut running).is_pending() && poll(&mut waiting).is_pending());
    let mut removing = Box::pin(runtime.remove("f"));
    assert!(poll(&mut removing).is_pending(), "it waits for both");
    assert_eq!(kind(send(&f, "any", "")), "unknown-function");
    assert!(runtime.functions().is_empty() && runtime.handler("f").is_err());
    latch.open();
    assert_eq!(runtime.block_on(running).unwrap().text().unwrap(), "runs");
    assert!(poll(&mut removing).is_pending());
    let waited = runtime.block_on(waiting);
    assert_eq!(waited.unwrap().text().unwrap(), "waits", "who had come is served");
    runtime.block_on(removing).unwrap();
    assert_eq!(runtime.stats().places_taken, 0);
}

#[test]
fn a_handler_to_what_was_removed_answers_unknown_function() {
    let runtime = runtime();
    let f = deploy(&runtime, numbered(1));
    deploy(&runtime, numbered(2));
    let pinned = runtime.handler("f:1").unwrap();
    runtime.block_on(runtime.remove("f:1")).unwrap();
    let error = send(&pinned, "any", "").unwrap_err();
    assert_eq!(error.kind().name(), "unknown-function");
    says(&error, &["f:1"]);
    assert_eq!(kind(runtime.handler("f:1")), "unknown-function");
    assert_eq!(ask(&f, "any", ""), "0002");
    runtime.block_on(runtime.remove("f")).unwrap();
    assert_eq!(kind(send(&f, "any", "")), "unknown-function");
    assert!(f.stats().is_err() && f.describe().is_err());
    assert_eq!(kind(runtime.block_on(runtime.remove("f"))), "unknown-function");
    deploy(&runtime, numbered(3));
    assert_eq!(ask(&f, "any", ""), "0003", "it follows the name, which is there again");
}

#[test]
fn idle_guests_of_what_was_removed_are_gone() {
    let (runtime, f) = host(Function::wasm("f", module("", ANSWER_BODY)).isolation(REUSE));
    assert_eq!(ask(&f, "any", "x"), "x");
    assert_eq!(runtime.stats().places_taken, 1);
    runtime.block_on(runtime.remove("f")).unwrap();
    assert_eq!((runtime.stats().places_taken, runtime.stats().memory_taken), (0, 0));
}

#[test]
fn names_that_are_none_and_names_that_nobody_has_are_told_apart() {
    let runtime = runtime();
    for unknown in ["nobody", "nobody:3"] {
        let error = runtime.handler(unknown).unwrap_err();
        assert_eq!(error.kind().name(), "unknown-function");
        says(&error, &[unknown]);
    }
    for wrong in ["", "no spaces", "f:", ":1", "f:0:1"] {
        let kind = kind(runtime.handler(wrong));
        assert!(["invalid-configuration", "unknown-function"].contains(&kind), "{wrong}: {kind}");
    }
}

/// Events that end only when they are cut off.
fn send_endless(runtime: &Runtime) -> Vec<thread::JoinHandle<&'static str>> {
    let latch = Latch::new();
    let spin = deploy(runtime, Function::wasm("spin", module("", SPIN)).timeout(LONG));
    let sleep = deploy(runtime, Function::wasm("sleep", MISBEHAVE).timeout(LONG));
    let held = deploy(runtime, native_holding("held", &latch).timeout(LONG).concurrency(1));
    let all = [&spin, &sleep, &held, &held].map(Handler::clone);
    let send = |handler: Handler| thread::spawn(move || kind(send(&handler, "sleep", "60000")));
    let threads: Vec<_> = all.into_iter().map(send).collect();
    until("all have come", || {
        let running = |handler: &Handler| handler.stats().unwrap().running + handler.stats().unwrap().waiting;
        running(&spin) + running(&sleep) + running(&held) == 4
    });
    threads
}

#[test]
fn shutdown_is_bounded_and_says_how_many_it_cut_off() {
    let runtime = runtime();
    let threads = send_endless(&runtime);
    let (grace, started) = (Duration::from_millis(200), Instant::now());
    let shutdown = runtime.block_on(runtime.shutdown(grace));
    let took = started.elapsed();
    assert_eq!(shutdown.cancelled, 4);
    assert!(took >= grace && took < grace + Duration::from_secs(1), "{took:?}");
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "shutting-down");
    }
    let stats = runtime.stats();
    assert_eq!((stats.places_taken, stats.memory_taken, stats.waiting), (0, 0, 0));
}

#[test]
fn a_guest_that_nobody_polls_does_not_hold_shutdown() {
    let (runtime, f) = host(Function::wasm("f", MISBEHAVE).timeout(LONG));
    let mut forgotten = Box::pin(f.invoke(Event::bytes("sleep", "60000")));
    assert!(poll(&mut forgotten).is_pending());
    let started = Instant::now();
    assert_eq!(runtime.block_on(runtime.shutdown(Duration::from_millis(50))).cancelled, 1);
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(kind(runtime.block_on(forgotten)), "shutting-down");
}

#[test]
fn shutdown_waits_for_what_ends_within_its_grace() {
    let (runtime, f) = host(Function::wasm("f", MISBEHAVE));
    let sleeping = thread::spawn(move || ask(&f, "sleep", "100"));
    until("it sleeps", || runtime.handler("f").unwrap().stats().unwrap().live == 1);
    let started = Instant::now();
    assert_eq!(runtime.block_on(runtime.shutdown(LONG)).cancelled, 0);
    assert!(started.elapsed() < LONG / 2);
    assert_eq!(sleeping.join().unwrap(), "slept");
}

#[test]
fn after_shutdown_everything_answers_shutting_down() {
    let (runtime, f) = host(Function::wasm("f", ECHO));
    runtime.block_on(runtime.shutdown(Duration::ZERO));
    assert_eq!(kind(send(&f, "any", "")), "shutting-down");
    assert_eq!(refused(&runtime, Function::wasm("g", ECHO)).kind().name(), "shutting-down");
    assert_eq!(kind(runtime.block_on(f.stream(Event::new("any")))), "shutting-down");
    assert_eq!(runtime.block_on(runtime.shutdown(LONG)).cancelled, 0, "once more does no harm");
}

#[test]
fn handlers_answer_shutting_down_when_the_last_runtime_is_gone() {
    let (runtime, f) = host(Function::wasm("f", MISBEHAVE).timeout(LONG).isolation(REUSE));
    let clone = runtime.clone();
    drop(runtime);
    assert_eq!(ask(&f, "ok", ""), "ok", "another one is left");
    let mut sleeping = Box::pin(f.invoke(Event::bytes("sleep", "60000")));
    assert!(poll(&mut sleeping).is_pending());
    let spinning = thread::spawn({
        let f = f.clone();
        move || kind(send(&f, "spin", ""))
    });
    until("it spins", || f.stats().unwrap().running == 2);
    drop(clone);
    assert_eq!(spinning.join().unwrap(), "shutting-down");
    assert_eq!(kind(crate::kit::runtime().block_on(sleeping)), "shutting-down");
    assert_eq!(kind(send(&f, "any", "")), "shutting-down");
    assert!(f.stats().is_err(), "nothing is deployed any more");
}

/// The threads of this process that are ours.
fn own_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_string()).filter(|name| name.starts_with("fnhost")).collect()
}

/// A runtime whose every thread has started.
fn with_all_threads() -> (Runtime, Handler) {
    let runtime = small().build().unwrap();
    let f = deploy(&runtime, Function::wasm("f", MISBEHAVE).isolation(REUSE));
    assert_eq!(ask(&f, "sleep", "1"), "slept");
    (runtime, f)
}

#[test]
fn no_thread_is_left_when_a_runtime_is_dropped_or_shut_down() {
    let name = "lifecycle::no_thread_is_left_when_a_runtime_is_dropped_or_shut_down";
    let said = in_child(name, "", || {
        assert_eq!(own_threads(), [""; 0]);
        let (runtime, f) = with_all_threads();
        let before = own_threads().len();
        let mut sleeping = Box::pin(f.invoke(Event::bytes("sleep", "60000")));
        assert!(poll(&mut sleeping).is_pending());
        drop(runtime);
        until("the threads end", || own_threads().is_empty());
        drop(sleeping);
        let (runtime, _f) = with_all_threads();
        runtime.block_on(runtime.shutdown(LONG));
        until("the threads end", || own_threads().is_empty());
        drop(runtime);
        let compiling = small().build().unwrap();
        let mut deploying = Box::pin(compiling.deploy(Function::wasm("g", MISBEHAVE)));
        assert!(poll(&mut deploying).is_pending());
        drop(deploying);
        drop(compiling);
        until("the compiler ends too", || own_threads().is_empty());
        format!("{before} threads came and went")
    });
    if let Some(said) = said {
        assert_eq!(said, "3 threads came and went");
    }
}
