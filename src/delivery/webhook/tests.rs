//! What is kept for webhooks, and where they are found again.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::broker::{Bounds, Draft, Memory};
use crate::context::Context;
use crate::delivery::destination::Outcome;
use crate::delivery::retry::Fault;
use crate::delivery::webhook::post::Address;
use crate::delivery::{Delivery, Destination, Feed, Host, Parcel, Policy, queue_channel};
use crate::error::Error;
use crate::event::{Event, Response};
use crate::wall::{ManualClock, Wall};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Has one function, which is never invoked.
struct Owner(Arc<Policy>);

impl Host for Owner {
    fn policy(&self, function: &str) -> Option<Arc<Policy>> {
        (function == "f").then(|| Arc::clone(&self.0))
    }

    fn invoke<'a>(&'a self, _: &'a str, _: Context, _: Event) -> BoxFuture<'a, Result<Response, Error>> {
        unreachable!("outcomes are made by hand here")
    }
}

fn delivery(host: &Arc<Owner>) -> Arc<Delivery> {
    let wall = Wall::Manual(ManualClock::at(SystemTime::now()));
    let host = Arc::clone(host) as Arc<dyn Host>;
    let seen: Weak<dyn Host> = Arc::downgrade(&host);
    Delivery::new((Memory::new(wall.clone(), Bounds::default()) as _, wall), seen, (1, 1))
}

fn policy(on_success: Vec<Destination>) -> Policy {
    Policy { on_success, ..Policy::default() }
}

fn follow(delivery: &Delivery, policy: &Policy) -> Draft {
    let parcel = Parcel::new(Event::new("a"), "f:3", &Context::new());
    let outcome = Outcome::Answered { response: &Response::new(), attempts: 1 };
    delivery.follow(&policy.on_success, &parcel, &outcome).after(0)[0].clone()
}

#[test]
fn no_secret_is_kept_with_a_message() {
    let other = [b's'; 32];
    let hook = Destination::webhook("https://example.com/a").secret(SECRET).secret(other);
    let host = Arc::new(Owner(Arc::new(policy(vec![hook.into()]))));
    let draft = follow(&delivery(&host), &host.0);
    assert_eq!(draft.channel.as_str(), "w.f");
    let has = |part: &[u8]| draft.payload.windows(part.len()).any(|window| window == part);
    assert!(has(b"https://example.com/a"));
    let decoded = [0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a];
    assert!(!has(&SECRET.as_bytes()[6..]) && !has(&decoded) && !has(&other));
}

#[test]
fn a_webhook_of_a_trigger_is_found_there_and_waited_for() {
    let hook = Destination::webhook("https://example.com/a").secret(SECRET);
    let host = Arc::new(Owner(Arc::default()));
    let delivery = delivery(&host);
    let of_trigger = policy(vec![hook.into()]);
    let parcel = Parcel::decode(&follow(&delivery, &of_trigger).payload).unwrap();
    let find = || delivery.hook("f", &host.0, &Address::of(&parcel));
    assert_eq!(find().unwrap_err().fault, Fault::Host, "it may come again");
    let feed = Feed {
        channel: queue_channel("orders"),
        target: "f".into(),
        function: "f".into(),
        batch: None,
        source: "/fnhost/queue/orders".into(),
        policy: of_trigger,
    };
    assert!(delivery.add_feed(feed));
    assert!(find().is_ok());
}

#[test]
fn a_webhook_that_its_function_lost_is_not_waited_for() {
    let hook = Destination::webhook("https://example.com/a").secret(SECRET);
    let host = Arc::new(Owner(Arc::new(policy(vec![hook.into()]))));
    let delivery = delivery(&host);
    let parcel = Parcel::decode(&follow(&delivery, &host.0).payload).unwrap();
    assert!(delivery.hook("f", &host.0, &Address::of(&parcel)).is_ok());
    let lost = delivery.hook("f", &Policy::default(), &Address::of(&parcel));
    assert_eq!(lost.unwrap_err().fault, Fault::Final);
}
