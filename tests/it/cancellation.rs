//! Futures dropped wherever they stand leave nothing behind.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fnhost::{Bytes, Context, Event, Function, Handler, Init, Outcome, Report, RequestId, Runtime};

use crate::kit::{
    ANSWER_BODY, COMMAND, Dice, ECHO, HOLD, IMPORT_HOLD, Latch, MISBEHAVE, REUSE, SPIN, ask, assert_quiet,
    busy, deploy, host, module, native_holding, poll, runtime, send, small, until,
};

const INVOCATIONS: usize = 10_000;
/// As many at once as fill every queue.
const AT_ONCE: usize = 24;

/// What an invocation is, once nobody cares for its answer.
type Invocation<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Functions whose invocations stop at every await that there is.
struct House {
    runtime: Runtime,
    handlers: Vec<Handler>,
    command: Handler,
    latch: Latch,
    heard: Arc<Mutex<Vec<Report>>>,
}

impl House {
    fn new() -> Self {
        let heard = Arc::<Mutex<Vec<Report>>>::default();
        let all = Arc::clone(&heard);
        let runtime = small()
            .places(6)
            .observer(move |report: &Report| all.lock().unwrap().push(report.clone()))
            .build()
            .unwrap();
        let latch = Latch::new();
        let hold = |function: Function| {
            let latch = latch.clone();
            function.grant("hold", move |_: Bytes, _: Context| latch.clone().pass(Bytes::new()))
        };
        let init =
            format!(r#"{IMPORT_HOLD} (func (export "fnhost_init") (result i32) {HOLD} (i32.const 0))"#);
        let functions = [
            native_holding("native", &latch).concurrency(2),
            Function::wasm("bytes", module("", ANSWER_BODY)),
            Function::wasm("echo", ECHO).isolation(REUSE),
            hold(Function::wasm("granted", MISBEHAVE)).concurrency(2),
            hold(Function::wasm("reused", MISBEHAVE)).isolation(REUSE).concurrency(2).queue(3),
            hold(Function::wasm("init", module(&init, ANSWER_BODY)).init(Init::PerGuest)),
            Function::wasm("sleep", COMMAND).args(["sleep", "60000"]).concurrency(2),
        ];
        let handlers =
            functions.map(|function| deploy(&runtime, function.timeout(Duration::from_secs(60)))).into();
        let command = deploy(&runtime, Function::wasm("stream", COMMAND).args(["stream", "8"]));
        Self { runtime, handlers, command, latch, heard }
    }

    /// One invocation of whatever function, as a call or as a stream that is read.
    fn invoke(&self, dice: &mut Dice) -> (RequestId, Invocation<'_>) {
        let tenants = ["ada", "bob", "cleo"];
        let tenant = tenants[dice.roll(3) as usize];
        let context = Context::new().with_tenant(tenant);
        let id = context.request_id();
        let what = dice.roll(self.handlers.len() as u64 + 1) as usize;
        let event_type = ["ok", "call", "sleep", "fail"][dice.roll(4) as usize];
        let event = Event::bytes(event_type, "60000").with_subject("hold");
        let invocation: Invocation<'_> = match self.handlers.get(what) {
            Some(handler) if dice.roll(4) > 0 => Box::pin(async move {
                let _ = handler.invoke_with(context, event).await;
            }),
            handler => {
                let handler = handler.unwrap_or(&self.command);
                Box::pin(async move {
                    let Ok(mut stream) = handler.stream_with(context, event).await else { return };
                    while let Some(Ok(_)) = stream.next().await {}
                })
            }
        };
        (id, invocation)
    }

    /// Keeps so many invocations going, polls and drops them at random, and answers which ever began.
    fn drop_at_random(&self, invocations: usize, seed: u64) -> HashSet<RequestId> {
        let mut dice = Dice::new(seed);
        let mut going: Vec<(RequestId, Invocation<'_>)> = Vec::new();
        let mut begun = HashSet::new();
        for _ in 0..invocations {
            let (id, mut invocation) = self.invoke(&mut dice);
            let polls = dice.roll(4);
            if polls > 0 {
                begun.insert(id);
            }
            if (0..polls).all(|_| poll(&mut invocation).is_pending()) {
                going.push((id, invocation));
            }
            if going.len() >= AT_ONCE {
                let at = dice.roll(going.len() as u64) as usize;
                drop(going.swap_remove(at));
            }
            let at = dice.roll(AT_ONCE as u64 * 2) as usize;
            if at < going.len() {
                begun.insert(going[at].0);
                if poll(&mut going[at].1).is_ready() {
                    drop(going.swap_remove(at));
                }
            }
        }
        begun
    }

    #[track_caller]
    fn has_nothing_left(&self) {
        let all: Vec<&Handler> = self.handlers.iter().chain([&self.command]).collect();
        assert_quiet(&self.runtime, &all);
    }
}

#[test]
fn ten_thousand_invocations_dropped_at_random_leave_nothing_behind() {
    let _busy = busy();
    let house = House::new();
    let begun: HashSet<RequestId> = thread::scope(|scope| {
        let house = &house;
        let threads: Vec<_> =
            (0..2).map(|seed| scope.spawn(move || house.drop_at_random(INVOCATIONS / 2, seed))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    house.has_nothing_left();
    let heard = std::mem::take(&mut *house.heard.lock().unwrap());
    let ids: HashSet<RequestId> = heard.iter().map(|report| report.request_id).collect();
    assert_eq!(heard.len(), ids.len(), "nobody ends twice");
    assert_eq!(ids, begun, "everybody who began has ended");
    let cancelled = heard.iter().filter(|report| report.outcome == Outcome::Error("cancelled")).count();
    assert!(cancelled > INVOCATIONS / 4 && heard.len() < INVOCATIONS, "{cancelled} of {}", heard.len());

    house.latch.open();
    for handler in &house.handlers[..6] {
        assert!(send(handler, "ok", "x").is_ok(), "{handler:?}");
    }
    assert!(send(&house.command, "ok", "").is_ok());
    house.has_nothing_left();
}

#[test]
fn a_guest_that_spins_can_be_dropped_between_two_slices() {
    let (runtime, spin) = host(Function::wasm("spin", module("", SPIN)).concurrency(1));
    for _ in 0..20 {
        let mut spinning = Box::pin(spin.invoke(Event::new("spin")));
        assert!(poll(&mut spinning).is_pending(), "it yields at the first tick");
        assert_eq!(spin.stats().unwrap().live, 1);
        drop(spinning);
        assert_quiet(&runtime, &[&spin]);
    }
}

#[test]
fn invocations_that_other_threads_drop_leave_nothing_behind() {
    let _busy = busy();
    let latch = Latch::new();
    let (runtime, held) =
        host(crate::kit::holding("held", &latch).concurrency(4).timeout(Duration::from_secs(60)));
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    executor.block_on(async {
        for _ in 0..50 {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let held = held.clone();
                    tokio::spawn(async move { held.invoke(Event::new("any")).await })
                })
                .collect();
            tokio::task::yield_now().await;
            for task in &tasks {
                task.abort();
            }
            for task in tasks {
                assert!(task.await.unwrap_err().is_cancelled());
            }
        }
    });
    assert_quiet(&runtime, &[&held]);
    latch.open();
    assert_eq!(ask(&held, "any", "x"), "x");
}

/// Counts whoever is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn what_the_host_does_for_a_guest_is_dropped_with_the_invocation() {
    let (came, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (coming, count) = (Arc::clone(&came), Arc::clone(&dropped));
    let never = move |body: Bytes, _: Context| {
        let counted = Counted(Arc::clone(&count));
        coming.fetch_add(1, SeqCst);
        async move {
            std::future::pending::<()>().await;
            drop(counted);
            Ok(body)
        }
    };
    let (runtime, guest) = host(Function::wasm("guest", MISBEHAVE).grant("never", never));
    for i in 0..5 {
        let mut calling = Box::pin(guest.invoke(Event::new("call").with_subject("never")));
        until("the guest has called", || poll(&mut calling).is_pending() && came.load(SeqCst) > i);
        assert_eq!(dropped.load(SeqCst), i);
        drop(calling);
        assert_eq!(dropped.load(SeqCst), i + 1);
    }
    assert_quiet(&runtime, &[&guest]);
}

#[test]
fn a_dropped_deployment_is_forgotten() {
    let runtime = runtime();
    for _ in 0..4 {
        let mut deploying = Box::pin(runtime.deploy(Function::wasm("f", MISBEHAVE)));
        assert!(poll(&mut deploying).is_pending());
    }
    assert!(runtime.functions().is_empty());
    let f = deploy(&runtime, Function::wasm("f", ECHO));
    assert_eq!(runtime.functions()[0].versions, [1], "the others took no number");
    assert_eq!(ask(&f, "any", "x"), "x");
}

#[test]
fn a_dropped_removal_has_removed_all_the_same() {
    let latch = Latch::new();
    let (runtime, held) = host(crate::kit::holding("held", &latch));
    let mut running = Box::pin(held.invoke(Event::bytes("any", "x")));
    assert!(poll(&mut running).is_pending());
    let mut removing = Box::pin(runtime.remove("held"));
    assert!(poll(&mut removing).is_pending());
    drop(removing);
    assert!(runtime.functions().is_empty());
    latch.open();
    assert_eq!(runtime.block_on(running).unwrap().text().unwrap(), "x");
    assert_eq!(runtime.stats().places_taken, 0);
}
