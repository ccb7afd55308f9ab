//! Ten thousand functions of which few are hot, in a process that may open 1,024 files.

use std::path::Path;
use std::time::Instant;

use fnhost::{Event, Function, Handler, Runtime, Start};

use crate::kit::{Effort, spread};
use crate::own::{Folder, count, process};

/// Random functions that get an event.
const EVENTS: usize = 300;

pub(crate) fn run(effort: Effort) {
    let functions = if effort.judges { 10_000 } else { 100 };
    println!("\n{functions} functions of distinct code, warm cache, `ulimit -n 1024`");
    let folder = Folder::new("many");
    let started = Instant::now();
    process("fill", folder.path(), functions, "");
    println!("filled the cache in {:.1} s", started.elapsed().as_secs_f64());
    let told = process("many", folder.path(), functions, "ulimit -n 1024 &&");
    let of = |name: &str| told.iter().find(|(known, _)| known == name).expect("told").1;
    let line = |what: &str, value: f64, most: f64| {
        let verdict = match effort.judges {
            true if value <= most => format!("  <= {most} ok"),
            true => format!("  <= {most} MISSED"),
            false => String::new(),
        };
        println!("{what:<52} {value:>9.3}{verdict}");
    };
    line("deployed within, s", of("deploy_s"), 20.0);
    line("resident for each idle function, KiB", of("idle_kib"), 16.0);
    line("a random one answers later than fresh by, ms", of("cold_ms") - of("fresh_ms"), 2.0);
    println!(
        "cold {:.3} ms (highest {:.3}), fresh {:.3} ms; {} mapped in the end, at most {} stay",
        of("cold_ms"),
        of("cold_highest_ms"),
        of("fresh_ms"),
        of("loaded"),
        of("most_loaded")
    );
}

/// The same work in other code: the number stands in its data.
fn code(number: usize) -> String {
    format!(
        r#"(module (memory (export "memory") 1) (data (i32.const 8) "{number}")
        (func (export "fnhost_alloc") (param i32) (result i32) i32.const 1024)
        (func (export "fnhost_handle") (param $at i32) (param $len i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
                (i64.extend_i32_u (local.get $len)))))"#
    )
}

fn runtime(folder: &Path) -> Runtime {
    Runtime::builder().cache_dir(folder).build().expect("a runtime")
}

fn deploy_all(runtime: &Runtime) {
    for number in 0..count() {
        let function = Function::wasm(format!("f-{number}"), code(number));
        runtime.block_on(runtime.deploy(function)).expect("it deploys");
    }
}

pub(crate) fn fill(folder: &Path) {
    deploy_all(&runtime(folder));
}

pub(crate) fn child(folder: &Path) {
    let runtime = runtime(folder);
    let before = resident_kib();
    let started = Instant::now();
    deploy_all(&runtime);
    println!("deploy_s={}", started.elapsed().as_secs_f64());
    println!("idle_kib={}", (resident_kib() - before) / count() as f64);
    let mut dice = 12_345_usize;
    let mut took = Vec::new();
    while took.len() < EVENTS.min(count() / 2) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let handler = runtime.handler(&format!("f-{}", (dice >> 33) % count())).expect("it is deployed");
        let (start, cold) = event(&handler);
        if start == Start::Cold {
            took.push((cold, event(&handler).1));
        }
    }
    let cold = spread(took.iter().map(|(cold, _)| *cold));
    println!("cold_ms={}", cold.1);
    println!("cold_highest_ms={}", cold.2);
    println!("fresh_ms={}", spread(took.iter().map(|(_, fresh)| *fresh)).1);
    println!("loaded={}", runtime.stats().loaded);
    println!("most_loaded={}", runtime.stats().most_loaded);
}

fn event(handler: &Handler) -> (Start, f64) {
    let event = Event::bytes("bench", "hello");
    let started = Instant::now();
    let response = handler.invoke_blocking(event).expect("an answer");
    (response.report().start.expect("it started"), started.elapsed().as_secs_f64() * 1e3)
}

/// Returns what of this process is in memory.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
}
