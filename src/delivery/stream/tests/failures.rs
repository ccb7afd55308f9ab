//! What is tried again, in which parts, and what is given up.

use std::time::Duration;

use serde_json::Value;

use crate::context::Context;
use crate::delivery::stream::tests::{SECOND, failed, test, text_event};
use crate::delivery::tests::{throttled, trapped};
use crate::delivery::{Batch, Destination, Parcel, Position, Retry, StreamTrigger};
use crate::error::{ErrorKind, Failure};
use crate::event::Response;

const EIGHT: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];

/// Tries again after a second each time.
fn retry(attempts: u32) -> Retry {
    Retry::new().attempts(attempts).backoff(SECOND, SECOND)
}

fn trigger() -> StreamTrigger {
    StreamTrigger::new("clicks").start(Position::Oldest).on_failure(Destination::queue("bad"))
}

#[test]
fn the_lowest_failed_record_is_where_it_is_tried_again() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &EIGHT).await;
        let mut told = rig.nodes[0].deploy(|seen| match seen.sequences[0] {
            1 => failed(&[7, 4, 5]),
            4 if seen.attempt < 3 => failed(&[4]),
            _ => Ok(Response::new()),
        });
        rig.nodes[0].read(trigger().retry(retry(5)));
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2, 3, 4, 5, 6, 7, 8]);
        rig.until_done("tally", 0, 4).await;
        rig.pass(SECOND).await;
        let again = told.recv().await.unwrap();
        assert_eq!((again.sequences, again.attempt), (vec![4, 5, 6, 7, 8], 2));
        rig.pass(SECOND).await;
        let again = told.recv().await.unwrap();
        assert_eq!((again.sequences, again.attempt), (vec![4, 5, 6, 7, 8], 3));
        rig.until_done("tally", 0, 9).await;
    });
}

#[test]
fn ids_of_events_name_records_and_unknown_ones_nothing() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &EIGHT).await;
        let mut told = rig.nodes[0].deploy(|seen| match seen.sequences[0] {
            1 => Ok(Response::batch_failures(["99", "id-6", "soup"])),
            6 => Ok(Response::batch_failures(["1", "soup"])),
            _ => trapped(),
        });
        rig.nodes[0].read(trigger().retry(retry(5)));
        assert_eq!(told.recv().await.unwrap().sequences.len(), 8);
        rig.pass(SECOND).await;
        assert_eq!(told.recv().await.unwrap().sequences, [6, 7, 8]);
        rig.until_done("tally", 0, 9).await;
    });
}

#[test]
fn a_named_record_is_given_up_alone_after_its_attempts() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &EIGHT).await;
        let mut told = rig.nodes[0].deploy(|seen| match seen.sequences.contains(&3) {
            true => failed(&[3]),
            false => Ok(Response::new()),
        });
        rig.nodes[0].read(trigger().retry(retry(3)));
        assert_eq!(told.recv().await.unwrap().sequences.len(), 8);
        for _ in 0..2 {
            rig.pass(SECOND).await;
            assert_eq!(told.recv().await.unwrap().sequences, [3, 4, 5, 6, 7, 8]);
        }
        assert_eq!(told.recv().await.unwrap().sequences, [4, 5, 6, 7, 8]);
        rig.until_done("tally", 0, 9).await;
        let (start, end, condition, tried) = info(&rig.letter("bad").await.event.body_json().unwrap());
        assert_eq!(
            (start.as_str(), end.as_str(), condition.as_str(), tried),
            ("3", "3", "RetriesExhausted", 3)
        );
        assert_eq!(rig.waiting("bad").await, 0);
    });
}

fn info(record: &Value) -> (String, String, String, u64) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (batch, context) = (&record["streamBatchInfo"], &record["requestContext"]);
    (
        text(&batch["startSequenceNumber"]),
        text(&batch["endSequenceNumber"]),
        text(&context["condition"]),
        context["approximateInvokeCount"].as_u64().unwrap(),
    )
}

#[test]
fn halving_isolates_one_bad_record_and_the_others_go_through() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        let texts: Vec<String> = (1..=128).map(|n| n.to_string()).collect();
        rig.append(&journal, "k", &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let mut told = rig.nodes[0].deploy(|seen| match seen.sequences.contains(&77) {
            true => trapped(),
            false => Ok(Response::new()),
        });
        rig.nodes[0].read(trigger().batch(Batch::of(128)).retry(retry(2)).halve_on_error());
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        while done.len() < 127 {
            let seen = rig.run_until(&mut told).await;
            match seen.sequences.contains(&77) {
                true => failed.push(seen.sequences.len()),
                false => done.extend(seen.sequences),
            }
        }
        // Seven halvings, and then the two attempts of the record alone.
        assert_eq!(failed, [128, 64, 32, 16, 8, 4, 2, 1, 1]);
        assert_eq!(done, (1..=128).filter(|n| *n != 77).collect::<Vec<_>>(), "each once, and in order");
        rig.until_done("tally", 0, 129).await;
        let (start, end, _, tried) = info(&rig.letter("bad").await.event.body_json().unwrap());
        assert_eq!((start.as_str(), end.as_str(), tried), ("77", "77", 2));
    });
}

#[test]
fn attempts_are_exact_and_the_note_of_the_failure_says_all() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &EIGHT[..2]).await;
        let mut told = rig.nodes[0].deploy(|_| trapped());
        rig.nodes[0].read(trigger().retry(retry(4)));
        for attempt in 1..=4 {
            let seen = told.recv().await.unwrap();
            assert_eq!((seen.sequences, seen.attempt), (vec![1, 2], attempt));
            if attempt < 4 {
                rig.pass(SECOND).await;
            }
        }
        let letter = rig.letter("bad").await;
        assert_eq!(letter.tenant.as_deref(), Some("acme"));
        let record: Value = letter.event.body_json().unwrap();
        assert_eq!(info(&record), ("1".into(), "2".into(), "RetriesExhausted".into(), 4));
        assert_eq!(record["streamBatchInfo"]["shard"], "0");
        assert_eq!(record["streamBatchInfo"]["batchSize"], 2);
        assert_eq!(record["responsePayload"]["errorType"], "trapped");
        assert_eq!(
            (&record["events"][1]["data"], &record["events"][1]["sequence"]),
            (&"2".into(), &"2".into())
        );
        rig.append(&journal, "k", &["3"]).await;
        assert_eq!(told.recv().await.unwrap().sequences, [3], "it goes on behind them");
        assert_eq!(rig.checkpoint("tally", 0).await, Some(3));
    });
}

#[test]
fn a_record_that_would_be_too_old_is_given_up_and_younger_ones_are_tried_on() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1"]).await;
        rig.clock.advance(SECOND * 5);
        rig.append(&journal, "k", &["2"]).await;
        let mut told = rig.nodes[0].deploy(|_| trapped());
        let retry = Retry::new().attempts(99).backoff(SECOND * 2, SECOND * 2).max_age(SECOND * 8);
        rig.nodes[0].read(trigger().retry(retry));
        // At 5 and 7 seconds of its age; at 9 it would be too old.
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2]);
        rig.pass(SECOND * 2).await;
        assert_eq!(told.recv().await.unwrap().sequences, [1, 2]);
        let (start, end, condition, tried) = info(&rig.letter("bad").await.event.body_json().unwrap());
        assert_eq!(
            (start.as_str(), end.as_str(), condition.as_str(), tried),
            ("1", "1", "EventAgeExceeded", 2)
        );
        rig.pass(SECOND * 2).await;
        assert_eq!(told.recv().await.unwrap().sequences, [2]);
        rig.pass(SECOND * 2).await;
        assert_eq!(told.recv().await.unwrap().sequences, [2], "at an age of 6 seconds for the last time");
        let (start, _, condition, tried) = info(&rig.letter("bad").await.event.body_json().unwrap());
        assert_eq!((start.as_str(), condition.as_str(), tried), ("2", "EventAgeExceeded", 4));
    });
}

#[test]
fn a_record_that_is_too_old_when_it_is_read_is_skipped() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2"]).await;
        rig.clock.advance(SECOND * 8);
        rig.append(&journal, "k", &["3"]).await;
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger().retry(Retry::new().max_age(SECOND * 8)));
        assert_eq!(told.recv().await.unwrap().sequences, [3]);
        let (start, end, condition, tried) = info(&rig.letter("bad").await.event.body_json().unwrap());
        assert_eq!(
            (start.as_str(), end.as_str(), condition.as_str(), tried),
            ("1", "2", "EventAgeExceeded", 0)
        );
    });
}

#[test]
fn what_the_host_refuses_uses_up_no_attempts_and_halves_nothing() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &EIGHT).await;
        let calls = std::sync::atomic::AtomicU32::new(0);
        let mut told =
            rig.nodes[0].deploy(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0..5 => throttled(),
                _ => Ok(Response::new()),
            });
        rig.nodes[0].read(trigger().retry(Retry::never()).halve_on_error());
        for _ in 0..6 {
            let seen = rig.run_until(&mut told).await;
            assert_eq!((seen.sequences.len(), seen.attempt), (8, 1));
        }
        rig.until_done("tally", 0, 9).await;
        assert_eq!(rig.waiting("bad").await, 0);
    });
}

#[test]
fn what_is_final_is_given_up_at_once_when_it_is_alone() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1"]).await;
        let mut told =
            rig.nodes[0].deploy(|_| Err(ErrorKind::Failed(Failure::new("out-of-stock", "no tea"))));
        rig.nodes[0].read(trigger().retry(retry(9)));
        let _ = told.recv().await.unwrap();
        let (_, _, condition, tried) = info(&rig.letter("bad").await.event.body_json().unwrap());
        assert_eq!((condition.as_str(), tried), ("NotRetryable", 1));
        rig.until_done("tally", 0, 2).await;
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn a_large_batch_that_is_given_up_makes_several_notes() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        let large = "x".repeat(100 << 10);
        rig.append(&journal, "k", &[large.as_str(); 5]).await;
        let _told = rig.nodes[0].deploy(|_| trapped());
        rig.nodes[0].read(trigger().retry(Retry::never()));
        for (first, last) in [("1", "2"), ("3", "4"), ("5", "5")] {
            let record: Value = rig.letter("bad").await.event.body_json().unwrap();
            assert_eq!(info(&record), (first.into(), last.into(), "RetriesExhausted".into(), 1));
        }
    });
}

#[test]
fn what_cannot_be_read_is_given_up_and_the_rest_goes_on() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        // Without a tenant, as what cannot be read has none.
        let good = |text| Parcel::new(text_event(text), "", &Context::new()).encode();
        let payloads = vec![good("1"), "soup".into(), good("3")];
        rig.delivery().append(&journal, Some("k"), payloads).await.unwrap();
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger());
        assert_eq!(told.recv().await.unwrap().sequences, [1]);
        assert_eq!(told.recv().await.unwrap().sequences, [3]);
        let record: Value = rig.letter("bad").await.event.body_json().unwrap();
        assert_eq!(info(&record), ("2".into(), "2".into(), "Unreadable".into(), 0));
        assert_eq!(record["events"].as_array().unwrap().len(), 0);
    });
}

#[test]
fn a_plain_destination_gets_the_events_as_they_came() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1", "2"]).await;
        let _told = rig.nodes[0].deploy(|_| trapped());
        let trigger = StreamTrigger::new("clicks").start(Position::Oldest).retry(Retry::never());
        rig.nodes[0].read(trigger.on_failure(Destination::queue("bad").answer()));
        for text in ["1", "2"] {
            let event = rig.letter("bad").await.event;
            assert_eq!((event.body_text().unwrap(), event.extension("sequence")), (text, None));
        }
    });
}

#[test]
fn pauses_grow_as_the_policy_says() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        rig.append(&journal, "k", &["1"]).await;
        let mut told = rig.nodes[0].deploy(|_| trapped());
        let retry = Retry::new().attempts(3).backoff(SECOND * 3, SECOND * 3);
        rig.nodes[0].read(trigger().retry(retry));
        let first = told.recv().await.unwrap().at;
        rig.until_waiting(SECOND * 3).await;
        rig.clock.advance(Duration::from_millis(2_999));
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(told.try_recv().is_err(), "not before it is due");
        rig.pass(Duration::from_millis(1)).await;
        assert_eq!(told.recv().await.unwrap().at.duration_since(first).unwrap(), SECOND * 3);
    });
}
