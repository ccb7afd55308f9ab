//! What the host is told: a report for every ending, and nothing that a guest could forge.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fnhost::{Context, ErrorKind, Event, Failure, Function, Init, Outcome, Report, Response, Runtime, Start};
use tracing::field::{Field, Visit};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::{Context as Layered, Layer, SubscriberExt};

use crate::kit::{
    ANSWER_BODY, COMMAND, COUNTER, ECHO, Latch, MISBEHAVE, MISBEHAVE_BYTES, REUSE, SPIN, deploy, kind,
    module, native_holding, poll, runtime, says, send, small,
};

/// Everything that an observer has heard.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Report>>>);

impl Heard {
    /// A runtime whose reports are heard.
    fn runtime() -> (Runtime, Self) {
        let heard = Self::default();
        let all = heard.clone();
        let observer = move |report: &Report| all.0.lock().unwrap().push(report.clone());
        (small().observer(observer).build().unwrap(), heard)
    }

    /// The only report since the last one was taken.
    #[track_caller]
    fn only(&self) -> Report {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(all.len(), 1, "one ending, one report: {all:?}");
        all.remove(0)
    }
}

/// What was told to `tracing`, each event as text.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &tracing::Event<'_>, _: Layered<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push_str(&format!(" {}={value}", field.name()));
    }
}

impl Told {
    /// What the body tells from this thread.
    fn by(body: impl FnOnce()) -> Vec<String> {
        let told = Self::default();
        with_default(tracing_subscriber::registry().with(told.clone()), body);
        std::mem::take(&mut *told.0.lock().unwrap())
    }
}

#[track_caller]
fn assert_outcome(report: &Report, outcome: &'static str, start: Option<Start>) {
    let expected = if outcome == "success" { Outcome::Success } else { Outcome::Error(outcome) };
    assert_eq!((report.outcome, report.start), (expected, start), "{report}");
}

fn counter() -> Function {
    Function::wasm("counter", COUNTER).init(Init::PerGuest)
}

#[test]
fn an_answer_has_its_report_and_the_observer_hears_the_same() {
    let (runtime, heard) = Heard::runtime();
    let counter = deploy(&runtime, counter().version(4).memory(32 << 20));
    let context = Context::new().with_tenant("ada");
    let id = context.request_id();
    let event = Event::bytes("count", "four").with_id("e1");
    let response = counter.invoke_blocking_with(context, event).unwrap();
    let (report, told) = (response.report(), heard.only());
    assert_eq!(report.to_string(), told.to_string());
    assert_outcome(report, "success", report.start);
    assert!(matches!(report.start, Some(Start::Fresh | Start::Cold)));
    assert_eq!((report.request_id, &*report.event_id), (id, "e1"));
    assert_eq!((report.function(), report.version(), report.memory_limit()), ("counter", 4, 32 << 20));
    assert_eq!((report.tenant.as_deref(), report.attempt), (Some("ada"), 1));
    assert_eq!((report.bytes_in, report.bytes_out), (4, 3));
    let init = report.init.expect("it has one");
    assert!(report.setup > Duration::ZERO && init > Duration::ZERO && report.handler > Duration::ZERO);
    let parts = report.queued + report.setup + init + report.handler;
    assert!(report.total >= parts, "{parts:?} of {:?}", report.total);
    assert!(report.busy <= report.total && report.busy >= report.handler / 2, "{report:?}");
    assert!(report.peak_memory >= 1 << 16 && report.peak_memory <= 32 << 20);
    assert_eq!((report.fuel, report.log_dropped), (None, 0));
}

#[test]
fn a_report_is_one_line_that_anybody_knows() {
    let (runtime, _) = Heard::runtime();
    let counter = deploy(&runtime, counter());
    let response = send(&counter, "count", "").unwrap();
    let line = response.report().to_string();
    assert!(line.starts_with("REPORT RequestId: ") && !line.contains('\n'), "{line}");
    for part in [
        "\tDuration: ",
        "\tBilled Duration: ",
        "\tMemory Size: 128 MB",
        "\tMax Memory Used: ",
        "\tInit Duration: ",
        "\tStatus: success",
        "counter:1",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let billed = response.report().billed();
    assert!(billed > Duration::ZERO && billed.subsec_nanos().is_multiple_of(1_000_000));
}

#[test]
fn time_spent_waiting_for_a_permit_is_queued_time_and_not_busy_time() {
    let (runtime, heard) = Heard::runtime();
    let latch = Latch::new();
    let held = deploy(&runtime, native_holding("held", &latch).concurrency(1));
    let mut first = Box::pin(held.invoke(Event::new("first")));
    let mut second = Box::pin(held.invoke(Event::new("second")));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    std::thread::sleep(Duration::from_millis(20));
    latch.open();
    runtime.block_on(first).unwrap();
    heard.only();
    runtime.block_on(second).unwrap();
    let report = heard.only();
    assert!(report.queued >= Duration::from_millis(20), "{report}");
    assert!(report.total >= report.queued + report.handler && report.busy < report.queued);
    assert_eq!(report.start, Some(Start::Native));
    assert!(report.to_string().contains("\tQueued: "));
}

#[test]
fn a_guest_that_sleeps_is_not_busy() {
    let (runtime, _) = Heard::runtime();
    let sleep = deploy(&runtime, Function::wasm("sleep", MISBEHAVE));
    let response = send(&sleep, "sleep", "100").unwrap();
    let report = response.report();
    assert!(report.handler >= Duration::from_millis(100), "{report:?}");
    assert!(report.busy < Duration::from_millis(60), "{report:?}");
}

#[test]
fn every_way_to_end_has_its_report() {
    let (runtime, heard) = Heard::runtime();
    let misbehave = deploy(&runtime, Function::wasm("misbehave", MISBEHAVE).isolation(REUSE).memory(8 << 20));
    let end = |event_type: &str, body: &'static str| {
        let ended = send(&misbehave, event_type, body);
        let report = heard.only();
        if let Err(error) = &ended {
            assert_eq!(error.report().unwrap().to_string(), report.to_string());
            assert!(error.report().unwrap().outcome == Outcome::Error(error.kind().name()));
        }
        report
    };
    assert_outcome(&end("ok", ""), "success", Some(Start::Fresh));
    assert_outcome(&end("ok", ""), "success", Some(Start::Reused));
    assert_outcome(&end("fail", "why"), "failed", Some(Start::Reused));
    assert_outcome(&end("trap", ""), "trapped", Some(Start::Reused));
    assert_outcome(&end("grow", "64"), "memory-exceeded", Some(Start::Fresh));
    let counter = counter().env("INIT_FAIL", "x");
    assert_eq!(kind(send(&deploy(&runtime, counter), "count", "")), "init-failed");
    assert_eq!(heard.only().outcome, Outcome::Error("init-failed"));
    let command = deploy(&runtime, Function::wasm("command", COMMAND).args(["exit", "3"]));
    assert_eq!(kind(send(&command, "any", "")), "exited");
    let report = heard.only();
    assert_outcome(&report, "exited", Some(Start::Fresh));
    assert_eq!(report.log_tail, "about to fail\n");
    let spin = Function::wasm("spin", module("", SPIN)).timeout(Duration::from_millis(30));
    assert_eq!(kind(send(&deploy(&runtime, spin), "any", "")), "timed-out");
    let report = heard.only();
    assert!(report.handler >= Duration::from_millis(30) && report.busy > Duration::ZERO, "{report:?}");
    let wrong = deploy(&runtime, Function::wasm("wrong", MISBEHAVE_BYTES));
    assert_eq!(kind(send(&wrong, "any", vec![1])), "invalid-answer");
    assert_eq!(heard.only().outcome, Outcome::Error("invalid-answer"));
}

#[test]
fn rejections_have_a_report_too() {
    let (runtime, heard) = Heard::runtime();
    let latch = Latch::new();
    let held = deploy(&runtime, native_holding("held", &latch).concurrency(1).queue(0).max_event(5));
    let tenant = || Context::new().with_tenant("ada");
    assert_eq!(
        kind(held.invoke_blocking_with(tenant(), Event::bytes("any", "too long"))),
        "payload-too-large"
    );
    let report = heard.only();
    assert_outcome(&report, "payload-too-large", None);
    assert_eq!((report.bytes_in, report.tenant.as_deref(), report.version()), (8, Some("ada"), 1));
    assert_eq!(kind(held.invoke_blocking(Event::new("any").with_time("yesterday"))), "invalid-event");
    assert_outcome(&heard.only(), "invalid-event", None);
    assert_eq!(
        kind(held.invoke_blocking_with(Context::new().with_tenant(""), Event::new("any"))),
        "invalid-event"
    );
    assert_outcome(&heard.only(), "invalid-event", None);
    let mut running = Box::pin(held.invoke(Event::new("held")));
    assert!(poll(&mut running).is_pending());
    assert_eq!(kind(send(&held, "any", "")), "throttled");
    assert_outcome(&heard.only(), "throttled", None);
    drop(running);
    assert_outcome(&heard.only(), "cancelled", Some(Start::Native));
    runtime.block_on(runtime.remove("held")).unwrap();
    assert_eq!(kind(send(&held, "any", "")), "unknown-function");
    let report = heard.only();
    assert_outcome(&report, "unknown-function", None);
    assert_eq!((report.function(), report.version()), ("held", 0));
    runtime.block_on(runtime.shutdown(Duration::ZERO));
    assert_eq!(kind(send(&held, "any", "")), "shutting-down");
    assert_eq!(heard.only().outcome, Outcome::Error("shutting-down"));
}

#[test]
fn an_event_that_is_never_polled_never_was() {
    let (runtime, heard) = Heard::runtime();
    let echo = deploy(&runtime, Function::wasm("echo", ECHO));
    drop(echo.invoke(Event::new("any")));
    assert!(heard.0.lock().unwrap().is_empty());
    assert!(echo.invoke_blocking(Event::new("any")).is_ok());
    heard.only();
}

#[test]
fn text_of_a_guest_is_escaped_where_it_is_shown() {
    let runtime = runtime();
    let misbehave = deploy(&runtime, Function::wasm("misbehave", MISBEHAVE));
    let forged = "why\nREPORT RequestId: forged\u{1b}[2J\u{202e}";
    let error = send(&misbehave, "fail", forged).unwrap_err();
    let shown = error.to_string();
    assert!(!shown.contains(char::is_control) && !shown.contains('\u{202e}'), "{shown:?}");
    says(&error, &["teapot", "why\\u{a}REPORT", "\\u{1b}[2J"]);
    assert_eq!(error.message(), Some(forged));
    let ErrorKind::Failed(failure) = error.kind() else { panic!("{error}") };
    assert_eq!((failure.kind(), failure.message(), failure.is_retryable()), ("teapot", forged, true));

    let error = send(&misbehave, "fail", "x".repeat(10_000)).unwrap_err();
    assert!(error.to_string().len() < 1_200, "{}", error.to_string().len());
    assert_eq!(error.message().unwrap().len(), 10_000);

    let native = Function::native("native", async |_: Event, _: Context| -> Result<Response, Failure> {
        panic!("two\nlines")
    });
    let error = send(&deploy(&runtime, native), "any", "").unwrap_err();
    says(&error, &["two\\u{a}lines"]);
}

#[test]
fn what_a_guest_writes_becomes_events_that_name_their_invocation() {
    let runtime = runtime();
    let misbehave = deploy(&runtime, Function::wasm("misbehave", MISBEHAVE).version(3));
    let context = Context::new();
    let id = context.request_id().to_string();
    let told = Told::by(|| {
        let log = Event::bytes("log", "first\nsecond\u{1b}[2J");
        misbehave.invoke_blocking_with(context, log).unwrap();
    });
    let line = told.iter().find(|line| line.contains("first")).unwrap_or_else(|| panic!("{told:?}"));
    for part in ["INFO", "function=misbehave", "version=3", &format!("request_id={id}"), "first\\u{a}second"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains(char::is_control), "{line:?}");
}

#[test]
fn each_line_of_a_standard_stream_is_an_event() {
    let runtime = runtime();
    let misbehave = deploy(&runtime, Function::wasm("misbehave", MISBEHAVE));
    let told = Told::by(|| drop(send(&misbehave, "flood", "3").unwrap()));
    let lines = told.iter().filter(|line| line.contains("fnhost::guest") && line.contains("stdout")).count();
    assert_eq!(lines, 3, "{told:?}");
    let told = Told::by(|| drop(send(&misbehave, "panic", "").unwrap_err()));
    let panicked = told.iter().any(|line| line.contains("stderr") && line.contains("panicked on purpose"));
    assert!(panicked, "{told:?}");
}

#[test]
fn a_modules_log_has_its_levels() {
    let import = r#"(import "fnhost" "log" (func $log (param i32 i32 i32))) (data (i32.const 8) "a line")"#;
    let handle = format!("(call $log (local.get $len) (i32.const 8) (i32.const 6)) {ANSWER_BODY}");
    let runtime = runtime();
    let log = deploy(&runtime, Function::wasm("log", module(import, &handle)));
    for (level, name) in [(1, "ERROR"), (2, "WARN"), (3, "INFO"), (4, "DEBUG"), (5, "TRACE")] {
        let mut tail = String::new();
        let told =
            Told::by(|| tail = send(&log, "any", vec![b'x'; level]).unwrap().report().log_tail.clone());
        assert!(told.iter().any(|line| line.starts_with(name) && line.contains("a line")), "{told:?}");
        assert_eq!(tail, "a line\n");
    }
}

#[test]
fn the_log_of_one_event_is_not_told_of_another() {
    let runtime = runtime();
    let misbehave = deploy(&runtime, Function::wasm("misbehave", MISBEHAVE).isolation(REUSE));
    assert!(!send(&misbehave, "flood", "1").unwrap().report().log_tail.is_empty());
    let response = send(&misbehave, "ok", "").unwrap();
    assert_eq!(response.report().start, Some(Start::Reused));
    assert_eq!(response.report().log_tail, "");
}

#[test]
fn the_log_of_a_reused_module_names_each_invocation() {
    let import = r#"(import "fnhost" "log" (func $log (param i32 i32 i32))) (data (i32.const 8) "a line")"#;
    let handle = format!(
        "(if (local.get $len) (then (call $log (i32.const 3) (i32.const 8) (i32.const 6)))) {ANSWER_BODY}"
    );
    let runtime = runtime();
    let log = deploy(&runtime, Function::wasm("log", module(import, &handle)).isolation(REUSE));
    for (body, tail) in [("x", "a line\n"), ("", ""), ("x", "a line\n")] {
        let context = Context::new();
        let id = context.request_id().to_string();
        let mut found = String::new();
        let told = Told::by(|| {
            let response = log.invoke_blocking_with(context, Event::bytes("any", body)).unwrap();
            found = response.report().log_tail.clone();
        });
        assert_eq!(found, tail);
        assert_eq!(told.iter().any(|line| line.contains(&id)), !body.is_empty(), "{told:?}");
    }
}

#[test]
fn an_observer_that_panics_harms_nobody() {
    let heard = Arc::new(Mutex::new(0));
    let count = Arc::clone(&heard);
    let runtime = small()
        .observer(|_| panic!("on purpose"))
        .observer(move |_| *count.lock().unwrap() += 1)
        .build()
        .unwrap();
    let echo = deploy(&runtime, Function::wasm("echo", ECHO));
    for _ in 0..3 {
        assert_eq!(send(&echo, "any", "x").unwrap().text().unwrap(), "x");
    }
    let mut dropped = Box::pin(echo.invoke(Event::new("any")));
    let _ = poll(&mut dropped);
    drop(dropped);
    assert_eq!(*heard.lock().unwrap(), 4, "the others hear all the same");
}

#[test]
fn a_native_handler_that_panics_is_an_error() {
    let (runtime, heard) = Heard::runtime();
    let early = Function::native("early", |event: Event, _: Context| {
        assert!(!event.body().is_empty(), "before its future");
        async { Ok(Response::new()) }
    });
    let late = Function::native("late", async |event: Event, _: Context| -> Result<Response, Failure> {
        assert!(!event.body().is_empty(), "inside its future");
        Ok(Response::new())
    });
    for (function, said) in [(early, "before its future"), (late, "inside its future")] {
        let native = deploy(&runtime, function);
        let error = send(&native, "any", "").unwrap_err();
        assert_eq!((error.kind().name(), error.message()), ("panicked", Some(said)));
        assert_outcome(&heard.only(), "panicked", Some(Start::Native));
        assert!(send(&native, "any", "x").is_ok());
        heard.only();
    }
}

#[test]
fn an_error_is_one_pointer_wide() {
    assert_eq!(size_of::<fnhost::Error>(), size_of::<usize>());
}
