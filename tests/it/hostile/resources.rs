//! What guests can use up beside memory: tables, instances, files, handles, and the host's patience.

use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use fnhost::{Access, Bytes, Context, Event, Function, Isolation, Runtime};

use crate::hostile::components::Parts;
use crate::hostile::{House, Module};

/// A component with so many more core instances, each with so many tables.
fn tables(instances: usize, tables: usize) -> Parts {
    let module = format!("(core module $t {})", "(table 1 funcref)".repeat(tables));
    let imports = format!("{module}{}", "(core instance (instantiate $t))".repeat(instances));
    Parts { imports: Box::leak(imports.into_boxed_str()), ..Parts::default() }
}

#[test]
fn a_guest_with_many_tables_takes_more_places_and_leaves_the_tables_of_others_alone() {
    let runtime = Runtime::builder().places(8).shards(1).build().unwrap();
    let keep = Isolation::Reuse { max_uses: 100 };
    let table = Module { more: "(table 1 funcref)", ..Module::default() }.text();
    // All tables of the runtime, but one memory.
    runtime.block_on(runtime.deploy(tables(8, 16).function().isolation(keep))).unwrap();
    runtime.block_on(runtime.deploy(Function::wasm("other", table))).unwrap();
    let [hoard, other] = ["hostile", "other"].map(|name| runtime.handler(name).unwrap());
    hoard.invoke_blocking(Event::new("strike")).unwrap();
    assert_eq!((hoard.stats().unwrap().idle, runtime.stats().places_taken), (1, 8));
    // The idle one makes way; before, the other found places and no table.
    other.invoke_blocking(Event::new("strike")).unwrap();
    assert_eq!((hoard.stats().unwrap().idle, runtime.stats().places_taken), (0, 0));
}

#[test]
fn a_guest_with_more_tables_than_there_are_is_refused_when_deployed() {
    let error = House::try_of(tables(9, 16).function()).err().unwrap();
    assert!(["compile", "invalid-configuration"].contains(&error.kind().name()), "{error}");
    let error = House::try_of(Function::wasm(
        "wide",
        Module { more: &"(table 1 funcref)".repeat(17), ..Module::default() }.text(),
    ));
    assert_eq!(error.err().unwrap().kind().name(), "compile");
}

#[test]
fn a_component_that_comes_to_millions_of_instances_is_refused_before_it_is_compiled() {
    let mut text = String::from("(component $c0 (core module $e) (core instance (instantiate $e)))");
    for level in 1..=6 {
        let sixty = format!("(instance (instantiate $c{}))", level - 1).repeat(60);
        text = format!("(component $c{level} {text} {sixty})");
    }
    let imports = format!("{text} (instance (instantiate $c6))");
    let parts = Parts { imports: Box::leak(imports.into_boxed_str()), ..Parts::default() };
    let error = House::try_of(parts.function()).err().unwrap();
    assert_eq!(error.kind().name(), "compile", "{error}");
    assert!(error.to_string().contains("instances"), "{error}");
}

#[test]
fn a_module_of_very_many_globals_is_refused_when_deployed() {
    let more = "(global (mut i64) (i64.const 1))".repeat(100_000);
    let error = House::try_of(Module { more: &more, ..Module::default() }.function()).err().unwrap();
    assert_eq!(error.kind().name(), "compile", "{error}");
}

#[test]
fn an_idle_time_out_beyond_all_time_keeps_guests_and_never_panics() {
    let function = Module::default().function().isolation(Isolation::Reuse { max_uses: 100 });
    let house = House::of(function.idle_timeout(Duration::MAX));
    (0..3).for_each(|_| house.is_healthy("for ever"));
    assert_eq!(house.handler.stats().unwrap().created, 1);
}

#[test]
fn every_setting_at_its_largest_is_taken_or_refused_but_never_a_panic() {
    let function = Module::default()
        .function()
        .isolation(Isolation::Reuse { max_uses: u64::MAX })
        .idle_timeout(Duration::MAX)
        .concurrency(u32::MAX)
        .queue(usize::MAX)
        .memory(u64::MAX)
        .timeout(Duration::MAX)
        .init_timeout(Duration::MAX)
        .queue_timeout(Duration::MAX)
        .max_event(u64::MAX)
        .max_response(u64::MAX)
        .max_log(u64::MAX)
        .max_host_call(u64::MAX);
    let house = House::of(function);
    house.is_healthy("largest");
    house.send("some body").unwrap();
    let far = Context::new().with_timeout(Duration::MAX);
    house.handler.invoke_blocking_with(far, Event::new("strike")).unwrap();
    house.runtime.block_on(house.runtime.shutdown(Duration::MAX));
}

const OPEN: &str = r#"(import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#;
/// Opens what is named at 80, for reading, and answers how many there were until one was refused.
const OPEN_ONE: &str = r#"(drop (call $open (i32.const 3) (i32.const 0) (i32.const 80) (i32.const 4)
    (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 128))) i64.const 0"#;

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("fnhost-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn opens(folder: &std::path::Path) -> Function {
    let more = r#"(data (i32.const 80) "pipe")"#;
    let module = Module { imports: OPEN, handle: OPEN_ONE, more, ..Module::default() };
    module.function().dir(folder, "/", Access::Read)
}

#[test]
fn a_file_that_never_opens_holds_up_neither_the_event_nor_the_shutdown() {
    let folder = folder("pipe");
    assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
    let house = House::of(opens(&folder));
    // Whether the engine waits for a writer or not, the event ends.
    if let Err(error) = house.send("some body") {
        assert!(error.is_timeout(), "{error}");
    }
    house.is_healthy("after");
    let (done, over) = mpsc::channel();
    thread::spawn(move || {
        house.runtime.block_on(house.runtime.shutdown(Duration::ZERO));
        done.send(()).unwrap();
    });
    let ended = over.recv_timeout(Duration::from_secs(20));
    std::fs::remove_dir_all(folder).unwrap();
    ended.expect("the shutdown ends");
}

#[test]
fn a_granted_folder_that_is_gone_is_no_fault_of_the_guests() {
    let folder = folder("gone");
    let house = House::of(opens(&folder));
    house.is_healthy("before");
    std::fs::remove_dir(&folder).unwrap();
    let error = house.send("").unwrap_err();
    assert_eq!((error.kind().name(), error.is_function_error()), ("engine", false), "{error}");
    assert!(error.to_string().contains("granted folder"), "{error}");
    std::fs::create_dir(&folder).unwrap();
    house.is_healthy("after");
    std::fs::remove_dir(folder).unwrap();
}

/// A command of WASI 0.2 that writes without asking how much it may.
#[test]
fn a_command_that_writes_more_than_it_may_is_invalid_and_fills_nothing() {
    let text = r#"(component
        (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
        (alias export $error "error" (type $e))
        (import "wasi:io/streams@0.2.0" (instance $streams
            (export "output-stream" (type $out (sub resource)))
            (alias outer 1 $e (type $error'))
            (export "error" (type $err (eq $error')))
            (type $failed (variant (case "last-operation-failed" (own $err)) (case "closed")))
            (export "stream-error" (type $stream-error (eq $failed)))
            (export "[method]output-stream.write" (func (param "self" (borrow $out)) (param "contents" (list u8))
                (result (result (error $stream-error)))))))
        (alias export $streams "output-stream" (type $out))
        (import "wasi:cli/stdout@0.2.0" (instance $stdout
            (alias outer 1 $out (type $o))
            (export "output-stream" (type $out' (eq $o)))
            (export "get-stdout" (func (result (own $out'))))))
        (core module $libc (memory (export "memory") 64)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16)))
        (core instance $l (instantiate $libc))
        (core func $get (canon lower (func $stdout "get-stdout")))
        (core func $write (canon lower (func $streams "[method]output-stream.write")
            (memory (core memory $l "memory")) (realloc (core func $l "realloc"))))
        (core module $m
            (import "i" "get" (func $get (result i32)))
            (import "i" "write" (func $write (param i32 i32 i32 i32)))
            (func (export "run") (result i32) (local $out i32)
                (local.set $out (call $get))
                (loop $ever
                    (call $write (local.get $out) (i32.const 0) (i32.const 0x100000) (i32.const 0)) (br $ever))
                (i32.const 0)))
        (core instance $i (instantiate $m (with "i" (instance (export "get" (func $get)) (export "write" (func $write))))))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $r (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $r)))"#;
    let house = House::of(Function::wasm("liar", text).max_response(1 << 40).max_host_call(2 << 20));
    house.runtime.block_on(async {
        // It fails before the head is known, or in the stream.
        let mut last = None;
        match house.handler.stream(Event::new("strike")).await {
            Err(error) => last = Some(error),
            Ok(mut stream) => {
                while let Some(chunk) = stream.next().await {
                    last = chunk.err();
                }
            }
        }
        let error = last.expect("it is refused");
        assert_eq!(error.kind().name(), "invalid-answer", "{error}");
        assert!(error.to_string().contains("check-write"), "{error}");
    });
    assert_eq!(house.handler.stats().unwrap().live, 0);
}

#[test]
fn a_host_function_that_blocks_its_thread_is_cut_when_it_comes_back() {
    let imports = r#"(import "fnhost" "call" (func $call (param i32 i32 i32 i32) (result i32)))"#;
    let handle = "(drop (call $call (i32.const 16) (i32.const 4) (i32.const 8) (i32.const 4)))
                  (loop $ever (br $ever)) i64.const 0";
    let (held, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let function = Module { imports, handle, ..Module::default() }.function();
    let house = House::of(function.grant("name", move |body: Bytes, _: Context| {
        // Until the sender is gone, which is when the deadline has passed.
        let _ = hold.lock().unwrap().recv_timeout(Duration::from_millis(400));
        async { Ok(body) }
    }));
    let error = house.send("some body").unwrap_err();
    assert!(error.is_timeout(), "{error}");
    drop(held);
    house.is_healthy("after");
}
