//! How many events are kept in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fnhost::{Handler, Probe};

use crate::kit::{Effort, spread};
use crate::own::{Bare, Folder, event, open};

/// How many submit at once.
const MANY: u64 = 64;
/// An event that is due then is not delivered meanwhile.
const LATER: Duration = Duration::from_secs(3_600);

/// Whether what is submitted is delivered at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    Later,
}

/// Lets so many submit for a time; answers submissions a second.
fn rate(
    threads: &tokio::runtime::Runtime,
    handler: &Handler,
    (many, due): (u64, Due),
    time: Duration,
) -> f64 {
    let (count, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    threads.block_on(async {
        let tasks: Vec<_> = (0..many)
            .map(|_| {
                let (handler, count) = (handler.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    while began.elapsed() < time {
                        match due {
                            Due::Now => handler.submit(event()).await,
                            Due::Later => handler.submit_after(event(), LATER).await,
                        }
                        .expect("it is kept");
                        count.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it does not panic");
        }
    });
    count.load(Relaxed) as f64 / began.elapsed().as_secs_f64()
}

fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("threads")
}

fn verdict(effort: Effort, is_met: bool, bar: &str) -> String {
    match (effort.judges, is_met) {
        (false, _) => String::new(),
        (true, true) => format!("  {bar} ok"),
        (true, false) => format!("  {bar} MISSED"),
    }
}

fn print(effort: Effort, name: &str, rates: &[(f64, f64)], least: Option<f64>) {
    let (low, median, high) = spread(rates.iter().map(|(ours, bare)| ours / bare));
    let (ours, bare) = (spread(rates.iter().map(|r| r.0)).1, spread(rates.iter().map(|r| r.1)).1);
    let told = least.map_or(String::new(), |least| verdict(effort, median >= least, &format!(">= {least}")));
    println!("{name:<44} {ours:>9.0} /s {bare:>9.0} /s   {median:>5.2} ({low:.2} .. {high:.2}){told}");
}

pub(crate) fn run(effort: Effort) {
    println!(
        "\ndurable submissions\n{:<44} {:>12} {:>12}   ratio (lowest .. highest)",
        "", "fnhost", "bare loop"
    );
    let time = effort.slice * 4;
    let (folder, probe, threads, mut bare) =
        (Folder::new("submit"), Probe::default(), threads(), Bare::new());
    let (_runtime, handler) = open(folder.path(), &probe);
    let cases = [
        ("64 submitters", MANY, Due::Later, Some(0.3)),
        ("64 submitters, delivered meanwhile", MANY, Due::Now, None),
        ("1 submitter", 1, Due::Later, None),
    ];
    for (name, many, due, least) in cases {
        let before = probe.syncs();
        let mut kept = 0.0;
        let rates: Vec<_> = (0..effort.rounds)
            .map(|_| {
                let ours = rate(&threads, &handler, (many, due), time);
                kept += ours * time.as_secs_f64();
                (ours, bare.rate(many as usize, time))
            })
            .collect();
        print(effort, name, &rates, least);
        let each = kept / (probe.syncs() - before).max(1) as f64;
        let bar = if many == MANY { verdict(effort, each >= 16.0, ">= 16") } else { String::new() };
        println!("{:<44} {each:>9.1} events a sync{bar}", "");
    }
}

/// A disk whose sync takes five milliseconds.
pub(crate) fn slow(effort: Effort) {
    let (folder, probe, threads) = (Folder::new("slow"), Probe::default(), threads());
    let (_runtime, handler) = open(folder.path(), &probe);
    probe.delay(Duration::from_millis(5));
    let time = effort.slice * 4;
    let rates = (0..effort.rounds).map(|_| {
        let many = rate(&threads, &handler, (MANY, Due::Later), time);
        (many, rate(&threads, &handler, (1, Due::Later), time))
    });
    let rates: Vec<_> = rates.collect();
    println!(
        "\na sync that takes 5 ms\n{:<44} {:>12} {:>12}   ratio (lowest .. highest)",
        "", "64 submit", "1 submits"
    );
    print(effort, "submissions", &rates, Some(20.0));
}
