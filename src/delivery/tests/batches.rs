//! Messages that become one event.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::broker::{Draft, State, Store, SubmissionId};
use crate::context::Context;
use crate::delivery::tests::{Answer, Bench, Handler, policy, test, trapped};
use crate::delivery::{Batch, Death, Feed, Parcel, Policy, Retry, queue_channel};
use crate::event::{Event, Response};

fn feed(batch: Option<Batch>, retry: Retry) -> Feed {
    Feed {
        channel: queue_channel("orders"),
        target: "count".into(),
        function: "count".into(),
        batch,
        source: "/fnhost/queue/orders".into(),
        policy: policy(retry),
    }
}

/// Serves batches with a closure that is told the ids, and tells them on.
fn serve(
    bench: &Bench,
    answer: impl Fn(&[String]) -> Answer + Send + Sync + 'static,
) -> mpsc::UnboundedReceiver<Vec<String>> {
    let (tell, told) = mpsc::unbounded_channel();
    let handler: Handler = Arc::new(move |event: Event, _: Context| {
        let ids: Vec<String> = event.batch().unwrap().iter().map(|event| event.id().to_owned()).collect();
        let answer = answer(&ids);
        // Nobody listens once the test has seen enough.
        let _ = tell.send(ids);
        async move { answer }.boxed()
    });
    bench.host.handlers.lock().insert("count".into(), (handler, Arc::new(Policy::default())));
    told
}

async fn publish(bench: &Bench, ids: &[&str]) -> Vec<SubmissionId> {
    publish_of(bench, ids, None).await
}

async fn publish_of(bench: &Bench, ids: &[&str], tenant: Option<&str>) -> Vec<SubmissionId> {
    let context = match tenant {
        Some(tenant) => Context::new().with_tenant(tenant),
        None => Context::new(),
    };
    let drafts = ids.iter().map(|id| Draft {
        channel: queue_channel("orders"),
        payload: Parcel::new(Event::json("order", id).unwrap().with_id(*id), "", &context).encode(),
        key: None,
        due: bench.delivery.wall.now(),
        once: None,
    });
    bench.store.put(drafts.collect()).await.unwrap().into_iter().map(|kept| kept.id).collect()
}

#[test]
fn what_is_there_comes_together() {
    test(async |bench| {
        let mut told = serve(&bench, |_| Ok(Response::new()));
        let ids = publish(&bench, &["1", "2", "3", "4", "5"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(3)), Retry::new()));
        let mut batches = [told.recv().await.unwrap(), told.recv().await.unwrap()];
        // They run at once.
        batches.sort();
        assert_eq!(batches.map(|batch| batch.join(" ")), ["1 2 3", "4 5"]);
        for id in &ids {
            bench.until(id, |state| matches!(state, State::Done { .. }).then_some(())).await;
        }
    });
}

#[test]
fn a_window_waits_for_more_and_closes_when_it_is_full() {
    test(async |bench| {
        let mut told = serve(&bench, |_| Ok(Response::new()));
        bench.delivery.add_feed(feed(Some(Batch::of(3).window(Duration::from_secs(300))), Retry::new()));
        publish(&bench, &["1"]).await;
        publish(&bench, &["2"]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(told.try_recv().is_err(), "its window is not over");
        publish(&bench, &["3"]).await;
        assert_eq!(told.recv().await.unwrap(), ["1", "2", "3"]);
    });
}

#[test]
fn a_window_closes_a_batch_that_is_not_full() {
    test(async |bench| {
        let mut told = serve(&bench, |_| Ok(Response::new()));
        let began = std::time::Instant::now();
        bench.delivery.add_feed(feed(Some(Batch::of(3).window(Duration::from_millis(100))), Retry::new()));
        publish(&bench, &["1"]).await;
        assert_eq!(told.recv().await.unwrap(), ["1"]);
        assert!(began.elapsed() >= Duration::from_millis(100));
    });
}

#[test]
fn what_does_not_fit_comes_in_the_next_batch() {
    test(async |bench| {
        let mut told = serve(&bench, |_| Ok(Response::new()));
        let one = serde_json::to_vec(&Event::json("order", "1").unwrap().with_id("1")).unwrap().len();
        publish(&bench, &["1", "2", "3"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(10).bytes(2 * one + 3)), Retry::new()));
        assert_eq!(told.recv().await.unwrap(), ["1", "2"]);
        assert_eq!(told.recv().await.unwrap(), ["3"]);
    });
}

#[test]
fn those_that_are_named_come_again_and_the_others_are_done() {
    test(async |bench| {
        let answer =
            |ids: &[String]| Ok(Response::batch_failures(ids.iter().filter(|id| *id == "2").cloned()));
        let mut told = serve(&bench, answer);
        let ids = publish(&bench, &["1", "2", "3"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(10)), Retry::new().attempts(2)));
        let history = bench.until_dead(&ids[1]).await;
        assert_eq!(
            (history.death, history.last_message().unwrap().0),
            (Some(Death::RetriesExhausted), "batch-item-failure")
        );
        for id in [&ids[0], &ids[2]] {
            assert!(matches!(bench.store.state(id).await.unwrap(), Some(State::Done { .. })));
        }
        assert_eq!(told.recv().await.unwrap(), ["1", "2", "3"]);
        assert_eq!(told.recv().await.unwrap(), ["2"]);
    });
}

#[test]
fn one_event_that_breaks_the_handler_does_not_take_others_with_it() {
    test(async |bench| {
        let answer = |ids: &[String]| {
            if ids.iter().any(|id| id == "poison") { trapped() } else { Ok(Response::new()) }
        };
        let _told = serve(&bench, answer);
        let ids = publish(&bench, &["1", "poison", "3"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(10)), Retry::new().attempts(3)));
        let history = bench.until_dead(&ids[1]).await;
        assert_eq!((history.death, history.count()), (Some(Death::RetriesExhausted), 3));
        for id in [&ids[0], &ids[2]] {
            bench.until(id, |state| matches!(state, State::Done { .. }).then_some(())).await;
        }
    });
}

#[test]
fn an_http_status_that_is_final_is_so_only_for_an_event_alone() {
    test(async |bench| {
        let answer = |ids: &[String]| match ids.iter().any(|id| id == "poison") {
            true => Ok(Response::new().with_attribute("http.status", "422")),
            false => Ok(Response::new()),
        };
        let _told = serve(&bench, answer);
        let ids = publish(&bench, &["1", "poison"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(10)), Retry::new().attempts(3)));
        let history = bench.until_dead(&ids[1]).await;
        assert_eq!((history.death, history.count()), (Some(Death::NotRetryable), 2));
        // Its pause may be longer.
        bench.clock.advance(Duration::from_secs(60));
        bench.until(&ids[0], |state| matches!(state, State::Done { .. }).then_some(())).await;
    });
}

#[test]
fn an_answer_that_is_not_understood_fails_all() {
    test(async |bench| {
        let _told = serve(&bench, |_| Ok(Response::from_text("soup")));
        let ids = publish(&bench, &["1", "2"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(10)), Retry::never()));
        for id in &ids {
            let history = bench.until_dead(id).await;
            let (kind, message) = history.last_message().unwrap();
            assert_eq!(kind, "invalid-answer");
            assert!(message.contains("batchItemFailures"), "{message}");
        }
    });
}

#[test]
fn all_or_none_takes_any_answer() {
    test(async |bench| {
        let _told = serve(&bench, |_| Ok(Response::from_text("soup")));
        let ids = publish(&bench, &["1"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(10).all_or_none()), Retry::never()));
        bench.until(&ids[0], |state| matches!(state, State::Done { .. }).then_some(())).await;
    });
}

#[test]
fn tenants_are_never_mixed() {
    test(async |bench| {
        let mut told = serve(&bench, |_| Ok(Response::new()));
        publish_of(&bench, &["a1", "a2"], Some("a")).await;
        publish_of(&bench, &["b1"], Some("b")).await;
        publish_of(&bench, &["a3"], Some("a")).await;
        publish(&bench, &["nobody's"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(10)), Retry::new()));
        let mut batches =
            [told.recv().await.unwrap(), told.recv().await.unwrap(), told.recv().await.unwrap()];
        batches.sort();
        assert_eq!(batches.map(|batch| batch.join(" ")), ["a1 a2 a3", "b1", "nobody's"]);
    });
}

#[test]
fn without_a_batch_events_come_as_they_were() {
    test(async |bench| {
        let mut told = bench.deploy("count", Policy::default(), |_| Ok(Response::new()));
        publish(&bench, &["1"]).await;
        bench.delivery.add_feed(feed(None, Retry::new()));
        let (event, _) = told.recv().await.unwrap();
        assert_eq!((event.id(), event.event_type()), ("1", "order"));
    });
}

#[test]
fn a_queue_waits_for_its_function_and_for_its_trigger() {
    test(async |bench| {
        let ids = publish(&bench, &["1"]).await;
        bench.delivery.add_feed(feed(Some(Batch::of(1)), Retry::new()));
        assert!(matches!(bench.store.state(&ids[0]).await.unwrap(), Some(State::Waiting { .. })));
        let mut told = serve(&bench, |_| Ok(Response::new()));
        bench.delivery.deployed("count");
        assert_eq!(told.recv().await.unwrap(), ["1"]);
        assert!(!bench.delivery.add_feed(feed(None, Retry::new())), "a queue has one trigger");
        bench.delivery.remove_feed(&queue_channel("orders"));
        publish(&bench, &["2"]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(told.try_recv().is_err(), "its trigger is gone");
        assert!(bench.delivery.add_feed(feed(Some(Batch::of(1)), Retry::new())));
        assert_eq!(told.recv().await.unwrap(), ["2"]);
    });
}

#[test]
fn no_more_batches_run_at_once_than_the_trigger_allows() {
    test(async |bench| {
        let (gate, running) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::new(Mutex::new((0, 0))));
        let (opened, seen) = (Arc::clone(&gate), Arc::clone(&running));
        let (tell, mut told) = mpsc::unbounded_channel();
        let handler: Handler = Arc::new(move |_, _| {
            let (gate, running, tell) = (Arc::clone(&gate), Arc::clone(&running), tell.clone());
            async move {
                {
                    let mut running = running.lock();
                    running.0 += 1;
                    running.1 = running.1.max(running.0);
                }
                tell.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
                running.lock().0 -= 1;
                Ok(Response::new())
            }
            .boxed()
        });
        bench.host.handlers.lock().insert("count".into(), (handler, Arc::new(Policy::default())));
        publish(&bench, &["1", "2", "3", "4", "5", "6"]).await;
        let retry = Retry::new();
        let policy = Policy { retry, concurrency: 2, ..Policy::default() };
        bench.delivery.add_feed(Feed { policy, ..feed(Some(Batch::of(1)), retry) });
        for _ in 0..6 {
            told.recv().await.unwrap();
            opened.add_permits(1);
        }
        assert_eq!(seen.lock().1, 2);
    });
}
