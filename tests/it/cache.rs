//! The artifact cache: what a second process finds, and what no damage can make it run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use fnhost::{ErrorKind, Event, Function, Init, Origin, PrecompileOptions, Runtime, Start, precompile};

use crate::kit::{
    ANSWER_BODY, Dice, ECHO, JSON, ask, deploy, in_child, module, poll, refused, says, send, small, until,
};

/// A folder of a test's own, removed when it ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("fnhost-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// Takes over a folder that another process made.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn runtime(&self) -> Runtime {
        small().cache_dir(&self.0).build().expect("a runtime with a cache folder")
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let Ok(files) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Answers its own name, so that one artifact is told from another.
fn answering(name: &str) -> String {
    let len = name.len();
    module(
        &format!(r#"(data (i32.const 8) "{name}")"#),
        &format!("(i64.const {})", (8_u64 << 32) | len as u64),
    )
}

fn origin(runtime: &Runtime, name: &str, code: impl fnhost::IntoCode) -> Origin {
    runtime.block_on(runtime.deploy(Function::wasm(name, code))).expect("it deploys").origin()
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o400)).unwrap();
}

#[test]
fn the_second_runtime_finds_what_the_first_compiled() {
    let folder = Folder::new();
    for (expected, handler) in [(Origin::Compiled, "one"), (Origin::Loaded, "two")] {
        let runtime = folder.runtime();
        assert_eq!(origin(&runtime, handler, JSON), expected);
        assert_eq!(origin(&runtime, "twin", JSON), Origin::Loaded, "the same code once more");
        let answer = send(&runtime.handler(handler).unwrap(), "t", r#"{"name":"Ada"}"#).unwrap();
        assert_eq!(answer.report().start, Some(Start::Cold), "it is mapped by its first event");
    }
}

#[test]
fn other_settings_of_the_engine_are_other_artifacts() {
    let folder = Folder::new();
    assert_eq!(origin(&folder.runtime(), "echo", ECHO), Origin::Compiled);
    let metered = small().cache_dir(folder.path()).fuel(true).build().unwrap();
    assert_eq!(origin(&metered, "echo", ECHO), Origin::Compiled);
    assert_eq!(origin(&folder.runtime(), "echo", ECHO), Origin::Loaded);
}

#[test]
fn what_deploying_refuses_is_refused_from_the_cache_too() {
    let folder = Folder::new();
    for _ in 0..2 {
        let runtime = folder.runtime();
        let greedy = Function::wasm("greedy", module("(table 200 funcref)", ANSWER_BODY)).table_elements(100);
        assert_eq!(refused(&runtime, greedy).kind().name(), "table-exceeded");
        let wrong = Function::wasm("wrong", ECHO).init_export("nothing");
        says(&refused(&runtime, wrong), &["nothing", "init_export"]);
    }
}

#[test]
fn any_damage_to_any_file_is_made_good_and_never_run() {
    let folder = Folder::new();
    let (a, b) = (answering("aaaa"), answering("bbbb"));
    let mut dice = Dice::new(7);
    both_answer(&folder, &a, &b);
    let count = folder.files().len();
    assert_eq!(count, 4, "two artifacts and two sources");
    for round in 0..160 {
        let file = &folder.files()[round % count];
        match round / count % 4 {
            0 => rewrite(file, |bytes| {
                let at = dice.roll(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << dice.roll(8);
            }),
            1 => rewrite(file, |bytes| bytes.truncate(dice.roll(bytes.len() as u64) as usize)),
            2 => rewrite(file, |bytes| bytes.extend([0; 100])),
            _ => {
                let other = &folder.files()[(round + 1) % count];
                let aside = folder.path().join("aside");
                fs::rename(file, &aside).unwrap();
                fs::rename(other, file).unwrap();
                fs::rename(&aside, other).unwrap();
            }
        }
        both_answer(&folder, &a, &b);
    }
}

/// Deploys both to a runtime of their own, and sees that each answers as itself.
fn both_answer(folder: &Folder, a: &str, b: &str) {
    let runtime = folder.runtime();
    for (name, code) in [("aaaa", a), ("bbbb", b)] {
        assert_eq!(ask(&deploy(&runtime, Function::wasm(name, code)), "t", ""), name);
    }
}

#[test]
fn damage_after_deployment_is_made_good_by_the_event_that_maps() {
    let folder = Folder::new();
    let runtime = folder.runtime();
    let handler = deploy(&runtime, Function::wasm("aaaa", answering("aaaa")));
    for file in folder.files() {
        let is_source = fs::read(&file).unwrap().starts_with(b"\0asm");
        if !is_source {
            rewrite(&file, |bytes| bytes[5_000] ^= 1);
        }
    }
    assert_eq!(ask(&handler, "t", ""), "aaaa");
    let reason = send(&handler, "t", "").unwrap();
    assert_eq!(reason.report().start, Some(Start::Fresh));
}

#[test]
fn a_folder_that_is_emptied_says_so_at_the_event_that_would_map() {
    let folder = Folder::new();
    let runtime = folder.runtime();
    let handler = deploy(&runtime, Function::wasm("aaaa", answering("aaaa")));
    folder.files().iter().for_each(|file| fs::remove_file(file).unwrap());
    let error = send(&handler, "t", "").unwrap_err();
    says(&error, &["gone from the cache folder", "deploy it again"]);
    assert!(matches!(error.kind(), ErrorKind::Engine { .. }));
    assert_eq!(ask(&deploy(&runtime, Function::wasm("aaaa", answering("aaaa"))), "t", ""), "aaaa");
}

#[test]
fn a_folder_that_takes_nothing_makes_deploying_slower_and_never_wrong() {
    let folder = Folder::new();
    let runtime = folder.runtime();
    fs::remove_dir(folder.path()).unwrap();
    let handler = deploy(&runtime, Function::wasm("aaaa", answering("aaaa")));
    assert_eq!(ask(&handler, "t", ""), "aaaa");
}

#[test]
fn a_folder_that_is_not_ours_alone_is_refused_when_the_runtime_is_built() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o770)).unwrap();
    let error = small().cache_dir(folder.path()).build().unwrap_err();
    says(&error, &["invalid configuration", "mode 770", "with mode 700"]);
}

#[test]
fn many_deployments_of_the_same_code_compile_once() {
    let folder = Folder::new();
    for runtime in [folder.runtime(), small().build().unwrap()] {
        let origins: Vec<Origin> = std::thread::scope(|scope| {
            let deploying: Vec<_> = (0..6)
                .map(|number| {
                    let runtime = &runtime;
                    scope.spawn(move || origin(runtime, &format!("json-{number}"), JSON))
                })
                .collect();
            deploying.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let compiled = origins.iter().filter(|origin| **origin == Origin::Compiled).count();
        assert_eq!(compiled, 1, "{origins:?}");
    }
}

#[test]
fn the_bound_holds_and_what_is_deployed_is_not_evicted() {
    let folder = Folder::new();
    let size = {
        let _kept = deploy(&folder.runtime(), Function::wasm("first", answering("first")));
        folder.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>()
    };
    let bound = size * 7 / 2;
    let runtime = small().cache_dir(folder.path()).cache_size(bound).build().unwrap();
    let first = deploy(&runtime, Function::wasm("first", answering("first")));
    for number in 100..120 {
        let name = format!("f-{number}");
        deploy(&runtime, Function::wasm(name.as_str(), answering(&name)));
        runtime.block_on(runtime.remove(&name)).unwrap();
    }
    let total: u64 = folder.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(total <= bound, "{total} of {bound}");
    assert_eq!(ask(&first, "t", ""), "first");
}

#[test]
#[expect(unsafe_code, reason = "the test vouches for what it has compiled itself")]
fn precompiled_code_runs_and_anything_else_is_refused() {
    let code = answering("ahead");
    let compiled = precompile(code.as_str(), &PrecompileOptions::new()).unwrap();
    // SAFETY: it was made one line above, or is refused.
    let function = |bytes: &[u8]| unsafe { Function::precompiled("ahead", bytes.to_vec()) };
    let runtime = small().build().unwrap();
    let deployed = runtime.block_on(runtime.deploy(function(&compiled))).unwrap();
    assert_eq!(deployed.origin(), Origin::Precompiled);
    let from_source = runtime.block_on(runtime.deploy(Function::wasm("source", code))).unwrap();
    assert_eq!(deployed.hash(), from_source.hash());
    assert_eq!(ask(&runtime.handler("ahead").unwrap(), "t", ""), "ahead");
    let mut damaged = compiled.clone();
    damaged[5_000] ^= 1;
    for wrong in [&damaged[..], &compiled[..100], b"", b"\0asm"] {
        says(&refused(&runtime, function(wrong)), &["precompiled code of \"ahead\" cannot be used", "again"]);
    }
    let metered = small().fuel(true).build().unwrap();
    says(&refused(&metered, function(&compiled)), &["other settings (fuel)", "options of this runtime"]);
    let fueled = precompile(answering("ahead"), &PrecompileOptions::new().fuel(true)).unwrap();
    assert_eq!(ask(&deploy(&metered, function(&fueled)), "t", ""), "ahead");
    assert!(precompile("(module)", &PrecompileOptions::new()).is_err());
}

#[test]
fn a_snapshot_is_remembered_and_taken_anew_when_asked() {
    let folder = Folder::new();
    let init = r#"(global $ran (mut i32) (i32.const 0))
        (func (export "fnhost_init") (result i32) (global.set $ran (i32.const 49)) (i32.const 0))"#;
    let code = module(init, "(i32.store8 (i32.const 8) (global.get $ran)) (i64.const 0x8_0000_0001)");
    let deploy_as = |init: Init| {
        let runtime = folder.runtime();
        let function = Function::wasm("f", code.as_str()).init(init);
        let deployed = runtime.block_on(runtime.deploy(function)).unwrap();
        assert_eq!(ask(&runtime.handler("f").unwrap(), "t", ""), "1");
        deployed.snapshot().to_string()
    };
    let taken = "snapshot taken after an init of";
    assert!(deploy_as(Init::Snapshot).starts_with(taken));
    assert_eq!(deploy_as(Init::Snapshot), "snapshot from the cache folder");
    assert!(deploy_as(Init::Anew).starts_with(taken));
}

#[test]
fn a_remembered_snapshot_needs_no_export_that_the_tool_took_out() {
    let folder = Folder::new();
    let code = module(r#"(func (export "_initialize"))"#, ANSWER_BODY);
    for _ in 0..2 {
        let runtime = folder.runtime();
        let function = Function::wasm("f", code.as_str()).init_export("_initialize");
        assert_eq!(ask(&deploy(&runtime, function), "t", "x"), "x");
    }
}

#[test]
fn a_snapshot_larger_than_code_may_be_is_refused() {
    let fill = r#"(func (export "fnhost_init") (result i32)
        (drop (memory.grow (i32.const 31))) (memory.fill (i32.const 65536) (i32.const 7) (i32.const 2031616)) (i32.const 0))"#;
    let runtime = small().build().unwrap();
    let function = Function::wasm("f", module(fill, ANSWER_BODY)).max_code(1 << 20);
    let deployed = runtime.block_on(runtime.deploy(function)).unwrap();
    assert!(deployed.snapshot().to_string().contains("raise `max_code`"), "{}", deployed.snapshot());
    assert_eq!(ask(&runtime.handler("f").unwrap(), "t", "x"), "x");
}

#[test]
fn no_file_is_lost_when_descriptors_run_out() {
    let test = "cache::no_file_is_lost_when_descriptors_run_out";
    let said = in_child(test, "-n 64", || {
        let folder = Folder::new();
        let runtime = folder.runtime();
        let handler = deploy(&runtime, Function::wasm("aaaa", answering("aaaa")));
        let before = folder.files();
        let mut held = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            held.push(file);
        }
        let error = send(&handler, "t", "").unwrap_err();
        drop(held);
        assert_eq!(folder.files(), before, "{error}");
        says(&error, &["cannot be read"]);
        ask(&handler, "t", "")
    });
    assert!(said.is_none_or(|said| said == "aaaa"));
}

#[test]
fn an_event_that_nobody_polls_any_more_holds_up_nobody() {
    let folder = Folder::new();
    let runtime = folder.runtime();
    let handler = deploy(&runtime, Function::wasm("aaaa", answering("aaaa")).concurrency(4));
    let mut abandoned = [0, 1].map(|_| Box::pin(handler.invoke(Event::bytes("t", ""))));
    // Begun, and not polled again; on a busy machine the code may be mapped before the poll returns.
    abandoned.iter_mut().for_each(|event| drop(poll(event)));
    assert_eq!(ask(&handler, "t", ""), "aaaa");
    let prepared = deploy(&runtime, Function::wasm("bbbb", answering("bbbb")).prepared(2));
    until("two stand ready", || prepared.stats().unwrap().prepared == 2);
    runtime.block_on(runtime.shutdown(Duration::from_millis(100)));
}

#[test]
fn events_that_give_up_leave_one_thread_and_its_work() {
    let folder = Folder::new();
    let runtime = folder.runtime();
    let handler = deploy(&runtime, Function::wasm("aaaa", answering("aaaa")));
    for _ in 0..200 {
        let mut event = Box::pin(handler.invoke(Event::bytes("t", "")));
        let _ = poll(&mut event);
    }
    until("what the first one began is there", || runtime.stats().loaded > 0);
    assert_eq!(ask(&handler, "t", ""), "aaaa");
}

#[test]
fn a_folder_that_is_gone_still_compiles_once() {
    let folder = Folder::new();
    let runtime = folder.runtime();
    fs::remove_dir(folder.path()).unwrap();
    let origins = ["a", "b", "c"].map(|name| origin(&runtime, name, answering("same")));
    assert_eq!(origins, [Origin::Compiled, Origin::Loaded, Origin::Loaded]);
}

#[test]
fn precompiled_code_is_for_its_own_function_alone() {
    let runtime = small().build().unwrap();
    let compiled = precompile(answering("ahead"), &PrecompileOptions::new()).unwrap();
    #[expect(unsafe_code, reason = "the test vouches for what it has compiled itself")]
    // SAFETY: it was made one line above.
    let function = unsafe { Function::precompiled("ahead", compiled) };
    let _ahead = deploy(&runtime, function);
    assert_eq!(origin(&runtime, "other", answering("ahead")), Origin::Compiled);
}

const WRITER: &str = "cache::a_writer_that_is_killed_leaves_nothing_that_is_run";

/// A process that does nothing but deploy into the folder.
fn writer(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([WRITER, "--exact", "--nocapture", "--test-threads=1"])
        .env("FNHOST_TEST_WRITES", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn numbered(number: u64) -> String {
    answering(&format!("number {number}"))
}

#[test]
fn a_writer_that_is_killed_leaves_nothing_that_is_run() {
    if let Ok(folder) = std::env::var("FNHOST_TEST_WRITES") {
        let runtime = small().cache_dir(folder).build().unwrap();
        for number in (0..40).cycle() {
            deploy(&runtime, Function::wasm("f", numbered(number)));
            runtime.block_on(runtime.remove("f")).unwrap();
        }
    }
    let folder = Folder::new();
    let mut dice = Dice::new(3);
    for _ in 0..15 {
        let mut child = writer(folder.path());
        let seen = folder.files().len();
        // Killed while it writes, wherever that is.
        while folder.files().len() == seen && seen < 80 && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(dice.roll(30_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        folder.files().iter().filter(|_| dice.roll(3) == 0).for_each(|file| drop(fs::remove_file(file)));
    }
    let runtime = folder.runtime();
    for number in 0..40 {
        let name = format!("f-{number}");
        let handler = deploy(&runtime, Function::wasm(name, numbered(number)));
        assert_eq!(ask(&handler, "t", ""), format!("number {number}"));
    }
}

#[test]
fn processes_that_deploy_at_once_are_all_right() {
    let folder = Folder::new();
    let mut writers = [writer(folder.path()), writer(folder.path())];
    let runtime = folder.runtime();
    for number in (0..40).chain(0..40) {
        let handler = deploy(&runtime, Function::wasm("f", numbered(number)));
        assert_eq!(ask(&handler, "t", ""), format!("number {number}"));
    }
    for writer in &mut writers {
        assert!(writer.try_wait().unwrap().is_none(), "it failed");
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
}
