//! What a reused invocation allocates: counted, stated, and not to grow unnoticed.
//!
//! A binary of its own, since counting takes the place of the allocator.

#![allow(unsafe_code, reason = "an allocator that counts is an unsafe implementation")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use fnhost::{Bytes, Event, Function, Isolation, Runtime};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; counting touches a plain thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promises are the system allocator's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Answers the body that it was given.
const ECHO: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "fnhost_alloc") (param i32) (result i32) i32.const 1024)
    (func (export "fnhost_handle") (param i32 i32) (result i64)
        local.get 0 i64.extend_i32_u i64.const 32 i64.shl local.get 1 i64.extend_i32_u i64.or))"#;

/// Counts what so many events allocate on this thread, each.
fn allocations(function: Function) -> f64 {
    const EVENTS: u64 = 1_000;
    let runtime = Runtime::builder().places(4).build().expect("a runtime");
    let name = function.name().to_string();
    let reuse = Isolation::Reuse { max_uses: u64::MAX };
    runtime.block_on(runtime.deploy(function.isolation(reuse))).expect("deployed");
    let handler = runtime.handler(&name).expect("deployed just now");
    let body = Bytes::from(vec![7; 256]);
    let send = || drop(handler.invoke_blocking(Event::bytes("count", body.clone())).expect("an answer"));
    (0..10).for_each(|_| send());
    let before = COUNT.get();
    (0..EVENTS).for_each(|_| send());
    (COUNT.get() - before) as f64 / EVENTS as f64
}

/// The event takes three (attributes, id, type), the caller's waker one, the report two, the answer's body one or
/// two; the rest are the engine's fibers and futures.
#[test]
fn a_reused_invocation_allocates_no_more_than_stated() {
    let bytes = allocations(Function::wasm("bytes", ECHO));
    let echo =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests/echo.wasm")).expect("committed");
    let component = allocations(Function::wasm("component", echo));
    println!("allocations of a reused invocation: bytes {bytes}, component {component}");
    assert!(
        bytes <= BYTES,
        "a reused invocation of the bytes contract allocates {bytes} times, stated is {BYTES}"
    );
    assert!(component <= COMPONENT, "one of a component allocates {component} times, stated is {COMPONENT}");
}

const BYTES: f64 = 9.1;
const COMPONENT: f64 = 10.1;
