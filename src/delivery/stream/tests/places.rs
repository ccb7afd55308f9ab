//! Where reading begins and goes on, and what a stream keeps.

use std::time::Duration;

use crate::broker::{Shard, Store};
use crate::delivery::stream::tests::{SECOND, test};
use crate::delivery::{EventStreamOptions, Position, StreamTrigger};
use crate::event::Response;

fn trigger(start: Position) -> StreamTrigger {
    StreamTrigger::new("clicks").start(start)
}

#[test]
fn reading_begins_at_the_oldest_record() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Position::Oldest));
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2]);
    });
}

#[test]
fn reading_begins_behind_the_latest_record() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Position::Latest));
        rig.until_done("tally", 0, 3).await;
        rig.append(&journal, "k", &["3"]).await;
        assert_eq!(told.recv().await.unwrap().sequences, [3]);
    });
}

#[test]
fn reading_begins_at_a_time() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1"]).await;
        rig.clock.advance(SECOND);
        let at = rig.clock.now();
        rig.append(&journal, "k", &["2"]).await;
        rig.clock.advance(SECOND);
        rig.append(&journal, "k", &["3"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Position::At(at)));
        assert_eq!(told.recv().await.unwrap().sequences, [2, 3]);
    });
}

#[test]
fn reading_goes_on_at_the_checkpoint_whatever_the_position() {
    test(2, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Position::Oldest));
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2]);
        rig.until_done("tally", 0, 3).await;
        rig.nodes[0].delivery.stop();
        while rig.owner("tally", 0).await.is_some() {
            tokio::task::yield_now().await;
        }
        rig.append(&journal, "k", &["3"]).await;
        for start in [Position::Oldest, Position::Latest] {
            let mut told = rig.nodes[1].deploy(|_| Err(crate::error::ErrorKind::ShuttingDown));
            rig.nodes[1].read(trigger(start));
            assert_eq!(told.recv().await.unwrap().sequences, [3]);
            assert!(rig.nodes[1].delivery.remove_stream("tally"));
            while rig.owner("tally", 0).await.is_some() {
                tokio::task::yield_now().await;
            }
        }
    });
}

#[test]
fn a_trigger_of_the_same_name_on_another_stream_begins_anew() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Position::Oldest));
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2]);
        rig.until_done("tally", 0, 3).await;
        rig.nodes[0].delivery.remove_stream("tally");
        let options = EventStreamOptions::new().shards(1);
        let views = rig.delivery().open_stream("views", &options).await.unwrap();
        rig.append(&views, "k", &["a"]).await;
        rig.nodes[0].read(StreamTrigger::new("views").start(Position::Oldest));
        assert_eq!(rig.run_until(&mut told).await.texts, ["a"]);
    });
}

#[test]
fn a_stream_is_read_once_it_is_made() {
    test(1, async |rig| {
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Position::Oldest));
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1"]).await;
        assert_eq!(told.recv().await.unwrap().sequences, [1]);
    });
}

#[test]
fn a_stream_is_made_once_and_keeps_its_shards() {
    test(2, async |rig| {
        let open = async |node: usize, options: &EventStreamOptions| {
            rig.nodes[node].delivery.open_stream("clicks", options).await
        };
        let options = EventStreamOptions::new().shards(3);
        assert_eq!(open(0, &options).await.unwrap().shards(), 3);
        assert_eq!(open(1, &options).await.unwrap().shards(), 3);
        assert_eq!(open(1, &EventStreamOptions::new()).await.unwrap().shards(), 3);
        let error = open(1, &EventStreamOptions::new().shards(5)).await.unwrap_err().to_string();
        assert!(error.contains('3') && error.contains('5'), "{error}");
        let longer = EventStreamOptions::new().retention(SECOND * 7);
        open(0, &longer).await.unwrap();
        let known = open(1, &EventStreamOptions::new()).await.unwrap();
        assert_eq!((known.shards(), known.retention()), (3, SECOND * 7));
        for wrong in [options.shards(0), options.shards(257), options.retention(Duration::ZERO)] {
            assert!(open(0, &wrong).await.is_err(), "{wrong:?}");
        }
        assert!(rig.delivery().open_stream("a.b", &options).await.is_err());
    });
}

#[test]
fn what_is_older_than_the_retention_is_forgotten() {
    test(1, async |rig| {
        let hour = Duration::from_secs(3600);
        let options = EventStreamOptions::new().shards(1).retention(hour);
        let journal = rig.delivery().open_stream("clicks", &options).await.unwrap();
        let shard = Shard { stream: "clicks".into(), number: 0 };
        let oldest = async || rig.store.read(&shard, 1, (1, 1)).await.unwrap()[0].sequence;
        rig.append(&journal, "k", &["1"]).await;
        rig.clock.advance(SECOND * 30);
        rig.append(&journal, "k", &["2"]).await;
        rig.clock.advance(hour - SECOND * 30);
        rig.append(&journal, "k", &["3"]).await;
        assert_eq!(oldest().await, 1, "it is not older, just as old");
        rig.clock.advance(SECOND * 31);
        rig.append(&journal, "k", &["4"]).await;
        assert_eq!(oldest().await, 1, "not more than once in a minute");
        rig.clock.advance(SECOND * 29);
        rig.append(&journal, "k", &["5"]).await;
        assert_eq!(oldest().await, 3);
    });
}

#[test]
fn a_key_has_the_same_shard_for_ever() {
    test(1, async |rig| {
        let journal = rig.stream(16).await;
        let mut shards = Vec::new();
        for key in ["a", "user-7", "ärger", ""] {
            shards.push(rig.append(&journal, key, &["1"]).await.0);
        }
        assert_eq!(shards, [7, 4, 9, 15]);
    });
}
