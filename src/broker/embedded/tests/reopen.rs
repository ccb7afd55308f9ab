//! Everything is there again when the folder is opened again.

use std::time::Duration;

use bytes::Bytes;

use super::media::Media;
use super::{clock, draft, drain, open, rig, run};
use crate::broker::conformance::{WHILE, again, dead, done, text};
use crate::broker::{Cancel, Channel, Draft, Once, Shard, State, Store, Verdict};

#[test]
fn what_waits_is_there_again_with_due_attempt_and_notes() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let before = rig(open(&media, &clock).unwrap(), &clock);
        let due = before.now().plus(WHILE * 5);
        let later = before.put(Draft { due, ..before.draft("f.a", "later") }).await;
        let failed = before.put(before.draft("f.a", "failed")).await;
        before.take("f.a").await.settle(again(before.now(), 3), Vec::new()).await.unwrap();
        let depth = before.store.depth(&Channel::new("f.a")).await.unwrap();
        before.store.close().await;

        let after = rig(open(&media, &clock).unwrap(), &clock);
        assert_eq!(after.store.depth(&Channel::new("f.a")).await.unwrap(), depth);
        assert_eq!((depth.waiting, depth.retrying), (2, 1));
        let state = after.store.state(&later).await.unwrap();
        assert_eq!(state, Some(State::Waiting { due, attempt: 0, notes: Bytes::new() }));
        let mut lease = after.take("f.a").await;
        assert_eq!((&lease.id, lease.attempt, &lease.notes[..]), (&failed, 3, &b"notes 3"[..]));
        lease.settle(done(), Vec::new()).await.unwrap();
        after.pass(WHILE * 5).await;
        assert_eq!(after.take("f.a").await.id, later);
    });
}

#[test]
fn what_was_handed_out_is_handed_out_again_after_a_crash() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let before = rig(open(&media, &clock).unwrap(), &clock);
        before.put(before.draft("f.a", "a")).await;
        before.take("f.a").await.settle(again(before.now(), 2), Vec::new()).await.unwrap();
        before.store.letters(None, 0, 1).await.unwrap();
        let lease = before.take("f.a").await;

        let after = rig(open(&media.safe_copy(), &clock).unwrap(), &clock);
        let depth = after.store.depth(&Channel::new("f.a")).await.unwrap();
        assert_eq!((depth.waiting, depth.retrying, depth.running), (1, 1, 0));
        let second = after.take("f.a").await;
        assert_eq!((&second.id, second.attempt, &second.notes), (&lease.id, 2, &lease.notes));
    });
}

#[test]
fn endings_and_dead_letters_are_known_still() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let before = rig(open(&media, &clock).unwrap(), &clock);
        let cancelled = before.put(before.draft("f.a", "cancelled")).await;
        before.store.cancel(&cancelled).await.unwrap();
        let finished = before.put(before.draft("f.a", "done")).await;
        before.take("f.a").await.settle(done(), Vec::new()).await.unwrap();
        let buried = before.put(before.draft("f.a", "dead")).await;
        before.take("f.a").await.settle(dead(), Vec::new()).await.unwrap();
        before.store.close().await;
        drop(before);

        let after = rig(open(&media, &clock).unwrap(), &clock);
        let summary = Bytes::from_static(b"summary");
        assert_eq!(after.store.state(&cancelled).await.unwrap(), Some(State::Cancelled));
        assert_eq!(after.store.state(&finished).await.unwrap(), Some(State::Done { summary }));
        assert_eq!(after.store.cancel(&finished).await.unwrap(), Cancel::Over);
        let letters = after.store.letters(Some(&Channel::new("f.a")), 0, 9).await.unwrap();
        assert_eq!((letters.len(), &letters[0].id, &letters[0].notes[..]), (1, &buried, &b"why"[..]));
        assert_eq!(after.store.depth(&Channel::new("f.a")).await.unwrap().dead, 1);
        assert!(after.store.revive(&buried).await.unwrap());
        assert_eq!(text(&after.take("f.a").await), "dead");
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(after.store.state(&finished).await.unwrap(), None, "it is remembered for an hour");
    });
}

#[test]
fn keys_hold_over_a_restart() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let before = rig(open(&media, &clock).unwrap(), &clock);
        for text in ["1", "2", "3"] {
            before.put(before.keyed("a", text)).await;
        }
        before.take("f.keyed").await.settle(done(), Vec::new()).await.unwrap();
        let once = Once { key: "k".into(), window: WHILE };
        let first = before.put(Draft { once: Some(once), ..before.draft("f.once", "one") }).await;
        before.store.close().await;
        drop(before);

        let after = rig(open(&media, &clock).unwrap(), &clock);
        let mut second = after.take("f.keyed").await;
        assert_eq!(text(&second), "2");
        assert!(after.is_quiet("f.keyed").await, "the third came beside the second");
        second.settle(done(), Vec::new()).await.unwrap();
        assert_eq!(text(&after.take("f.keyed").await), "3");
        let again = after.store.put(vec![after.once("k", "two")]).await.unwrap().remove(0);
        assert!(again.known && again.id == first);
        after.pass(WHILE).await;
        assert!(!after.store.put(vec![after.once("k", "three")]).await.unwrap()[0].known);
    });
}

#[test]
fn a_dead_letter_that_is_sent_again_stands_behind_its_key() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let before = rig(open(&media, &clock).unwrap(), &clock);
        let first = before.put(before.keyed("a", "1")).await;
        before.put(before.keyed("a", "2")).await;
        before.take("f.keyed").await.settle(dead(), Vec::new()).await.unwrap();
        assert!(before.store.revive(&first).await.unwrap());
        before.store.close().await;
        drop(before);

        let after = rig(open(&media, &clock).unwrap(), &clock);
        let mut second = after.take("f.keyed").await;
        assert_eq!(text(&second), "2");
        assert!(after.is_quiet("f.keyed").await);
        second.settle(done(), Vec::new()).await.unwrap();
        assert_eq!(after.take("f.keyed").await.id, first);
    });
}

#[test]
fn values_and_streams_are_there_again() {
    let (media, clock) = (Media::default(), clock());
    let shard = Shard { stream: "clicks".into(), number: 3 };
    run(async {
        let before = rig(open(&media, &clock).unwrap(), &clock);
        let revision = before.store.swap("cron.a", None, Bytes::from_static(b"v")).await.unwrap();
        before.store.swap("cron.b", None, Bytes::from_static(b"v")).await.unwrap();
        before.store.remove("cron.b").await.unwrap();
        before.store.append(&shard, vec!["a".into(), "b".into()]).await.unwrap();
        before.pass(WHILE).await;
        let between = before.now();
        before.store.append(&shard, vec!["c".into()]).await.unwrap();
        before.store.trim(&shard, between).await.unwrap();
        before.store.close().await;
        drop(before);

        let after = rig(open(&media, &clock).unwrap(), &clock);
        assert_eq!(after.store.get("cron.a").await.unwrap().map(|known| known.revision), revision);
        assert_eq!(after.store.get("cron.b").await.unwrap(), None);
        assert_eq!(after.store.swap("cron.a", None, Bytes::new()).await.unwrap(), None);
        let items = after.store.read(&shard, 1, (9, 9)).await.unwrap();
        assert_eq!((items.len(), &items[0].payload[..], items[0].sequence), (1, &b"c"[..], 3));
        assert_eq!(after.store.end(&shard).await.unwrap(), 4);
        assert_eq!(after.store.append(&shard, vec!["d".into()]).await.unwrap(), 4);
        assert_eq!(after.store.seek(&shard, between).await.unwrap(), 3);
    });
}

#[test]
fn an_id_is_never_given_twice() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let before = rig(open(&media, &clock).unwrap(), &clock);
        let first = before.put(before.draft("f.a", "a")).await;
        before.take("f.a").await.settle(done(), Vec::new()).await.unwrap();
        before.store.close().await;
        drop(before);
        clock.advance(Duration::from_secs(7_200));
        for _ in 0..2 {
            let after = rig(open(&media, &clock).unwrap(), &clock);
            let second = after.put(after.draft("f.a", "b")).await;
            assert!(second != first && after.store.state(&first).await.unwrap().is_none());
        }
    });
}

#[test]
fn a_store_that_is_dropped_has_made_its_endings_safe() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let store = open(&media, &clock).unwrap();
        store.put(vec![draft("f.a", "a", &clock)]).await.unwrap();
        let mut lease = drain(&store, "f.a").remove(0);
        let verdict = Verdict::Done { summary: Bytes::new() };
        lease.settle(verdict, vec![draft("q.b", "then", &clock)]).await.unwrap();
        let id = lease.id.clone();
        drop((lease, store));
        let after = open(&media.safe_copy(), &clock).unwrap();
        assert!(matches!(after.state(&id).await.unwrap(), Some(State::Done { .. })));
        assert_eq!(drain(&after, "q.b").len(), 1);
    });
}

#[test]
fn channels_are_told_apart_although_some_were_never_put_to() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let store = open(&media, &clock).unwrap();
        assert!(drain(&store, "f.never").is_empty());
        store.put(vec![draft("f.a", "a", &clock)]).await.unwrap();
        assert!(drain(&store, "f.nor").is_empty());
        store.put(vec![draft("f.b", "b", &clock)]).await.unwrap();
        store.close().await;
        drop(store);

        let store = open(&media, &clock).unwrap();
        store.put(vec![draft("f.c", "c", &clock)]).await.unwrap();
        for (channel, text) in [("f.a", "a"), ("f.b", "b"), ("f.c", "c")] {
            let leases = drain(&store, channel);
            assert_eq!((leases.len(), &leases[0].payload), (1, &text.into()));
        }
        assert!(drain(&store, "f.never").is_empty());
    });
}
