//! Dead letters.

use crate::broker::conformance::{Rig, dead, done, text};
use crate::broker::{Channel, State, SubmissionId};

async fn bury(rig: &Rig, channel: &str, name: &str) -> SubmissionId {
    let id = rig.put(rig.draft(channel, name)).await;
    rig.take(channel).await.settle(dead(), Vec::new()).await.unwrap();
    id
}

pub(crate) async fn dead_letters_are_listed_in_pages(rig: Rig) {
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(bury(&rig, "f.a", &number.to_string()).await);
    }
    let other = bury(&rig, "f.b", "other").await;
    let channel = Channel::new("f.a");
    let first = rig.store.letters(Some(&channel), 0, 3).await.unwrap();
    assert_eq!(
        first.iter().map(|letter| &letter.id).collect::<Vec<_>>(),
        ids[..3].iter().collect::<Vec<_>>()
    );
    assert_eq!((&first[0].payload[..], &first[0].notes[..]), (&b"0"[..], &b"why"[..]));
    assert_eq!(first[0].channel, channel);
    let rest = rig.store.letters(Some(&channel), first[2].order, 3).await.unwrap();
    assert_eq!(rest.iter().map(|letter| &letter.id).collect::<Vec<_>>(), ids[3..].iter().collect::<Vec<_>>());
    let all = rig.store.letters(None, 0, 100).await.unwrap();
    assert_eq!((all.len(), &all[5].id), (6, &other));
    assert_eq!(rig.store.letter(&other).await.unwrap().unwrap().payload, "other");
    assert!(rig.store.letter(&SubmissionId::new("nobody")).await.unwrap().is_none());
}

pub(crate) async fn a_dead_letter_is_sent_again_under_its_id(rig: Rig) {
    let id = bury(&rig, "f.a", "hello").await;
    assert!(matches!(rig.store.state(&id).await.unwrap(), Some(State::Dead { .. })));
    assert!(rig.store.revive(&id).await.unwrap());
    assert!(!rig.store.revive(&id).await.unwrap(), "it is no dead letter any more");
    assert!(rig.store.letters(None, 0, 10).await.unwrap().is_empty());
    let mut lease = rig.take("f.a").await;
    assert_eq!((&lease.id, text(&lease), lease.attempt, lease.notes.len()), (&id, "hello", 0, 0));
    lease.settle(done(), Vec::new()).await.unwrap();
    assert!(matches!(rig.store.state(&id).await.unwrap(), Some(State::Done { .. })));
}

pub(crate) async fn a_dead_letter_is_purged(rig: Rig) {
    let id = bury(&rig, "f.a", "hello").await;
    assert!(rig.store.purge(&id).await.unwrap());
    assert!(!rig.store.purge(&id).await.unwrap());
    assert!(rig.store.letter(&id).await.unwrap().is_none());
    assert_eq!(rig.store.depth(&Channel::new("f.a")).await.unwrap().dead, 0);
}
