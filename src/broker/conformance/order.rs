//! Messages of one key, one after another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;

use crate::broker::conformance::{Rig, WHILE, again, dead, done, text};
use crate::broker::{Cancel, Channel};

pub(crate) async fn one_key_is_handed_out_one_after_another(rig: Rig) {
    for text in ["1", "2", "3"] {
        rig.put(rig.keyed("a", text)).await;
    }
    rig.put(rig.keyed("b", "other")).await;
    let mut first = rig.take("f.keyed").await;
    let other = rig.take("f.keyed").await;
    assert_eq!((text(&first), text(&other)), ("1", "other"));
    assert!(rig.is_quiet("f.keyed").await);
    first.settle(done(), Vec::new()).await.unwrap();
    let mut second = rig.take("f.keyed").await;
    assert_eq!(text(&second), "2");
    second.settle(dead(), Vec::new()).await.unwrap();
    assert_eq!(text(&rig.take("f.keyed").await), "3");
}

pub(crate) async fn a_retry_holds_up_its_key_alone(rig: Rig) {
    rig.put(rig.keyed("a", "1")).await;
    rig.put(rig.keyed("a", "2")).await;
    let mut first = rig.take("f.keyed").await;
    first.settle(again(rig.now().plus(WHILE * 2), 1), Vec::new()).await.unwrap();
    rig.put(rig.keyed("b", "other")).await;
    let _other = rig.take("f.keyed").await;
    assert!(rig.is_quiet("f.keyed").await, "the second came before the first was over");
    rig.pass(WHILE * 2).await;
    let mut first = rig.take("f.keyed").await;
    assert_eq!((text(&first), first.attempt), ("1", 1));
    first.settle(done(), Vec::new()).await.unwrap();
    assert_eq!(text(&rig.take("f.keyed").await), "2");
}

pub(crate) async fn cancelling_the_first_lets_the_next_go(rig: Rig) {
    let mut draft = rig.keyed("a", "1");
    draft.due = rig.now().plus(WHILE * 1_000);
    let first = rig.put(draft).await;
    rig.put(rig.keyed("a", "2")).await;
    assert!(rig.is_quiet("f.keyed").await);
    assert_eq!(rig.store.cancel(&first).await.unwrap(), Cancel::Cancelled);
    assert_eq!(text(&rig.take("f.keyed").await), "2");
}

pub(crate) async fn order_holds_for_many_keys_and_many_hands(rig: Rig) {
    const KEYS: usize = 5;
    const EACH: usize = 20;
    let rig = Arc::new(rig);
    for number in 0..EACH {
        for key in 0..KEYS {
            rig.put(rig.keyed(&key.to_string(), &format!("{key} {number}"))).await;
        }
    }
    let (seen, count) =
        (Arc::new(Mutex::new(HashMap::<String, usize>::new())), Arc::new(AtomicUsize::new(0)));
    let hands: Vec<_> = (0..4)
        .map(|hand| {
            let (rig, seen, count) = (Arc::clone(&rig), Arc::clone(&seen), Arc::clone(&count));
            tokio::spawn(async move {
                let channel = Channel::new("f.keyed");
                while count.load(SeqCst) < KEYS * EACH {
                    let pull = tokio::time::timeout(WHILE, rig.store.pull(&channel, 3));
                    let Ok(leases) = pull.await else { continue };
                    for (nth, mut lease) in leases.unwrap().into_iter().enumerate() {
                        // Every now and then one is given back, or fails.
                        if (hand + nth) % 7 == 3 && lease.attempt == 0 {
                            lease.settle(again(rig.now(), 1), Vec::new()).await.unwrap();
                            continue;
                        }
                        let (key, number) = text(&lease).split_once(' ').unwrap();
                        let number: usize = number.parse().unwrap();
                        let expected = seen.lock().get(key).copied().unwrap_or(0);
                        assert_eq!(number, expected, "key {key}");
                        seen.lock().insert(key.into(), expected + 1);
                        count.fetch_add(1, SeqCst);
                        lease.settle(done(), Vec::new()).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for hand in hands {
        hand.await.unwrap();
    }
}
