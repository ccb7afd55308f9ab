//! Several runtimes on one store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::broker::{Shard, Store};
use crate::delivery::stream::checkpoint::Checkpoint;
use crate::delivery::stream::tests::{SECOND, test};
use crate::delivery::{Position, StreamTrigger};
use crate::event::Response;

/// How long a lease is unless set.
const LEASE: Duration = Duration::from_secs(30);

fn trigger() -> StreamTrigger {
    StreamTrigger::new("clicks").start(Position::Oldest)
}

#[test]
fn each_shard_is_read_by_one_of_two_runtimes() {
    test(2, async |rig| {
        let journal = rig.stream(8).await;
        let mut told: Vec<_> = rig.nodes.iter().map(|node| node.deploy(|_| Ok(Response::new()))).collect();
        rig.nodes.iter().for_each(|node| node.read(trigger()));
        let mut ends: HashMap<u32, u64> = HashMap::new();
        for key in 0..200 {
            let (shard, last) = rig.append(&journal, &key.to_string(), &["1"]).await;
            ends.insert(shard, last + 1);
        }
        for (shard, end) in &ends {
            rig.until_done("tally", *shard, *end).await;
        }
        let (mut readers, mut seen): (HashMap<u32, HashSet<usize>>, Vec<_>) = Default::default();
        for (node, told) in told.iter_mut().enumerate() {
            while let Ok(batch) = told.try_recv() {
                readers.entry(batch.shard).or_default().insert(node);
                seen.extend(batch.sequences.into_iter().map(|sequence| (batch.shard, sequence)));
            }
        }
        assert_eq!((seen.len(), seen.into_iter().collect::<HashSet<_>>().len()), (200, 200), "each once");
        assert!(readers.values().all(|nodes| nodes.len() == 1), "{readers:?}");
    });
}

#[test]
fn the_shard_of_a_runtime_that_died_is_taken_over_after_its_lease() {
    test(2, async |rig| {
        let journal = rig.stream(1).await;
        let mut told = rig.nodes[0].deploy_slow(|seen| match seen.sequences[0] {
            1 => async { Ok(Response::new()) }.boxed(),
            _ => std::future::pending().boxed(),
        });
        rig.nodes[0].read(trigger());
        rig.append(&journal, "k", &["1"]).await;
        assert_eq!(told.recv().await.unwrap().sequences, [1]);
        rig.until_done("tally", 0, 2).await;
        let began = rig.clock.now();
        rig.append(&journal, "k", &["2"]).await;
        assert_eq!(told.recv().await.unwrap().sequences, [2], "and now it dies");
        rig.nodes[0].die();
        let mut told = rig.nodes[1].deploy(|_| Ok(Response::new()));
        rig.nodes[1].read(trigger());
        for _ in 0..9 {
            rig.pass(SECOND * 3).await;
        }
        rig.until_waiting(SECOND * 3).await;
        assert!(told.try_recv().is_err(), "not before the lease is over");
        rig.clock.advance(SECOND * 3);
        let seen = told.recv().await.unwrap();
        assert_eq!((seen.sequences, seen.at), (vec![2], began + LEASE), "from the checkpoint");
        rig.until_done("tally", 0, 3).await;
    });
}

#[test]
fn a_runtime_that_is_there_keeps_its_shard() {
    test(2, async |rig| {
        let journal = rig.stream(1).await;
        let (mut told, opened) = rig.nodes[0].deploy_gated();
        rig.nodes[0].read(trigger());
        rig.append(&journal, "k", &["1"]).await;
        let _ = told.recv().await.unwrap();
        let owner = rig.owner("tally", 0).await;
        let mut other = rig.nodes[1].deploy(|_| Ok(Response::new()));
        rig.nodes[1].read(trigger());
        let until = rig.clock.now() + LEASE * 4;
        while rig.clock.now() < until {
            rig.until_leased("tally", 0, LEASE * 2 / 3).await;
            if let Some(next) = rig.clock.next_wait() {
                rig.clock.advance(next.duration_since(rig.clock.now()).unwrap_or_default());
            }
        }
        assert_eq!(rig.owner("tally", 0).await, owner);
        opened.add_permits(1);
        rig.until_done("tally", 0, 2).await;
        assert!(other.try_recv().is_err());
    });
}

#[test]
fn a_stale_owner_cannot_move_the_checkpoint() {
    test(1, async |rig| {
        rig.stream(1).await;
        let shard = Shard { stream: "clicks".into(), number: 0 };
        let take = async |owner: &str| {
            let names = ("checkpoint.tally.0", owner);
            Checkpoint::take(&*rig.store, names, &shard, Position::Oldest).await.unwrap().unwrap()
        };
        let mut stale = take("a").await;
        assert!(stale.advance(&*rig.store, 5).await.unwrap());
        let mut fresh = take("b").await;
        assert_eq!(fresh.next(), 5);
        assert!(!stale.advance(&*rig.store, 7).await.unwrap(), "not even before the other has done anything");
        assert!(fresh.advance(&*rig.store, 9).await.unwrap());
        assert!(!stale.advance(&*rig.store, 6).await.unwrap());
        assert_eq!(rig.checkpoint("tally", 0).await, Some(9));
    });
}

#[test]
fn what_a_lost_shard_had_under_way_is_dropped() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        let held = Arc::new(());
        let alive = Arc::downgrade(&held);
        let held = parking_lot::Mutex::new(Some(held));
        let mut told = rig.nodes[0].deploy_slow(move |_| {
            let held = held.lock().take();
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok(Response::new())
            }
            .boxed()
        });
        rig.nodes[0].read(trigger());
        rig.append(&journal, "k", &["1"]).await;
        let _ = told.recv().await.unwrap();
        let lease = rig.store.get("lease.tally.0").await.unwrap().unwrap();
        let theirs = r#"{"owner":"another","until":99999999999999}"#;
        rig.store.swap("lease.tally.0", Some(lease.revision), theirs.into()).await.unwrap().unwrap();
        assert!(alive.upgrade().is_some());
        rig.pass(LEASE / 3).await;
        while alive.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(rig.owner("tally", 0).await.as_deref(), Some("another"), "it was not released");
        assert_eq!(rig.checkpoint("tally", 0).await, Some(1));
    });
}

#[test]
fn a_shard_that_waits_for_records_is_no_delivery() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        let (mut told, opened) = rig.nodes[0].deploy_gated();
        rig.nodes[0].read(trigger());
        rig.append(&journal, "k", &["1"]).await;
        let _ = told.recv().await.unwrap();
        assert_eq!(rig.delivery().stats().delivering, 1);
        opened.add_permits(1);
        rig.until_done("tally", 0, 2).await;
        assert_eq!(rig.delivery().stats().delivering, 0);
    });
}

#[test]
fn stopping_lets_a_batch_end_and_gives_the_shard_back() {
    test(2, async |rig| {
        let journal = rig.stream(1).await;
        let (mut told, opened) = rig.nodes[0].deploy_gated();
        rig.nodes[0].read(trigger());
        rig.append(&journal, "k", &["1"]).await;
        let _ = told.recv().await.unwrap();
        rig.nodes[0].delivery.stop();
        rig.append(&journal, "k", &["2"]).await;
        opened.add_permits(9);
        rig.until_done("tally", 0, 2).await;
        while rig.owner("tally", 0).await.is_some() {
            tokio::task::yield_now().await;
        }
        assert!(told.try_recv().is_err(), "no other batch is begun");
        rig.nodes[0].delivery.load.idle().await;
        let mut told = rig.nodes[1].deploy(|_| Ok(Response::new()));
        rig.nodes[1].read(trigger());
        assert_eq!(told.recv().await.unwrap().sequences, [2], "at once");
    });
}

#[test]
fn a_shard_is_given_back_while_the_function_is_not_deployed() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.nodes[0].read(trigger());
        rig.append(&journal, "k", &["1"]).await;
        assert_eq!(rig.owner("tally", 0).await, None);
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        assert_eq!(told.recv().await.unwrap().sequences, [1]);
        rig.until_done("tally", 0, 2).await;
        rig.nodes[0].undeploy();
        rig.append(&journal, "k", &["2"]).await;
        while rig.owner("tally", 0).await.is_some() {
            tokio::task::yield_now().await;
        }
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        assert_eq!(told.recv().await.unwrap().sequences, [2]);
    });
}
