//! fnhost beside extism and the bare engine: the same work in one run, one table.
//!
//!     cargo run --release --manifest-path benches/peers/Cargo.toml [-- --quick]
//!
//! Every peer gets its plain use: code compiled once, default limits, no function of the host, no WASI. The bare
//! engine has its default settings; what it does with fnhost's settings is shown by fnhost's own bench `invoke`.
//! Each answer is compared once, so that all do the same work. `--quick` runs everything once and judges nothing.

mod bar;
mod crew;
mod measure;
mod table;
mod with_extism;
mod with_fnhost;
mod with_wasmtime;
mod work;

use std::process::ExitCode;

use fnhost::Runtime;

use crate::crew::Crew;
use crate::measure::{Effort, Times};
use crate::work::{LIVES, Life, Work};

fn main() -> ExitCode {
    let effort = Effort::from_args();
    let runtime = Runtime::new().expect("a runtime");
    let works = work::all();
    table::print_head(effort);
    let mut bars = bar::all();
    for threads in [1, 2] {
        for (work, life) in works.iter().flat_map(|work| LIVES.map(|life| (work, life))) {
            let times = measure(effort, &runtime, (work, life), threads);
            table::print_row(work, life, threads, &times);
            bars.iter_mut().for_each(|bar| bar.see(work, life, threads, &times));
        }
    }
    if !effort.judges {
        return ExitCode::SUCCESS;
    }
    println!();
    bars.iter().for_each(|bar| println!("{bar}"));
    if bars.iter().all(bar::Bar::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(effort: Effort, runtime: &Runtime, (work, life): (&Work, Life), threads: usize) -> Times {
    let peers = [
        with_fnhost::workers(runtime, work, life, threads),
        with_wasmtime::workers(work, life, threads),
        with_extism::workers(work, life, threads),
    ];
    let crews = peers.map(|mut workers| {
        workers.iter_mut().for_each(|worker| work.check(worker));
        Crew::hire(workers)
    });
    measure::compare(effort, &crews)
}
