//! Where outcomes go.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};

use crate::broker::Store;
use crate::context::Context;
use crate::delivery::destination::Outcome;
use crate::delivery::tests::{Bench, Fake, policy, test, trapped};
use crate::delivery::{
    Death, Delivery, Destination, History, Host, Parcel, Policy, Retry, channel_of, queue_channel,
};
use crate::event::{Event, Response};

/// Takes the event that waits in a queue.
async fn taken(bench: &Bench, queue: &str) -> Parcel {
    let channel = queue_channel(queue);
    let mut leases = bench.store.pull(&channel, 1).await.unwrap();
    Parcel::decode(&leases.remove(0).payload).unwrap()
}

#[test]
fn an_answer_goes_to_its_destination_as_a_record() {
    test(async |bench| {
        let on_success = vec![Destination::queue("done")];
        let policy = Policy { on_success, ..policy(Retry::new()) };
        let _told = bench
            .deploy("a", policy, |_| Response::from_json(&json!({ "ok": 1 })).map_err(|e| e.into_kind()));
        let event = Event::json("order", &json!({ "tea": 2 })).unwrap().with_id("o-1");
        let sent = bench.submit("a", event).await;
        let parcel = taken(&bench, "done").await;
        let record: Value = parcel.event.body_json().unwrap();
        assert_eq!(record["version"], "1.0");
        assert_eq!(record["requestPayload"], json!({ "tea": 2 }));
        assert_eq!(record["responsePayload"], json!({ "ok": 1 }));
        assert_eq!(record["responseContext"]["statusCode"], 200);
        let context = &record["requestContext"];
        assert_eq!(
            (&context["condition"], &context["approximateInvokeCount"]),
            (&json!("Success"), &json!(1))
        );
        assert_eq!(
            (parcel.event.event_type(), parcel.event.subject()),
            ("fnhost.invocation.success", Some("o-1"))
        );
        assert_eq!((parcel.event.source(), parcel.tenant.as_deref()), ("/fnhost/function/a", Some("acme")));
        assert_eq!(*parcel.lineage, ["a".to_owned()]);
        bench.until(&sent, |state| matches!(state, crate::broker::State::Done { .. }).then_some(())).await;
    });
}

#[test]
fn what_is_given_up_goes_to_its_destination_with_what_went_wrong() {
    test(async |bench| {
        let on_failure = vec![Destination::queue("failed"), Destination::queue("plain").answer()];
        let policy = Policy { on_failure, ..policy(Retry::never()) };
        let _told = bench.deploy("a", policy, |_| trapped());
        bench.submit("a", Event::bytes("order", vec![0xff]).with_id("o-1")).await;
        let record: Value = taken(&bench, "failed").await.event.body_json().unwrap();
        assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(record["responseContext"]["functionError"], "trapped");
        assert_eq!(record["responsePayload"]["errorType"], "trapped");
        assert_eq!(record["requestPayload"], "/w==", "bytes are written as base64");
        let plain = taken(&bench, "plain").await;
        assert_eq!(
            (plain.event.id(), plain.event.event_type(), &plain.event.body()[..]),
            ("o-1", "order", &[0xff][..])
        );
    });
}

#[test]
fn a_destination_function_gets_the_answer_alone_if_it_is_told_so() {
    test(async |bench| {
        let on_success = vec![Destination::function("b").answer()];
        let policy = Policy { on_success, ..policy(Retry::new()) };
        let _told = bench.deploy("a", policy, |_| Ok(Response::from_text("answer")));
        let mut told =
            bench.deploy("b", Policy { concurrency: 1, ..Policy::default() }, |_| Ok(Response::new()));
        bench.submit("a", Event::new("order")).await;
        let (event, context) = told.recv().await.unwrap();
        assert_eq!(
            (event.body_text().unwrap(), event.content_type()),
            ("answer", Some("text/plain; charset=utf-8"))
        );
        assert_eq!(context.lineage(), ["a", "b"]);
    });
}

#[test]
fn functions_that_call_each_other_for_ever_are_stopped() {
    test(async |bench| {
        let on_success = vec![Destination::function("a")];
        let policy = Policy { on_success, ..policy(Retry::new()) };
        let mut told = bench.deploy("a", policy, |_| Ok(Response::new()));
        bench.submit("a", Event::new("order")).await;
        loop {
            if let [letter] = &bench.store.letters(Some(&channel_of("a")), 0, 10).await.unwrap()[..] {
                let history = crate::delivery::History::decode(&letter.notes);
                assert_eq!(history.death, Some(crate::delivery::Death::RecursiveInvocation));
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut runs = 0;
        while told.try_recv().is_ok() {
            runs += 1;
        }
        assert_eq!(runs, 17, "the first one, and a chain of 16");
    });
}

#[test]
fn a_large_outcome_has_a_record_without_payloads_in_case_the_store_refuses_it() {
    test(async |bench| {
        let (history, large) = (History::default(), Event::bytes("order", vec![0; 100_000]));
        let outcome = Outcome::GivenUp { history: &history, death: Death::RetriesExhausted };
        let sequel = |event: &Event| {
            let parcel = Parcel::new(event.clone(), "a", &Context::new());
            let destinations = [Destination::queue("record"), Destination::queue("plain").answer()];
            bench.delivery.follow(&destinations, &parcel, &outcome)
        };
        let (small, large) = (sequel(&Event::new("order")), sequel(&large));
        assert!(!small.is_cut_after(3) && large.is_cut_after(3));
        for draft in large.after(3) {
            let record: Value = Parcel::decode(&draft.payload).unwrap().event.body_json().unwrap();
            assert_eq!((&record["cut"], &record["requestPayload"]), (&json!(true), &Value::Null));
            assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
        }
        assert_eq!(large.after(3).len(), 2);
    });
}

#[test]
fn a_function_that_gets_its_own_failures_is_stopped() {
    test(async |bench| {
        let on_failure = vec![Destination::function("a"), Destination::queue("failed")];
        let policy = Policy { on_failure, ..policy(Retry::never()) };
        let _told = bench.deploy("a", policy, |_| trapped());
        bench.submit("a", Event::new("order")).await;
        let dead = async || bench.store.depth(&channel_of("a")).await.unwrap().dead;
        while dead().await < 18 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(dead().await, 18, "17 that ran, and the one that was refused");
        assert_eq!(bench.store.depth(&queue_channel("failed")).await.unwrap().waiting, 17);
    });
}

#[test]
fn any_number_of_deliveries_can_be_allowed() {
    test(async |bench| {
        let host: Weak<dyn Host> = Weak::<Fake>::new();
        let parts = (Arc::clone(&bench.store) as _, bench.delivery.wall.clone());
        assert_eq!(Delivery::new(parts, host, (1, usize::MAX)).stats().delivering, 0);
    });
}

#[test]
fn destinations_that_cannot_be_are_refused() {
    for wrong in [Destination::queue(""), Destination::topic("a.b"), Destination::function("a b")] {
        assert!(wrong.check().unwrap_err().contains("is refused"), "{wrong:?}");
    }
    assert!(Destination::function("resize:7").check().is_ok());
    assert!(Destination::function("resize:live").check().unwrap_err().contains("must be a version"));
}
