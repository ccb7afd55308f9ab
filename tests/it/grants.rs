//! What the host gives a guest, and nothing else: folders, and functions by name.

use std::path::{Path, PathBuf};

use fnhost::{Access, Bytes, Context, ErrorKind, Event, Failure, Function};
use serde_json::{Value, json};

use crate::kit::{MISBEHAVE, MISBEHAVE_BYTES, ask, deploy, host, kind, runtime, says, send};

async fn reverse(body: Bytes, _: Context) -> Result<Bytes, Failure> {
    if body.is_empty() {
        return Err(Failure::new("empty", "nothing to turn around").with_retryable(true));
    }
    Ok(body.iter().rev().copied().collect())
}

/// A folder of its own for a test, with one file in it.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("grants-{test}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("note.txt"), "written by the host").unwrap();
    folder
}

#[test]
fn a_file_is_read_only_where_it_was_granted() {
    let folder = folder("read");
    let runtime = runtime();
    let function = || Function::wasm("files", MISBEHAVE);
    let granted = deploy(&runtime, function().dir(&folder, "/data", Access::Read));
    assert_eq!(ask(&granted, "file", "/data/note.txt"), "written by the host");
    for elsewhere in ["/etc/passwd", "/data/../../etc/passwd", "note.txt"] {
        assert_eq!(kind(send(&granted, "file", elsewhere)), "failed", "{elsewhere}");
    }
    let write = Event::bytes("write-file", "forged").with_subject("/data/note.txt");
    assert_eq!(kind(granted.invoke_blocking(write)), "failed");
    let denied = deploy(&runtime, function());
    assert_eq!(kind(send(&denied, "file", "/data/note.txt")), "failed");
    assert_eq!(kind(send(&denied, "file", folder.join("note.txt").to_str().unwrap().to_string())), "failed");
    assert_eq!(std::fs::read_to_string(folder.join("note.txt")).unwrap(), "written by the host");
}

#[test]
fn a_link_does_not_lead_out_of_a_granted_folder() {
    let folder = folder("link");
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
    let (_runtime, files) = host(Function::wasm("files", MISBEHAVE).dir(&folder, "/data", Access::Write));
    assert_eq!(kind(send(&files, "file", "/data/link")), "failed");
}

#[test]
fn a_file_is_written_where_writing_was_granted() {
    let folder = folder("write");
    let (_runtime, files) = host(Function::wasm("files", MISBEHAVE).dir(&folder, "/data", Access::Write));
    let write = Event::bytes("write-file", "by the guest").with_subject("/data/new.txt");
    files.invoke_blocking(write).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("new.txt")).unwrap(), "by the guest");
    assert_eq!(ask(&files, "file", "/data/new.txt"), "by the guest");
}

#[test]
fn no_socket_is_ever_given() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (_runtime, guest) = host(Function::wasm("guest", MISBEHAVE));
    let address = listener.local_addr().unwrap().to_string();
    assert_eq!(kind(send(&guest, "connect", address)), "failed");
    assert!(listener.accept().is_err(), "nobody has come");
}

#[test]
fn a_granted_function_is_called_by_name_in_every_contract_that_can() {
    let runtime = runtime();
    let component = deploy(&runtime, Function::wasm("component", MISBEHAVE).grant("echo", reverse));
    let call = |name: &str, body: &'static str| {
        component.invoke_blocking(Event::bytes("call", body).with_subject(name))
    };
    assert_eq!(call("echo", "abc").unwrap().text().unwrap(), "cba");
    let error = call("echo", "").unwrap_err();
    let ErrorKind::Failed(failure) = error.kind() else { panic!("{error}") };
    assert_eq!((failure.kind(), failure.is_retryable()), ("empty", true));
    let error = call("unknown", "abc").unwrap_err();
    says(&error, &["not-granted", "\"unknown\"", "echo", ".grant"]);

    let module = deploy(&runtime, Function::wasm("module", MISBEHAVE_BYTES).grant("echo", reverse));
    assert_eq!(ask(&module, "any", [&[12], &b"abc"[..]].concat()), "cba");
    let answer: Value = send(&module, "any", vec![13]).unwrap().json().unwrap();
    assert_eq!(answer["kind"], "not-granted");
}

#[test]
fn a_granted_function_reads_json_and_knows_who_asks() {
    let price = async |sku: String, context: Context| -> Result<Value, Failure> {
        Ok(json!({ "sku": sku, "for": context.tenant(), "from": context.function() }))
    };
    let (_runtime, shop) = host(Function::wasm("shop", MISBEHAVE).grant_json("price", price));
    let event = Event::json("call", &"tea").unwrap().with_subject("price");
    let answer = shop.invoke_blocking_with(Context::new().with_tenant("ada"), event).unwrap();
    let answer: Value = answer.json().unwrap();
    assert_eq!(answer, json!({ "sku": "tea", "for": "ada", "from": "shop" }));
    let wrong = Event::bytes("call", "no JSON").with_subject("price");
    says(&shop.invoke_blocking(wrong).unwrap_err(), &["bad-request"]);
}

#[test]
fn a_granted_function_that_panics_is_a_failure() {
    let panics = |_: Bytes, _: Context| async { panic!("on purpose") };
    let (_runtime, guest) = host(Function::wasm("guest", MISBEHAVE).grant("panics", panics));
    let error = guest.invoke_blocking(Event::new("call").with_subject("panics")).unwrap_err();
    says(&error, &["panic"]);
    assert_eq!(ask(&guest, "ok", ""), "ok");
}
