//! Answers drawn at random: whatever a guest answers, the host stays consistent.

use std::time::Duration;

use fnhost::{Bytes, Context, Error, Event, Function, Isolation, Response};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use crate::hostile::House;
use crate::hostile::components::Parts;

const PAGE: usize = 0x1_0000;

/// Does what the event says. Its subject is what `fnhost_alloc` answers, in decimal digits. Its body is the answer
/// (eight bytes), a call of an import (which one, and five numbers) and a rest.
const PUPPET: &str = r#"(module
    (import "fnhost" "fail" (func $fail (param i32 i32 i32 i32 i32)))
    (import "fnhost" "log" (func $log (param i32 i32 i32)))
    (import "fnhost" "get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "fnhost" "set" (func $set (param i32 i32 i32 i32)))
    (import "fnhost" "call" (func $call (param i32 i32 i32 i32) (result i32)))
    (import "fnhost" "take" (func $take (param i32 i32) (result i32)))
    (memory (export "memory") 1 1)
    (data $fine "fine")
    (data $subject "subject")
    (func $reset
        (memory.fill (i32.const 0) (i32.const 0) (i32.const 0x10000))
        (memory.init $fine (i32.const 8) (i32.const 0) (i32.const 4))
        (memory.init $subject (i32.const 16) (i32.const 0) (i32.const 7)))
    (global $at (mut i32) (i32.const 0))
    (global $sum (mut i32) (i32.const 0))
    (func (export "fnhost_alloc") (param $len i32) (result i32)
        (call $reset)
        (global.set $at (i32.const 32))
        (global.set $sum (i32.const 0))
        (local.set $len (call $get (i32.const 16) (i32.const 7) (i32.const 32) (i32.const 16)))
        (loop $next
            (global.set $sum (i32.add (i32.mul (global.get $sum) (i32.const 10))
                (i32.sub (i32.load8_u (global.get $at)) (i32.const 48))))
            (global.set $at (i32.add (global.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (global.get $at) (i32.add (i32.const 32) (local.get $len)))))
        (memory.fill (i32.const 32) (i32.const 0) (i32.const 16))
        global.get $sum)
    (func $arg (param $at i32) (param $n i32) (result i32)
        (i32.load offset=12 (i32.add (local.get $at) (i32.mul (local.get $n) (i32.const 4)))))
    (func (export "fnhost_handle") (param $at i32) (param $len i32) (result i64)
        (local $do i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $answer i64)
        (if (i32.eqz (local.get $len)) (then (call $reset) (return (i64.const 0x8_0000_0004))))
        (local.set $answer (i64.load (local.get $at)))
        (local.set $do (i32.load offset=8 (local.get $at)))
        (local.set $a (call $arg (local.get $at) (i32.const 0)))
        (local.set $b (call $arg (local.get $at) (i32.const 1)))
        (local.set $c (call $arg (local.get $at) (i32.const 2)))
        (local.set $d (call $arg (local.get $at) (i32.const 3)))
        (if (i32.eq (local.get $do) (i32.const 1)) (then
            (call $fail (local.get $a) (local.get $b) (local.get $c) (local.get $d) (i32.const 1))))
        (if (i32.eq (local.get $do) (i32.const 2)) (then
            (call $log (local.get $a) (local.get $c) (local.get $d))))
        (if (i32.eq (local.get $do) (i32.const 3)) (then
            (drop (call $get (local.get $a) (local.get $b) (local.get $c) (local.get $d)))))
        (if (i32.eq (local.get $do) (i32.const 4)) (then
            (call $set (local.get $a) (local.get $b) (local.get $c) (local.get $d))))
        (if (i32.eq (local.get $do) (i32.const 5)) (then
            (drop (call $call (local.get $a) (local.get $b) (local.get $c) (local.get $d)))
            (drop (call $take (local.get $c) (local.get $d)))))
        local.get $answer))"#;

/// A number as hostile guests like them: small ones, and those at the edges of pages and of the address space.
fn number() -> impl Strategy<Value = u32> {
    let near = |edge: u32| (0_u32..40).prop_map(move |by| edge.wrapping_sub(20).wrapping_add(by));
    prop_oneof![
        4 => 0_u32..64,
        3 => 0_u32..0x1_0000,
        2 => near(0x1_0000),
        1 => near(0x8000_0000),
        1 => near(0),
        1 => any::<u32>(),
    ]
}

fn words(count: usize) -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(number(), count)
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Nothing is left of the last event, however it ended.
fn assert_nothing_left(house: &House) {
    let (stats, all) = (house.handler.stats().unwrap(), house.runtime.stats());
    assert_eq!((stats.running, stats.waiting, stats.live - stats.idle), (0, 0, 0), "{stats:?}");
    assert_eq!(all.places_taken as usize, stats.idle, "{all:?}");
}

fn check_kind(error: &Error, expected: &[&str]) {
    assert!(expected.contains(&error.kind().name()), "{error}");
    assert!(!error.to_string().contains(char::is_control), "{error}");
    assert!(error.report().is_some());
}

/// What the puppet's memory holds once the body lies at `at`; imports that write change only what they were told to.
fn memory(at: usize, body: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; PAGE];
    memory[8..12].copy_from_slice(b"fine");
    memory[16..23].copy_from_slice(b"subject");
    memory[at..at + body.len()].copy_from_slice(body);
    memory
}

fn judge(ended: Result<Response, Error>, at: u32, body: &[u8], numbers: &[u32]) {
    let (to, len, import) = (numbers[1] as usize, numbers[0] as usize, numbers[2]);
    match ended {
        Err(error) => check_kind(&error, &["invalid-answer", "failed", "payload-too-large", "trapped"]),
        Ok(answer) => {
            assert_eq!(answer.bytes().len(), len);
            assert!(len == 0 || to + len <= PAGE, "an answer from beyond the memory");
            let writes = import == 3 || import == 5;
            if !writes && len > 0 {
                assert_eq!(answer.bytes(), &memory(at as usize, body)[to..to + len]);
            }
            assert!(import != 1, "it failed, so it did not answer");
            assert!(answer.attributes().count() <= 1);
        }
    }
}

fn modules_answer_at_random(isolation: Isolation) {
    let _busy = crate::kit::busy();
    let function = Function::wasm("puppet", PUPPET).isolation(isolation);
    let house = House::of(function.grant("fine", async |body: Bytes, _: Context| Ok(body)));
    let drawn = (number(), words(7), 0_u32..6, any::<bool>());
    let mut runner = TestRunner::new(config(1_500));
    let done = runner.run(&drawn, |(at, mut numbers, import, named)| {
        numbers[2] = import;
        if named && import > 2 {
            // A name that is there, so that what comes after it is reached.
            (numbers[3], numbers[4]) = if import == 3 { (16, 7) } else { (8, 4) };
        }
        let body = bytes(&numbers);
        let event = Event::bytes("drawn", body.clone()).with_subject(at.to_string());
        judge(house.handler.invoke_blocking(event), at, &body, &numbers);
        assert_nothing_left(&house);
        Ok(())
    });
    done.unwrap();
    house.is_healthy("after all");
}

#[test]
fn whatever_a_fresh_module_answers_is_consistent_with_its_memory_or_an_error() {
    modules_answer_at_random(Isolation::Fresh);
}

#[test]
fn whatever_a_reused_module_answers_is_consistent_with_its_memory_or_an_error() {
    modules_answer_at_random(Isolation::Reuse { max_uses: u64::MAX });
}

/// The words of an answer: its case, and then mostly pointers and lengths.
fn record() -> impl Strategy<Value = Vec<u32>> {
    (prop_oneof![9 => 0_u32..2, 1 => number()], words(11)).prop_map(|(case, mut words)| {
        words[0] = case;
        words[1] &= 3;
        words
    })
}

#[test]
fn whatever_a_component_has_as_its_answer_is_an_answer_or_an_error() {
    let _busy = crate::kit::busy();
    // The body of the event is the record that it answers.
    let parts = Parts { handle: "(i32.load offset=80 (local.get $event))".into(), ..Parts::default() };
    for isolation in [Isolation::Fresh, Isolation::Reuse { max_uses: u64::MAX }] {
        let function = parts.function().timeout(Duration::from_secs(3)).isolation(isolation);
        let house = House::of(function);
        let done = TestRunner::new(config(1_000)).run(&record(), |words| {
            match house.send(bytes(&words)) {
                Ok(answer) => {
                    assert_eq!(words[0] & 0xff, 0);
                    assert_eq!(answer.bytes().len(), words[7] as usize);
                    assert!(answer.attributes().count() <= 64);
                    assert_eq!(answer.content_type().is_some(), words[1] & 0xff == 1);
                }
                Err(error) => check_kind(&error, &["invalid-answer", "failed", "payload-too-large"]),
            }
            assert_nothing_left(&house);
            Ok(())
        });
        done.unwrap();
        house.is_healthy("after all");
    }
}
