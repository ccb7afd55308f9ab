//! Checks what the documents say: the guests that they show are run as they stand there.

use std::fs;
use std::path::Path;

use fnhost::{Context, Contract, ErrorKind, Event, Function, Handler, Isolation, Limits, Runtime};

const CONTRACTS: &str = include_str!("../../docs/contracts.md");
const LIMITS: &str = include_str!("../../docs/limits.md");

/// Returns the code block that begins with this line.
fn block(fence: &str) -> &'static str {
    let opening = format!("```{fence}\n");
    let (_, rest) = CONTRACTS.split_once(&opening).expect("the document has such a block");
    rest.split_once("\n```").expect("the block ends").0
}

fn deploy(runtime: &Runtime, guest: &str, isolation: Isolation) -> (Contract, Handler) {
    let function = Function::wasm(guest, block(&format!("wat {guest}"))).isolation(isolation);
    let deployed = runtime.block_on(runtime.deploy(function)).expect("the guest is right");
    (deployed.contract(), runtime.handler(guest).expect("deployed just now"))
}

fn runtime() -> Runtime {
    Runtime::builder().places(16).build().expect("a small runtime")
}

/// Sends bodies of all sizes, the largest first, and expects them back.
fn assert_echoes(echo: &Handler) {
    for len in [6 << 20, 0, 1, 200_000] {
        let body: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let event = Event::bytes("sent", body.clone()).with_content_type("image/png");
        let response = echo.invoke_blocking(event).expect("an echo");
        assert!(response.bytes() == &body, "{len} bytes came back as {}", response.bytes().len());
    }
}

#[test]
fn the_function_guest_answers_fresh_and_reused() {
    let runtime = runtime();
    for isolation in [Isolation::Fresh, Isolation::Reuse { max_uses: 100 }] {
        let (contract, echo) = deploy(&runtime, "function", isolation);
        assert_eq!(contract, Contract::Function);
        assert_echoes(&echo);
        let response = echo.invoke_blocking(Event::json("sent", &7).unwrap()).unwrap();
        assert_eq!(response.content_type(), Some("application/json"));
    }
}

#[test]
fn the_command_guest_copies_its_input() {
    let runtime = runtime();
    let (contract, echo) = deploy(&runtime, "command", Isolation::Fresh);
    assert_eq!(contract, Contract::Command);
    assert_echoes(&echo);
}

#[test]
fn the_bytes_guest_answers_fresh_and_reused() {
    let runtime = runtime();
    for isolation in [Isolation::Fresh, Isolation::Reuse { max_uses: 100 }] {
        let (contract, echo) = deploy(&runtime, "bytes", isolation);
        assert_eq!(contract, Contract::Bytes);
        assert_echoes(&echo);
    }
}

#[test]
fn the_bytes_guest_with_imports_answers_the_subject_or_fails() {
    let runtime = runtime();
    let (_, guest) = deploy(&runtime, "bytes-with-imports", Isolation::Fresh);
    let event = || Event::bytes("sent", "a body");
    let response = guest.invoke_blocking(event().with_subject("tea")).unwrap();
    assert_eq!((response.text().unwrap(), response.content_type()), ("tea", Some("text/plain")));
    let error = guest.invoke_blocking(event()).unwrap_err();
    let ErrorKind::Failed(failure) = error.kind() else { panic!("{error}") };
    assert_eq!((failure.kind(), failure.message()), ("bad-request", "the event has no subject"));
}

#[test]
fn attributes_are_found_in_the_order_that_is_said() {
    let runtime = runtime();
    // Its mode 17 answers the attribute that the rest of the body names.
    let code = include_bytes!("../guests/misbehave-bytes.wasm");
    runtime.block_on(runtime.deploy(Function::wasm("get", code))).unwrap();
    let guest = runtime.handler("get").unwrap();
    let get = |name: &str| {
        let event = Event::bytes("sent", format!("\u{11}{name}"))
            .with_subject("the event's")
            .with_extension("tenant", "forged")
            .with_extension("attempt", 9)
            .with_extension("color", "the event's");
        let attributes = [("subject", "the caller's"), ("color", "the caller's"), ("shape", "the caller's")];
        let context =
            attributes.into_iter().fold(Context::new(), |c, (name, value)| c.with_attribute(name, value));
        guest.invoke_blocking_with(context, event).map(|answer| answer.text().unwrap().to_string()).ok()
    };
    let own = [("function", "get"), ("version", "1"), ("attempt", "1"), ("memory-limit", "134217728")];
    let others =
        [("type", "sent"), ("subject", "the event's"), ("color", "the event's"), ("shape", "the caller's")];
    for (name, value) in own.into_iter().chain(others) {
        assert_eq!(get(name).as_deref(), Some(value), "{name}");
    }
    for absent in ["tenant", "traceparent", "datacontenttype", "size"] {
        assert_eq!(get(absent), None, "{absent}");
    }
}

#[test]
fn a_command_has_the_variables_that_are_said() {
    let runtime = runtime();
    let code = include_bytes!("../guests/command.wasm");
    let function = Function::wasm("env", code).arg("env").env("CE_SUBJECT", "its own");
    runtime.block_on(runtime.deploy(function)).unwrap();
    let event = Event::bytes("sent", "").with_subject("tea").with_time("2026-01-02T03:04:05Z");
    let event = event.with_content_type("a/b").with_data_schema("urn:x").with_extension("some", true);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = Context::new().with_tenant("acme").with_traceparent(trace);
    let answer = runtime.handler("env").unwrap().invoke_blocking_with(context, event).unwrap();
    let names: Vec<&str> = answer.text().unwrap().lines().filter_map(|line| line.split('=').next()).collect();
    let (_, table) = CONTRACTS.split_once("| variable | value |").unwrap();
    let said = table.split('`').skip(1).step_by(2).take_while(|name| *name != ".env");
    let mut said: Vec<&str> = said.map(|name| if name == "CE_<NAME>" { "CE_SOME" } else { name }).collect();
    said.sort_unstable();
    assert_eq!(names, said);
    assert!(answer.text().unwrap().contains("CE_SUBJECT=its own"));
}

#[test]
fn the_wit_is_the_one_of_the_repository() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let files = fs::read_dir(folder).expect("the folder is there");
    let texts = files.map(|file| fs::read_to_string(file.expect("an entry").path()).expect("text"));
    assert_eq!(items(block("wit")), items(&texts.collect::<Vec<_>>().join("\n")));
}

/// Returns interfaces and worlds, sorted, without comments.
fn items(wit: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in wit.lines().map(str::trim) {
        let is_item = line.starts_with("interface ") || line.starts_with("world ");
        match items.last_mut() {
            _ if line.is_empty() || line.starts_with("//") || line.starts_with("package ") => {}
            Some(item) if !is_item => item.push_str(line),
            _ => items.push(line.into()),
        }
    }
    items.sort();
    items
}

#[test]
fn the_limits_are_the_defaults() {
    let limits = Limits::default();
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let expected = [
        ("memory", mib(limits.memory)),
        ("table_elements", format!("{},000", limits.table_elements / 1_000)),
        ("timeout", seconds(limits.timeout)),
        ("init_timeout", seconds(limits.init_timeout)),
        ("queue_timeout", seconds(limits.queue_timeout)),
        ("max_event", mib(limits.event)),
        ("max_response", mib(limits.response)),
        ("max_code", mib(limits.code)),
        ("max_log", format!("{} KiB", limits.log >> 10)),
    ];
    for (setter, default) in expected {
        let row = LIMITS.lines().find(|line| line.contains(&format!("| `{setter}` |")));
        assert!(
            row.is_some_and(|row| row.contains(&format!("| {default} |"))),
            "{setter}: {default}; {row:?}"
        );
    }
}
