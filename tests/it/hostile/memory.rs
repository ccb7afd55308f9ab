//! The host's resident memory while guests flood it, each flood in a process of its own.
//!
//! The bound is what one guest may hand over at once (the response limit and 1 MiB), twice, as lifting and
//! answering each hold a copy; its log; its linear memory of 4 MiB; and 16 MiB for the engine's own caches. It does
//! not depend on how long the guest floods nor on how many events there are.

use std::fs;
use std::time::{Duration, Instant};

use fnhost::{Access, Bytes, Context, Event, Function};

use crate::hostile::components::{Parts, failure, response};
use crate::hostile::{House, Module};
use crate::kit::in_child;

const MIB: u64 = 1 << 20;
const BOUND: u64 = 2 * 7 * MIB + 4 * MIB + 16 * MIB;

/// Answers by how much the body makes resident memory grow at its highest, in bytes; none in the child itself.
fn growth(test: &str, body: impl FnOnce()) -> Option<u64> {
    let said = in_child(&format!("hostile::memory::{test}"), "", || {
        fs::write("/proc/self/clear_refs", "5").expect("Linux resets the high-water mark");
        let before = resident("VmRSS:");
        body();
        resident("VmHWM:").saturating_sub(before).to_string()
    });
    said.map(|said| said.parse().unwrap())
}

fn resident(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// Asserts that floods stay below the bound: the first event warms up, the others are measured.
fn stays_bounded(test: &str, function: impl Fn() -> Function, events: u32) {
    let _busy = crate::kit::busy();
    let house = House::of(function().memory(4 * MIB).timeout(Duration::from_millis(500)));
    house.is_healthy("before");
    let flood = || {
        for _ in 0..events {
            // Most of them end as errors; what counts is what they leave.
            let _ = house.send("some body");
        }
        house.is_healthy("after");
    };
    if let Some(grown) = growth(test, flood) {
        assert!(grown < BOUND, "{test} made the host grow by {} MiB", grown / MIB);
    }
}

fn module(imports: &str, handle: &str) -> Function {
    Module { imports, handle, more: r#"(data (i32.const 64) "fd_flood.txt")"#, ..Module::default() }
        .function()
}

#[test]
fn floods_of_logs() {
    let import = r#"(import "fnhost" "log" (func $log (param i32 i32 i32)))"#;
    let handle =
        "(loop $ever (call $log (i32.const 3) (i32.const 0) (i32.const 0x10000)) (br $ever)) i64.const 0";
    stays_bounded("floods_of_logs", || module(import, handle), 3);
}

#[test]
fn floods_of_attributes() {
    let import = r#"(import "fnhost" "set" (func $set (param i32 i32 i32 i32)))"#;
    let handle = "(loop $ever
            (call $set (i32.const 16) (i32.const 4) (i32.const 0x1000) (i32.const 0x4000)) (br $ever)) i64.const 0";
    stays_bounded("floods_of_attributes", || module(import, handle), 3);
}

#[test]
fn floods_of_failures() {
    let import = r#"(import "fnhost" "fail" (func $fail (param i32 i32 i32 i32 i32)))"#;
    let handle =
        "(loop $ever (call $fail (i32.const 0x1000) (i32.const 0x8000) (i32.const 0x1000) (i32.const 0x8000)
            (i32.const 0)) (br $ever)) i64.const 0";
    stays_bounded("floods_of_failures", || module(import, handle), 3);
}

#[test]
fn floods_of_large_failures() {
    let large = Parts { area: failure([0x4000, 1], [0x2_0000, 0x1d_0000]), ..Parts::default() };
    stays_bounded("floods_of_large_failures", || large.function(), 50);
}

#[test]
fn floods_of_answers() {
    let body = Parts { area: response(None, [0, 0], [0, 0x20_0000]), ..Parts::default() };
    stays_bounded("floods_of_answers", || body.function(), 50);
}

#[test]
fn floods_of_lists() {
    let attributes = Parts { area: response(None, [0x2_0000, 0x1_d000], [0, 0]), ..Parts::default() };
    stays_bounded("floods_of_lists", || attributes.function(), 50);
}

#[test]
fn floods_of_host_calls() {
    let import = r#"(import "fnhost" "call" (func $call (param i32 i32 i32 i32) (result i32)))"#;
    let handle = "(drop (memory.grow (i32.const 60)))
        (loop $ever (drop (call $call (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0x300000))) (br $ever))
        i64.const 0";
    let granted = || module(import, handle).grant("name", async |body: Bytes, _: Context| Ok(body));
    stays_bounded("floods_of_host_calls", granted, 3);
}

#[test]
fn floods_of_calls_that_were_not_granted() {
    let import = r#"(import "fnhost" "call" (func $call (param i32 i32 i32 i32) (result i32)))"#;
    let handle = "(drop (memory.grow (i32.const 60)))
        (loop $ever (drop (call $call (i32.const 0x4000) (i32.const 0x4000) (i32.const 0) (i32.const 0x300000)))
            (br $ever)) i64.const 0";
    stays_bounded("floods_of_calls_that_were_not_granted", || module(import, handle), 3);
}

/// A component that asks for a function which was not granted, by a name of 2 MiB.
#[test]
fn floods_of_names_that_were_not_granted() {
    let parts = Parts {
        imports: r#"(import "fnhost:function/host@0.1.0" (instance $host
            (type $f (record (field "kind" string) (field "message" string) (field "retryable" bool)))
            (export "failure" (type $failure (eq $f)))
            (export "call" (func (param "name" string) (param "body" (list u8))
                (result (result (list u8) (error $failure)))))))
            (core module $libc (memory (export "memory") 32 64)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x1000)))
            (core instance $l (instantiate $libc))
            (core func $call (canon lower (func $host "call") (memory (core memory $l "memory"))
                (realloc (core func $l "realloc"))))
            (core instance $imports (export "call" (func $call)))"#,
        core_imports: r#"(import "i" "call" (func $call (param i32 i32 i32 i32 i32)))"#,
        with: r#"(with "i" (instance $imports))"#,
        handle: "(loop $ever
            (call $call (i32.const 0x2000) (i32.const 0x1f0000) (i32.const 0) (i32.const 0x1000) (i32.const 16))
            (br $ever)) (i32.const 2048)"
            .into(),
        ..Parts::default()
    };
    stays_bounded("floods_of_names_that_were_not_granted", || parts.function(), 2);
}

/// Handles of a resource of its own: the engine keeps them, and none is ever dropped.
#[test]
fn floods_of_handles() {
    let parts = Parts {
        imports: r#"(type $r (resource (rep i32)))
            (core func $new (canon resource.new $r))
            (core instance $imports (export "new" (func $new)))"#,
        core_imports: r#"(import "i" "new" (func $new (param i32) (result i32)))"#,
        with: r#"(with "i" (instance $imports))"#,
        handle: "(loop $ever (drop (call $new (i32.const 1))) (br $ever)) (i32.const 2048)".into(),
        ..Parts::default()
    };
    stays_bounded("floods_of_handles", || parts.function(), 3);
}

/// Streams of the component model's own, which only a component with concurrency has.
#[test]
fn floods_of_component_streams() {
    let parts = Parts {
        imports: r#"(type $s (stream u8))
            (core func $new (canon stream.new $s))
            (core instance $imports (export "new" (func $new)))"#,
        core_imports: r#"(import "i" "new" (func $new (result i64)))"#,
        with: r#"(with "i" (instance $imports))"#,
        handle: "(loop $ever (drop (call $new)) (br $ever)) (i32.const 2048)".into(),
        ..Parts::default()
    };
    stays_bounded("floods_of_component_streams", || parts.function(), 3);
}

/// Pollables of WASI, which stand in the resource table.
#[test]
fn floods_of_pollables() {
    let parts = Parts {
        imports: r#"(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
                (alias outer 1 $pollable (type $p))
                (export "pollable" (type $q (eq $p)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $q))))))
            (core func $new (canon lower (func $clock "subscribe-duration")))
            (core instance $imports (export "new" (func $new)))"#,
        core_imports: r#"(import "i" "new" (func $new (param i64) (result i32)))"#,
        with: r#"(with "i" (instance $imports))"#,
        handle: "(loop $ever (drop (call $new (i64.const 1000000000000))) (br $ever)) (i32.const 2048)"
            .into(),
        ..Parts::default()
    };
    stays_bounded("floods_of_pollables", || parts.function(), 3);
}

#[test]
fn floods_of_files() {
    let folder = std::env::temp_dir();
    let import = r#"(import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#;
    let handle = r#"(loop $ever (drop (call $open (i32.const 3) (i32.const 0) (i32.const 80) (i32.const 1)
        (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 128))) (br $ever)) i64.const 0"#;
    let module = || {
        let more = r#"(data (i32.const 80) ".")"#;
        let module = Module { imports: import, handle, more, ..Module::default() };
        module.function().dir(folder.clone(), "/", Access::Read)
    };
    stays_bounded("floods_of_files", module, 3);
}

/// A command that writes without end, read by nobody: what is not read is not produced.
#[test]
fn an_answer_that_nobody_reads() {
    let command = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 32)
        (data (i32.const 8) "\00\00\01\00\00\00\10\00")
        (func (export "_start")
            (loop $ever (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))) (br $ever))))"#;
    let _busy = crate::kit::busy();
    let endless =
        Function::wasm("endless", command).max_response(1 << 40).timeout(Duration::from_millis(500));
    let house = House::of(endless);
    let flood = || {
        house.runtime.block_on(async {
            let mut streams = Vec::new();
            for _ in 0..8 {
                streams.push(house.handler.stream(Event::bytes("strike", "")).await.unwrap());
            }
            // Their deadlines pass with nobody reading; the timer takes the guests out all the same.
            let started = Instant::now();
            while house.handler.stats().unwrap().live > 0 {
                assert!(started.elapsed() < Duration::from_secs(10), "{:?}", house.handler.stats());
                std::thread::yield_now();
            }
            for stream in &mut streams {
                while let Some(chunk) = stream.next().await {
                    let Err(error) = chunk else { continue };
                    assert!(error.is_timeout(), "{error}");
                }
            }
        });
    };
    if let Some(grown) = growth("an_answer_that_nobody_reads", flood) {
        // Eight guests of 2 MiB, and eight windows of 256 KiB with a chunk on its way.
        assert!(grown < 8 * 4 * MIB + 16 * MIB, "the host grew by {} MiB", grown / MIB);
    }
}
