//! The bound over the memory of all guests, and what happens where the address space is short.

use std::fs;
use std::sync::{Arc, Mutex};

use fnhost::{Bytes, Context, ErrorKind, Event, Failure, Function, MemoryScope, Runtime};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::kit::{
    ANSWER_BODY, IMPORT_HOLD, Latch, MIB, MISBEHAVE, ask, assert_quiet, busy, deploy, in_child, module, poll,
    send, small, until,
};

const BOUND: u64 = 128 * MIB;
/// Code, stacks, and what the test itself holds.
const MARGIN: u64 = 64 * MIB;
const GUESTS: usize = 100;

/// Takes and fills 16 MiB, a MiB at a time, and lets everybody else take one after each; traps when refused.
fn growing() -> Function {
    let handle = "(local $left i32) (local $page i32) (local.set $left (i32.const 16))
        (loop $l
            (local.set $page (memory.grow (i32.const 16)))
            (if (i32.lt_s (local.get $page) (i32.const 0)) (then unreachable))
            (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 0xaa) (i32.const 0x100000))
            (drop (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $l (local.get $left)))
        (i64.const 0)";
    let next = async |body: Bytes, _: Context| -> Result<Bytes, Failure> {
        tokio::task::yield_now().await;
        Ok(body)
    };
    Function::wasm("grow", module(IMPORT_HOLD, handle)).grant("hold", next)
}

/// Resident memory in bytes: now, or at its highest.
fn resident(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// Lets a hundred guests grow at once; answers how many were told of the bound and how many got all they wanted.
fn grow_all(runtime: &Runtime) -> (usize, usize) {
    let grow = deploy(runtime, growing());
    let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let events = (0..GUESTS).map(|_| grow.invoke(Event::new("grow")));
    let ended = executor.block_on(futures_util::future::join_all(events));
    let mut answered = 0;
    for ended in &ended {
        match ended.as_ref().map_err(|error| (error, error.kind())) {
            Ok(_) => answered += 1,
            Err((error, ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, limit: BOUND, asked })) => {
                assert!(*asked > BOUND && error.is_retryable() && !error.is_function_error(), "{error}");
                assert!(error.to_string().contains("the runtime"), "{error}");
            }
            Err((error, _)) => panic!("{error}"),
        }
    }
    assert_quiet(runtime, &[&grow]);
    (GUESTS - answered, answered)
}

#[test]
fn a_hundred_growing_guests_stay_within_the_runtimes_memory() {
    let _busy = busy();
    let name = "memory_bound::a_hundred_growing_guests_stay_within_the_runtimes_memory";
    let said = in_child(name, "", || {
        let runtime = small().places(128).memory(BOUND).build().unwrap();
        let before = resident("VmRSS:");
        let (told, answered) = grow_all(&runtime);
        let grown = resident("VmHWM:") - before;
        format!("{told} {answered} {}", grown / MIB)
    });
    let Some(said) = said else { return };
    let numbers: Vec<u64> = said.split(' ').map(|number| number.parse().unwrap()).collect();
    let [told, answered, grown] = numbers[..] else { panic!("{said}") };
    assert!(told > 0 && answered > 0, "{said}");
    assert!(grown < (BOUND + MARGIN) / MIB, "the host grew by {grown} MiB");
    assert!(grown > BOUND / MIB / 2, "the guests did grow: {grown} MiB");
}

#[test]
fn a_new_guest_waits_until_its_memory_fits() {
    let latch = Latch::new();
    let runtime = small().memory(4 * MIB).build().unwrap();
    let first_pages = |pages: u32| {
        module(IMPORT_HOLD, &format!("{} {ANSWER_BODY}", crate::kit::HOLD))
            .replace(r#"(export "memory") 1"#, &format!(r#"(export "memory") {pages}"#))
    };
    let hold = latch.clone();
    let large = Function::wasm("large", first_pages(48))
        .grant("hold", move |_: Bytes, _: Context| hold.clone().pass(Bytes::new()));
    let large = deploy(&runtime, large);
    let mut first = Box::pin(large.invoke(Event::bytes("any", "first")));
    let mut second = Box::pin(large.invoke(Event::bytes("any", "second")));
    until("the first one is in", || poll(&mut first).is_pending() && latch.came() == 1);
    assert!(poll(&mut second).is_pending());
    assert_eq!((latch.came(), runtime.stats().waiting), (1, 1));
    latch.open();
    assert_eq!(runtime.block_on(first).unwrap().text().unwrap(), "first");
    assert_eq!(runtime.block_on(second).unwrap().text().unwrap(), "second");
    assert_quiet(&runtime, &[&large]);
}

#[test]
fn code_that_never_fits_is_refused() {
    let runtime = small().memory(MIB).build().unwrap();
    let code = module("", ANSWER_BODY).replace(r#"(export "memory") 1"#, r#"(export "memory") 17"#);
    let error = crate::kit::refused(&runtime, Function::wasm("large", code));
    assert_eq!(error.kind().name(), "invalid-configuration", "{error}");
    crate::kit::says(&error, &["1114112", "1048576", "`memory`"]);
}

#[test]
fn the_memory_of_a_guest_that_died_is_there_again() {
    let runtime = small().memory(16 * MIB).build().unwrap();
    let grow = deploy(&runtime, Function::wasm("grow", MISBEHAVE));
    for _ in 0..3 {
        let error = send(&grow, "grow", "64").unwrap_err();
        let ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(runtime.stats().memory_taken, 0);
    }
    assert_eq!(ask(&grow, "ok", ""), "ok");
}

/// Keeps what is told to `tracing`.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Told {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn where_the_address_space_is_short_everything_works_with_a_warning() {
    let _busy = busy();
    let name = "memory_bound::where_the_address_space_is_short_everything_works_with_a_warning";
    let said = in_child(name, "-v 16777216", || {
        let told = Told::default();
        let layer = tracing_subscriber::fmt::layer().with_writer(told.clone()).with_ansi(false);
        tracing_subscriber::registry().with(layer).init();
        let runtime = Runtime::new().unwrap();
        let told = String::from_utf8(told.0.lock().unwrap().clone()).unwrap();
        let warned = told.contains("WARN") && told.contains("ulimit -v");
        let pooled = runtime.stats().pooled;
        crate::executors::core_cases(runtime);
        format!("pooled: {pooled}, warned: {warned}")
    });
    if let Some(said) = said {
        assert_eq!(said, "pooled: false, warned: true");
    }
}
