//! What real guests leave behind in init: a component and a wasip1 module in Rust, which do the same.

use std::path::PathBuf;

use fnhost::{Access, Event, Function, Init, Snapshot};
use serde_json::Value;

use crate::kit::send;
use crate::snapshots::{assert_refused, assert_taken, deployed};

const COMPONENT: &[u8] = include_bytes!("../guests/snapshot-probe.wasm");
const MODULE: &[u8] = include_bytes!("../guests/snapshot-probe-p1.wasm");

fn probe(code: &[u8], mode: &str) -> Function {
    Function::wasm("probe", code.to_vec()).env("INIT_MODE", mode).env("VAR", "first")
}

/// Answers what two guests say.
#[track_caller]
fn two(function: Function, is_taken: bool) -> [Value; 2] {
    let (_runtime, f, deployed) = deployed(function);
    assert_eq!(matches!(deployed.snapshot(), Snapshot::Taken { .. }), is_taken, "{}", deployed.snapshot());
    [(); 2].map(|()| {
        let response = send(&f, "any", "").unwrap();
        assert_eq!(response.report().init.is_some(), !is_taken);
        let answer: Value = response.json().unwrap();
        assert_eq!(answer["served"], 1, "no guest knows of another");
        assert_ne!(answer["fresh_host_random"], Value::Null);
        answer
    })
}

fn data(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("fnhost-probe-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("input.txt"), "what was there").unwrap();
    dir
}

#[test]
fn an_init_that_does_nothing_is_snapshotted_and_the_guests_differ_in_what_they_draw() {
    for code in [COMPONENT, MODULE] {
        let [a, b] = two(probe(code, "plain"), true);
        assert_ne!(a["fresh_random"], b["fresh_random"]);
        assert_ne!(a["fresh_host_random"], b["fresh_host_random"]);
        assert_eq!(a["fresh_env"], "first");
    }
}

#[test]
fn what_init_drew_and_what_was_seeded_by_it_is_the_same_in_each_guest() {
    for code in [COMPONENT, MODULE] {
        let [a, b] = two(probe(code, "random"), true);
        assert_eq!(a["random"], b["random"]);
        assert_eq!(a["fresh_random"], b["fresh_random"], "the keys were drawn in init");
        assert_ne!(a["fresh_host_random"], b["fresh_host_random"]);
        let [a, b] = two(probe(code, "random").init(Init::PerGuest), false);
        assert_ne!(a["random"], b["random"]);
    }
}

#[test]
fn variables_and_secrets_that_init_read_stay() {
    for code in [COMPONENT, MODULE] {
        let [a, b] = two(probe(code, "env"), true);
        assert_eq!((&a["env"], &b["env"]), (&"first".into(), &"first".into()));
        let [a, _] = two(probe(code, "secret").env("SECRET", "s3cret"), true);
        assert_eq!(a["secret"], "s3cret");
    }
}

#[test]
fn the_time_that_init_kept_stays_and_clocks_go_on_from_it() {
    for code in [COMPONENT, MODULE] {
        let [a, b] = two(probe(code, "clock"), true);
        assert_eq!(a["unix_ms"], b["unix_ms"]);
        let passed = |answer: &Value| answer["elapsed_ms"].as_u64().unwrap();
        assert!(passed(&a) <= passed(&b) && passed(&b) < 60_000, "{a} {b}");
        assert!(a["fresh_unix_ms"].as_u64() >= a["unix_ms"].as_u64());
    }
}

#[test]
fn what_init_prints_stays_open_in_a_component_and_not_in_a_module() {
    let (_runtime, f, deployed) = deployed(probe(COMPONENT, "log"));
    assert_refused(&deployed, "handles open");
    let response = send(&f, "any", "print").unwrap();
    assert!(response.report().init.is_some() && response.report().log_tail.contains("event 1"));
    let (_runtime, f, deployed) = crate::snapshots::deployed(probe(MODULE, "log"));
    assert_taken(&deployed);
    assert_eq!(send(&f, "any", "print").unwrap().report().log_tail, "event 1 to standard output\n");
}

#[test]
fn a_file_that_init_keeps_open_is_no_part_of_a_snapshot() {
    let dir = data("open");
    for code in [COMPONENT, MODULE] {
        let [a, b] = two(probe(code, "file").dir(&dir, "/data", Access::Read), false);
        assert_eq!((&a["file"], &b["file"]), (&"what was there".into(), &"what was there".into()));
    }
    let [a, b] = two(probe(MODULE, "file-closed").dir(&dir, "/data", Access::Read), true);
    assert_eq!((&a["text"], &b["text"]), (&"what was there".into(), &"what was there".into()));
    // The library of a component keeps the granted folders open.
    let [a, _] = two(probe(COMPONENT, "file-closed").dir(&dir, "/data", Access::Read), false);
    assert_eq!(a["text"], "what was there");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_sample_that_leaves_something_open_is_as_an_init_that_does() {
    let dir = data("sample");
    for code in [COMPONENT, MODULE] {
        let opens = Event::bytes("any", "open");
        let function = probe(code, "plain").dir(&dir, "/data", Access::Read).warm_up(opens);
        let (_runtime, f, deployed) = deployed(function);
        assert_refused(&deployed, "open");
        assert_eq!(deployed.warm_ups()[0].json::<Value>().unwrap()["file"], "what was there");
        let answer: Value = send(&f, "any", "").unwrap().json().unwrap();
        assert_eq!((&answer["served"], &answer["file"]), (&1.into(), &Value::Null));
    }
    let (_runtime, f, deployed) =
        crate::snapshots::deployed(probe(MODULE, "plain").warm_up(Event::bytes("any", "print")));
    assert_taken(&deployed);
    assert_eq!(send(&f, "any", "").unwrap().json::<Value>().unwrap()["served"], 2);
    std::fs::remove_dir_all(&dir).unwrap();
}
