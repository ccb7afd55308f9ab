//! What snapshots gain: of an init that takes 50 ms, and of sample events that warm a language's engine.

use std::path::Path;

use fnhost::{Event, Function, Handler, Init, Runtime};

use crate::kit::{Effort, compare, print};
use crate::own::{Folder, deploy, guest, large};

/// What the JSON guests answer.
pub(crate) const BODY: &str = r#"{"name":"Ada","items":[{"price":2,"count":3},{"price":5,"count":7}]}"#;

/// An init of 50 ms, against the same handler without one.
pub(crate) fn init(effort: Effort) {
    println!("\na fresh event of a handler whose init takes 50 ms, snapshotted; the twin has no init");
    let runtime = Runtime::builder().places(64).build().expect("a runtime");
    for (kind, slow, none) in [
        ("module", "init-slow-bytes.wasm", "init-none-bytes.wasm"),
        ("component", "init-slow.wasm", "init-none.wasm"),
    ] {
        let ours = deploy(&runtime, Function::wasm_file(format!("slow-{kind}"), guest(slow)));
        let twin = deploy(&runtime, Function::wasm_file(format!("none-{kind}"), guest(none)));
        let (mut ours, mut twin) = (sending(&ours), sending(&twin));
        print(effort, kind, compare(effort, &mut ours, &mut twin), Some(2.0));
        let each = Function::wasm_file(format!("each-{kind}"), guest(slow)).init(Init::PerGuest);
        let each = deploy(&runtime, each);
        let started = std::time::Instant::now();
        each.invoke_blocking(Event::bytes("bench", "x")).expect("an answer");
        println!(
            "{:<44} {:>9.3} us",
            format!("{kind}, init for each guest, once"),
            started.elapsed().as_secs_f64() * 1e6
        );
    }
}

/// Fresh events after a sample at deployment, against the same without.
pub(crate) fn warm(effort: Effort) {
    println!("\na fresh event of a handler that was warmed by a sample; the twin was not");
    let folder = Folder::new("warm");
    let runtime = Runtime::builder().places(64).cache_dir(folder.path()).build().expect("a runtime");
    one(effort, &runtime, "json-rs", &guest("json-rs.wasm"), Some(0.7));
    for (name, most) in [("json-spidermonkey", Some(0.4)), ("json-python", None)] {
        if let Some(path) = large(&format!("{name}.wasm")).filter(|_| effort.judges) {
            one(effort, &runtime, name, &path, most);
        }
    }
}

fn one(effort: Effort, runtime: &Runtime, name: &str, path: &Path, most: Option<f64>) {
    let warm = Function::wasm_file(format!("{name}-warm"), path).warm_up(Event::bytes("bench", BODY));
    let deployed = runtime.block_on(runtime.deploy(warm)).expect("it deploys");
    println!("{name}: {}", deployed.snapshot());
    let warm = runtime.handler(deployed.name()).expect("deployed just now");
    let plain = deploy(runtime, Function::wasm_file(name, path));
    let (mut ours, mut twin) = (sending(&warm), sending(&plain));
    print(effort, name, compare(effort, &mut ours, &mut twin), most);
}

/// Sends fresh events one after another.
fn sending(handler: &Handler) -> impl FnMut(u32) {
    let event = Event::bytes("bench", BODY);
    let handler = handler.clone();
    move |runs| {
        for _ in 0..runs {
            drop(handler.invoke_blocking(event.clone()).expect("an answer"));
        }
    }
}
