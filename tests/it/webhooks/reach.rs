//! What a webhook reaches, and for how long and how much it is waited.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use fnhost::{Death, Destination, Retry};

use super::endpoint::{Endpoint, endless, plain};
use super::{SECRET, World, greet, hook, order};
use crate::kit::deploy;

#[test]
fn a_name_that_leads_to_loopback_is_not_reached_unless_told_so() {
    let (world, endpoint) = (World::new(), Endpoint::new(|_| 200));
    let public = Destination::webhook(endpoint.named("/")).secret(SECRET).allow_http();
    let f = deploy(&world.runtime, greet().on_success(public));
    world.submit(&f, order());
    let letter = world.letter();
    let message = &letter.attempts[0].message;
    assert!(message.contains("loopback") && message.contains(".allow_private"), "{message}");
    assert_eq!((letter.death, endpoint.count()), (Death::NotRetryable, 0));
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.named("/private"))));
    world.submit(&f, order());
    assert_eq!(endpoint.wait_for(0).path, "/private");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Endpoint::new(|_| 200);
    let away = elsewhere.url("/");
    let endpoint = Endpoint::with(move |_, _| {
        let mut answer = plain(307);
        answer.headers_mut().insert("location", away.parse().unwrap());
        Some(answer)
    });
    let world = World::new();
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/"))));
    world.submit(&f, order());
    let letter = world.letter();
    assert!(letter.attempts[0].message.contains("redirects are not followed"));
    assert_eq!((letter.attempts.len(), endpoint.count(), elsewhere.count()), (1, 1, 0));
}

#[test]
fn an_endpoint_that_does_not_answer_is_left() {
    let (world, endpoint) = (World::new(), Endpoint::with(|_, _| None));
    let webhook = hook(endpoint.url("/")).timeout(Duration::from_millis(100)).retry(Retry::never());
    let f = deploy(&world.runtime, greet().on_success(webhook));
    world.submit(&f, order());
    let letter = world.letter();
    assert_eq!((letter.death, endpoint.count()), (Death::RetriesExhausted, 1));
    let attempt = &letter.attempts[0];
    assert_eq!(attempt.kind, "no-answer");
    assert!(attempt.message.contains("0.100 s; raise `.timeout`"), "{}", attempt.message);
}

#[test]
fn an_endpoint_that_is_not_there_is_tried_again() {
    let world = World::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let f = deploy(&world.runtime, greet().on_success(hook(format!("http://{nobody}/"))));
    world.submit(&f, order());
    world.until_retrying();
}

#[test]
fn an_answer_without_end_is_read_to_its_bound_and_counts() {
    for (status, dead) in [(200, 0), (400, 1)] {
        let (answer, taken) = endless(status);
        let (world, endpoint) = (World::new(), Endpoint::with(move |_, _| Some(answer())));
        let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/"))));
        let began = Instant::now();
        world.submit(&f, order());
        crate::kit::until("it has ended", || {
            let stats = world.runtime.delivery_stats();
            stats.delivered + stats.dead == 2
        });
        assert_eq!(world.backlog().dead, dead, "{status}");
        assert!(began.elapsed() < Duration::from_secs(10), "not at its time-out");
        // More than the bound stands in the buffers of two sockets, but no more than that.
        assert!(taken.load(SeqCst) < 32 << 20, "{} bytes", taken.load(SeqCst));
        if dead == 1 {
            let message = &world.letter().attempts[0].message;
            assert!(message.len() < 300 && message.ends_with("xxx"), "{message}");
        }
    }
}
