//! Putting, handing out, settling, cancelling.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::broker::conformance::{Rig, WHILE, again, dead, done, text};
use crate::broker::{Cancel, Channel, Depth, State, SubmissionId, Trouble};

pub(crate) async fn what_is_put_is_handed_out_and_done(rig: Rig) {
    let id = rig.put(rig.draft("f.a", "hello")).await;
    let state = rig.store.state(&id).await.unwrap();
    assert!(matches!(state, Some(State::Waiting { attempt: 0, .. })), "{state:?}");

    let mut lease = rig.take("f.a").await;
    assert_eq!((&lease.id, text(&lease), lease.attempt), (&id, "hello", 0));
    assert_eq!(rig.store.state(&id).await.unwrap(), Some(State::Running { attempt: 0 }));

    lease.settle(done(), Vec::new()).await.unwrap();
    let summary = Bytes::from_static(b"summary");
    assert_eq!(rig.store.state(&id).await.unwrap(), Some(State::Done { summary }));
    assert!(rig.is_quiet("f.a").await);
    assert_eq!(rig.store.state(&SubmissionId::new("nobody")).await.unwrap(), None);
}

pub(crate) async fn nothing_is_handed_out_before_it_is_due(rig: Rig) {
    let mut draft = rig.draft("f.a", "later");
    draft.due = rig.now().plus(WHILE * 2);
    let due = draft.due;
    rig.put(draft).await;
    rig.put(rig.draft("f.a", "now")).await;
    let mut now = rig.take("f.a").await;
    assert_eq!(text(&now), "now");
    now.settle(done(), Vec::new()).await.unwrap();
    assert!(rig.is_quiet("f.a").await);
    rig.pass(WHILE * 2).await;
    let later = rig.take("f.a").await;
    assert_eq!(text(&later), "later");
    assert!(rig.now() >= due, "it came before it was due");
}

pub(crate) async fn who_waits_hears_of_what_is_put_later(rig: Rig) {
    let rig = Arc::new(rig);
    let waiting = Arc::clone(&rig);
    let lease = tokio::spawn(async move { waiting.store.pull(&Channel::new("q.a"), 5).await.unwrap() });
    tokio::task::yield_now().await;
    rig.put(rig.draft("q.a", "hello")).await;
    assert_eq!(lease.await.unwrap().len(), 1);
}

pub(crate) async fn what_fails_comes_again_with_its_notes(rig: Rig) {
    let id = rig.put(rig.draft("f.a", "hello")).await;
    for attempt in 1..=3 {
        let mut lease = rig.take("f.a").await;
        assert_eq!((&lease.id, lease.attempt), (&id, attempt - 1));
        let due = rig.now().plus(WHILE);
        lease.settle(again(due, attempt), Vec::new()).await.unwrap();
        let notes = Bytes::from(format!("notes {attempt}"));
        assert_eq!(rig.store.state(&id).await.unwrap(), Some(State::Waiting { due, attempt, notes }));
        assert!(rig.is_quiet("f.a").await);
        rig.pass(WHILE).await;
    }
    let lease = rig.take("f.a").await;
    assert_eq!((lease.attempt, &lease.notes[..]), (3, &b"notes 3"[..]));
}

pub(crate) async fn a_lease_that_is_dropped_gives_its_message_back(rig: Rig) {
    let id = rig.put(rig.draft("f.a", "hello")).await;
    for _ in 0..3 {
        let lease = rig.take("f.a").await;
        assert_eq!((&lease.id, lease.attempt), (&id, 0));
    }
    assert_eq!(rig.take("f.a").await.id, id);
}

pub(crate) async fn a_token_that_is_settled_cannot_be_given_back(rig: Rig) {
    rig.put(rig.draft("f.a", "hello")).await;
    let mut lease = rig.take("f.a").await;
    lease.settle(done(), Vec::new()).await.unwrap();
    drop(lease);
    assert!(rig.is_quiet("f.a").await);
}

pub(crate) async fn a_pull_that_is_dropped_takes_nothing(rig: Rig) {
    let channel = Channel::new("f.a");
    for round in 0..20 {
        let name = round.to_string();
        {
            let pull = rig.store.pull(&channel, 1);
            let put = rig.store.put(vec![rig.draft("f.a", &name)]);
            // Whichever is first, the other is dropped or its lease is.
            let _ = futures_util::future::select(pull, put).await;
        }
        let mut rest = rig.pull("f.a", 5).await;
        assert!(rest.iter().any(|lease| text(lease) == name), "{name} is gone");
        for lease in &mut rest {
            lease.settle(done(), Vec::new()).await.unwrap();
        }
    }
}

pub(crate) async fn each_message_goes_to_one_of_many(rig: Rig) {
    let rig = Arc::new(rig);
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let hands: Vec<_> = (0..4)
        .map(|_| {
            let (rig, seen) = (Arc::clone(&rig), Arc::clone(&seen));
            tokio::spawn(async move {
                let mut served = 0;
                while seen.lock().len() < 200 {
                    let channel = Channel::new("q.a");
                    let pull = tokio::time::timeout(WHILE, rig.store.pull(&channel, 7));
                    let Ok(leases) = pull.await else { continue };
                    for mut lease in leases.unwrap() {
                        assert!(seen.lock().insert(text(&lease).to_owned()), "{} came twice", text(&lease));
                        lease.settle(done(), Vec::new()).await.unwrap();
                        served += 1;
                    }
                }
                served
            })
        })
        .collect();
    for number in 0..200 {
        rig.put(rig.draft("q.a", &number.to_string())).await;
    }
    let mut served = 0;
    for hand in hands {
        served += hand.await.unwrap();
    }
    assert_eq!(served, 200);
}

pub(crate) async fn what_follows_is_kept_with_the_verdict(rig: Rig) {
    rig.put(rig.draft("f.a", "first")).await;
    let mut lease = rig.take("f.a").await;
    let then = vec![rig.draft("q.b", "second"), rig.draft("q.c", "third")];
    lease.settle(dead(), then).await.unwrap();
    assert_eq!(text(&rig.take("q.b").await), "second");
    assert_eq!(text(&rig.take("q.c").await), "third");
}

pub(crate) async fn the_same_once_key_is_the_same_message(rig: Rig) {
    let first = rig.store.put(vec![rig.once("k", "one")]).await.unwrap().remove(0);
    let second = rig.store.put(vec![rig.once("k", "two")]).await.unwrap().remove(0);
    assert_eq!((first.known, second.known, &first.id), (false, true, &second.id));
    let mut lease = rig.take("f.once").await;
    assert_eq!(text(&lease), "one");
    lease.settle(done(), Vec::new()).await.unwrap();
    let third = rig.store.put(vec![rig.once("k", "three")]).await.unwrap().remove(0);
    assert!(third.known, "what is done is known still");
    assert!(rig.is_quiet("f.once").await);
}

pub(crate) async fn many_at_once_with_one_once_key_are_one_message(rig: Rig) {
    let rig = Arc::new(rig);
    let puts: Vec<_> = (0..16)
        .map(|number| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.put(rig.once("k", &number.to_string())).await })
        })
        .collect();
    let mut ids = HashSet::new();
    for put in puts {
        ids.insert(put.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
    let _lease = rig.take("f.once").await;
    assert!(rig.is_quiet("f.once").await);
}

pub(crate) async fn a_once_key_is_free_after_its_window(rig: Rig) {
    let first = rig.put(rig.once("k", "one")).await;
    // Twice as long: a store on a server may forget in steps.
    rig.pass(WHILE * 3).await;
    let second = rig.store.put(vec![rig.once("k", "two")]).await.unwrap().remove(0);
    assert!(!second.known && second.id != first);
}

pub(crate) async fn what_waits_can_be_cancelled(rig: Rig) {
    let id = rig.put(rig.draft("f.a", "hello")).await;
    assert_eq!(rig.store.cancel(&id).await.unwrap(), Cancel::Cancelled);
    assert!(rig.is_quiet("f.a").await);
    assert_eq!(rig.store.state(&id).await.unwrap(), Some(State::Cancelled));

    let id = rig.put(rig.draft("f.a", "again")).await;
    let mut lease = rig.take("f.a").await;
    assert_eq!(rig.store.cancel(&id).await.unwrap(), Cancel::Running);
    lease.settle(done(), Vec::new()).await.unwrap();
    assert_eq!(rig.store.cancel(&id).await.unwrap(), Cancel::Over);
    assert_eq!(rig.store.cancel(&SubmissionId::new("nobody")).await.unwrap(), Cancel::Unknown);
}

pub(crate) async fn a_channel_tells_its_depth(rig: Rig) {
    let channel = Channel::new("f.a");
    assert_eq!(rig.store.depth(&channel).await.unwrap(), Depth::default());
    let before = rig.now();
    for number in 0..5 {
        rig.put(rig.draft("f.a", &number.to_string())).await;
    }
    rig.put(rig.draft("f.b", "another")).await;
    let mut leases = rig.pull("f.a", 3).await;
    while leases.len() < 3 {
        leases.extend(rig.pull("f.a", 3 - leases.len()).await);
    }
    leases.remove(0).settle(dead(), Vec::new()).await.unwrap();
    leases.remove(0).settle(again(rig.now().plus(WHILE * 100), 1), Vec::new()).await.unwrap();
    let depth = rig.store.depth(&channel).await.unwrap();
    assert_eq!((depth.waiting, depth.retrying, depth.running, depth.dead), (3, 1, 1, 1));
    assert!(depth.oldest.is_some_and(|oldest| oldest.plus(WHILE) >= before && oldest <= rig.now()));
}

pub(crate) async fn channels_are_announced(rig: Rig) {
    rig.put(rig.draft("f.before", "x")).await;
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    rig.store.on_channel(Box::new(move |channel| told.send(channel.as_str().to_owned()).unwrap()));
    rig.put(rig.draft("q.after", "x")).await;
    let mut missing = HashSet::from(["f.before".to_owned(), "q.after".to_owned()]);
    while !missing.is_empty() {
        missing.remove(&heard.recv().await.unwrap());
    }
}

pub(crate) async fn a_closed_store_takes_and_gives_nothing(rig: Rig) {
    rig.put(rig.draft("f.a", "hello")).await;
    rig.store.close().await;
    let put = rig.store.put(vec![rig.draft("f.a", "late")]).await;
    assert_eq!(put.unwrap_err(), Trouble::Closed);
    assert_eq!(rig.store.pull(&Channel::new("f.a"), 1).await.unwrap_err(), Trouble::Closed);
}

pub(crate) async fn a_full_store_says_so_and_takes_more_later(rig: Rig) {
    for number in 0..3 {
        rig.put(rig.draft("f.a", &number.to_string())).await;
    }
    let refused = rig.store.put(vec![rig.draft("f.a", "too much")]).await;
    assert!(matches!(refused, Err(Trouble::Full(bounds)) if bounds.events == 3), "{refused:?}");
    rig.take("f.a").await.settle(done(), Vec::new()).await.unwrap();
    // A store on a server may hear of that a little later.
    while rig.store.put(vec![rig.draft("f.a", "fits")]).await.is_err() {
        tokio::task::yield_now().await;
    }
}
