//! Values by key.

use std::sync::Arc;

use bytes::Bytes;

use crate::broker::conformance::Rig;

pub(crate) async fn a_value_is_replaced_only_at_its_revision(rig: Rig) {
    let (one, two) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
    assert_eq!(rig.store.get("cron.a").await.unwrap(), None);
    let first = rig.store.swap("cron.a", None, one.clone()).await.unwrap().unwrap();
    assert_eq!(rig.store.swap("cron.a", None, two.clone()).await.unwrap(), None);
    assert_eq!(rig.store.swap("cron.a", Some(first + 1), two.clone()).await.unwrap(), None);
    assert_eq!(rig.store.get("cron.a").await.unwrap().unwrap().value, one);
    let second = rig.store.swap("cron.a", Some(first), two.clone()).await.unwrap().unwrap();
    let read = rig.store.get("cron.a").await.unwrap().unwrap();
    assert_eq!((read.value, read.revision), (two.clone(), second));
    rig.store.remove("cron.a").await.unwrap();
    assert_eq!(rig.store.get("cron.a").await.unwrap(), None);
    assert!(rig.store.swap("cron.a", None, two).await.unwrap().is_some(), "it can be made again");
}

pub(crate) async fn one_of_many_swaps_wins(rig: Rig) {
    let rig = Arc::new(rig);
    let swaps: Vec<_> = (0..16)
        .map(|number| {
            let rig = Arc::clone(&rig);
            tokio::spawn(
                async move { rig.store.swap("lease.a", None, Bytes::from(vec![number])).await.unwrap() },
            )
        })
        .collect();
    let mut won = 0;
    for swap in swaps {
        won += usize::from(swap.await.unwrap().is_some());
    }
    assert_eq!(won, 1);
}

pub(crate) async fn changes_are_told_by_prefix(rig: Rig) {
    let value = Bytes::from_static(b"v");
    rig.store.swap("topic.a", None, value.clone()).await.unwrap();
    rig.store.swap("other.a", None, value.clone()).await.unwrap();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    rig.store.on_value("topic.", Box::new(move |change| told.send(change.clone()).unwrap()));
    assert_eq!(heard.try_recv().unwrap(), ("topic.a".into(), Some(value.clone())), "told at once");
    rig.store.swap("other.b", None, value.clone()).await.unwrap();
    rig.store.swap("topic.b", None, value.clone()).await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), ("topic.b".into(), Some(value)));
    rig.store.remove("topic.a").await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), ("topic.a".into(), None));
}
