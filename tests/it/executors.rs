//! The same cases wherever the host runs them: under any executor, on a plain thread, inside an async task.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use fnhost::{Bytes, Context, Error, Event, Failure, Function, Handler, Phase, Response, Runtime, Start};
use tokio::runtime::{Builder, Handle};

use crate::kit::{
    ANSWER_BODY, COMMAND, ECHO, MISBEHAVE, MISBEHAVE_BYTES, REUSE, assert_quiet, deploy, module, runtime,
};

/// One runtime with everything that the cases need.
struct House {
    runtime: Runtime,
    echo: Handler,
    misbehave: Handler,
    count: Handler,
    stream: Handler,
    native: Handler,
    /// Computes for 30 ms.
    busy: Handler,
}

const IMPORT_LEFT: &str = r#"(import "fnhost" "remaining_ms" (func $left (result i64)))"#;

/// Waits as every executor can: another thread wakes it.
async fn nap() {
    let (done, slept) = tokio::sync::oneshot::channel::<()>();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        drop(done);
    });
    let _ = slept.await;
}

async fn ask_slowly(body: Bytes, context: Context) -> Result<Bytes, Failure> {
    nap().await;
    Ok(format!("{} for {}", String::from_utf8_lossy(&body), context.function()).into())
}

async fn shout(event: Event, _: Context) -> Result<Response, Failure> {
    nap().await;
    // More than tokio lets one task do before its scheduler has a turn, and a turn that is asked for.
    let free = tokio::sync::Semaphore::new(1);
    for _ in 0..300 {
        drop(free.acquire().await?);
    }
    tokio::task::yield_now().await;
    Ok(Response::from_text(event.body_text()?.to_uppercase()))
}

/// All cases on a runtime of the caller's, on a plain thread and under an executor.
pub(crate) fn core_cases(runtime: Runtime) {
    let house = House::of(runtime);
    house.passes_blocking();
    Builder::new_multi_thread().enable_all().build().unwrap().block_on(house.passes());
    house.is_quiet();
}

impl House {
    fn new() -> Self {
        Self::of(runtime())
    }

    fn of(runtime: Runtime) -> Self {
        let busy = format!("(loop $l (br_if $l (i64.gt_s (call $left) (i64.const 2970)))) {ANSWER_BODY}");
        let misbehave = Function::wasm("misbehave", MISBEHAVE)
            .timeout(Duration::from_millis(150))
            .grant("ask", ask_slowly);
        Self {
            echo: deploy(&runtime, Function::wasm("echo", ECHO)),
            misbehave: deploy(&runtime, misbehave),
            count: deploy(&runtime, Function::wasm("count", MISBEHAVE_BYTES).isolation(REUSE).concurrency(1)),
            stream: deploy(&runtime, Function::wasm("stream", COMMAND).args(["stream", "20"])),
            native: deploy(&runtime, Function::native("native", shout)),
            busy: deploy(&runtime, Function::wasm("busy", module(IMPORT_LEFT, &busy))),
            runtime,
        }
    }

    async fn misbehave(&self, event_type: &str, body: &'static str) -> Result<Response, Error> {
        self.misbehave.invoke(Event::bytes(event_type, body).with_subject("ask")).await
    }

    /// Everything that must be the same wherever it runs.
    async fn passes(&self) {
        let answer = self.echo.invoke(Event::bytes("any", "hello")).await.unwrap();
        assert_eq!(answer.text().unwrap(), "hello");
        self.fails().await;
        let asked = self.misbehave("call", "7").await.unwrap();
        assert_eq!(asked.text().unwrap(), "7 for misbehave");
        assert_eq!(self.misbehave("sleep", "10").await.unwrap().text().unwrap(), "slept");
        let shouted = self.native.invoke(Event::bytes("any", "quiet")).await.unwrap();
        assert_eq!(shouted.text().unwrap(), "QUIET");
        assert!(shouted.report().total < Duration::from_secs(2), "only its deadline woke it: {shouted:?}");
        let worked = self.busy.invoke(Event::bytes("any", "done")).await.unwrap();
        assert_eq!(worked.text().unwrap(), "done");
        self.counts().await;
        self.streams().await;
        self.deploys().await;
    }

    async fn fails(&self) {
        let failed = self.misbehave("fail", "on purpose").await.unwrap_err();
        assert_eq!((failed.kind().name(), failed.message()), ("failed", Some("on purpose")));
        assert_eq!(self.misbehave("trap", "").await.unwrap_err().kind().name(), "trapped");
        for event_type in ["spin", "sleep"] {
            let error = self.misbehave(event_type, "60000").await.unwrap_err();
            let in_handler =
                matches!(error.kind(), fnhost::ErrorKind::TimedOut { phase: Phase::Handler, .. });
            assert!(in_handler, "{event_type}: {error}");
        }
    }

    async fn counts(&self) {
        let mut last = 0;
        for _ in 0..3 {
            let answer = self.count.invoke(Event::bytes("any", &[16][..])).await.unwrap();
            let number: u32 = answer.text().unwrap().parse().unwrap();
            assert!(last == 0 || (number == last + 1 && answer.report().start == Some(Start::Reused)));
            last = number;
        }
    }

    async fn streams(&self) {
        let mut stream = self.stream.stream(Event::new("any")).await.unwrap();
        let mut bytes = 0;
        while let Some(chunk) = stream.next().await {
            bytes += chunk.unwrap().len();
        }
        assert_eq!(bytes, 20 * 64 * 1024);
        assert_eq!(stream.report().expect("it has ended").bytes_out, bytes as u64);
    }

    async fn deploys(&self) {
        let name = format!("late-{:?}", thread::current().id()).replace(['(', ')'], "");
        self.runtime.deploy(Function::wasm(name.clone(), ECHO)).await.unwrap();
        let late = self.runtime.handler(&name).unwrap();
        assert!(late.invoke(Event::new("any")).await.is_ok());
        self.runtime.remove(&name).await.unwrap();
    }

    /// The same with the calls that block.
    fn passes_blocking(&self) {
        self.runtime.block_on(self.passes());
        let answer = self.echo.invoke_blocking(Event::bytes("any", "hello")).unwrap();
        assert_eq!(answer.text().unwrap(), "hello");
        let slept = self.misbehave.invoke_blocking(Event::bytes("sleep", "10")).unwrap();
        assert_eq!(slept.text().unwrap(), "slept");
    }

    fn is_quiet(&self) {
        let all = [&self.echo, &self.misbehave, &self.count, &self.stream, &self.native, &self.busy];
        assert_quiet(&self.runtime, &all);
        let down = self.runtime.block_on(self.runtime.shutdown(Duration::from_secs(1)));
        assert_eq!(down.cancelled, 0);
    }
}

#[test]
fn everything_works_on_a_tokio_thread() {
    let house = House::new();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(house.passes());
    house.is_quiet();
}

#[test]
fn everything_works_on_tokio_threads() {
    let house = Arc::new(House::new());
    let executor = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    executor.block_on(async {
        let passing = Arc::clone(&house);
        tokio::spawn(async move { passing.passes().await }).await.unwrap();
        house.passes().await;
    });
    house.is_quiet();
}

#[test]
fn everything_works_under_a_tokio_without_timers() {
    let house = Arc::new(House::new());
    Builder::new_current_thread().build().unwrap().block_on(house.passes());
    let executor = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let passing = Arc::clone(&house);
    executor.block_on(executor.spawn(async move { passing.passes().await })).unwrap();
    house.is_quiet();
}

#[test]
fn everything_works_on_a_plain_thread() {
    let house = House::new();
    house.passes_blocking();
    house.is_quiet();
}

/// Wakes a thread, as the simplest executor does.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn everything_works_under_an_executor_of_somebody_elses() {
    let house = House::new();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut passing = pin!(house.passes());
    while passing.as_mut().poll(&mut TaskContext::from_waker(&waker)) == Poll::Pending {
        thread::park();
    }
    house.is_quiet();
}

#[test]
fn calls_that_block_work_inside_an_async_task() {
    let house = Arc::new(House::new());
    let executors = [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ];
    for executor in executors {
        let passing = Arc::clone(&house);
        executor.block_on(executor.spawn(async move { passing.passes_blocking() })).unwrap();
        executor.block_on(async { house.passes_blocking() });
    }
    house.is_quiet();
}

#[test]
fn a_guest_may_be_polled_by_another_thread_each_time() {
    let house = Arc::new(House::new());
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let passing = Arc::clone(&house);
    let mut passing = Box::pin(async move { passing.passes().await });
    loop {
        let waker = waker.clone();
        let polled = thread::spawn(move || {
            let polled = passing.as_mut().poll(&mut TaskContext::from_waker(&waker));
            (polled, passing)
        });
        let (polled, rest) = polled.join().unwrap();
        passing = rest;
        if polled.is_ready() {
            break;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
    drop(passing);
    house.is_quiet();
}

#[test]
fn granted_functions_and_native_handlers_see_the_hosts_own_executor() {
    let runtime = runtime();
    let seen = async |_: Bytes, _: Context| -> Result<Bytes, Failure> {
        // Only where timers are on, which ours has and the host's here has too.
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(Handle::current().id().to_string().into())
    };
    let granted = deploy(&runtime, Function::wasm("granted", MISBEHAVE).grant("see", seen));
    let native = Function::native("native", async |_: Event, _: Context| {
        Ok(Response::from_text(Handle::current().id().to_string()))
    });
    let native = deploy(&runtime, native);
    for executor in [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ] {
        let own = executor.handle().id().to_string();
        let asked = Event::new("call").with_subject("see");
        let seen = executor.block_on(granted.invoke(asked)).unwrap();
        assert_eq!(seen.text().unwrap(), own);
        let seen = executor.block_on(native.invoke(Event::new("any"))).unwrap();
        assert_eq!(seen.text().unwrap(), own);
    }
}

#[test]
fn a_runtime_may_be_dropped_inside_an_async_task() {
    for executor in [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ] {
        executor.block_on(async {
            let house = House::new();
            house.misbehave("sleep", "1").await.unwrap();
            drop(house);
        });
    }
}
