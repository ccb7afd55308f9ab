//! Events for all who want them.

use serde_json::json;

use crate::broker::{Store, Trouble};
use crate::context::Context;
use crate::delivery::tests::{Bench, policy, test};
use crate::delivery::{Destination, Parcel, Policy, Retry, Topics, subscription_channel};
use crate::event::{Event, Response};
use std::sync::Arc;

async fn subscribe(bench: &Bench, name: &str, filter: Option<&str>) -> Result<(), Trouble> {
    bench.delivery.topics.subscribe(&*bench.store, ("clicks", name), filter).await
}

fn wanting(topics: &Topics, body: &serde_json::Value) -> Vec<String> {
    let event = Event::json("click", body).unwrap();
    topics.wanting("clicks", &event).iter().map(|channel| channel.as_str().to_owned()).collect()
}

#[test]
fn each_subscription_gets_what_its_filter_lets_pass() {
    test(async |bench| {
        subscribe(&bench, "all", None).await.unwrap();
        subscribe(&bench, "paid", Some(r#"{"data": {"price": [{"numeric": [">", 0]}]}}"#)).await.unwrap();
        let topics = &bench.delivery.topics;
        assert_eq!(wanting(topics, &json!({ "price": 0 })), ["t.clicks.all"]);
        assert_eq!(wanting(topics, &json!({ "price": 3 })), ["t.clicks.all", "t.clicks.paid"]);
        assert!(topics.wanting("others", &Event::new("click")).is_empty());
        assert_eq!(topics.subscriptions("clicks"), ["all", "paid"]);
    });
}

#[test]
fn a_filter_is_replaced_and_a_subscription_ends() {
    test(async |bench| {
        let topics = &bench.delivery.topics;
        subscribe(&bench, "a", Some(r#"{"data": {"price": [1]}}"#)).await.unwrap();
        subscribe(&bench, "a", Some(r#"{"data": {"price": [2]}}"#)).await.unwrap();
        assert!(wanting(topics, &json!({ "price": 1 })).is_empty());
        assert_eq!(wanting(topics, &json!({ "price": 2 })), ["t.clicks.a"]);
        topics.unsubscribe(&*bench.store, ("clicks", "a")).await.unwrap();
        assert!(wanting(topics, &json!({ "price": 2 })).is_empty());
        assert_eq!(topics.count(), 0, "nothing is left of a topic without subscriptions");
    });
}

#[test]
fn another_runtime_on_the_store_knows_the_subscriptions() {
    test(async |bench| {
        subscribe(&bench, "before", None).await.unwrap();
        let others = Arc::new(Topics::default());
        others.follow(&*bench.store);
        subscribe(&bench, "after", None).await.unwrap();
        assert_eq!(others.subscriptions("clicks"), ["after", "before"]);
    });
}

#[test]
fn a_topic_is_a_destination() {
    test(async |bench| {
        subscribe(&bench, "a", None).await.unwrap();
        let on_success = vec![Destination::topic("clicks").answer()];
        let policy = Policy { on_success, ..policy(Retry::new()) };
        let _told = bench.deploy("f", policy, |_| Ok(Response::from_text("answer")));
        bench.submit("f", Event::new("order")).await;
        let leases = bench.store.pull(&subscription_channel("clicks", "a"), 1).await.unwrap();
        let parcel = Parcel::decode(&leases[0].payload).unwrap();
        assert_eq!(parcel.event.body_text().unwrap(), "answer");
    });
}

#[test]
fn what_nobody_wants_is_not_kept() {
    test(async |bench| {
        let parcel = Parcel::new(Event::new("click"), "", &Context::new());
        assert!(bench.delivery.topics.drafts("clicks", &parcel, bench.delivery.wall.now()).is_empty());
    });
}
