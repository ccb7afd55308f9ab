//! A million events that wait: what they take in memory, and how long the start takes.

use std::path::Path;
use std::process::abort;
use std::time::{Duration, Instant};

use fnhost::Probe;

use crate::kit::Effort;
use crate::own::{Folder, event, open, process};

const MANY: u64 = 256;

/// Returns the memory of this process that no file stands behind, in MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Fills a folder, says what that took, and ends without closing anything.
pub(crate) fn fill(folder: &Path, count: u64) {
    let (_runtime, handler) = open(folder, &Probe::default());
    let (before, began) = (memory(), Instant::now());
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("threads");
    threads.block_on(async {
        let tasks: Vec<_> = (0..MANY)
            .map(|nth| {
                let handler = handler.clone();
                let each = count / MANY + u64::from(nth < count % MANY);
                tokio::spawn(async move {
                    for _ in 0..each {
                        handler.submit_after(event(), Duration::from_secs(86_400)).await.expect("kept");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it does not panic");
        }
    });
    println!(
        "{count} events kept in {:.1} s; memory {before} MiB before, {} MiB after",
        began.elapsed().as_secs_f64(),
        memory()
    );
    abort();
}

pub(crate) fn run(effort: Effort) {
    let count = if effort.judges { 1_000_000 } else { 1_000 };
    let folder = Folder::new("million");
    println!("\na million that wait");
    print!("{}", process(folder.path(), count));
    let file = folder.path().join("events.redb");
    println!("the file has {} MiB", std::fs::metadata(file).map_or(0, |file| file.len() >> 20));
    let before = memory();
    for name in ["after a crash", "after a clean end"] {
        let began = Instant::now();
        let (runtime, _) = open(folder.path(), &Probe::default());
        let took = began.elapsed();
        println!(
            "start {name}: {:.2} s; memory {before} MiB before, {} MiB after",
            took.as_secs_f64(),
            memory()
        );
        runtime.block_on(runtime.shutdown(Duration::from_secs(5)));
    }
}
