//! Where the microseconds of guests go whose language brings an engine of its own.

use std::path::PathBuf;

use fnhost::{Event, Function, Isolation, Runtime};

use crate::kit::Effort;
use crate::own::{Folder, deploy, guest, large};
use crate::seen::{Seen, event, median, seen};

const EVENTS: usize = 200;

pub(crate) fn run(effort: Effort) {
    println!("\nwhere the microseconds go, one event after another (medians)");
    println!("{:<28} {:>9} {:>9} {:>9} {:>12}", "", "setup", "handler", "after", "page faults");
    let folder = Folder::new("large");
    let runtime = Runtime::builder().places(64).cache_dir(folder.path()).build().expect("a runtime");
    let mut all: Vec<(&str, PathBuf)> = vec![("QuickJS", guest("json-qjs.wasm"))];
    if effort.judges {
        all.extend(large("json-spidermonkey.wasm").map(|path| ("SpiderMonkey", path)));
        all.extend(large("json-python.wasm").map(|path| ("CPython", path)));
    }
    for (name, path) in all {
        let of = |kind: &str| Function::wasm_file(format!("{name}-{kind}"), &path);
        line(&runtime, &format!("{name}, fresh"), of("fresh"));
        let warm = of("warm").warm_up(Event::bytes("bench", crate::snapshots::BODY));
        line(&runtime, &format!("{name}, fresh, warmed"), warm);
        let reuse = Isolation::Reuse { max_uses: u64::MAX };
        line(&runtime, &format!("{name}, reused"), of("reused").isolation(reuse));
    }
}

fn line(runtime: &Runtime, name: &str, function: Function) {
    let handler = deploy(runtime, function);
    // The first ones map the code and find out whether the guest is large.
    (0..40).for_each(|_| drop(handler.invoke_blocking(event()).expect("an answer")));
    let all: Vec<Seen> = (0..EVENTS).map(|_| seen(&handler)).collect();
    println!(
        "{name:<28} {:>9.0} {:>9.0} {:>9.0} {:>12.0}",
        median(&all, |seen| seen.setup),
        median(&all, |seen| seen.handler),
        median(&all, |seen| seen.total - seen.setup - seen.handler),
        median(&all, |seen| seen.faults),
    );
}
