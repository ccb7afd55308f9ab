//! Programs that are mapped by their first event and unmapped when idle.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use fnhost::{Function, Handler, Runtime, Start};

use crate::cache::Folder;
use crate::kit::{ANSWER_BODY, Latch, REUSE, ask, busy, deploy, holding, module, send, small, until};

/// The same work in other code.
fn distinct(number: usize) -> String {
    module(&format!(r#"(data (i32.const 8) "{number}")"#), ANSWER_BODY)
}

fn many(runtime: &Runtime, count: usize) -> Vec<Handler> {
    let named = |number| Function::wasm(format!("f-{number}"), distinct(number));
    (0..count).map(|number| deploy(runtime, named(number))).collect()
}

fn start(handler: &Handler) -> Start {
    send(handler, "t", "x").expect("an answer").report().start.expect("it started")
}

#[test]
fn no_more_stay_mapped_than_the_bound_and_the_longest_idle_goes_first() {
    let folder = Folder::new();
    let runtime = small().cache_dir(folder.path()).shards(1).loaded(2).build().unwrap();
    let all = many(&runtime, 3);
    assert_eq!(runtime.stats().loaded, 0, "deploying maps nothing");
    let [a, b, c] = &all[..] else { panic!("three") };
    assert_eq!([start(a), start(b), start(a)], [Start::Cold, Start::Cold, Start::Fresh]);
    assert_eq!(start(c), Start::Cold);
    assert_eq!(runtime.stats().loaded, 2);
    assert_eq!([start(a), start(b)], [Start::Fresh, Start::Cold], "b was idle longest");
}

#[test]
fn without_a_cache_folder_the_bound_holds_too() {
    let runtime = small().shards(1).loaded(2).build().unwrap();
    let all = many(&runtime, 5);
    for handler in all.iter().chain(&all) {
        assert_eq!(ask(handler, "t", "x"), "x");
        assert!(runtime.stats().loaded <= 2, "{:?}", runtime.stats());
    }
}

#[test]
fn idle_ones_are_unmapped_after_their_time_and_come_back() {
    let folder = Folder::new();
    let runtime =
        small().cache_dir(folder.path()).shards(1).unload_after(Duration::from_millis(50)).build().unwrap();
    let all = many(&runtime, 2);
    for _ in 0..2 {
        assert_eq!([start(&all[0]), start(&all[1])], [Start::Cold, Start::Cold]);
        until("both are unmapped", || runtime.stats().loaded == 0);
    }
}

#[test]
fn what_is_in_use_stays_mapped() {
    let folder = Folder::new();
    let runtime = small().cache_dir(folder.path()).shards(1).loaded(1).build().unwrap();
    let latch = Latch::new();
    let held = deploy(&runtime, holding("held", &latch));
    let all = many(&runtime, 3);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&held, "t", "held"));
        until("it holds", || latch.came() == 1);
        all.iter().for_each(|handler| assert_eq!(ask(handler, "t", "x"), "x"));
        latch.open();
        assert_eq!(waiting.join().unwrap(), "held");
    });
    assert_eq!(start(&all[0]), Start::Cold);
    assert_eq!(runtime.stats().loaded, 1);
}

#[test]
fn a_kept_guest_keeps_its_program() {
    let folder = Folder::new();
    let runtime = small().cache_dir(folder.path()).shards(1).loaded(1).build().unwrap();
    let kept = deploy(&runtime, Function::wasm("kept", distinct(99)).isolation(REUSE));
    assert_eq!(start(&kept), Start::Cold);
    many(&runtime, 2).iter().for_each(|handler| assert_eq!(start(handler), Start::Cold));
    assert_eq!(start(&kept), Start::Reused);
}

#[test]
fn those_that_could_not_go_go_once_their_guests_have() {
    let runtime = small().shards(1).loaded(2).build().unwrap();
    for number in 0..6 {
        let function = Function::wasm(format!("f-{number}"), distinct(number)).isolation(REUSE);
        assert_eq!(ask(&deploy(&runtime, function.idle_timeout(Duration::from_millis(50))), "t", "x"), "x");
    }
    until("no more than two are mapped", || runtime.stats().loaded <= 2);
}

#[test]
fn functions_of_the_same_code_share_what_is_mapped() {
    let folder = Folder::new();
    let runtime = small().cache_dir(folder.path()).shards(1).build().unwrap();
    let twins = ["a", "b"].map(|name| deploy(&runtime, Function::wasm(name, distinct(0))));
    twins.iter().for_each(|handler| assert_eq!(start(handler), Start::Cold));
    assert_eq!(runtime.stats().loaded, 1);
}

#[test]
fn unmapping_and_coming_back_under_load_loses_no_event() {
    let _busy = busy();
    let folder = Folder::new();
    let runtime =
        small().cache_dir(folder.path()).loaded(2).unload_after(Duration::from_millis(1)).build().unwrap();
    let all = many(&runtime, 8);
    let over = AtomicBool::new(false);
    let answered: usize = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|first| {
                let (all, over) = (&all, &over);
                scope.spawn(move || {
                    let mut sent = 0;
                    while !over.load(SeqCst) {
                        let body = format!("{first}-{sent}");
                        assert_eq!(ask(&all[(first * 3 + sent * 5) % all.len()], "t", body.clone()), body);
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(1_500));
        over.store(true, SeqCst);
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    assert!(answered > 200, "{answered}");
    until("all are unmapped", || runtime.stats().loaded == 0);
}

#[test]
fn shutdown_unmaps_everything() {
    let folder = Folder::new();
    let runtime = folder.runtime();
    let all = many(&runtime, 3);
    all.iter().for_each(|handler| assert_eq!(start(handler), Start::Cold));
    runtime.block_on(runtime.shutdown(Duration::from_secs(5)));
    until("all are unmapped", || runtime.stats().loaded == 0);
}
