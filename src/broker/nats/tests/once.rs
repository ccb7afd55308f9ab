//! Once keys, over restarts and between runtimes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;

use crate::broker::Store;
use crate::broker::conformance::done;
use crate::broker::nats::names::{self, Lane, NO_KEY};
use crate::broker::nats::records::OnceKey;
use crate::broker::nats::tests::crew::{Crew, channel, run, text};
use crate::broker::nats::tests::server::{End, Server};
use crate::broker::nats::vet::{MESSAGE_ID, ONCE};

#[test]
fn a_once_key_holds_over_restarts_of_everything() {
    run(async {
        let mut server = Server::new();
        let crew = Crew::of(server.url());
        let first = crew.open().put(vec![crew.once("k", "one")]).await.unwrap().remove(0);
        for end in [End::Kill, End::Term, End::Kill] {
            server.stop(end);
            server.start();
            let store = crew.open();
            let again = store.put(vec![crew.once("k", "two")]).await.unwrap().remove(0);
            assert!(again.known && again.id == first.id, "{again:?} after {first:?}");
            if let Ok(leases) = tokio::time::timeout(Duration::from_secs(3), store.pull(&channel(), 5)).await
            {
                for mut lease in leases.unwrap() {
                    assert_eq!(text(&lease), "one");
                    lease.settle(done(), Vec::new()).await.unwrap();
                }
            }
        }
    });
}

#[test]
fn a_second_message_that_a_server_kept_for_a_once_key_does_not_run() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let store = crew.open();
        store.put(vec![crew.once("k", "one")]).await.unwrap();
        let (core, key) = (&store.core, names::hashed("k"));
        let (known, revision) = core.record::<OnceKey>(&core.stock.once, &key).await.unwrap().unwrap();
        // As a server does that forgot which ids were put.
        let known = OnceKey { message: "once.forgotten".into(), ..known };
        assert!(core.swap_record(&core.stock.once, &key, Some(revision), &known).await.unwrap());
        let second = PublishMessage::build().payload("two".into());
        let second = second.header(MESSAGE_ID, "once.forgotten").header(ONCE, key.as_str());
        core.link.publish(&core.names.work(&channel(), Lane::Now, NO_KEY), second).await.unwrap();
        let mut lease = store.pull(&channel(), 1).await.unwrap().remove(0);
        assert_eq!(text(&lease), "one");
        lease.settle(done(), Vec::new()).await.unwrap();
        let pull = tokio::time::timeout(Duration::from_secs(1), store.pull(&channel(), 1)).await;
        assert!(pull.is_err(), "{pull:?}");
    });
}

#[test]
fn two_runtimes_put_each_tick_once_though_one_is_killed_again_and_again() {
    const TICKS: usize = 1_000;
    run(async {
        let crew = Arc::new(Crew::of(Server::shared().url()));
        let one = crew.open();
        let (mut other, mut dice, mut killed) = (crew.open(), 7_u64, 0);
        for tick in 0..TICKS {
            let key = format!("cron.nightly.{tick}");
            let draft = || vec![crew.once(&key, &tick.to_string())];
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let dies = (dice >> 33) % 25 == 0;
            let after = Duration::from_micros((dice >> 40) % 4_000);
            let victim = Arc::clone(&other);
            let kill = async {
                if dies {
                    tokio::time::sleep(after).await;
                    victim.kill();
                }
            };
            // Every other time only the one that may be killed begins, and the other comes when it is gone.
            let (mine, theirs) = if dies && tick % 2 == 0 {
                let (theirs, ()) = tokio::join!(other.put(draft()), kill);
                (one.put(draft()).await, theirs)
            } else {
                let (mine, theirs, ()) = tokio::join!(one.put(draft()), other.put(draft()), kill);
                (mine, theirs)
            };
            let mine = mine.unwrap().remove(0);
            match theirs {
                Ok(theirs) => assert_eq!(mine.id, theirs[0].id, "tick {tick}"),
                Err(trouble) => assert!(dies, "tick {tick}: {trouble:?}"),
            }
            if dies {
                other = crew.open();
                killed += 1;
            }
        }
        let mut seen = HashMap::new();
        while let Ok(leases) = tokio::time::timeout(Duration::from_secs(3), one.pull(&channel(), 50)).await {
            for mut lease in leases.unwrap() {
                *seen.entry(text(&lease)).or_insert(0) += 1;
                lease.settle(done(), Vec::new()).await.unwrap();
            }
        }
        println!("{killed} killed; {} ticks", seen.len());
        assert!(killed > 10, "{killed}");
        assert_eq!(seen.len(), TICKS);
        assert!(seen.values().all(|count| *count == 1), "a tick came twice");
    });
}
