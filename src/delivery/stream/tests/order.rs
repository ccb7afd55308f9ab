//! Order, over shards and tenants.

use std::collections::{HashMap, HashSet};

use crate::delivery::stream::tests::{failed, test};
use crate::delivery::{Batch, Position, StreamTrigger};
use crate::event::Response;

fn trigger() -> StreamTrigger {
    StreamTrigger::new("clicks").start(Position::Oldest)
}

#[test]
fn each_key_keeps_its_order_over_all_shards() {
    test(1, async |rig| {
        let journal = rig.stream(4).await;
        let mut shards = HashMap::new();
        for round in 0..10 {
            for key in 0..20 {
                let (shard, _) =
                    rig.append(&journal, &format!("user-{key}"), &[&format!("{key}:{round}")]).await;
                assert_eq!(*shards.entry(key).or_insert(shard), shard, "a key stays in its shard");
            }
        }
        assert_eq!(shards.values().collect::<HashSet<_>>().len(), 4, "keys are spread: {shards:?}");
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger().batch(Batch::of(7)));
        let mut seen: HashMap<String, Vec<String>> = HashMap::new();
        let mut count = 0;
        while count < 200 {
            let batch = told.recv().await.unwrap();
            assert!(batch.texts.len() <= 7);
            count += batch.texts.len();
            for text in batch.texts {
                let (key, round) = text.split_once(':').unwrap();
                seen.entry(key.into()).or_default().push(round.into());
            }
        }
        let order: Vec<String> = (0..10).map(|round| round.to_string()).collect();
        assert!(seen.len() == 20 && seen.values().all(|rounds| *rounds == order), "{seen:?}");
    });
}

#[test]
fn what_has_no_key_is_spread() {
    test(1, async |rig| {
        let journal = rig.stream(4).await;
        let mut shards = HashSet::new();
        for _ in 0..4 {
            shards.insert(rig.delivery().append(&journal, None, vec!["a".into()]).await.unwrap().0);
        }
        assert_eq!(shards.len(), 4);
    });
}

#[test]
fn a_batch_that_fails_holds_up_its_shard_only() {
    test(1, async |rig| {
        let journal = rig.stream(2).await;
        let (bad, _) = rig.append(&journal, "a", &["bad"]).await;
        let (mut key, mut good) = (0, bad);
        while good == bad {
            key += 1;
            good = rig.append(&journal, &key.to_string(), &["good"]).await.0;
        }
        let mut told = rig.nodes[0].deploy(move |seen| match seen.shard == bad {
            true => failed(&seen.sequences),
            false => Ok(Response::new()),
        });
        rig.nodes[0].read(trigger());
        rig.until_done("tally", good, 2).await;
        rig.append(&journal, &key.to_string(), &["more"]).await;
        rig.until_done("tally", good, 3).await;
        assert_eq!(rig.checkpoint("tally", bad).await, Some(1));
        let mut tried = 0;
        while let Ok(seen) = told.try_recv() {
            tried += usize::from(seen.shard == bad);
        }
        assert_eq!(tried, 1, "it waits for its next attempt");
    });
}

#[test]
fn a_batch_never_mixes_tenants_and_keeps_the_order() {
    test(1, async |rig| {
        let journal = rig.stream(1).await;
        for (tenant, text) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4"), ("a", "5")] {
            rig.append_of(&journal, "k", tenant, &[text]).await;
        }
        let mut told = rig.nodes[0].deploy(|_| Ok(Response::new()));
        rig.nodes[0].read(trigger());
        for (tenant, texts) in [("a", vec!["1", "2"]), ("b", vec!["3"]), ("a", vec!["4", "5"])] {
            let seen = told.recv().await.unwrap();
            assert_eq!(
                (seen.tenant.as_deref(), seen.texts),
                (Some(tenant), texts.iter().map(|t| (*t).to_owned()).collect())
            );
        }
    });
}
