//! boto3 and the AWS command line, as they are installed by anybody, against an endpoint of ours.
//!
//! They are installed into a virtual environment below the target folder, once. Where that cannot be, the test says
//! that it is left out, past the harness, which would swallow it; in CI it fails.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fnhost::http::lambda::service;
use fnhost::{Context, Event, Failure, Function, Response, Runtime};
use serde_json::{Value, json};

use crate::kit::{COMMAND, ECHO, Latch, MIB, SPIN, deploy, module, native_holding, runtime, until};

const GROW: &str = "(loop $l (br_if $l (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) (unreachable)";

/// Makes the virtual environment; answers its Python.
fn clients() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lambda-clients");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/install.sh");
    let done = Command::new(&script).arg(&folder).output().map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(folder.join("bin/python"));
    }
    Err(String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Answers the Python that has the clients; without them it says which test is left out, and why.
fn python(test: &str) -> Option<PathBuf> {
    let why = match clients() {
        Ok(python) => return Some(python),
        Err(why) => why,
    };
    assert!(std::env::var_os("CI").is_none(), "the clients cannot be installed: {why}");
    // The harness swallows what is printed, but not what is written.
    let said = writeln!(
        std::io::stderr(),
        "LEFT OUT: lambda::clients::{test}, as tests/clients/install.sh failed: {why}"
    );
    said.expect("stderr");
    None
}

/// What an invocation looks like from inside.
async fn describe(event: Event, context: Context) -> Result<Response, Failure> {
    let body: Value = event.body_json()?;
    Ok(Response::from_json(&json!({
        "id": event.id(),
        "type": event.event_type(),
        "contentType": event.content_type(),
        "body": body,
        "requestId": context.request_id().to_string(),
        "tenant": context.tenant(),
        "traceparent": context.traceparent(),
        "clientContext": context.attribute("lambda.client-context"),
    }))?)
}

fn deploy_guests(runtime: &Runtime) {
    for function in [
        Function::wasm("echo", ECHO),
        Function::wasm("crash", module("", "(unreachable)")),
        Function::wasm("spin", module("", SPIN)).timeout(Duration::from_millis(200)),
        Function::wasm("greedy", module("", GROW)).memory(MIB),
        Function::wasm("exits", COMMAND).args(["exit", "3"]),
        Function::wasm("flood", COMMAND).args(["stderr-flood", "8"]),
        Function::wasm("stream", COMMAND).args(["stream", "40"]).timeout(Duration::from_secs(30)),
        Function::wasm("stream-on", COMMAND).args(["stream", "1000"]).max_response(4 * MIB),
    ] {
        deploy(runtime, function);
    }
}

fn deploy_handlers(runtime: &Runtime) {
    let version = async |_: Event, context: Context| Ok(Response::from_json(&context.version())?);
    for function in [
        Function::native("describe", describe),
        Function::native("sold-out", async |_: Event, _: Context| {
            Err::<Response, _>(Failure::new("OutOfStock", "no more \"tea\""))
        }),
        Function::native("large", async |_: Event, _: Context| Ok(Response::from_bytes(vec![b'1'; 7 << 20]))),
        Function::native("numbered", version),
        Function::native("numbered", version),
    ] {
        deploy(runtime, function);
    }
}

/// A function that holds its only permit until it is released, and one whose only permit is held throughout.
fn deploy_held(runtime: &Runtime) -> Latch {
    let (held, shut) = (Latch::new(), Latch::new());
    let (count, release) = (held.clone(), held.clone());
    let held_count = move |_: Event, _: Context| {
        let count = count.came();
        async move { Ok(Response::from_json(&count)?) }
    };
    let release = move |_: Event, _: Context| {
        release.open();
        async { Ok(Response::from_json(&true)?) }
    };
    let long = Duration::from_secs(600);
    let alone = |name, latch: &Latch| native_holding(name, latch).concurrency(1).queue(0).timeout(long);
    deploy(runtime, alone("held", &held));
    deploy(runtime, Function::native("held-count", held_count));
    deploy(runtime, Function::native("release", release));
    let handler = deploy(runtime, alone("shut", &shut));
    std::thread::spawn(move || handler.invoke_blocking(Event::new("first")));
    until("its permit is held", || shut.came() == 1);
    shut
}

/// A function that notes what it is given, and one that tells the notes.
fn deploy_notes(runtime: &Runtime) {
    let notes = Arc::new(Mutex::new(Vec::<String>::new()));
    let told = Arc::clone(&notes);
    let note = move |event: Event, _: Context| {
        let noted = event.body_text().map(|text| notes.lock().unwrap().push(text.into()));
        async move { Ok(noted.map(|()| Response::new())?) }
    };
    let tell = move |_: Event, _: Context| {
        let notes = told.lock().unwrap().clone();
        async move { Ok(Response::from_json(&notes)?) }
    };
    deploy(runtime, Function::native("note", note));
    deploy(runtime, Function::native("notes", tell));
}

#[test]
fn clients_of_aws_invoke_functions() {
    let Some(python) = python("clients_of_aws_invoke_functions") else { return };
    let runtime = runtime();
    deploy_guests(&runtime);
    deploy_handlers(&runtime);
    deploy_notes(&runtime);
    let shut = deploy_held(&runtime);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (lambda, host) = (service(&runtime), runtime.clone());
    let serving = std::thread::spawn(move || {
        let until = async { drop(stopped.await) };
        host.block_on(lambda.serve(listener, until))
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/lambda.py");
    let done = Command::new(python).arg(script).arg(endpoint).output().expect("Python");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "\n{out}\n{err}");
    assert!(out.contains("35 of 35 cases passed"), "\n{out}");
    shut.open();
    drop(stop);
    assert_eq!(serving.join().unwrap().expect("it served").requests_cut, 0);
}
