//! One guest of wasi:http 0.3 that serves several requests at once.

use std::time::{Duration, Instant};

use fnhost::{Bytes, Context, Error, Event, Function, Handler, Isolation, Runtime};
use http_body_util::{BodyExt, Empty};

use crate::cache::Folder;
use crate::kit::{
    Dice, Latch, REUSE, assert_quiet, deploy, holding, host, kind, poll, refused, runtime, says, small, until,
};
use crate::wasi_http::{HTTP_RS, HTTP_RS_P3, chunks, get, guest_p3, open, request};

fn crowded(max_in_flight: u32) -> Function {
    guest_p3().isolation(Isolation::Concurrent { max_in_flight, max_uses: 1_000_000 })
}

/// Asks for several paths at once.
fn all(runtime: &Runtime, handler: &Handler, paths: &[&str]) -> Vec<Result<String, Error>> {
    let one = async |path: &str| {
        let body = open(handler, request("GET", path, Empty::<Bytes>::new())).await?.into_body();
        Ok(String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap())
    };
    runtime.block_on(futures_util::future::join_all(paths.iter().map(|path| one(path))))
}

#[test]
fn one_guest_serves_several_requests_at_once() {
    let (runtime, web) = host(crowded(8));
    let started = Instant::now();
    let answers = all(&runtime, &web, &["/slow?ms=300"; 8]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    assert_eq!(get(&runtime, &web, "/peak").1, "8", "they overlap in one guest");
    assert_eq!(web.stats().unwrap().created, 1);
    until("the guest is idle", || web.stats().unwrap().idle == 1);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn no_more_than_so_many_are_in_one_guest() {
    let (runtime, web) = host(crowded(3));
    let answers = all(&runtime, &web, &["/slow?ms=200"; 9]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(web.stats().unwrap().created, 3);
    assert_eq!(get(&runtime, &web, "/peak").1, "3");
    until("the guests are idle", || web.stats().unwrap().idle == 3);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn whoever_comes_next_meets_the_guest_wherever_it_stands() {
    let (runtime, web) = host(crowded(8));
    for served in 1..=300 {
        assert_eq!(get(&runtime, &web, "/count").1, served.to_string());
    }
    assert_eq!(web.stats().unwrap().created, 1);
    until("the guest is idle", || web.stats().unwrap().idle == 1);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn who_waits_for_a_guest_that_is_being_made_needs_no_time_to_queue() {
    let folder = Folder::new();
    let runtime = small().cache_dir(folder.path()).shards(1).build().unwrap();
    // Its code is mapped while the first event waits, and the others with it.
    let web = deploy(&runtime, crowded(8).queue_timeout(Duration::ZERO));
    let answers = all(&runtime, &web, &["/slow?ms=10"; 8]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(web.stats().unwrap().created, 1);
    until("the guest is idle", || web.stats().unwrap().idle == 1);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn when_the_first_gets_no_guest_the_others_look_after_themselves() {
    for gives_up in [true, false] {
        let runtime = Runtime::builder().places(1).shards(1).build().unwrap();
        let latch = Latch::new();
        let (web, holder) = (deploy(&runtime, crowded(8)), deploy(&runtime, holding("holder", &latch)));
        let mut held = Box::pin(holder.invoke(Event::bytes("t", "x")));
        assert!(poll(&mut held).is_pending());
        let ask = |context| Box::pin(web.http(context, request("GET", "/slow?ms=1", Empty::<Bytes>::new())));
        let mut first =
            ask(Context::new().with_timeout(Duration::from_millis(if gives_up { 9_000 } else { 50 })));
        let (mut second, mut third) = (ask(Context::new()), ask(Context::new()));
        let is_waiting = [&mut first, &mut second, &mut third].map(|asked| poll(asked).is_pending());
        assert_eq!(is_waiting, [true; 3]);
        if gives_up {
            drop(first);
        } else {
            assert_eq!(kind(runtime.block_on(first).map(drop)), "timed-out");
        }
        latch.open();
        let (_, second, third) = runtime.block_on(futures_util::future::join3(held, second, third));
        assert!(second.is_ok() && third.is_ok(), "{second:?} {third:?}");
        drop((second, third));
        assert_quiet(&runtime, &[&web, &holder]);
    }
}

#[test]
fn uses_are_counted_over_all_stays_of_a_guest() {
    let (runtime, web) = host(guest_p3().isolation(Isolation::Concurrent { max_in_flight: 8, max_uses: 4 }));
    let idle = || until("the guest is idle", || web.stats().unwrap().idle == 1);
    for served in ["1", "2", "3"] {
        assert_eq!(get(&runtime, &web, "/count").1, served);
        idle();
    }
    let mut counts: Vec<String> =
        all(&runtime, &web, &["/count"; 4]).into_iter().map(Result::unwrap).collect();
    counts.sort();
    assert_eq!(counts, ["1", "2", "3", "4"], "one more in the old guest, three in a new one");
    assert_eq!(web.stats().unwrap().created, 2);
    idle();
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn calls_that_wait_in_the_middle_find_stacks_also_where_places_are_few() {
    let runtime = Runtime::builder().places(2).shards(1).build().unwrap();
    let web = deploy(&runtime, crowded(8));
    for _ in 0..4 {
        let answers = all(&runtime, &web, &["/block?ms=5", "/slow?ms=5", "/block?ms=1"].repeat(8));
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    until("nobody is served", || web.stats().unwrap().running == 0);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_deadline_ends_its_own_request_and_the_guest_takes_no_more() {
    let (runtime, web) = host(crowded(8));
    // Who waits for a guest to be made may pass his deadline before he is in.
    assert_eq!(get(&runtime, &web, "/count").1, "1");
    until("the guest is idle", || web.stats().unwrap().idle == 1);
    let answers = runtime.block_on(async {
        let web = &web;
        let asked = |path: &'static str, context| async move {
            web.http(context, request("GET", path, Empty::<Bytes>::new())).await.map(drop)
        };
        let short = Context::new().with_timeout(Duration::from_millis(100));
        futures_util::future::join(asked("/slow?ms=400", Context::new()), asked("/slow?ms=9000", short)).await
    });
    assert!(answers.0.is_ok(), "{answers:?}");
    assert_eq!(kind(answers.1), "timed-out");
    assert_eq!(get(&runtime, &web, "/count").1, "1", "a guest with something unfinished serves nobody else");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_trap_ends_all_that_are_in_the_guest_and_says_so() {
    let (runtime, web) = host(crowded(8));
    let mut answers = all(&runtime, &web, &["/slow?ms=9000", "/slow?ms=9000", "/trap"]);
    let errors: Vec<String> = answers.drain(..).map(|answer| answer.unwrap_err().to_string()).collect();
    assert!(errors.iter().all(|error| error.starts_with("trapped")), "{errors:?}");
    assert_eq!(get(&runtime, &web, "/count").1, "1");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn who_spins_holds_up_his_own_guest_until_its_deadline() {
    let (runtime, web) = host(crowded(8).timeout(Duration::from_millis(300)));
    let other = deploy(&runtime, Function::wasm("other", HTTP_RS));
    let answers = all(&runtime, &web, &["/spin", "/hello"]);
    assert!(answers.iter().any(Result::is_err), "{answers:?}");
    assert_eq!(get(&runtime, &other, "/hello").0, 200);
    assert_eq!(get(&runtime, &web, "/hello").0, 200);
    assert_quiet(&runtime, &[&web, &other]);
}

#[test]
fn a_shared_guest_serves_one_tenant_at_a_time() {
    let (runtime, web) = host(crowded(8));
    let (a, b) = runtime.block_on(async {
        let asked = |tenant: &'static str| {
            let context = Context::new().with_tenant(tenant);
            async { web.http(context, request("GET", "/slow?ms=200", Empty::<Bytes>::new())).await.map(drop) }
        };
        futures_util::future::join(asked("a"), asked("b")).await
    });
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    assert_eq!(web.stats().unwrap().created, 2);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn requests_dropped_at_random_leave_nothing_behind() {
    let (runtime, web) = host(crowded(4).timeout(Duration::from_secs(2)));
    let mut dice = Dice::new(7);
    for _ in 0..300 {
        let mut asked = Box::pin(open(&web, request("GET", "/hold?ms=20", Empty::<Bytes>::new())));
        for _ in 0..dice.roll(4) {
            if poll(&mut asked).is_ready() {
                break;
            }
            std::thread::yield_now();
        }
    }
    until("guests that were given up end", || web.stats().unwrap().running == 0);
    assert_eq!(get(&runtime, &web, "/hello").0, 200);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn only_handlers_of_version_3_can_serve_several_at_once() {
    let runtime = runtime();
    let function =
        Function::wasm("web", HTTP_RS).isolation(Isolation::Concurrent { max_in_flight: 8, max_uses: 100 });
    says(&refused(&runtime, function), &["wasi:http/handler@0.3", "Isolation::Reuse"]);
    says(&refused(&runtime, crowded(0)), &["max_in_flight", "give 1 to 100"]);
}

#[test]
fn a_client_that_sends_too_much_ends_his_own_request_alone() {
    let (runtime, web) = host(crowded(8).max_event(1 << 20));
    let ended = runtime.block_on(async {
        let (sent, _) = chunks(1_000);
        let flood = async { open(&web, request("POST", "/echo", sent)).await?.into_body().collect().await };
        let slow = open(&web, request("GET", "/slow?ms=200", Empty::<Bytes>::new()));
        futures_util::future::join(slow, flood).await
    });
    assert!(ended.0.is_ok(), "{:?}", ended.0);
    assert_eq!(kind(ended.1), "payload-too-large");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_guest_that_works_on_after_its_answer_serves_no_more() {
    let runtime = runtime();
    let reused = deploy(&runtime, Function::wasm("reused", HTTP_RS_P3).isolation(REUSE));
    let crowded = deploy(&runtime, crowded(8));
    for web in [&reused, &crowded] {
        assert_eq!(get(&runtime, web, "/count").1, "1");
        assert_eq!(get(&runtime, web, "/count").1, "2");
        assert_eq!(get(&runtime, web, "/after?ms=5000").0, 200);
        until("the guest goes", || web.stats().unwrap().live == 0);
        assert_eq!(get(&runtime, web, "/count").1, "1", "{web:?}");
    }
    assert_quiet(&runtime, &[&reused, &crowded]);
}
