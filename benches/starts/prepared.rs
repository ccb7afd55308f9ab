//! Prepared guests at a fifth of what the machine could do, and in a burst.

use std::time::{Duration, Instant};

use fnhost::{Function, Handler, Runtime, Start};

use crate::kit::{Effort, Ratio, print, spread};
use crate::own::{Folder, deploy, large};
use crate::seen::{Seen, event, median, seen};

const READY: u32 = 4;
/// One event in this many times what a fresh one takes: a fifth of the capacity of one thread.
const PACE: u32 = 5;

pub(crate) fn run(effort: Effort) {
    println!("\nmedian of events at 20 % of capacity: prepared; the twin is fresh");
    let folder = Folder::new("prepared");
    let runtime = Runtime::builder().places(100).cache_dir(folder.path()).build().expect("a runtime");
    for (name, most) in [("json-python", Some(0.5)), ("json-spidermonkey", None)] {
        let Some(path) = large(&format!("{name}.wasm")).filter(|_| effort.judges) else { continue };
        let prepared = Function::wasm_file(format!("{name}-prepared"), &path).prepared(READY);
        let (prepared, fresh) =
            (deploy(&runtime, prepared), deploy(&runtime, Function::wasm_file(name, &path)));
        pair(effort, name, (&prepared, &fresh), most);
        burst(&runtime, &prepared);
        let warm = Function::wasm_file(format!("{name}-warm"), &path).warm_up(event()).prepared(READY);
        let warm = deploy(&runtime, warm);
        pair(effort, &format!("{name}, warmed by a sample as well"), (&warm, &fresh), None);
    }
}

fn pair(effort: Effort, name: &str, (ours, twin): (&Handler, &Handler), most: Option<f64>) {
    wait_until_ready(ours);
    (0..20).for_each(|_| drop(twin.invoke_blocking(event()).expect("an answer")));
    let alone: Vec<Seen> = (0..20).map(|_| seen(twin)).collect();
    let pace = Duration::from_secs_f64(median(&alone, |seen| seen.total) / 1e6) * PACE;
    let slice = effort.slice.max(pace * 24);
    let rounds: Vec<_> =
        (0..effort.rounds).map(|_| (paced(ours, pace, slice), paced(twin, pace, slice))).collect();
    let total = |seen: &[Seen]| median(seen, |seen| seen.total);
    let (low, middle, high) = spread(rounds.iter().map(|(ours, twin)| total(ours) / total(twin)));
    let ours: Vec<Seen> = rounds.iter().flat_map(|(ours, _)| ours.iter().copied()).collect();
    let twin: Vec<Seen> = rounds.iter().flat_map(|(_, twin)| twin.iter().copied()).collect();
    let ratio =
        Ratio { median: middle, lowest: low, highest: high, ours_us: total(&ours), twin_us: total(&twin) };
    print(effort, name, ratio, most);
    let ready = ours.iter().filter(|seen| seen.start == Start::Prepared).count();
    println!(
        "  {ready} of {} found one ready; setup {:.0} -> {:.0} us, handler {:.0} -> {:.0} us, after it {:.0} -> {:.0} us, \
         page faults {:.0} -> {:.0}",
        ours.len(),
        median(&twin, |seen| seen.setup),
        median(&ours, |seen| seen.setup),
        median(&twin, |seen| seen.handler),
        median(&ours, |seen| seen.handler),
        median(&twin, |seen| seen.total - seen.setup - seen.handler),
        median(&ours, |seen| seen.total - seen.setup - seen.handler),
        median(&twin, |seen| seen.faults),
        median(&ours, |seen| seen.faults),
    );
}

fn paced(handler: &Handler, pace: Duration, slice: Duration) -> Vec<Seen> {
    let began = Instant::now();
    let mut all = Vec::new();
    while began.elapsed() < slice {
        let started = Instant::now();
        all.push(seen(handler));
        std::thread::sleep(pace.saturating_sub(started.elapsed()));
    }
    all
}

fn wait_until_ready(handler: &Handler) {
    let began = Instant::now();
    while handler.stats().expect("it is deployed").prepared < READY as usize {
        assert!(began.elapsed() < Duration::from_secs(30), "none is prepared");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Ten times as many events at once as stand ready.
fn burst(runtime: &Runtime, handler: &Handler) {
    wait_until_ready(handler);
    let events = READY * 10;
    let starts: Vec<Start> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..events).map(|_| scope.spawn(|| seen(handler).start)).collect();
        sent.into_iter().map(|sent| sent.join().expect("no error")).collect()
    });
    let ready = starts.iter().filter(|start| **start == Start::Prepared).count();
    let stats = handler.stats().expect("it is deployed");
    println!(
        "  a burst of {events}: no error, {ready} found one ready; {} of {} places taken after",
        runtime.stats().places_taken,
        runtime.stats().places
    );
    assert!(stats.prepared <= READY as usize, "{stats:?}");
}
