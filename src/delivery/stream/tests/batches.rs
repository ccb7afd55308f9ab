//! When a batch closes.

use std::time::Duration;

use crate::delivery::stream::tests::{SECOND, test};
use crate::delivery::{Batch, Position, StreamTrigger};
use crate::event::Response;

fn trigger(batch: Batch) -> StreamTrigger {
    StreamTrigger::new("clicks").start(Position::Oldest).batch(batch)
}

#[test]
fn a_batch_closes_at_its_size() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2", "3", "4", "5"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Batch::of(2).window(SECOND * 5)));
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2]);
        assert_eq!(told.recv().await.unwrap().sequences, [3, 4]);
        rig.pass(SECOND * 5).await;
        assert_eq!(told.recv().await.unwrap().sequences, [5], "the rest comes with the window's end");
    });
}

#[test]
fn a_batch_closes_at_its_window() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Batch::of(10).window(SECOND * 4)));
        rig.append(&journal, "k", &["1"]).await;
        rig.until_waiting(SECOND * 4).await;
        rig.clock.advance(SECOND * 3);
        rig.append(&journal, "k", &["2"]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(told.try_recv().is_err(), "it waits for more");
        rig.pass(SECOND).await;
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2]);
    });
}

#[test]
fn a_batch_closes_at_its_bytes() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2", "3"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Batch::of(3)));
        let whole = told.recv().await.unwrap();
        assert_eq!(whole.sequences, [1, 2, 3]);
        rig.nodes[0].delivery.remove_stream("tally");
        for (most, sizes) in [(whole.bytes, vec![3]), (whole.bytes - 1, vec![2, 1]), (1, vec![1, 1, 1])] {
            let consumer = trigger(Batch::of(3).bytes(most));
            let name = format!("tally-{most}");
            assert!(rig.nodes[0].delivery.add_stream(consumer.into_consumer(&name, "count").unwrap()));
            for size in sizes {
                let seen = told.recv().await.unwrap();
                assert_eq!(seen.texts.len(), size, "of at most {most} bytes");
                assert!(size == 1 || seen.bytes <= most);
            }
        }
    });
}

#[test]
fn what_comes_later_is_read_as_it_comes() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger(Batch::of(10)));
        for text in ["1", "2"] {
            rig.append(&journal, "k", &[text]).await;
            assert_eq!(told.recv().await.unwrap().texts, [text]);
        }
        rig.until_done("tally", 0, 3).await;
    });
}
