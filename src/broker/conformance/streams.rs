//! Streams: items in the order of each shard.

use std::sync::Arc;

use bytes::Bytes;

use crate::broker::Shard;
use crate::broker::conformance::{Rig, WHILE};

fn shard(number: u32) -> Shard {
    Shard { stream: "clicks".into(), number }
}

fn items(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

const MANY: (usize, usize) = (100, 1 << 20);

pub(crate) async fn items_are_read_in_order_from_a_position(rig: Rig) {
    let shard = shard(0);
    assert_eq!(
        rig.store.append(&shard, items(&["a", "b"])).await.unwrap() + 1,
        rig.store.end(&shard).await.unwrap()
    );
    rig.store.append(&shard, items(&["c"])).await.unwrap();
    let all = rig.store.read(&shard, 1, MANY).await.unwrap();
    assert_eq!(all.iter().map(|item| &item.payload[..]).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    assert!(all.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    let rest = rig.store.read(&shard, all[1].sequence, MANY).await.unwrap();
    assert_eq!(rest, all[1..]);
}

pub(crate) async fn a_reader_waits_for_the_next_item(rig: Rig) {
    let shard = shard(0);
    let from = rig.store.append(&shard, items(&["a"])).await.unwrap() + 1;
    let rig = Arc::new(rig);
    let (waiting, there) = (Arc::clone(&rig), shard.clone());
    let read = tokio::spawn(async move { waiting.store.read(&there, from, MANY).await.unwrap() });
    tokio::time::sleep(WHILE / 4).await;
    assert!(!read.is_finished());
    rig.store.append(&shard, items(&["b"])).await.unwrap();
    let read = read.await.unwrap();
    assert_eq!((read.len(), &read[0].payload[..]), (1, &b"b"[..]));
}

pub(crate) async fn reading_is_bounded_by_items_and_bytes(rig: Rig) {
    let shard = shard(0);
    rig.store.append(&shard, items(&["1234", "1234", "1234", "1234"])).await.unwrap();
    assert_eq!(rig.store.read(&shard, 1, (3, 1_000)).await.unwrap().len(), 3);
    assert_eq!(rig.store.read(&shard, 1, (10, 8)).await.unwrap().len(), 2);
    assert_eq!(rig.store.read(&shard, 1, (10, 1)).await.unwrap().len(), 1, "one is always read");
}

pub(crate) async fn shards_are_apart(rig: Rig) {
    rig.store.append(&shard(0), items(&["a"])).await.unwrap();
    rig.store.append(&shard(1), items(&["b"])).await.unwrap();
    let read = rig.store.read(&shard(1), 1, MANY).await.unwrap();
    assert_eq!((read.len(), &read[0].payload[..]), (1, &b"b"[..]));
}

pub(crate) async fn old_items_are_found_by_time_and_trimmed(rig: Rig) {
    let shard = shard(0);
    rig.store.append(&shard, items(&["old"])).await.unwrap();
    rig.pass(WHILE).await;
    let between = rig.now();
    rig.pass(WHILE).await;
    rig.store.append(&shard, items(&["new"])).await.unwrap();
    let from = rig.store.seek(&shard, between).await.unwrap();
    assert_eq!(rig.store.read(&shard, from, MANY).await.unwrap()[0].payload, "new");
    let later = rig.now().plus(WHILE * 10);
    assert_eq!(rig.store.seek(&shard, later).await.unwrap(), rig.store.end(&shard).await.unwrap());
    rig.store.trim(&shard, between).await.unwrap();
    let left = rig.store.read(&shard, 1, MANY).await.unwrap();
    assert_eq!((left.len(), &left[0].payload[..]), (1, &b"new"[..]));
}
