//! Time that is over: each guest dies at its own deadline, wherever it is, and harms nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use fnhost::{
    Bytes, Context, Error, ErrorKind, Event, Failure, Function, Handler, Init, Isolation, Phase, Response,
    Runtime,
};

use crate::kit::{
    ANSWER_BODY, COMMAND, COMMAND_P2, HOLD, IMPORT_HOLD, Latch, MISBEHAVE, MISBEHAVE_BYTES, SPIN, alone, ask,
    assert_quiet, deploy, host, median, module, native_holding, poll, runtime, says, send, small,
};

const LONG: Duration = Duration::from_secs(60);
const ROUNDS: usize = 10;

/// Spins for 200 ms, then answers the body.
fn busy_for_a_while() -> Function {
    let handle = format!("(loop $l (br_if $l (i64.gt_s (call $left) (i64.const 59800)))) {ANSWER_BODY}");
    let import = r#"(import "fnhost" "remaining_ms" (func $left (result i64)))"#;
    Function::wasm("busy", module(import, &handle)).timeout(LONG)
}

fn spinning(name: &str, timeout: Duration) -> Function {
    Function::wasm(name, module("", SPIN)).timeout(timeout)
}

#[track_caller]
fn assert_timed_out(ended: Result<Response, Error>, phase: Phase, limit: Duration) {
    let error = ended.expect_err("a deadline");
    let ErrorKind::TimedOut { phase: found, limit: told } = *error.kind() else { panic!("{error}") };
    assert_eq!(found, phase, "{error}");
    // A caller's deadline is told as what was left of it.
    assert!(told <= limit && told + Duration::from_millis(200) > limit, "{told:?} of {limit:?}");
    assert!(error.is_timeout() && error.is_retryable());
    let total = error.report().expect("a report").total;
    assert!(total >= told && total < LONG / 2, "{total:?}");
}

/// How late each of three guests died, in one round, and how the fourth fared.
async fn staggered(deadlines: &[(Handler, Duration)], busy: &Handler) -> Vec<Duration> {
    let untouched = tokio::spawn({
        let busy = busy.clone();
        async move { busy.invoke(Event::bytes("work", "done")).await }
    });
    let mut dying = Vec::new();
    for (handler, timeout) in deadlines {
        let (handler, timeout) = (handler.clone(), *timeout);
        dying.push(tokio::spawn(async move {
            let started = Instant::now();
            let ended = handler.invoke(Event::new("spin")).await;
            let lived = started.elapsed();
            assert_timed_out(ended, Phase::Handler, timeout);
            lived.checked_sub(timeout).expect("no earlier than its deadline")
        }));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut late = Vec::new();
    for task in dying {
        late.push(task.await.unwrap());
    }
    let answer = untouched.await.unwrap().expect("nobody else's deadline is its own");
    assert_eq!(answer.text().unwrap(), "done");
    late
}

/// Does something beside a thread that only sleeps; tells how late that one woke at worst.
fn beside_a_sleeper<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    const NAP: Duration = Duration::from_millis(1);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let mut latest = Duration::ZERO;
            while !over.load(SeqCst) {
                let since = Instant::now();
                std::thread::sleep(NAP);
                latest = latest.max(since.elapsed().saturating_sub(NAP));
            }
            latest
        });
        let done = act();
        over.store(true, SeqCst);
        (done, sleeper.join().unwrap())
    })
}

#[test]
fn each_guest_dies_at_its_own_deadline_and_a_fourth_finishes() {
    let _alone = alone();
    let runtime = runtime();
    let ms = Duration::from_millis;
    let spin = |name: &str, timeout| (deploy(&runtime, spinning(name, timeout)), timeout);
    let deadlines = [spin("first", ms(110)), spin("second", ms(50)), spin("third", ms(70))];
    let busy = deploy(&runtime, busy_for_a_while());
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let rounds: Vec<_> =
        (0..ROUNDS).map(|_| beside_a_sleeper(|| executor.block_on(staggered(&deadlines, &busy)))).collect();
    for guest in 0..deadlines.len() {
        let later = rounds.iter().map(|(late, slept)| late[guest].saturating_sub(*slept)).collect();
        let later = median(later);
        assert!(later <= ms(5), "guest {guest} died {later:?} later than a sleeper wakes: {rounds:?}");
    }
    assert_quiet(&runtime, &[&deadlines[0].0, &deadlines[1].0, &deadlines[2].0, &busy]);
}

#[test]
fn a_guest_that_spins_dies_at_its_deadline() {
    let timeout = Duration::from_millis(60);
    let runtime = runtime();
    let functions = [
        spinning("module", timeout),
        Function::wasm("bytes", MISBEHAVE_BYTES).timeout(timeout),
        Function::wasm("component", MISBEHAVE).timeout(timeout),
        Function::wasm("command", COMMAND).arg("spin").timeout(timeout),
    ];
    for function in functions {
        let handler = deploy(&runtime, function);
        let body: &[u8] = &[14];
        assert_timed_out(send(&handler, "spin", body), Phase::Handler, timeout);
        assert_quiet(&runtime, &[&handler]);
    }
}

#[test]
fn a_guest_asleep_in_wasi_dies_at_its_deadline() {
    let timeout = Duration::from_millis(80);
    let runtime = runtime();
    let functions = [
        Function::wasm("component", MISBEHAVE),
        Function::wasm("command", COMMAND).args(["sleep", "60000"]),
        Function::wasm("command-p2", COMMAND_P2).args(["sleep", "60000"]),
    ];
    for function in functions {
        let handler = deploy(&runtime, function.timeout(timeout));
        assert_timed_out(send(&handler, "sleep", "60000"), Phase::Handler, timeout);
        assert_quiet(&runtime, &[&handler]);
    }
}

/// Says that it was dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// A host function that never answers, and tells when its future is dropped.
fn never(dropped: &Arc<AtomicBool>) -> impl Fn(Bytes, Context) -> NeverAnswers + use<> {
    let dropped = Arc::clone(dropped);
    move |_, _| {
        let flag = Dropped(Arc::clone(&dropped));
        Box::pin(async move {
            let _flag = flag;
            std::future::pending().await
        })
    }
}

type NeverAnswers = std::pin::Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send>>;

#[test]
fn a_granted_function_that_never_answers_is_dropped_at_the_deadline() {
    let timeout = Duration::from_millis(60);
    let runtime = runtime();
    let functions = [
        Function::wasm("module", module(IMPORT_HOLD, &format!("{HOLD} {ANSWER_BODY}"))),
        Function::wasm("component", MISBEHAVE),
    ];
    for function in functions {
        let dropped = Arc::new(AtomicBool::new(false));
        let handler = deploy(&runtime, function.timeout(timeout).grant("hold", never(&dropped)));
        let event = Event::new("call").with_subject("hold");
        assert_timed_out(handler.invoke_blocking(event), Phase::Handler, timeout);
        assert!(dropped.load(SeqCst), "its future goes before the error comes");
        assert_quiet(&runtime, &[&handler]);
    }
}

#[test]
fn a_native_handler_that_never_answers_is_dropped_at_the_deadline() {
    let dropped = Arc::new(AtomicBool::new(false));
    let never = never(&dropped);
    let timeout = Duration::from_millis(60);
    let native = Function::native("native", move |event: Event, context| {
        let never = never(event.body().clone(), context);
        async move { never.await.map(Response::from_bytes) }
    });
    let (_runtime, native) = host(native.timeout(timeout));
    assert_timed_out(send(&native, "wait", ""), Phase::Handler, timeout);
    assert!(dropped.load(SeqCst));
}

#[test]
fn an_init_that_does_not_end_dies_at_its_own_deadline() {
    let timeout = Duration::from_millis(60);
    let runtime = runtime();
    let inits = [
        ("init", format!(r#"(func (export "fnhost_init") (result i32) {SPIN})"#)),
        ("initialize", format!(r#"(func (export "_initialize") {SPIN})"#)),
        ("start", format!("(func $start {SPIN}) (start $start)")),
        (
            "waits",
            format!(r#"{IMPORT_HOLD} (func (export "fnhost_init") (result i32) {HOLD} (i32.const 0))"#),
        ),
    ];
    for (name, init) in inits {
        let latch = Latch::new();
        let function = Function::wasm(name, module(&init, ANSWER_BODY))
            .init_timeout(timeout)
            .timeout(LONG)
            .init(Init::PerGuest)
            .grant("hold", move |_: Bytes, _: Context| latch.clone().pass(Bytes::new()));
        let handler = deploy(&runtime, function);
        for _ in 0..2 {
            assert_timed_out(send(&handler, "any", "x"), Phase::Init, timeout);
            assert_quiet(&runtime, &[&handler]);
        }
    }
}

#[test]
fn init_and_handler_have_a_deadline_each() {
    let spin_200_ms = "(loop $l (br_if $l (i64.gt_s (call $left) (i64.const 59800))))";
    let import = r#"(import "fnhost" "remaining_ms" (func $left (result i64)))"#;
    let init = format!(r#"{import} (func (export "fnhost_init") (result i32) {spin_200_ms} (i32.const 0))"#);
    let function = Function::wasm("f", module(&init, ANSWER_BODY))
        .init_timeout(LONG)
        .init(Init::PerGuest)
        .timeout(Duration::from_millis(150));
    let (_runtime, f) = host(function);
    assert_eq!(ask(&f, "any", "x"), "x", "what init took is not taken from the handler");
}

#[test]
fn an_event_that_waits_for_a_permit_too_long_says_so() {
    let latch = Latch::new();
    let queue_timeout = Duration::from_millis(60);
    let (runtime, held) = host(native_holding("held", &latch).concurrency(1).queue_timeout(queue_timeout));
    let mut running = Box::pin(held.invoke(Event::new("first")));
    assert!(poll(&mut running).is_pending());
    assert_timed_out(send(&held, "second", ""), Phase::Queue, queue_timeout);
    let stats = held.stats().unwrap();
    assert_eq!((stats.running, stats.waiting), (1, 0));
    drop(running);
    assert_quiet(&runtime, &[&held]);
}

#[test]
fn an_event_that_waits_for_a_place_too_long_says_so() {
    let latch = Latch::new();
    let runtime = small().places(1).build().unwrap();
    let held = deploy(&runtime, crate::kit::holding("held", &latch).timeout(LONG));
    let queue_timeout = Duration::from_millis(60);
    let echo = Function::wasm("echo", module("", ANSWER_BODY)).queue_timeout(queue_timeout);
    let echo = deploy(&runtime, echo);
    let mut running = Box::pin(held.invoke(Event::new("first")));
    assert!(poll(&mut running).is_pending());
    assert_timed_out(send(&echo, "second", ""), Phase::Queue, queue_timeout);
    drop(running);
    assert_quiet(&runtime, &[&held, &echo]);
    assert_eq!(ask(&echo, "third", "x"), "x");
}

#[test]
fn the_callers_deadline_cuts_the_queue_init_and_the_handler() {
    let limit = Duration::from_millis(60);
    let send = |handler: &Handler| {
        handler.invoke_blocking_with(Context::new().with_timeout(limit), Event::bytes("any", "x"))
    };
    let runtime = runtime();
    let init = format!(r#"(func (export "fnhost_init") (result i32) {SPIN})"#);
    let init = Function::wasm("init", module(&init, ANSWER_BODY)).init_timeout(LONG).timeout(LONG);
    let init = init.init(Init::PerGuest);
    assert_timed_out(send(&deploy(&runtime, init)), Phase::Init, limit);
    assert_timed_out(send(&deploy(&runtime, spinning("spin", LONG))), Phase::Handler, limit);

    let latch = Latch::new();
    let held = deploy(&runtime, native_holding("held", &latch).concurrency(1).timeout(LONG));
    let mut running = Box::pin(held.invoke(Event::new("first")));
    assert!(poll(&mut running).is_pending());
    assert_timed_out(send(&held), Phase::Queue, limit);
}

#[test]
fn an_event_that_comes_after_its_deadline_never_starts() {
    let (_runtime, echo) = host(Function::wasm("echo", module("", ANSWER_BODY)));
    let late = Context::new().with_deadline(Instant::now());
    let error = echo.invoke_blocking_with(late, Event::bytes("late", "x")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { phase: Phase::Queue, .. }), "{error}");
    assert_eq!(echo.stats().unwrap().created, 0);
}

#[test]
fn the_callers_deadline_never_adds_to_the_functions_own() {
    let timeout = Duration::from_millis(60);
    let (_runtime, spin) = host(spinning("spin", timeout));
    let patient = Context::new().with_timeout(LONG);
    assert_timed_out(spin.invoke_blocking_with(patient, Event::new("any")), Phase::Handler, timeout);
}

#[test]
fn a_time_out_names_phase_limit_and_fix() {
    let (_runtime, spin) = host(spinning("spin", Duration::from_millis(60)));
    let error = send(&spin, "spin", "").unwrap_err();
    says(&error, &["the handler", "0.060 s", "`timeout`"]);
}

#[test]
fn a_reused_guest_gets_the_whole_time_for_each_event() {
    let isolation = Isolation::Reuse { max_uses: 100 };
    let function = busy_for_a_while().isolation(isolation);
    let (_runtime, busy) = host(function);
    for _ in 0..3 {
        assert_eq!(ask(&busy, "work", "done"), "done");
    }
    assert_eq!(busy.stats().unwrap().created, 1);
}

/// Asks for a millisecond of sleep again and again, and knows the longest time that it took.
struct Ticks {
    longest: Duration,
    last: Instant,
    /// How long the system had kept this thread from running by then.
    kept: Duration,
}

impl Ticks {
    fn new() -> Self {
        Self { longest: Duration::ZERO, last: Instant::now(), kept: kept_from_running() }
    }

    /// A machine that is shared stops a thread that has work before one that only sleeps: that is no wait of ours.
    fn tick(&mut self) {
        let (now, kept) = (Instant::now(), kept_from_running());
        let waited = now.duration_since(self.last).saturating_sub(kept - self.kept);
        *self = Self { longest: self.longest.max(waited), last: now, kept };
    }
}

/// How long this thread was ready to run and did not, as far as the system tells.
fn kept_from_running() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// One round: so many guests spin on one executor thread, beside a task that ticks there and a thread that only
/// sleeps; answers how much longer the task waited than the thread.
fn starve(executor: &tokio::runtime::Runtime, spin: &Handler, guests: usize) -> Duration {
    let over = Arc::new(AtomicBool::new(false));
    let control = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut ticks = Ticks::new();
            while !over.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
                ticks.tick();
            }
            ticks.longest
        }
    });
    let ticks = executor.block_on(async {
        let tasks: Vec<_> = (0..guests)
            .map(|_| {
                let spin = spin.clone();
                tokio::spawn(async move { spin.invoke(Event::new("spin")).await })
            })
            .collect();
        let mut ticks = Ticks::new();
        while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            ticks.tick();
        }
        for task in tasks {
            assert!(task.await.unwrap().unwrap_err().is_timeout());
        }
        ticks.longest
    });
    over.store(true, SeqCst);
    ticks.saturating_sub(control.join().unwrap())
}

#[track_caller]
fn assert_others_run(guests: usize) {
    let _alone = alone();
    let runtime: Runtime = small().build().unwrap();
    let spin = deploy(&runtime, spinning("spin", Duration::from_millis(200)));
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let more: Vec<_> = (0..ROUNDS).map(|_| starve(&executor, &spin, guests)).collect();
    let usual = median(more.clone());
    assert!(usual <= Duration::from_millis(30), "a task waits {usual:?} longer beside {guests}: {more:?}");
    assert_quiet(&runtime, &[&spin]);
}

#[test]
fn a_spinning_guest_does_not_starve_its_executor_thread() {
    assert_others_run(1);
}

#[test]
fn ten_spinning_guests_do_not_starve_their_executor_thread() {
    assert_others_run(10);
}
