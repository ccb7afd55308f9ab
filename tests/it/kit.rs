//! What the tests share: guests, runtimes, and ways to wait that need no luck.

use std::fmt::Debug;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use fnhost::{
    Bytes, Context, Error, Event, Failure, Function, Handler, Isolation, Response, Runtime, RuntimeBuilder,
};
use tokio::sync::Semaphore;

pub(crate) const COMMAND: &[u8] = include_bytes!("../guests/command.wasm");
pub(crate) const COMMAND_P2: &[u8] = include_bytes!("../guests/command-p2.wasm");
pub(crate) const COUNTER: &[u8] = include_bytes!("../guests/counter.wasm");
pub(crate) const ECHO: &[u8] = include_bytes!("../guests/echo.wasm");
pub(crate) const ECHO_WASI: &[u8] = include_bytes!("../guests/echo-wasi.wasm");
pub(crate) const HELLO_JS: &[u8] = include_bytes!("../guests/hello-js.wasm");
pub(crate) const JSON: &[u8] = include_bytes!("../guests/json.wasm");
pub(crate) const MISBEHAVE: &[u8] = include_bytes!("../guests/misbehave.wasm");
pub(crate) const MISBEHAVE_BYTES: &[u8] = include_bytes!("../guests/misbehave-bytes.wasm");

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const REUSE: Isolation = Isolation::Reuse { max_uses: u64::MAX };

/// Answers the body.
pub(crate) const ANSWER_BODY: &str = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))";
pub(crate) const SPIN: &str = "(loop $l (br $l)) (unreachable)";
/// Calls the host function `hold` with nothing, then answers the body.
pub(crate) const HOLD: &str = "(drop (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0)))";
pub(crate) const IMPORT_HOLD: &str = r#"(import "fnhost" "call" (func $call (param i32 i32 i32 i32) (result i32)))
    (data (i32.const 8) "hold")"#;
/// Counts its events and answers the last digit.
pub(crate) const COUNT: &str =
    "(i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
    (i32.store8 (i32.const 1) (i32.add (i32.const 48) (i32.rem_u (i32.load8_u (i32.const 0)) (i32.const 10))))
    (i64.const 0x1_0000_0001)";

/// A core module of the bytes contract with one page of memory; bodies arrive at 1024, in `$at` and `$len`.
pub(crate) fn module(more: &str, handle: &str) -> String {
    format!(
        r#"(module {more}
            (memory (export "memory") 1)
            (func (export "fnhost_alloc") (param i32) (result i32) i32.const 1024)
            (func (export "fnhost_handle") (param $at i32) (param $len i32) (result i64) {handle}))"#
    )
}

/// A guest that calls the granted function `hold`, then answers the body.
pub(crate) fn holding(name: &str, latch: &Latch) -> Function {
    let hold = latch.clone();
    Function::wasm(name, module(IMPORT_HOLD, &format!("{HOLD} {ANSWER_BODY}")))
        .grant("hold", move |_: Bytes, _: Context| hold.clone().pass(Bytes::new()))
}

/// A runtime small enough to be made by every test.
pub(crate) fn small() -> RuntimeBuilder {
    Runtime::builder().places(16).shards(2)
}

pub(crate) fn runtime() -> Runtime {
    small().build().expect("a small runtime")
}

/// Deploys to a runtime that exists.
#[track_caller]
pub(crate) fn deploy(runtime: &Runtime, function: Function) -> Handler {
    let name = function.name().to_string();
    if let Err(error) = runtime.block_on(runtime.deploy(function)) {
        panic!("{name} is not deployed: {error}");
    }
    runtime.handler(&name).expect("it was deployed just now")
}

/// Deploys to a runtime of its own.
#[track_caller]
pub(crate) fn host(function: Function) -> (Runtime, Handler) {
    let runtime = runtime();
    let handler = deploy(&runtime, function);
    (runtime, handler)
}

/// What keeps a function from being deployed.
#[track_caller]
pub(crate) fn refused(runtime: &Runtime, function: Function) -> Error {
    runtime.block_on(runtime.deploy(function)).expect_err("this function must be refused")
}

#[track_caller]
pub(crate) fn send(handler: &Handler, event_type: &str, body: impl Into<Bytes>) -> Result<Response, Error> {
    handler.invoke_blocking(Event::bytes(event_type, body.into()))
}

/// Sends an event that must be answered, with text.
#[track_caller]
pub(crate) fn ask(handler: &Handler, event_type: &str, body: impl Into<Bytes>) -> String {
    text(send(handler, event_type, body))
}

#[track_caller]
pub(crate) fn text(answer: Result<Response, Error>) -> String {
    match answer {
        Ok(response) => response.text().expect("text").into(),
        Err(error) => panic!("no answer: {error}"),
    }
}

/// The name of the kind of an error that must have come.
#[track_caller]
pub(crate) fn kind<T: Debug>(ended: Result<T, Error>) -> &'static str {
    ended.expect_err("an error").kind().name()
}

/// Asserts that an error says all of this.
#[track_caller]
pub(crate) fn says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
}

/// Asserts that nothing runs, waits or is held, but for idle guests.
#[track_caller]
pub(crate) fn assert_quiet(runtime: &Runtime, handlers: &[&Handler]) {
    let mut idle = 0;
    for handler in handlers {
        until("large guests end", || {
            let stats = handler.stats().expect("it is deployed");
            stats.running + stats.waiting > 0 || stats.live == stats.idle + stats.prepared
        });
        let stats = handler.stats().expect("it is deployed");
        let kept = stats.idle + stats.prepared;
        assert_eq!((stats.running, stats.waiting, stats.live), (0, 0, kept), "{handler:?}: {stats:?}");
        idle += kept;
    }
    // A guest is counted off first, and gives its room back second.
    until("rooms are given back", || runtime.stats().places_taken as usize <= idle);
    let stats = runtime.stats();
    assert_eq!(stats.waiting, 0, "{stats:?}");
    assert_eq!(stats.places_taken as usize, idle, "{stats:?}");
    assert!(idle > 0 || stats.memory_taken == 0, "{stats:?}");
}

/// Polls once, with nobody to be woken.
pub(crate) fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()))
}

/// Waits for something that another thread does; fails when it is not done within ten seconds.
#[track_caller]
pub(crate) fn until(what: &str, mut is_done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_done() {
        assert!(since.elapsed() < Duration::from_secs(10), "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Holds who passes until it is opened, and counts who came.
#[derive(Clone, Debug)]
pub(crate) struct Latch {
    shut: Arc<Semaphore>,
    came: Arc<AtomicUsize>,
}

impl Latch {
    pub(crate) fn new() -> Self {
        Self { shut: Arc::new(Semaphore::new(0)), came: Arc::default() }
    }

    pub(crate) fn open(&self) {
        self.shut.close();
    }

    pub(crate) fn came(&self) -> usize {
        self.came.load(SeqCst)
    }

    /// Answers the value once the latch is open.
    pub(crate) async fn pass<T>(self, value: T) -> Result<T, Failure> {
        self.came.fetch_add(1, SeqCst);
        // It is closed in place of opened, so that everybody passes.
        let _ = self.shut.acquire().await;
        Ok(value)
    }
}

/// A native function that answers once the latch is open.
pub(crate) fn native_holding(name: &str, latch: &Latch) -> Function {
    let latch = latch.clone();
    Function::native(name, move |_: Event, _: Context| latch.clone().pass(Response::new()))
}

/// Numbers that look random and are the same in each run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Answers a number below the given one.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) % sides
    }
}

pub(crate) fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

static MACHINE: RwLock<()> = RwLock::new(());

/// Held by a test that measures time: no other one of these, and none that keeps the machine busy, runs beside it.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Held by a test that keeps the machine busy.
pub(crate) fn busy() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

const CHILD: &str = "FNHOST_TEST_CHILD";
const SAYS: &str = "the child says: ";

/// Runs the body in a process of its own, in which this is the only test, and answers what it says.
///
/// None in that process itself. The limit is one that the shell's `ulimit` understands.
#[track_caller]
pub(crate) fn in_child(test: &str, limit: &str, body: impl FnOnce() -> String) -> Option<String> {
    if std::env::var(CHILD).is_ok_and(|name| name == test) {
        println!("\n{SAYS}{}", body());
        return None;
    }
    let exe = std::env::current_exe().expect("this test is a file");
    let script = if limit.is_empty() { String::new() } else { format!("ulimit {limit} && ") };
    let output = Command::new("sh")
        .args(["-c", &format!(r#"{script}exec "$0" "$@""#)])
        .arg(exe)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .output()
        .expect("a shell");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the child failed:\n{out}\n{err}");
    let said = out.lines().find_map(|line| line.strip_prefix(SAYS));
    Some(said.unwrap_or_else(|| panic!("the child says nothing:\n{out}\n{err}")).to_string())
}
