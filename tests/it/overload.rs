//! More events than there is room for: order, bounds, and health right after.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fnhost::{Bytes, Context, Event, Failure, Function, Handler, Isolation, Response};

use crate::kit::{
    ANSWER_BODY, IMPORT_HOLD, Latch, MISBEHAVE, REUSE, ask, assert_quiet, busy, deploy, holding, host, kind,
    module, poll, runtime, send, small,
};

/// Hands its body to the host function `hold`, then answers it.
fn noting() -> String {
    let note = "(drop (call $call (i32.const 8) (i32.const 4) (local.get $at) (local.get $len)))";
    module(IMPORT_HOLD, &format!("{note} {ANSWER_BODY}"))
}

/// Who is inside a host function, how many there were at most, and in which order they came.
#[derive(Clone, Default)]
struct Door(Arc<DoorParts>);

#[derive(Default)]
struct DoorParts {
    inside: AtomicUsize,
    most: AtomicUsize,
    came: Mutex<Vec<usize>>,
}

impl Door {
    async fn pass(self, body: Bytes) -> Result<Bytes, Failure> {
        let number = std::str::from_utf8(&body)?.parse()?;
        self.0.came.lock().unwrap().push(number);
        let inside = self.0.inside.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(inside, SeqCst);
        for _ in 0..number % 4 {
            tokio::task::yield_now().await;
        }
        self.0.inside.fetch_sub(1, SeqCst);
        Ok(body)
    }

    fn function(&self, name: &str) -> Function {
        let door = self.clone();
        Function::wasm(name, noting()).grant("hold", move |body: Bytes, _: Context| door.clone().pass(body))
    }
}

#[test]
fn a_thousand_events_over_eight_guests_start_in_order_of_arrival() {
    let _busy = busy();
    let door = Door::default();
    let (runtime, handler) = host(door.function("f").concurrency(8));
    let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
    executor.block_on(async {
        let send = |i: usize| {
            let handler = handler.clone();
            tokio::spawn(async move { handler.invoke(Event::bytes("any", i.to_string())).await })
        };
        let tasks: Vec<_> = (0..1_000).map(send).collect();
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap().unwrap().text().unwrap(), i.to_string());
            assert!(handler.stats().unwrap().live <= 8);
        }
    });
    let came = door.0.came.lock().unwrap().clone();
    // A tick of the clock may stop a guest between its start and the door; then those beside it go on and it comes
    // late, alone. A queue that is not in order would bring hundreds at the wrong time.
    let late = came.iter().enumerate().filter(|(at, number)| at.abs_diff(**number) >= 8).count();
    assert_eq!(came.len(), 1_000);
    assert!(late <= 10, "{late} of them out of order: {came:?}");
    assert_eq!(door.0.most.load(SeqCst), 8, "all of them are used");
    assert_quiet(&runtime, &[&handler]);
}

#[test]
fn a_thousand_events_over_eight_permits_start_in_order_of_arrival() {
    let door = Door::default();
    let pass = door.clone();
    let native = Function::native("f", move |event: Event, _: Context| {
        let pass = pass.clone();
        async move { pass.pass(event.body().clone()).await.map(Response::from_bytes) }
    });
    let (runtime, handler) = host(native.concurrency(8));
    let events = (0..1_000).map(|i| handler.invoke(Event::bytes("any", i.to_string())));
    let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
    executor
        .block_on(futures_util::future::join_all(events))
        .into_iter()
        .for_each(|ended| drop(ended.unwrap()));
    assert_eq!(*door.0.came.lock().unwrap(), (0..1_000).collect::<Vec<_>>());
    assert_eq!(door.0.most.load(SeqCst), 8);
    assert_quiet(&runtime, &[&handler]);
}

#[test]
fn threads_never_have_more_guests_than_they_may() {
    let _busy = busy();
    for isolation in [Isolation::Fresh, REUSE] {
        let door = Door::default();
        let (runtime, handler) = host(door.function("f").concurrency(3).isolation(isolation));
        thread::scope(|scope| {
            for t in 0..6 {
                let (handler, runtime) = (&handler, &runtime);
                scope.spawn(move || {
                    for i in 0..50 {
                        let body = (t * 50 + i).to_string();
                        assert_eq!(ask(handler, "any", body.clone()), body);
                        assert!(handler.stats().unwrap().live <= 3 && runtime.stats().places_taken <= 3);
                    }
                });
            }
        });
        assert!(door.0.most.load(SeqCst) <= 3);
        let mut came = door.0.came.lock().unwrap().clone();
        came.sort_unstable();
        assert_eq!(came, (0..300).collect::<Vec<_>>());
        assert_quiet(&runtime, &[&handler]);
        assert_eq!(handler.stats().unwrap().served, 300);
    }
}

#[test]
fn two_functions_share_a_few_places() {
    let _busy = busy();
    let door = Door::default();
    let runtime = small().places(3).build().unwrap();
    let reused = deploy(&runtime, door.function("reused").isolation(REUSE));
    let fresh = deploy(&runtime, door.function("fresh"));
    thread::scope(|scope| {
        for t in 0..6 {
            let (reused, fresh, runtime) = (&reused, &fresh, &runtime);
            scope.spawn(move || {
                for i in 0..30 {
                    let handler = if (t + i) % 2 == 0 { reused } else { fresh };
                    assert_eq!(ask(handler, "any", i.to_string()), i.to_string());
                    assert!(runtime.stats().places_taken <= 3);
                }
            });
        }
    });
    assert!(door.0.most.load(SeqCst) <= 3);
    assert_quiet(&runtime, &[&reused, &fresh]);
}

#[test]
fn whoever_waits_for_a_place_is_served_in_order_whatever_the_function() {
    let latch = Latch::new();
    let door = Door::default();
    let runtime = small().places(1).build().unwrap();
    let held = deploy(&runtime, holding("held", &latch));
    let (one, other) = (deploy(&runtime, door.function("one")), deploy(&runtime, door.function("other")));
    let mut first = Box::pin(held.invoke(Event::new("first")));
    assert!(poll(&mut first).is_pending());
    let mut waiting: Vec<_> = [&one, &other, &one, &other]
        .iter()
        .enumerate()
        .map(|(i, handler)| Box::pin(handler.invoke(Event::bytes("any", (i * 4).to_string()))))
        .collect();
    assert!(waiting.iter_mut().all(|event| poll(event).is_pending()));
    assert_eq!(runtime.stats().waiting, 4);
    latch.open();
    runtime.block_on(first).unwrap();
    runtime
        .block_on(futures_util::future::join_all(waiting))
        .into_iter()
        .for_each(|ended| drop(ended.unwrap()));
    assert_eq!(*door.0.came.lock().unwrap(), [0, 4, 8, 12]);
    assert_quiet(&runtime, &[&held, &one, &other]);
}

#[test]
fn a_guest_of_several_places_is_not_overtaken_for_ever() {
    let latch = Latch::new();
    let runtime = small().places(3).build().unwrap();
    let held = deploy(&runtime, holding("held", &latch));
    let wide = module("", ANSWER_BODY)
        .replace("(memory (export", "(memory $more 0) (memory $most 0) (memory (export");
    let wide = deploy(&runtime, Function::wasm("wide", wide));
    let narrow = deploy(&runtime, Function::wasm("narrow", module("", ANSWER_BODY)));
    let mut first = Box::pin(held.invoke(Event::new("first")));
    let mut large = Box::pin(wide.invoke(Event::bytes("any", "large")));
    let mut small = Box::pin(narrow.invoke(Event::bytes("any", "small")));
    assert!(poll(&mut first).is_pending() && poll(&mut large).is_pending());
    assert!(poll(&mut small).is_pending(), "it would fit, but it came later");
    latch.open();
    runtime.block_on(first).unwrap();
    assert_eq!(runtime.block_on(large).unwrap().text().unwrap(), "large");
    assert_eq!(runtime.block_on(small).unwrap().text().unwrap(), "small");
    assert_quiet(&runtime, &[&held, &wide, &narrow]);
}

#[test]
fn a_pool_is_healthy_right_after_a_trap_a_time_out_and_a_cancellation() {
    let runtime = small().places(1).build().unwrap();
    for isolation in [Isolation::Fresh, REUSE] {
        let misbehave = Function::wasm("misbehave", MISBEHAVE)
            .isolation(isolation)
            .concurrency(1)
            .queue_timeout(Duration::from_secs(5))
            .timeout(Duration::from_millis(40));
        let misbehave = deploy(&runtime, misbehave);
        let is_healthy = || {
            assert_eq!(ask(&misbehave, "ok", ""), "ok");
            assert_quiet(&runtime, &[&misbehave]);
        };
        is_healthy();
        for (event_type, ending) in [("trap", "trapped"), ("spin", "timed-out"), ("sleep", "timed-out")] {
            assert_eq!(kind(send(&misbehave, event_type, "9999")), ending);
            is_healthy();
        }
        let mut sleeping = Box::pin(misbehave.invoke(Event::bytes("sleep", "9999")));
        assert!(poll(&mut sleeping).is_pending());
        drop(sleeping);
        is_healthy();
        runtime.block_on(runtime.remove("misbehave")).unwrap();
        assert_eq!(runtime.stats().places_taken, 0);
    }
}

#[test]
fn an_idle_guest_makes_way_for_another_functions_event() {
    let runtime = small().places(2).build().unwrap();
    let echo = |name: &str| deploy(&runtime, Function::wasm(name, module("", ANSWER_BODY)).isolation(REUSE));
    let (a, b, c) = (echo("a"), echo("b"), echo("c"));
    let live = || [&a, &b, &c].map(|handler: &Handler| handler.stats().unwrap().live);
    for handler in [&a, &b] {
        assert_eq!(ask(handler, "any", "x"), "x");
    }
    assert_eq!(live(), [1, 1, 0]);
    assert_eq!(ask(&c, "any", "x"), "x");
    assert_eq!(live(), [0, 1, 1], "the one that was idle longest has gone");
    assert_eq!(ask(&b, "any", "x"), "x");
    assert_eq!(ask(&a, "any", "x"), "x");
    assert_eq!(live(), [1, 1, 0]);
}

#[test]
fn a_guest_that_ends_while_somebody_waits_for_its_place_is_not_kept() {
    let latch = Latch::new();
    let runtime = small().places(1).build().unwrap();
    let held = deploy(&runtime, holding("held", &latch).isolation(REUSE));
    let echo = deploy(&runtime, Function::wasm("echo", module("", ANSWER_BODY)));
    let mut first = Box::pin(held.invoke(Event::new("first")));
    assert!(poll(&mut first).is_pending());
    let mut second = Box::pin(echo.invoke(Event::bytes("second", "x")));
    assert!(poll(&mut second).is_pending());
    latch.open();
    runtime.block_on(first).unwrap();
    assert_eq!(held.stats().unwrap().live, 0);
    assert_eq!(runtime.block_on(second).unwrap().text().unwrap(), "x");
}

#[test]
fn leaving_the_queue_lets_the_next_one_move_up() {
    let latch = Latch::new();
    let (runtime, held) = host(crate::kit::native_holding("held", &latch).concurrency(1).queue(2));
    let mut events: Vec<_> = (0..3).map(|_| Box::pin(held.invoke(Event::new("any")))).collect();
    assert!(events.iter_mut().all(|event| poll(event).is_pending()));
    assert_eq!(held.stats().unwrap().waiting, 2);
    drop(events.remove(1));
    assert_eq!(held.stats().unwrap().waiting, 1);
    let mut late = Box::pin(held.invoke(Event::new("any")));
    assert!(poll(&mut late).is_pending(), "there is room in the queue again");
    drop(events.remove(0));
    assert_eq!((held.stats().unwrap().waiting, held.stats().unwrap().running), (1, 1));
    latch.open();
    runtime.block_on(events.remove(0)).unwrap();
    runtime.block_on(late).unwrap();
    assert_eq!(latch.came(), 3, "who left never started");
    assert_quiet(&runtime, &[&held]);
}

#[test]
fn functions_do_not_share_their_concurrency() {
    let latch = Latch::new();
    let runtime = runtime();
    let held = deploy(&runtime, crate::kit::native_holding("held", &latch).concurrency(1));
    let free = async |_: Event, _: Context| -> Result<Response, Failure> { Ok(Response::from_text("free")) };
    let free = deploy(&runtime, Function::native("free", free).concurrency(1));
    let mut events: Vec<_> = (0..5).map(|_| Box::pin(held.invoke(Event::new("any")))).collect();
    assert!(events.iter_mut().all(|event| poll(event).is_pending()));
    assert_eq!(ask(&free, "any", ""), "free");
}
