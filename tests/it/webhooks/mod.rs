//! Outcomes that are posted to HTTP endpoints: what arrives, what is tried again, and what is never reached.

mod endpoint;
mod reach;

use std::time::{Duration, SystemTime};

use fnhost::testing::ManualClock;
use fnhost::{
    Backlog, Context, DeadLetter, Death, Destination, Event, Failure, Function, Handler, Response, Retry,
    Runtime, Webhook,
};

use self::endpoint::{Endpoint, plain};
use crate::kit::{deploy, refused, says, small, until};

/// 24 bytes, as text and as they are.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY: [u8; 24] = [
    0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6,
    0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0,
];
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A runtime with a clock that is moved by hand.
struct World {
    clock: ManualClock,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::at(SystemTime::now());
        let runtime = small().clock(&clock).build().unwrap();
        Self { clock, runtime }
    }

    fn submit(&self, handler: &Handler, event: Event) {
        self.runtime.block_on(handler.submit(event)).unwrap();
    }

    fn backlog(&self) -> Backlog {
        self.runtime.block_on(self.runtime.backlogs().of_webhook("f")).unwrap()
    }

    /// Waits until a message waits for another attempt.
    #[track_caller]
    fn until_retrying(&self) {
        until("it waits for another attempt", || self.backlog().retrying == 1);
    }

    #[track_caller]
    fn until_delivered(&self, events: u64) {
        until("all is delivered", || self.runtime.delivery_stats().delivered == events);
    }

    /// Waits for the one dead letter.
    #[track_caller]
    fn letter(&self) -> DeadLetter {
        until("it is given up", || self.backlog().dead == 1);
        let letters = self.runtime.dead_letters().of_webhook("f");
        self.runtime.block_on(letters.list(0, 10)).unwrap().remove(0)
    }
}

/// Answers a greeting as text.
fn greet() -> Function {
    Function::native("f", async |event: Event, _: Context| {
        Ok(Response::from_text(format!("hello {}", event.body_text()?)))
    })
}

fn fail() -> Function {
    Function::native("f", async |_: Event, _: Context| Err(Failure::new("sold-out", "no tea is left")))
}

fn hook(url: String) -> Webhook {
    Destination::webhook(url).secret(SECRET).allow_http().allow_private()
}

fn order() -> Event {
    Event::bytes("order.placed", "tea").with_id("order-7").with_content_type("text/plain")
}

#[test]
fn a_record_is_posted_as_a_signed_cloudevent() {
    let (world, endpoint) = (World::new(), Endpoint::new(|_| 204));
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/hooks?a=b"))));
    world.submit(&f, order());
    let posted = endpoint.wait_for(0);
    assert_eq!((posted.method.as_str(), posted.path.as_str()), ("POST", "/hooks?a=b"));
    assert_eq!(posted.header("content-type"), "application/cloudevents+json");
    let event = posted.json();
    assert_eq!((&event["specversion"], &event["type"]), (&"1.0".into(), &"fnhost.invocation.success".into()));
    assert_eq!(event["data"]["requestPayload"], "tea");
    assert_eq!(event["data"]["responsePayload"], "hello tea");
    let seconds = world.clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(posted.header("webhook-timestamp"), seconds.to_string());
    assert_eq!((posted.signatures_of(&KEY), posted.signatures_of(&[0; 24])), (1, 0));
    world.until_delivered(2);
}

#[test]
fn an_answer_alone_is_posted_in_binary_mode() {
    let (world, endpoint) = (World::new(), Endpoint::new(|_| 200));
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/")).answer()));
    world.submit(&f, order());
    let posted = endpoint.wait_for(0);
    assert_eq!(posted.body, "hello tea");
    assert!(posted.header("content-type").starts_with("text/plain"));
    assert_eq!(
        (posted.header("ce-specversion"), posted.header("ce-type"), posted.header("ce-source")),
        ("1.0", "fnhost.invocation.success", "/fnhost/function/f")
    );
    assert_eq!(posted.signatures_of(&KEY), 1);
}

#[test]
fn what_was_given_up_is_posted_as_it_came_or_as_a_record() {
    let (world, endpoint) = (World::new(), Endpoint::new(|_| 200));
    let function = fail()
        .on_failure(hook(endpoint.url("/plain")).answer())
        .on_failure(hook(endpoint.url("/record")))
        .on_success(hook(endpoint.url("/never")));
    let f = deploy(&world.runtime, function);
    world.submit(&f, order());
    let posted = [endpoint.wait_for(0), endpoint.wait_for(1)];
    let at = |path: &str| posted.iter().find(|posted| posted.path == path).unwrap();
    assert_eq!((at("/plain").header("ce-id"), &at("/plain").body[..]), ("order-7", &b"tea"[..]));
    let record = at("/record").json();
    assert_eq!(record["data"]["requestContext"]["condition"], "NotRetryable");
    assert_ne!(at("/plain").header("webhook-id"), at("/record").header("webhook-id"));
}

#[test]
fn each_secret_signs() {
    let (world, endpoint) = (World::new(), Endpoint::new(|_| 200));
    let old = [7_u8; 32];
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/")).secret(old)));
    world.submit(&f, order());
    let posted = endpoint.wait_for(0);
    assert_eq!((posted.signatures_of(&KEY), posted.signatures_of(&old)), (1, 1));
}

#[test]
fn it_is_posted_again_after_the_pause_under_its_id_and_signed_anew() {
    let (world, endpoint) = (World::new(), Endpoint::new(|number| if number < 2 { 503 } else { 200 }));
    let retry = Retry::new().attempts(5).backoff(MINUTE, MINUTE);
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/")).retry(retry)));
    world.submit(&f, order());
    let first = endpoint.wait_for(0);
    for number in 1..=2 {
        world.until_retrying();
        world.clock.advance(MINUTE - Duration::from_millis(1));
        assert_eq!((world.backlog().retrying, endpoint.count()), (1, number), "not a moment too early");
        world.clock.advance(Duration::from_millis(1));
        let again = endpoint.wait_for(number);
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body);
        let seconds = |posted: &endpoint::Posted| posted.header("webhook-timestamp").parse::<u64>().unwrap();
        assert_eq!(seconds(&again) - seconds(&first), 60 * number as u64);
        assert_eq!(again.signatures_of(&KEY), 1);
    }
    world.until_delivered(2);
    assert_eq!(world.runtime.delivery_stats().retried, 2);
}

#[test]
fn it_waits_as_long_as_the_endpoint_says() {
    let busy = |number, _: &endpoint::Posted| {
        let mut answer = plain(if number == 0 { 429 } else { 200 });
        answer.headers_mut().insert("retry-after", "120".parse().unwrap());
        Some(answer)
    };
    let (world, endpoint) = (World::new(), Endpoint::with(busy));
    let retry = Retry::new().backoff(SECOND, SECOND);
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/")).retry(retry)));
    world.submit(&f, order());
    world.until_retrying();
    world.clock.advance(SECOND * 119);
    // What comes later arrives: so the first one would have, too.
    world.submit(&f, order());
    let later = endpoint.wait_for(1);
    assert_ne!(later.header("webhook-id"), endpoint.wait_for(0).header("webhook-id"));
    world.clock.advance(SECOND);
    assert_eq!(endpoint.wait_for(2).header("webhook-id"), endpoint.wait_for(0).header("webhook-id"));
}

#[test]
fn what_is_refused_is_given_up_at_once() {
    for status in [400, 401, 404, 410] {
        let (world, endpoint) = (World::new(), Endpoint::new(move |_| status));
        let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/gone"))));
        world.submit(&f, order());
        let letter = world.letter();
        assert_eq!((letter.death, letter.target), (Death::NotRetryable, endpoint.url("/gone")));
        let message = format!("answered with http status {status}: so it is");
        assert_eq!((letter.attempts.len(), &letter.attempts[0].message), (1, &message));
        let own = world.runtime.dead_letters().of_function("f");
        assert!(world.runtime.block_on(own.list(0, 10)).unwrap().is_empty(), "the event itself is done");
    }
}

#[test]
fn what_is_given_up_after_its_attempts_can_be_sent_again() {
    let (world, endpoint) = (World::new(), Endpoint::new(|number| if number < 3 { 500 } else { 200 }));
    let retry = Retry::new().attempts(3).backoff(SECOND, SECOND);
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/")).retry(retry)));
    world.submit(&f, order());
    until("it is given up", || {
        world.clock.advance(SECOND);
        world.backlog().dead == 1
    });
    let letter = world.letter();
    assert_eq!((letter.death, letter.attempts.len()), (Death::RetriesExhausted, 3));
    assert!(world.runtime.block_on(world.runtime.dead_letters().send_again(&letter.id)).unwrap());
    let ids: Vec<_> =
        (0..4).map(|number| endpoint.wait_for(number).header("webhook-id").to_owned()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    world.until_delivered(2);
}

#[test]
fn a_message_waits_while_its_function_is_gone() {
    let (world, endpoint) = (World::new(), Endpoint::new(|number| if number == 0 { 503 } else { 200 }));
    let function = || {
        let retry = Retry::new().backoff(SECOND, SECOND);
        greet().on_success(hook(endpoint.url("/")).retry(retry))
    };
    let f = deploy(&world.runtime, function());
    world.submit(&f, order());
    world.until_retrying();
    world.runtime.block_on(world.runtime.remove("f")).unwrap();
    world.clock.advance(MINUTE);
    assert_eq!((world.backlog().retrying, endpoint.count()), (1, 1));
    deploy(&world.runtime, function());
    endpoint.wait_for(1);
    world.until_delivered(2);
}

#[test]
fn a_message_whose_url_is_gone_is_given_up_and_says_so() {
    let (world, endpoint) = (World::new(), Endpoint::new(|_| 503));
    let retry = Retry::new().backoff(SECOND, SECOND);
    let f = deploy(&world.runtime, greet().on_success(hook(endpoint.url("/old")).retry(retry)));
    world.submit(&f, order());
    world.until_retrying();
    deploy(&world.runtime, greet().on_success(hook(endpoint.url("/new"))));
    world.clock.advance(SECOND);
    let letter = world.letter();
    assert_eq!((letter.death, letter.attempts.len()), (Death::NotRetryable, 2));
    assert_eq!(letter.attempts[1].message, "the function \"f\" has no webhook of this URL any more");
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn a_webhook_that_cannot_work_is_an_error_of_the_deployment_and_shows_no_secret() {
    let world = World::new();
    let url = "https://example.com/very-private";
    for (webhook, parts) in [
        (Destination::webhook(url), &["no secret", ".secret"][..]),
        (Destination::webhook(url).secret("hunter2"), &["7 bytes", "24"]),
        (Destination::webhook(url).secret("whsec_hunter2!"), &["base64"]),
        (Destination::webhook("http://example.com/").secret(SECRET), &["https://", ".allow_http"]),
        (Destination::webhook("https://127.0.0.1/").secret(SECRET), &["loopback", ".allow_private"]),
        (hook("http://169.254.169.254/latest".into()), &["metadata", "no webhook reaches"]),
        (hook("ftp://example.com/".into()), &["https://"]),
        (hook("https://user:hunter2@example.com/".into()), &["credentials"]),
        (hook(url.into()).timeout(Duration::ZERO), &["timeout"]),
        (hook(url.into()).retry(Retry::new().attempts(0)), &["attempts"]),
        (hook(url.into()).roots(b"soup"), &["roots"]),
    ] {
        let error = refused(&world.runtime, greet().on_failure(webhook));
        says(&error, parts);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2") && !text.contains("very-private"), "{text}");
    }
    let shown = format!("{:?}", Destination::from(hook(url.into())));
    assert!(!shown.contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") && !shown.contains("31f290"), "{shown}");
}
