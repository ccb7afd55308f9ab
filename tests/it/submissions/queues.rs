//! Queues, topics, destinations.

use std::time::Duration;

use fnhost::{
    Batch, Broker, Context, Destination, Event, EventStreamOptions, Filter, Function, Position, Response,
    Retry, Submission, Trigger,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Folder, Stand, failing, fine, telling};

/// A function that tells the types of each batch's events, and fails those that it is told to.
fn batches(name: &str, fails: &'static str) -> (Function, mpsc::UnboundedReceiver<Vec<String>>) {
    let (tell, told) = mpsc::unbounded_channel();
    let function = Function::native(name, move |batch: Event, _| {
        let tell = tell.clone();
        async move {
            let events = batch.batch()?;
            // Nobody listens once the test has seen enough.
            let _ = tell.send(events.iter().map(|event| event.event_type().to_owned()).collect());
            let failed = events.iter().filter(|event| event.event_type() == fails);
            Ok(Response::batch_failures(failed.map(|event| event.id().to_owned())))
        }
    });
    (function, told)
}

#[tokio::test]
async fn a_queue_feeds_a_function_in_batches() {
    let stand = Stand::in_memory();
    let (count, mut told) = batches("count", "poison");
    stand.runtime.deploy(count).await.unwrap();
    let orders = stand.runtime.queue("orders").unwrap();
    let events = ["tea", "poison", "milk"].map(Event::new);
    let kept = orders.publish_all(events).await.unwrap();
    let trigger =
        Trigger::queue("orders").to("count").batch(Batch::of(100)).visibility(Duration::from_secs(60));
    stand.runtime.add_trigger("counting", trigger).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), ["tea", "poison", "milk"]);
    let Submission::Dead { attempts, .. } = stand.until_dead(kept[1].id()).await else { unreachable!() };
    assert_eq!(attempts.len(), 3);
    for done in [&kept[0], &kept[2]] {
        stand.until_done(done.id()).await;
    }
    let [letter] = &stand.runtime.dead_letters().list(0, 9).await.unwrap()[..] else { panic!("one letter") };
    assert_eq!((letter.target.as_str(), letter.event.as_ref().unwrap().event_type()), ("q.orders", "poison"));
}

#[tokio::test]
async fn what_a_queue_holds_survives_its_runtime() {
    let folder = Folder::new();
    {
        let stand = Stand::new(Broker::embedded(&folder.0));
        stand.runtime.queue("orders").unwrap().publish(Event::new("tea")).await.unwrap();
        stand.runtime.shutdown(Duration::from_secs(5)).await;
    }
    let stand = Stand::new(Broker::embedded(&folder.0));
    let (count, mut told) = batches("count", "");
    stand.runtime.add_trigger("counting", Trigger::queue("orders").to("count")).await.unwrap();
    stand.runtime.deploy(count).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), ["tea"]);
}

#[tokio::test]
async fn a_topic_goes_to_all_who_want_it_also_after_a_restart() {
    let folder = Folder::new();
    let paid = || Filter::parse(r#"{"data": {"price": [{"numeric": [">", 0]}]}}"#).unwrap();
    {
        let stand = Stand::new(Broker::embedded(&folder.0));
        stand.runtime.add_trigger("all", Trigger::topic("clicks").to("all")).await.unwrap();
        stand.runtime.add_trigger("paid", Trigger::topic("clicks").to("paid").filter(paid())).await.unwrap();
        stand.runtime.shutdown(Duration::from_secs(5)).await;
    }
    let stand = Stand::new(Broker::embedded(&folder.0));
    let clicks = stand.runtime.topic("clicks").unwrap();
    assert_eq!(clicks.subscriptions(), ["all", "paid"], "subscriptions are kept");
    let free = clicks.publish(Event::json("free", &json!({ "price": 0 })).unwrap()).await.unwrap();
    let dear = clicks.publish(Event::json("dear", &json!({ "price": 9 })).unwrap()).await.unwrap();
    assert_eq!((free.len(), dear.len()), (1, 2));
    let ((all, mut all_told), (paying, mut paid_told)) = (telling("all", fine), telling("paid", fine));
    stand.runtime.deploy(all).await.unwrap();
    stand.runtime.deploy(paying).await.unwrap();
    stand.runtime.add_trigger("all", Trigger::topic("clicks").to("all")).await.unwrap();
    stand.runtime.add_trigger("paid", Trigger::topic("clicks").to("paid").filter(paid())).await.unwrap();
    let mut types = [all_told.recv().await.unwrap().0, all_told.recv().await.unwrap().0]
        .map(|e| e.event_type().to_owned());
    types.sort();
    assert_eq!(types, ["dear", "free"]);
    assert_eq!(paid_told.recv().await.unwrap().0.event_type(), "dear");
    assert!(paid_told.try_recv().is_err());
    clicks.unsubscribe("paid").await.unwrap();
    assert_eq!(clicks.publish(Event::json("dear", &json!({ "price": 9 })).unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn outcomes_go_on_to_functions_and_queues() {
    let stand = Stand::in_memory();
    let (next, mut told) = telling("next", fine);
    stand.runtime.deploy(next).await.unwrap();
    let answer = |_: &fnhost::Context| Ok(Response::from_text("resized"));
    let (resize, _told) = telling("resize", answer);
    stand.runtime.deploy(resize.on_success(Destination::function("next"))).await.unwrap();
    let handler = stand.runtime.handler("resize").unwrap();
    handler.submit(Event::json("image", &7).unwrap()).await.unwrap();
    let (event, _) = told.recv().await.unwrap();
    let record: Value = event.body_json().unwrap();
    assert_eq!((&record["requestPayload"], &record["responsePayload"]), (&json!(7), &json!("resized")));

    let (broken, _told) = telling("broken", failing);
    let broken = broken.retry(Retry::never()).on_failure(Destination::queue("failed").answer());
    stand.runtime.deploy(broken).await.unwrap();
    let (collect, mut told) = batches("collect", "");
    stand.runtime.deploy(collect).await.unwrap();
    stand.runtime.add_trigger("failures", Trigger::queue("failed").to("collect")).await.unwrap();
    stand.runtime.handler("broken").unwrap().submit(Event::new("order")).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), ["order"]);
}

#[tokio::test]
async fn triggers_that_cannot_work_are_refused() {
    let stand = Stand::in_memory();
    let runtime = &stand.runtime;
    let refused = async |name: &str, trigger: Trigger, why: &str| {
        let error = runtime.add_trigger(name, trigger).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused("a", Trigger::queue("orders").into(), "no target").await;
    refused("a b", Trigger::queue("orders").to("f").into(), "trigger name \"a b\" is refused").await;
    refused("a", Trigger::queue("a.b").to("f").into(), "queue name \"a.b\" is refused").await;
    refused("a", Trigger::queue("orders").to("f:x").into(), "must be a version").await;
    refused("a", Trigger::queue("orders").to("f").batch(Batch::of(0)).into(), "give 1 to 10000").await;
    refused("a", Trigger::queue("orders").to("f").concurrency(0).into(), "concurrency is 0").await;
    refused("a", Trigger::topic("clicks").to("f").concurrency(0).into(), "concurrency is 0").await;
    refused("a", Trigger::cron("0 25 * * *", "UTC").to("f").into(), "write 0 to 23").await;
    refused("a", Trigger::cron("0 3 * * *", "Mars/Base").to("f").into(), "Mars/Base").await;
    runtime.add_trigger("a", Trigger::queue("orders").to("f")).await.unwrap();
    refused("a", Trigger::queue("others").to("f").into(), "there is one of that name").await;
    refused("b", Trigger::queue("orders").to("f").into(), "another trigger takes from that queue").await;
    refused("a", Trigger::topic("clicks").to("f").into(), "there is one of that name").await;
    assert!(
        runtime.topic("clicks").unwrap().subscriptions().is_empty(),
        "nothing waits for who is not there"
    );
    assert_eq!(runtime.triggers(), ["a"]);
    assert!(runtime.remove_trigger("a") && !runtime.remove_trigger("a"));
    runtime.add_trigger("b", Trigger::queue("orders").to("f")).await.unwrap();
}

#[tokio::test]
async fn a_stream_comes_in_the_order_of_its_keys() {
    let stand = Stand::in_memory();
    let (archive, mut told) = batches("archive", "");
    stand.runtime.deploy(archive).await.unwrap();
    let clicks = stand.runtime.event_stream("clicks", EventStreamOptions::new().shards(1)).await.unwrap();
    let trigger = Trigger::stream("clicks").to("archive").start(Position::Oldest).batch(Batch::of(2));
    for click in ["1", "2", "3"] {
        clicks.append_with(&Context::new(), Some("user-7"), Event::new(click)).await.unwrap();
    }
    stand.runtime.add_trigger("archiving", trigger).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), ["1", "2"]);
    assert_eq!(told.recv().await.unwrap(), ["3"]);
    assert!(stand.runtime.remove_trigger("archiving"));
}
