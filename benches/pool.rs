//! What everything around a guest costs: an event through resolve, admit, call and conclude to a handler in Rust,
//! and checkout of a kept guest, alone and contended.

mod kit;

use std::sync::Barrier;
use std::time::Instant;

use bytes::Bytes;
use fnhost::{Context, Event, Function, Handler, Isolation, Response, Runtime};

use crate::kit::{Effort, compare, is_wanted, print, print_head, spread};

/// Answers nothing at once: what is left is checkout and release.
const NOTHING: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "fnhost_alloc") (param i32) (result i32) i32.const 0)
    (func (export "fnhost_handle") (param i32 i32) (result i64) i64.const 0))"#;

fn main() {
    let effort = Effort::from_args();
    let runtime = Runtime::builder().places(64).build().expect("a runtime");
    print_head("around the guest (the twin makes the same event and answers it itself)");
    if is_wanted("native") {
        native(effort, &runtime);
    }
    if is_wanted("checkout") {
        let reuse = Isolation::Reuse { max_uses: u64::MAX };
        let handler = deploy(&runtime, Function::wasm("nothing", NOTHING).isolation(reuse));
        alone(effort, &runtime, &handler);
        contended(effort, &handler);
    }
}

fn deploy(runtime: &Runtime, function: Function) -> Handler {
    let name = function.name().to_string();
    runtime.block_on(runtime.deploy(function)).expect("deployed");
    runtime.handler(&name).expect("deployed just now")
}

fn native(effort: Effort, runtime: &Runtime) {
    let echo = async |event: Event, _: Context| Ok(Response::from_bytes(event.body().clone()));
    let handler = deploy(runtime, Function::native("echo", echo));
    let body = Bytes::from(vec![7; 256]);
    let mut ours = |runs| {
        runtime.block_on(async {
            for _ in 0..runs {
                drop(handler.invoke(Event::bytes("bench", body.clone())).await.expect("an answer"));
            }
        });
    };
    let mut twin = |runs| answer_itself(runs, &body);
    print(effort, "native handler", compare(effort, &mut ours, &mut twin), None);
}

/// Makes the event and answers it, with nothing between.
fn answer_itself(runs: u32, body: &Bytes) {
    for _ in 0..runs {
        let event = Event::bytes("bench", body.clone());
        drop(std::hint::black_box(Response::from_bytes(event.body().clone())));
    }
}

fn alone(effort: Effort, runtime: &Runtime, handler: &Handler) {
    let body = Bytes::new();
    let mut ours = |runs| {
        runtime.block_on(async {
            for _ in 0..runs {
                drop(handler.invoke(Event::new("bench")).await.expect("an answer"));
            }
        });
    };
    let mut twin = |runs| answer_itself(runs, &body);
    print(effort, "checkout of a kept guest, one thread", compare(effort, &mut ours, &mut twin), None);
}

/// Four threads share one pool; the control is one of them alone, in the same round.
fn contended(effort: Effort, handler: &Handler) {
    let rounds = (0..effort.rounds).map(|_| (rate(effort, handler, 1), rate(effort, handler, 4)));
    let rounds: Vec<(f64, f64)> = rounds.collect();
    let (low, median, high) = spread(rounds.iter().map(|(one, four)| four / one));
    println!("{:<44} x{median:.2} ({low:.2} .. {high:.2}) of what one thread does", "the same, four threads");
}

/// Answers events in a second, all threads together.
fn rate(effort: Effort, handler: &Handler, threads: usize) -> f64 {
    let ready = Barrier::new(threads);
    let rates: Vec<f64> = std::thread::scope(|scope| {
        let work = |_| {
            scope.spawn(|| {
                ready.wait();
                let (started, mut done) = (Instant::now(), 0_u32);
                while started.elapsed() < effort.slice {
                    drop(handler.invoke_blocking(Event::new("bench")).expect("an answer"));
                    done += 1;
                }
                f64::from(done) / started.elapsed().as_secs_f64()
            })
        };
        let threads: Vec<_> = (0..threads).map(work).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    rates.iter().sum()
}
