//! What one event leaves behind, and who may find it.

use std::thread;
use std::time::Duration;

use fnhost::{Bytes, Context, Event, Function, Handler, Isolation, Start};

use crate::kit::{
    COUNT, Latch, MISBEHAVE, MISBEHAVE_BYTES, REUSE, ask, assert_quiet, deploy, host, kind, module, poll,
    runtime, send, small, text, until,
};

/// Counts its events in static memory.
const COUNT_UP: &[u8] = &[16];

fn counting() -> Function {
    Function::wasm("count", MISBEHAVE_BYTES)
}

fn ask_as(handler: &Handler, tenant: Option<&str>) -> String {
    let context = tenant.map_or_else(Context::new, |tenant| Context::new().with_tenant(tenant));
    text(handler.invoke_blocking_with(context, Event::bytes("count", COUNT_UP)))
}

/// The first byte of the body says what to do with 31 pages beyond the first, a global and a table: `w` writes all
/// of them and answers, `t` traps then, `s` spins then, `h` waits then, `r` answers what of it can be read.
fn scanner() -> String {
    let write = "(drop (memory.grow (i32.const 31)))
        (memory.fill (i32.const 4096) (i32.const 0xaa) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4096)))
        (global.set $mark (i32.const 1))
        (table.set $t (i32.const 0) (ref.func $f))";
    let read = "(drop (memory.grow (i32.const 31)))
        (local.set $p (i32.const 4096))
        (loop $next
            (local.set $seen (i32.or (local.get $seen) (i32.ne (i32.const 0) (i32.load (local.get $p)))))
            (local.set $p (i32.add (local.get $p) (i32.const 4)))
            (br_if $next (i32.lt_u (local.get $p) (i32.mul (memory.size) (i32.const 65536)))))
        (local.set $seen (i32.or (local.get $seen) (global.get $mark)))
        (local.set $seen (i32.or (local.get $seen) (i32.eqz (ref.is_null (table.get $t (i32.const 0))))))
        (i32.store8 (i32.const 0) (i32.add (i32.const 48) (local.get $seen)))
        (return (i64.const 1))";
    let is = |c: char| format!("(i32.eq (local.get $what) (i32.const {}))", c as u32);
    let handle = format!(
        "(local $p i32) (local $seen i32) (local $what i32)
        (local.set $what (i32.load8_u (local.get $at)))
        (if {read_it} (then {read}))
        {write}
        (if {trap} (then unreachable))
        (if {spin} (then (loop $l (br $l))))
        (if {wait} (then (drop (call $call (i32.const 8) (i32.const 4) (i32.const 0) (i32.const 0)))))
        (i64.const 0)",
        read_it = is('r'),
        trap = is('t'),
        spin = is('s'),
        wait = is('h'),
    );
    let more = r#"(import "fnhost" "call" (func $call (param i32 i32 i32 i32) (result i32)))
        (data (i32.const 8) "hold")
        (func $f) (elem declare func $f)
        (global $mark (mut i32) (i32.const 0))
        (table $t 1 funcref)"#;
    module(more, &handle)
}

/// The scanner in the only place of its runtime, so that each guest stands where the last one stood.
fn scanning() -> (fnhost::Runtime, Handler) {
    let runtime = small().places(1).shards(1).build().unwrap();
    let never = Latch::new();
    let scan = Function::wasm("scan", scanner())
        .timeout(Duration::from_millis(100))
        .grant("hold", move |_: Bytes, _: Context| never.clone().pass(Bytes::new()));
    let handler = deploy(&runtime, scan);
    (runtime, handler)
}

#[test]
fn nothing_survives_an_event_in_a_fresh_sandbox() {
    let (_runtime, count) = host(counting());
    let answers: Vec<String> = (0..5).map(|_| ask(&count, "count", COUNT_UP)).collect();
    assert_eq!(answers, ["1"; 5]);
}

#[test]
fn state_survives_in_a_reused_sandbox() {
    let (_runtime, count) = host(counting().isolation(REUSE));
    let answers: Vec<String> = (0..5).map(|_| ask(&count, "count", COUNT_UP)).collect();
    assert_eq!(answers, ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_component_forgets_in_a_fresh_sandbox_and_remembers_in_a_reused_one() {
    let (_runtime, fresh) = host(Function::wasm("fresh", MISBEHAVE));
    assert_eq!(ask(&fresh, "write", "of somebody"), "written");
    assert_eq!(ask(&fresh, "read", ""), "");
    let (_runtime, reused) = host(Function::wasm("reused", MISBEHAVE).isolation(REUSE));
    assert_eq!(ask(&reused, "write", "of mine"), "written");
    assert_eq!(ask(&reused, "read", ""), "of mine");
}

#[test]
fn what_an_event_wrote_cannot_be_read_by_the_next() {
    let (_runtime, scan) = scanning();
    assert_eq!(ask(&scan, "scan", "w"), "");
    assert_eq!(ask(&scan, "scan", "r"), "0");
}

#[test]
fn what_an_event_wrote_can_be_read_where_the_sandbox_is_reused() {
    let (_runtime, scan) = host(Function::wasm("scan", scanner()).isolation(REUSE));
    assert_eq!(ask(&scan, "scan", "w"), "");
    assert_eq!(ask(&scan, "scan", "r"), "1", "the scanner finds what is there");
}

#[test]
fn what_an_event_wrote_cannot_be_read_after_its_trap() {
    let (_runtime, scan) = scanning();
    assert_eq!(kind(send(&scan, "scan", "t")), "trapped");
    assert_eq!(ask(&scan, "scan", "r"), "0");
}

#[test]
fn what_an_event_wrote_cannot_be_read_after_its_time_out() {
    let (_runtime, scan) = scanning();
    assert_eq!(kind(send(&scan, "scan", "s")), "timed-out");
    assert_eq!(ask(&scan, "scan", "r"), "0");
}

#[test]
fn what_an_event_wrote_cannot_be_read_after_its_cancellation() {
    let (_runtime, scan) = scanning();
    let mut waiting = Box::pin(scan.invoke(Event::bytes("scan", "h")));
    assert!(poll(&mut waiting).is_pending(), "it waits for the host, and has written");
    drop(waiting);
    assert_eq!(ask(&scan, "scan", "r"), "0");
}

#[test]
fn a_trap_ends_a_reused_sandbox() {
    let (_runtime, scan) = host(Function::wasm("scan", scanner()).isolation(REUSE));
    assert_eq!(ask(&scan, "scan", "w"), "");
    assert_eq!(kind(send(&scan, "scan", "t")), "trapped");
    assert_eq!(ask(&scan, "scan", "r"), "0");
    let stats = scan.stats().unwrap();
    assert_eq!((stats.created, stats.discarded), (2, 1));
}

#[test]
fn a_sandbox_that_timed_out_or_was_cancelled_never_serves_again() {
    let never = Latch::new();
    let scan = Function::wasm("scan", scanner())
        .isolation(REUSE)
        .timeout(Duration::from_millis(50))
        .grant("hold", move |_: Bytes, _: Context| never.clone().pass(Bytes::new()));
    let (_runtime, scan) = host(scan);
    for what in ["s", "h"] {
        assert_eq!(kind(send(&scan, "scan", what)), "timed-out");
        assert_eq!(ask(&scan, "scan", "r"), "0");
    }
    let mut waiting = Box::pin(scan.invoke(Event::bytes("scan", "h")));
    assert!(poll(&mut waiting).is_pending());
    drop(waiting);
    assert_eq!(ask(&scan, "scan", "r"), "0");
}

#[test]
fn a_failure_of_its_own_leaves_a_sandbox_as_it_was() {
    let (_runtime, reused) = host(Function::wasm("reused", MISBEHAVE).isolation(REUSE));
    ask(&reused, "write", "kept");
    assert_eq!(kind(send(&reused, "fail", "on purpose")), "failed");
    assert_eq!(ask(&reused, "read", ""), "kept");
}

#[test]
fn a_reused_sandbox_never_serves_two_tenants() {
    let (_runtime, count) = host(counting().isolation(REUSE));
    let tenants = [Some("ada"), Some("bob"), None];
    for round in 1..=3 {
        for tenant in tenants {
            assert_eq!(ask_as(&count, tenant), round.to_string(), "{tenant:?} counts alone");
        }
    }
    assert_eq!(count.stats().unwrap().created, 3);
}

#[test]
fn a_tenant_without_a_name_is_one_of_them() {
    let (_runtime, reused) = host(Function::wasm("reused", MISBEHAVE).isolation(REUSE).concurrency(1));
    let write = Event::bytes("write", "of ada");
    reused.invoke_blocking_with(Context::new().with_tenant("ada"), write).unwrap();
    assert_eq!(ask(&reused, "read", ""), "");
}

#[test]
fn tenants_stay_apart_when_many_threads_send_at_once() {
    let (runtime, reused) = host(Function::wasm("reused", MISBEHAVE).isolation(REUSE).concurrency(3));
    thread::scope(|scope| {
        for tenant in ["ada", "bob", "cleo", "dan"] {
            let reused = &reused;
            scope.spawn(move || {
                let as_tenant = || Context::new().with_tenant(tenant);
                for _ in 0..25 {
                    let read = Event::bytes("read", "");
                    let found = text(reused.invoke_blocking_with(as_tenant(), read));
                    assert!(found.is_empty() || found == tenant, "{tenant} reads {found}");
                    let write = Event::bytes("write", tenant);
                    reused.invoke_blocking_with(as_tenant(), write).unwrap();
                }
            });
        }
    });
    assert_quiet(&runtime, &[&reused]);
    assert!(reused.stats().unwrap().live <= 3);
}

#[test]
fn a_sandbox_serves_as_often_as_it_may_and_no_more() {
    let (_runtime, count) = host(counting().isolation(Isolation::Reuse { max_uses: 3 }));
    let answers: Vec<String> = (0..7).map(|_| ask(&count, "count", COUNT_UP)).collect();
    assert_eq!(answers, ["1", "2", "3", "1", "2", "3", "1"]);
    let stats = count.stats().unwrap();
    assert_eq!((stats.created, stats.discarded, stats.idle, stats.served), (3, 2, 1, 7));
}

#[test]
fn reports_tell_fresh_from_reused() {
    let (_runtime, count) = host(counting().isolation(Isolation::Reuse { max_uses: 2 }));
    let start = || send(&count, "count", COUNT_UP).unwrap().report().start;
    assert_eq!([start(), start(), start()].map(Option::unwrap), [Start::Fresh, Start::Reused, Start::Fresh]);
}

#[test]
fn with_concurrency_one_there_is_one_guest_whichever_thread_asks() {
    let count = Function::wasm("count", MISBEHAVE_BYTES).isolation(REUSE).concurrency(1);
    let (_runtime, count) = host(count);
    let mut answers: Vec<u32> = thread::scope(|scope| {
        let ask_often = || (0..25).map(|_| ask(&count, "count", COUNT_UP).parse().unwrap()).collect();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask_often)).collect();
        threads.into_iter().flat_map(|thread| -> Vec<u32> { thread.join().unwrap() }).collect()
    });
    answers.sort_unstable();
    assert_eq!(answers, (1..=100).collect::<Vec<_>>());
    let stats = count.stats().unwrap();
    assert_eq!((stats.created, stats.live, stats.idle), (1, 1, 1));
}

#[test]
fn an_idle_guest_of_one_tenant_makes_room_for_anothers_event() {
    let (_runtime, count) = host(counting().isolation(REUSE).concurrency(1));
    for tenant in ["ada", "bob", "ada"] {
        assert_eq!(ask_as(&count, Some(tenant)), "1", "the other's guest is gone");
        assert_eq!(count.stats().unwrap().live, 1);
    }
    assert_eq!(ask_as(&count, Some("ada")), "2");
}

#[test]
fn an_idle_guest_of_one_tenant_makes_room_where_places_are_short() {
    let runtime = small().places(2).build().unwrap();
    let count = deploy(&runtime, counting().isolation(REUSE).concurrency(10));
    for tenant in ["ada", "bob", "cleo", "dan"] {
        assert_eq!(ask_as(&count, Some(tenant)), "1");
        assert!(runtime.stats().places_taken <= 2);
    }
    assert_eq!(ask_as(&count, Some("dan")), "2", "the latest one is still there");
}

#[test]
fn a_guest_that_stood_idle_too_long_is_gone() {
    let runtime = runtime();
    let idle_timeout = Duration::from_millis(20);
    let count = Function::wasm("count", module("", COUNT)).isolation(REUSE).idle_timeout(idle_timeout);
    let count = deploy(&runtime, count);
    assert_eq!(ask(&count, "count", ""), "1");
    until("the guest goes", || count.stats().unwrap().live == 0);
    until("so does its room", || runtime.stats().places_taken == 0);
    assert_eq!(ask(&count, "count", ""), "1");
}
