//! What an invocation costs beside the bare engine: each contract, fresh and reused, on one and two threads.

mod kit;
#[path = "kit/twin.rs"]
mod twin;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fnhost::{Event, Function, Handler, Isolation, Runtime};

use crate::kit::{Effort, compare, is_wanted, print, print_head, spread};
use crate::twin::{BytesTwin, CommandTwin, ComponentTwin, Wasi};

const PLACES: u32 = 1_000;
const REUSE: Isolation = Isolation::Reuse { max_uses: u64::MAX };

/// Answers the body that it was given.
const ECHO_BYTES: &str = r#"(module
    (memory (export "memory") 2)
    (func (export "fnhost_alloc") (param i32) (result i32) i32.const 1024)
    (func (export "fnhost_handle") (param i32 i32) (result i64)
        local.get 0 i64.extend_i32_u i64.const 32 i64.shl
        local.get 1 i64.extend_i32_u i64.or))"#;

fn main() {
    let effort = Effort::from_args();
    let runtime = Runtime::builder().places(PLACES).build().expect("a runtime");
    print_head("one thread");
    for (size, body) in [("256 B", Bytes::from(vec![7; 256])), ("64 KB", Bytes::from(vec![7; 64 << 10]))] {
        bytes(effort, &runtime, size, &body);
        component(effort, &runtime, size, &body);
        wasi(effort, &runtime, size, &body);
        command(effort, &runtime, size, &body);
    }
    let body = Bytes::from(vec![7; 256]);
    scaling(effort, &runtime, &body);
}

fn guest(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/guests/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("the guest is committed")
}

/// The name's newest version is made anew with each case, so that none inherits another's guests.
fn deploy(runtime: &Runtime, function: Function) -> Handler {
    let name = function.name().to_string();
    runtime.block_on(runtime.deploy(function)).expect("deployed");
    runtime.handler(&name).expect("deployed just now")
}

/// Sends the same event again and again: what is measured is the invocation, not making an event, which bench
/// `pool` shows.
fn ours(runtime: &Runtime, handler: Handler, body: &Bytes) -> impl FnMut(u32) {
    let (runtime, event) = (runtime.clone(), Event::bytes("bench", body.clone()));
    move |runs| {
        runtime.block_on(async {
            for _ in 0..runs {
                let response = handler.invoke(event.clone()).await.expect("an answer");
                assert_eq!(response.bytes().len(), event.body().len());
            }
        });
    }
}

/// The twin's target is met by the small body; with a large one copying decides.
fn target(size: &str, most: f64) -> Option<f64> {
    (size == "256 B").then_some(most)
}

fn bytes(effort: Effort, runtime: &Runtime, size: &str, body: &Bytes) {
    let twin = BytesTwin::new(&twin::engine(PLACES), ECHO_BYTES.as_bytes());
    let mut live = BytesTwin::new(&twin::engine(PLACES), ECHO_BYTES.as_bytes());
    let name = format!("bytes, fresh, {size}");
    if is_wanted(&name) {
        let mut ours = ours(runtime, deploy(runtime, Function::wasm("bytes", ECHO_BYTES)), body);
        let mut twin = |runs| repeat(runtime, runs, async || drop(twin.fresh(body).await));
        print(effort, &name, compare(effort, &mut ours, &mut twin), target(size, 1.3));
    }
    let name = format!("bytes, reused, {size}");
    if is_wanted(&name) {
        let function = Function::wasm("bytes", ECHO_BYTES).isolation(REUSE);
        let mut ours = ours(runtime, deploy(runtime, function), body);
        let mut twin = |runs| {
            runtime.block_on(async {
                for _ in 0..runs {
                    drop(live.live(body).await);
                }
            });
        };
        print(effort, &name, compare(effort, &mut ours, &mut twin), target(size, 3.0));
    }
}

fn component(effort: Effort, runtime: &Runtime, size: &str, body: &Bytes) {
    let code = guest("echo");
    let new = || ComponentTwin::new(&twin::engine(PLACES), &code, |_| (), || ());
    let name = format!("component, fresh, {size}");
    if is_wanted(&name) {
        let twin = new();
        let mut ours = ours(runtime, deploy(runtime, Function::wasm("component", code.clone())), body);
        let mut twin = |runs| repeat(runtime, runs, async || drop(twin.fresh(body).await));
        print(effort, &name, compare(effort, &mut ours, &mut twin), target(size, 1.3));
    }
    let name = format!("component, reused, {size}");
    if is_wanted(&name) {
        let mut twin = new();
        let function = Function::wasm("component", code.clone()).isolation(REUSE);
        let mut ours = ours(runtime, deploy(runtime, function), body);
        let mut twin = |runs| {
            runtime.block_on(async {
                for _ in 0..runs {
                    drop(twin.live(body).await);
                }
            });
        };
        print(effort, &name, compare(effort, &mut ours, &mut twin), target(size, 3.0));
    }
}

fn wasi(effort: Effort, runtime: &Runtime, size: &str, body: &Bytes) {
    let name = format!("component with WASI, fresh, {size}");
    if !is_wanted(&name) {
        return;
    }
    let code = guest("echo-wasi");
    let variables: Vec<(String, String)> =
        (0..5).map(|i| (format!("NAME_{i}"), format!("value {i}"))).collect();
    let given = variables.clone();
    let link = |linker: &mut wasmtime::component::Linker<Wasi>| {
        wasmtime_wasi::p2::add_to_linker_async(linker).expect("linked once");
    };
    let twin = ComponentTwin::new(&twin::engine(PLACES), &code, link, move || Wasi::new(&given));
    let mut function = Function::wasm("wasi", code);
    for (name, value) in variables {
        function = function.env(name, value);
    }
    let mut ours = ours(runtime, deploy(runtime, function), body);
    let mut twin = |runs| repeat(runtime, runs, async || drop(twin.fresh(body).await));
    print(effort, &name, compare(effort, &mut ours, &mut twin), target(size, 1.3));
}

fn command(effort: Effort, runtime: &Runtime, size: &str, body: &Bytes) {
    let name = format!("command, fresh, {size}");
    if !is_wanted(&name) {
        return;
    }
    let code = guest("command-p2");
    let twin = CommandTwin::new(&twin::engine(PLACES), &code);
    let mut ours = ours(runtime, deploy(runtime, Function::wasm("command", code)), body);
    let mut twin = |runs| repeat(runtime, runs, async || drop(twin.run(body).await));
    print(effort, &name, compare(effort, &mut ours, &mut twin), None);
}

fn repeat(runtime: &Runtime, runs: u32, mut work: impl AsyncFnMut()) {
    runtime.block_on(async {
        for _ in 0..runs {
            work().await;
        }
    });
}

/// Two threads against one: ours share one handler, the twins have an engine each.
fn scaling(effort: Effort, runtime: &Runtime, body: &Bytes) {
    println!("\ntwo threads against one, fresh, 256 B (of the twin's scaling; at least 0.85)");
    let bytes = deploy(runtime, Function::wasm("scaling", ECHO_BYTES));
    let component = deploy(runtime, Function::wasm("scaling-component", guest("echo")));
    let twins: [_; 2] =
        std::array::from_fn(|_| Arc::new(BytesTwin::new(&twin::engine(PLACES), ECHO_BYTES.as_bytes())));
    let code = guest("echo");
    let components: [_; 2] =
        std::array::from_fn(|_| Arc::new(ComponentTwin::new(&twin::engine(PLACES), &code, |_| (), || ())));
    if is_wanted("scaling bytes") {
        let ours = crew(
            runtime,
            |_| bytes.clone(),
            body,
            async |handler: &Handler, body: &Bytes| {
                drop(handler.invoke(Event::bytes("bench", body.clone())).await.expect("an answer"));
            },
        );
        let twin = crew(
            runtime,
            |i| Arc::clone(&twins[i]),
            body,
            async |twin: &Arc<BytesTwin>, body: &Bytes| {
                drop(twin.fresh(body).await);
            },
        );
        print_scaling("bytes", effort, &ours, &twin);
    }
    if is_wanted("scaling component") {
        let ours = crew(
            runtime,
            |_| component.clone(),
            body,
            async |handler: &Handler, body: &Bytes| {
                drop(handler.invoke(Event::bytes("bench", body.clone())).await.expect("an answer"));
            },
        );
        type Twin = Arc<ComponentTwin<()>>;
        let twin = crew(
            runtime,
            |i| Arc::clone(&components[i]),
            body,
            async |twin: &Twin, body: &Bytes| {
                drop(twin.fresh(body).await);
            },
        );
        print_scaling("component", effort, &ours, &twin);
    }
}

/// Two threads that work while they are told to, and count.
struct Crew {
    workers: [Arc<Worker>; 2],
}

#[derive(Default)]
struct Worker {
    on: AtomicBool,
    ended: AtomicBool,
    done: AtomicU64,
}

impl Crew {
    /// Lets so many workers work for a slice; answers how much they did in a second.
    fn rate(&self, workers: usize, slice: Duration) -> f64 {
        let before: u64 = self.done();
        let started = Instant::now();
        self.workers[..workers].iter().for_each(|worker| worker.on.store(true, SeqCst));
        std::thread::sleep(slice);
        self.workers.iter().for_each(|worker| worker.on.store(false, SeqCst));
        (self.done() - before) as f64 / started.elapsed().as_secs_f64()
    }

    fn done(&self) -> u64 {
        self.workers.iter().map(|worker| worker.done.load(SeqCst)).sum()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.workers.iter().for_each(|worker| worker.ended.store(true, SeqCst));
    }
}

fn crew<T: Send + 'static>(
    runtime: &Runtime,
    make: impl Fn(usize) -> T,
    body: &Bytes,
    work: impl AsyncFn(&T, &Bytes) + Copy + Send + 'static,
) -> Crew {
    let workers = [Arc::new(Worker::default()), Arc::new(Worker::default())];
    for (i, worker) in workers.iter().enumerate() {
        let (worker, tool, body, runtime) = (Arc::clone(worker), make(i), body.clone(), runtime.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                while !worker.ended.load(SeqCst) {
                    if !worker.on.load(SeqCst) {
                        std::thread::sleep(Duration::from_micros(200));
                        continue;
                    }
                    work(&tool, &body).await;
                    worker.done.fetch_add(1, SeqCst);
                }
            });
        });
    }
    Crew { workers }
}

fn print_scaling(name: &str, effort: Effort, ours: &Crew, twin: &Crew) {
    let slice = effort.slice;
    // Warm both, so that no round pays for the first mapping.
    let _ = ours.rate(2, slice) + twin.rate(2, slice);
    let rounds: Vec<[f64; 4]> = (0..effort.rounds)
        .map(|_| [ours.rate(1, slice), twin.rate(1, slice), ours.rate(2, slice), twin.rate(2, slice)])
        .collect();
    let scaled =
        |one: usize, two: usize| spread(rounds.iter().map(move |round| round[two] / round[one].max(1.0)));
    let (low, median, high) =
        spread(rounds.iter().map(|r| (r[2] / r[0].max(1.0)) / (r[3] / r[1].max(1.0)).max(1e-9)));
    let verdict = match () {
        () if !effort.judges => "",
        () if median >= 0.85 => ">= 0.85 ok",
        () => ">= 0.85 MISSED",
    };
    println!(
        "{name:<44} fnhost x{:.2}, bare x{:.2}   {median:>5.2} ({low:.2} .. {high:.2})  {verdict}",
        scaled(0, 2).1,
        scaled(1, 3).1
    );
}
