//! What is dropped midway, taken amiss, or asked by somebody hostile.

use std::time::{Duration, Instant};

use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;

use crate::broker::conformance::{again, done};
use crate::broker::nats::names::{self, Lane, NO_KEY};
use crate::broker::nats::records::{self, Grave};
use crate::broker::nats::tests::crew::{Crew, channel, run, text};
use crate::broker::nats::tests::server::{End, Server};
use crate::broker::{Draft, Shard, Store, SubmissionId, Trouble, Verdict};
use crate::wall::Moment;

const LONG: Duration = Duration::from_secs(40);

#[test]
fn closing_ends_though_the_server_is_away() {
    run(async {
        let mut server = Server::new();
        let crew = Crew::of(server.url());
        let store = crew.open();
        store.put(vec![crew.draft("x")]).await.unwrap();
        let _lease = store.pull(&channel(), 1).await.unwrap();
        server.stop(End::Kill);
        tokio::time::timeout(LONG, store.close()).await.expect("it waits for a server that is gone");
    });
}

#[test]
fn a_settlement_that_is_dropped_and_fails_gives_the_message_back() {
    run(async {
        let mut server = Server::new();
        let crew = Crew::of(server.url());
        let store = crew.open();
        store.put(vec![crew.draft("x")]).await.unwrap();
        let mut lease = store.pull(&channel(), 1).await.unwrap().remove(0);
        server.stop(End::Term);
        let verdict = again(crew.wall.now(), 1);
        let settle = tokio::time::timeout(Duration::from_millis(300), lease.settle(verdict, Vec::new()));
        assert!(settle.await.is_err(), "it was settled without a server");
        drop(lease);
        // Longer than it is tried.
        tokio::time::sleep(Duration::from_secs(12)).await;
        server.start();
        let mut pulled =
            tokio::time::timeout(LONG, store.pull(&channel(), 1)).await.expect("it is stuck").unwrap();
        assert_eq!(text(&pulled[0]), "x");
        pulled[0].settle(done(), Vec::new()).await.unwrap();
    });
}

#[test]
fn a_runtime_with_a_shorter_ack_wait_takes_nothing_from_one_that_lives() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let (patient, hasty) =
            (crew.open_with(Duration::from_secs(6)), crew.open_with(Duration::from_millis(500)));
        patient.put(vec![crew.draft("x")]).await.unwrap();
        let lease = patient.pull(&channel(), 1).await.unwrap().remove(0);
        let stolen = tokio::time::timeout(Duration::from_secs(4), hasty.pull(&channel(), 1)).await;
        assert!(stolen.is_err(), "{stolen:?} though {lease:?} is out");
    });
}

#[test]
fn a_runtime_with_a_longer_ack_wait_holds_what_it_took_all_the_same() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let (hasty, patient) =
            (crew.open_with(Duration::from_millis(600)), crew.open_with(Duration::from_secs(6)));
        hasty.put(vec![crew.draft("first")]).await.unwrap();
        drop(hasty.pull(&channel(), 1).await.unwrap());
        let lease = tokio::time::timeout(LONG, patient.pull(&channel(), 1)).await.unwrap().unwrap().remove(0);
        let stolen = tokio::time::timeout(Duration::from_secs(4), hasty.pull(&channel(), 1)).await;
        assert!(stolen.is_err(), "{stolen:?} though {lease:?} is out");
    });
}

#[test]
fn an_id_of_any_length_does_not_cost_the_connection() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        let before = store.core.link.connects();
        for length in [300, 5_000, 100_000] {
            let id = SubmissionId::new(format!("7.f.{}", "a".repeat(length)));
            assert_eq!(store.state(&id).await.unwrap(), None);
            assert!(store.letter(&id).await.unwrap().is_none());
        }
        assert_eq!(store.core.link.connects(), before, "the server has ended the connection");
    });
}

#[test]
fn an_item_or_a_value_that_the_server_would_refuse_is_refused_at_once() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        let (since, large) = (Instant::now(), Bytes::from(vec![0; 2 << 20]));
        let shard = Shard { stream: "clicks".into(), number: 0 };
        let item = store.append(&shard, vec![large.clone()]).await.unwrap_err();
        let value = store.swap("cron.a", None, large).await.unwrap_err();
        for trouble in [item, value] {
            assert!(matches!(trouble, Trouble::TooLarge { .. }), "{trouble:?}");
        }
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    });
}

#[test]
fn what_is_due_at_the_end_of_time_is_not_handed_out_again_and_again() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        store.put(vec![Draft { due: Moment(u64::MAX), ..crew.draft("never") }]).await.unwrap();
        let pull = tokio::time::timeout(Duration::from_secs(2), store.pull(&channel(), 1)).await;
        assert!(pull.is_err());
        let name = store.core.names.consumer(&channel(), Lane::Later);
        let info = store.core.stock.work.consumer_info(name).await.unwrap();
        assert!(info.delivered.consumer_sequence < 4, "{:?}", info.delivered);
    });
}

#[test]
fn closing_gives_nothing_back_whose_ending_is_being_written() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        store.put(vec![crew.draft("x")]).await.unwrap();
        let mut lease = store.pull(&channel(), 1).await.unwrap().remove(0);
        let writing = store.core.writing.lock().await;
        lease.settle(done(), Vec::new()).await.unwrap();
        let mut close = store.close();
        let early = tokio::time::timeout(Duration::from_millis(300), &mut close).await;
        assert!(early.is_err(), "it did not wait");
        drop(writing);
        close.await;
        let pull = tokio::time::timeout(Duration::from_secs(2), crew.open().pull(&channel(), 1)).await;
        assert!(pull.is_err(), "done twice: {pull:?}");
    });
}

#[test]
fn a_dead_letter_of_which_the_server_forgot_that_it_is_over_does_not_run_again() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        let id = store.put(vec![crew.draft("x")]).await.unwrap().remove(0).id;
        let lease = store.pull(&channel(), 1).await.unwrap();
        let (channel, sequence) = names::parse(&id).unwrap();
        let grave = Grave { sequence, key: NO_KEY.into(), notes: Vec::new(), payload: b"x".to_vec() };
        let letter = PublishMessage::build().payload(records::encode(&grave));
        store.core.link.publish(&store.core.names.dead(&channel, sequence), letter).await.unwrap();
        drop(lease);
        let pull = tokio::time::timeout(Duration::from_secs(1), store.pull(&channel, 1)).await;
        assert!(pull.is_err(), "{pull:?}");
    });
}

#[test]
fn a_summary_that_is_too_large_holds_up_no_other_ending() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        let mut ids = Vec::new();
        for text in ["large", "small"] {
            ids.push(store.put(vec![crew.draft(text)]).await.unwrap().remove(0).id);
        }
        let mut leases = Vec::new();
        while leases.len() < 2 {
            leases.extend(store.pull(&channel(), 2).await.unwrap());
        }
        for mut lease in leases {
            let length = if text(&lease) == "large" { 2 << 20 } else { 5 };
            lease.settle(Verdict::Done { summary: vec![b'x'; length].into() }, Vec::new()).await.unwrap();
        }
        let until = Instant::now() + Duration::from_secs(5);
        while store.core.desk.lock().all().next().is_some() {
            assert!(Instant::now() < until, "they are not let go");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}
