//! Guests whose language brings an engine of its own: JavaScript on SpiderMonkey, Python on CPython.
//!
//! They are too large to be committed; a script builds them. Without them these tests say so, past the harness,
//! which would swallow it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fnhost::{Event, Function, Handler, Origin, Response, Runtime, Snapshot, Start};
use serde_json::{Value, json};

use crate::kit::{busy, small, until};

/// One at a time: each compiles for seconds.
static TURN: Mutex<()> = Mutex::new(());

/// Finds a guest; without it says which test is left out, and how to get it.
pub(crate) fn guest(name: &str, test: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/large/out").join(name);
    if path.exists() {
        return Some(path);
    }
    // The harness swallows what is printed, but not what is written.
    let said = writeln!(
        std::io::stderr(),
        "LEFT OUT: {test}, as {name} is not built; run tests/guests/large/build.sh"
    );
    said.expect("stderr");
    None
}

/// A runtime whose cache folder outlives the test, so that only the first run compiles.
fn runtime() -> Runtime {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("large-guests");
    small().cache_dir(folder).build().expect("a runtime with a cache folder")
}

fn event(body: &Value) -> Event {
    Event::json("order", body).expect("it is JSON")
}

fn order(more: (&str, bool)) -> Value {
    json!({ "name": "Ada", "items": [{ "price": 2, "count": 3 }, { "price": 5, "count": 7 }], more.0: more.1 })
}

fn answer(handler: &Handler, body: &Value) -> (Value, Start) {
    read(&handler.invoke_blocking(event(body)).expect("an answer"))
}

fn read(response: &Response) -> (Value, Start) {
    (response.json().expect("JSON"), response.report().start.expect("it started"))
}

/// A function warmed by one sample that asks for a random number.
fn warmed(name: &str, path: &Path) -> Function {
    Function::wasm_file(name, path).warm_up(event(&order(("random", true))))
}

/// Answers the random numbers that six guests drew.
fn sample_is_in_every_guest_and_never_changes(name: &str, test: &str) -> Vec<f64> {
    let Some(path) = guest(name, &format!("large::{test}")) else { return Vec::new() };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _busy = busy();
    let runtime = runtime();
    let deployed = runtime.block_on(runtime.deploy(warmed("warm", &path).prepared(2))).expect("it deploys");
    assert!(matches!(deployed.snapshot(), Snapshot::Taken { .. }), "{}", deployed.snapshot());
    let sample: Value = deployed.warm_ups()[0].json().expect("JSON");
    assert_eq!(sample["greeting"], "Hello, Ada!");
    let warm = runtime.handler("warm").expect("deployed just now");
    let mut seen = Vec::new();
    for round in 0..6 {
        if round == 3 {
            until("two stand ready", || warm.stats().unwrap().prepared == 2);
        }
        let (answer, start) = answer(&warm, &order(("random", true)));
        assert_eq!(answer["greeting"], "Hello, Ada!");
        assert_eq!(answer["total"].as_f64(), Some(41.0));
        assert_eq!(answer["served"], 2, "the sample was the first event of every guest, and the only one");
        seen.push((answer["random"].as_f64().expect("a number"), start));
    }
    assert!(seen[3..].iter().any(|(_, start)| *start == Start::Prepared), "{seen:?}");
    let again = runtime.block_on(runtime.deploy(warmed("warm", &path))).expect("it deploys");
    assert_eq!(again.origin(), Origin::Loaded, "the snapshot comes from the cache folder");
    assert_eq!(again.warm_ups().len(), 1);
    seen.into_iter().map(|(random, _)| random).collect()
}

#[test]
fn what_the_sample_left_is_in_every_guest_in_javascript() {
    let test = "what_the_sample_left_is_in_every_guest_in_javascript";
    let random = sample_is_in_every_guest_and_never_changes("json-spidermonkey.wasm", test);
    // This engine asks the host for each seed, so guests differ all the same.
    assert!(random.windows(2).all(|two| two[0] != two[1]), "{random:?}");
}

#[test]
fn what_the_sample_left_is_in_every_guest_in_python() {
    let test = "what_the_sample_left_is_in_every_guest_in_python";
    let random = sample_is_in_every_guest_and_never_changes("json-python.wasm", test);
    assert!(
        random.windows(2).all(|two| two[0] == two[1]),
        "what was seeded in the sample goes on alike: {random:?}"
    );
}

#[test]
fn an_engine_that_was_not_snapshotted_draws_its_own_seed() {
    let test = "an_engine_that_was_not_snapshotted_draws_its_own_seed";
    for name in ["json-spidermonkey.wasm", "json-python.wasm"] {
        let Some(path) = guest(name, &format!("large::{test}")) else { return };
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let _busy = busy();
        let runtime = runtime();
        runtime.block_on(runtime.deploy(Function::wasm_file("plain", &path))).expect("it deploys");
        let plain = runtime.handler("plain").expect("deployed just now");
        let [first, second] = [0, 1].map(|_| answer(&plain, &order(("random", true))).0);
        assert_eq!((&first["served"], &second["served"]), (&json!(1), &json!(1)));
        assert_ne!(first["random"], second["random"], "{name}");
        let failure = plain.invoke_blocking(event(&order(("fail", true)))).expect_err("it was told to fail");
        assert_eq!(failure.kind().name(), "failed");
    }
}
