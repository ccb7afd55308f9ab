//! Everything that the bytes contract lets a guest answer wrongly.

use fnhost::{Function, Isolation};

use crate::hostile::{House, Module, module_refuses};

const INVALID: &str = "invalid-answer";

fn handle(handle: &str, kind: &str, saying: &str) {
    module_refuses(Module { handle, ..Module::default() }, kind, saying);
}

fn alloc(alloc: &str, kind: &str, saying: &str) {
    module_refuses(Module { alloc, ..Module::default() }, kind, saying);
}

/// What the guest answers, as text.
fn answer(module: Module<'_>, body: &str) -> String {
    let house = House::of(module.function());
    let answer = house.send(body.to_string()).unwrap();
    house.is_healthy("after");
    answer.text().unwrap().into()
}

#[test]
fn an_answer_out_of_bounds_is_invalid() {
    let out = "out of bounds";
    handle("i64.const 0x10000_0000_0001", INVALID, out);
    handle("i64.const 0xffff_0000_0000_0010", INVALID, out);
    handle("i64.const 0x0000ffff_00000002", INVALID, out);
    handle("i64.const -1", INVALID, out);
}

#[test]
fn an_answer_that_wraps_around_is_invalid() {
    handle("i64.const 0xfffffff0_00000020", INVALID, "32 bytes at 4294967280");
    handle("i64.const 0x00000001_ffffffff", INVALID, "4294967295 bytes at 1");
    handle("i64.const 0x80000000_80000000", INVALID, "2147483648 bytes at 2147483648");
}

#[test]
fn an_empty_answer_points_nowhere_whatever_its_pointer() {
    for pointer in ["0", "0x1_0000", "0xffff_ffff"] {
        let handle = format!("(i64.shl (i64.const {pointer}) (i64.const 32))");
        assert_eq!(answer(Module { handle: &handle, ..Module::default() }, "x"), "");
    }
}

#[test]
fn an_answer_at_the_very_end_of_the_memory_is_an_answer() {
    assert_eq!(answer(Module { handle: "i64.const 0xffff_00000001", ..Module::default() }, "x"), "\0");
}

#[test]
fn an_answer_that_is_the_input_is_an_answer() {
    let handle = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
                          (i64.extend_i32_u (local.get $len)))";
    assert_eq!(answer(Module { handle, ..Module::default() }, "again"), "again");
    // And one that overlaps it at both ends.
    let handle = "i64.const 0x3fe_00000009";
    assert_eq!(answer(Module { handle, ..Module::default() }, "again"), "\0\0again\0\0");
}

#[test]
fn an_answer_over_the_limit_is_too_large() {
    let module = Module {
        handle: "(drop (memory.grow (i32.const 63))) i64.const 0x00000000_00200001",
        ..Module::default()
    };
    crate::hostile::refuses(
        || module.function().max_response(2 << 20),
        "payload-too-large",
        "2097153 bytes, the limit is 2097152",
    );
}

#[test]
fn an_allocation_out_of_bounds_is_invalid() {
    alloc("i32.const -1", INVALID, "fnhost_alloc gave 9 bytes at 4294967295");
    alloc("i32.const 0x10000", INVALID, "out of bounds");
    alloc("i32.const 0xfffb", INVALID, "out of bounds");
    alloc("i32.const 0x80000000", INVALID, "out of bounds");
}

#[test]
fn an_allocation_at_zero_or_over_the_guests_own_data_harms_only_the_guest() {
    let echo = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
                        (i64.extend_i32_u (local.get $len)))";
    assert_eq!(answer(Module { alloc: "i32.const 0", handle: echo, ..Module::default() }, "zero"), "zero");
    assert_eq!(answer(Module { alloc: "i32.const 6", handle: echo, ..Module::default() }, "over"), "over");
}

#[test]
fn an_allocation_that_differs_each_time_is_where_the_body_goes() {
    let alloc = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                 (i32.mul (global.get $calls) (i32.const 0x4000))";
    let handle = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.const 1))";
    let function = Module { alloc, handle, ..Module::default() }.function();
    let house = House::of(function.isolation(Isolation::Reuse { max_uses: 100 }));
    for body in ["1", "2", "3"] {
        assert_eq!(house.send(body).unwrap().text().unwrap(), body);
    }
    let error = house.send("4").unwrap_err();
    assert_eq!(error.kind().name(), INVALID, "{error}");
    house.is_healthy("after");
    assert_eq!(house.send("1").unwrap().text().unwrap(), "1", "a new guest counts anew");
}

#[test]
fn memory_that_grows_in_alloc_and_in_handle_is_seen_where_it_is_then() {
    let alloc = "(i32.mul (memory.grow (i32.const 10)) (i32.const 0x10000))";
    let handle = "(memory.copy (i32.mul (memory.grow (i32.const 20)) (i32.const 0x10000))
                     (local.get $at) (local.get $len))
                  (i64.or (i64.const 0x000b0000_00000000) (i64.extend_i32_u (local.get $len)))";
    assert_eq!(answer(Module { alloc, handle, ..Module::default() }, "moved"), "moved");
}

#[test]
fn an_allocation_that_grows_beyond_the_limit_is_the_limits_error() {
    let module = Module { alloc: "(memory.grow (i32.const 32))", ..Module::default() };
    crate::hostile::refuses(
        || module.function().memory(1 << 20),
        "memory-exceeded",
        "the limit of the function",
    );
}

#[test]
fn what_traps_or_spins_in_any_export_is_ended_and_replaced() {
    alloc("unreachable", "trapped", "unreachable");
    handle("unreachable", "trapped", "unreachable");
    alloc("(loop $ever (br $ever)) i32.const 0", "timed-out", "the handler");
    handle("(loop $ever (br $ever)) i64.const 0", "timed-out", "the handler");
    let more = "(func $deep (result i64) (i64.add (call $deep) (i64.const 1)))";
    module_refuses(Module { handle: "call $deep", more, ..Module::default() }, "trapped", "stack");
}

#[test]
fn a_free_that_traps_spins_or_grows_is_judged_like_the_handler() {
    let free = |body: &str, kind: &str, saying: &str| {
        let more = format!(
            r#"(func (export "fnhost_free") (param i32 i32)
            (if (i32.ne (local.get 0) (i32.const 8)) (then {body})))"#
        );
        module_refuses(Module { more: &more, ..Module::default() }, kind, saying);
    };
    free("unreachable", "trapped", "unreachable");
    free("(loop $ever (br $ever))", "timed-out", "the handler");
    free("(drop (memory.grow (i32.const 63))) (drop (memory.size)) (loop $ever (br $ever))", "timed-out", "");
}

#[test]
fn exports_of_a_wrong_kind_or_type_are_refused_when_deployed() {
    let good = r#"(memory (export "memory") 1)
        (func (export "fnhost_alloc") (param i32) (result i32) i32.const 0)
        (func (export "fnhost_handle") (param i32 i32) (result i64) i64.const 0)"#;
    let memory = good.lines().next().unwrap();
    let alloc = good.lines().nth(1).unwrap();
    let handle = good.lines().nth(2).unwrap();
    let wrong = [
        format!("{alloc}{handle}"),
        format!(r#"(memory (export "other") 1){alloc}{handle}"#),
        format!(r#"(global (export "memory") i32 (i32.const 0)){alloc}{handle}"#),
        format!(r#"(func (export "memory")){alloc}{handle}"#),
        format!(r#"{memory}(global (export "fnhost_alloc") i32 (i32.const 0)){handle}"#),
        format!(r#"{memory}(func (export "fnhost_alloc") (param i64) (result i32) i32.const 0){handle}"#),
        format!(r#"{memory}{alloc}(table (export "fnhost_handle") 1 funcref)"#),
        format!(r#"{memory}{alloc}(func (export "fnhost_handle") (param i32 i32) (result i32) i32.const 0)"#),
        format!(
            r#"{memory}{alloc}(func (export "fnhost_handle") (param i32 i32) (result i32 i32) i32.const 0 i32.const 0)"#
        ),
        format!(r#"{good}(func (export "fnhost_free") (param i32))"#),
        format!(r#"{good}(memory $m 1)(export "fnhost_free" (memory $m))"#),
        format!(r#"{good}(func (export "fnhost_init") (result i64) i64.const 0)"#),
        format!(r#"{good}(func (export "fnhost_init") (param i32) (result i32) i32.const 0)"#),
        format!(r#"{good}(func (export "_initialize") (result i32) i32.const 0)"#),
        format!(r#"{good}(global (export "_initialize") i32 (i32.const 0))"#),
    ];
    for exports in wrong {
        let deployed = House::try_of(Function::wasm("wrong", format!("(module {exports})")));
        let error = deployed.err().unwrap_or_else(|| panic!("deployed: {exports}"));
        assert_eq!(error.kind().name(), "unknown-contract", "{exports}: {error}");
    }
}

#[test]
fn memories_that_the_runtime_does_not_offer_are_refused_when_deployed() {
    let rest = r#"(func (export "fnhost_alloc") (param i32) (result i32) i32.const 0)
        (func (export "fnhost_handle") (param i32 i32) (result i64) i64.const 0)"#;
    for memory in [r#"(memory (export "memory") i64 1)"#, r#"(memory (export "memory") 1 2 shared)"#] {
        let error = House::try_of(Function::wasm("wrong", format!("(module {memory}{rest})"))).err().unwrap();
        assert_eq!(error.kind().name(), "compile", "{memory}: {error}");
    }
    let imported =
        format!(r#"(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)) {rest})"#);
    assert_eq!(House::try_of(Function::wasm("wrong", imported)).err().unwrap().kind().name(), "link");
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").finish_non_exhaustive()
    }
}
