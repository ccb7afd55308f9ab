//! A second process finds what the first has compiled.

use std::path::Path;
use std::time::Instant;

use fnhost::{Function, Origin, Runtime};

use crate::kit::{Effort, spread};
use crate::own::{Folder, large, process};

const NAMES: [(&str, Option<f64>); 2] = [("json-spidermonkey.wasm", Some(30.0)), ("json-python.wasm", None)];

pub(crate) fn run(effort: Effort) {
    println!("\na second process deploys what the first has compiled; the artifact is verified whole");
    for (name, most) in NAMES {
        if large(name).is_some() {
            one(effort, name, most);
        }
    }
}

fn one(effort: Effort, name: &str, most: Option<f64>) {
    let folder = Folder::new("cache");
    let number = NAMES.iter().position(|(known, _)| *known == name).expect("it is one of them");
    let deploy = || process("deploy", folder.path(), number, "");
    let first = deploy();
    let rounds = if effort.judges { 9 } else { 1 };
    let later: Vec<_> = (0..rounds).map(|_| deploy()).collect();
    let of = |name: &str, all: &[(String, f64)]| all.iter().find(|(known, _)| known == name).expect("told").1;
    assert!(later.iter().all(|process| of("loaded", process) == 1.0), "nothing was found");
    let (low, median, high) = spread(later.iter().map(|process| of("deploy_ms", process)));
    let event = spread(later.iter().map(|process| of("event_ms", process)));
    let verdict = match most {
        Some(most) if effort.judges && median <= most => format!("  <= {most} ok"),
        Some(most) if effort.judges => format!("  <= {most} MISSED"),
        _ => String::new(),
    };
    println!(
        "{name:<28} first {:>8.0} ms   later {median:.1} ms ({low:.1} .. {high:.1}){verdict}   first event {:.1} ms \
         ({:.1} .. {:.1})",
        of("deploy_ms", &first),
        event.1,
        event.0,
        event.2
    );
}

/// Deploys one function, sends it one event, and says what both took.
pub(crate) fn child(folder: &Path) {
    let path = large(NAMES[crate::own::count()].0).expect("the parent has looked");
    let runtime = Runtime::builder().cache_dir(folder).build().expect("a runtime");
    let started = Instant::now();
    let deployed = runtime.block_on(runtime.deploy(Function::wasm_file("f", path))).expect("it deploys");
    println!("deploy_ms={}", started.elapsed().as_secs_f64() * 1e3);
    println!("loaded={}", u8::from(deployed.origin() == Origin::Loaded));
    let handler = runtime.handler("f").expect("deployed just now");
    let event = fnhost::Event::bytes("bench", r#"{"name":"Ada","items":[{"price":2,"count":3}]}"#);
    let started = Instant::now();
    handler.invoke_blocking(event).expect("an answer");
    println!("event_ms={}", started.elapsed().as_secs_f64() * 1e3);
}
