//! How long it takes from submission to start when nothing else is to be done.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use fnhost::{Context, Event, Function, Probe, Response};

use crate::kit::{Effort, spread};
use crate::own::{Bare, Folder, event, open};

/// How long everything rests between two events.
const REST: Duration = Duration::from_millis(10);

pub(crate) fn run(effort: Effort) {
    let (folder, probe, mut bare) = (Folder::new("latency"), Probe::default(), Bare::new());
    let (runtime, _) = open(folder.path(), &probe);
    let (told, started) = mpsc::channel();
    let tell = move |_: Event, _: Context| {
        let now = Instant::now();
        let told = told.clone();
        async move {
            // The bench may be over.
            let _ = told.send(now);
            Ok(Response::new())
        }
    };
    runtime.block_on(runtime.deploy(Function::native("tell", tell))).expect("deployed");
    let handler = runtime.handler("tell").expect("deployed just now");
    let mut times = Vec::new();
    for _ in 0..effort.rounds * 20 {
        std::thread::sleep(REST);
        let began = Instant::now();
        bare.append(1);
        let sync = began.elapsed();
        std::thread::sleep(REST);
        let began = Instant::now();
        runtime.block_on(handler.submit(event())).expect("it is kept");
        let kept = began.elapsed();
        times.push((sync, kept, started.recv().expect("it starts") - began));
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("\nfrom submission to start at idle (median, lowest .. highest)");
    let line = |name: &str, (low, median, high): (f64, f64, f64)| {
        println!("{name:<44} {median:>9.3} ms   ({low:.3} .. {high:.3})");
        median
    };
    let sync = line("bare append and sync", spread(times.iter().map(|time| ms(time.0))));
    line("submit", spread(times.iter().map(|time| ms(time.1))));
    let start = line("start of the handler", spread(times.iter().map(|time| ms(time.2))));
    let told = match (effort.judges, start - sync <= 2.0) {
        (false, _) => "",
        (true, true) => "  <= 2 ok",
        (true, false) => "  <= 2 MISSED",
    };
    println!("{:<44} {:>9.3} ms{told}", "start beyond the sync", start - sync);
}
