//! Many do everything at once, on a disk that fails now and then: what is over stays over, and memory agrees with the disk.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;

use super::media::{Dice, Media};
use super::{clock, draft, drain, open, run};
use crate::broker::conformance::{again, dead, done};
use crate::broker::embedded::Embedded;
use crate::broker::{Cancel, Channel, Draft, Once, State, Store, SubmissionId};
use crate::wall::ManualClock;

const CHANNELS: [&str; 3] = ["f.a", "f.b", "q.c"];
const ROUNDS: u64 = 6;
const STEPS: u64 = 100;

struct Crowd {
    store: Arc<Embedded>,
    clock: ManualClock,
    kept: Mutex<Vec<SubmissionId>>,
    /// What must not be handed out any more, and why.
    over: Mutex<HashMap<SubmissionId, &'static str>>,
    purged: Mutex<HashSet<SubmissionId>>,
    is_done: AtomicBool,
}

fn message(crowd: &Crowd, dice: &mut Dice) -> Draft {
    let key = (dice.below(3) == 0).then(|| format!("key {}", dice.below(3)).into());
    let once = (dice.below(4) == 0)
        .then(|| Once { key: dice.below(20).to_string().into(), window: Duration::from_secs(60) });
    let text = "x".repeat(dice.below(500) as usize);
    Draft { key, once, ..draft(CHANNELS[dice.below(3) as usize], &text, &crowd.clock) }
}

async fn put(crowd: Arc<Crowd>, mut dice: Dice) {
    for _ in 0..STEPS {
        let drafts = (0..1 + dice.below(3)).map(|_| message(&crowd, &mut dice)).collect();
        if let Ok(kept) = crowd.store.put(drafts).await {
            crowd.kept.lock().extend(kept.into_iter().map(|kept| kept.id));
        }
    }
}

async fn serve(crowd: Arc<Crowd>, mut dice: Dice) {
    while !crowd.is_done.load(SeqCst) {
        let channel = Channel::new(CHANNELS[dice.below(3) as usize]);
        let pull = crowd.store.pull(&channel, 1 + dice.below(8) as usize);
        let Ok(Ok(leases)) = tokio::time::timeout(Duration::from_millis(5), pull).await else { continue };
        for mut lease in leases {
            if let Some(why) = crowd.over.lock().get(&lease.id) {
                panic!("{} is handed out although it is {why}", lease.id);
            }
            let then = if dice.below(4) == 0 { vec![message(&crowd, &mut dice)] } else { Vec::new() };
            let (verdict, why) = match dice.below(5) {
                0 => (again(crowd.clock.now().into(), 1), None),
                1 => (dead(), None),
                2 => continue,
                _ => (done(), Some("done")),
            };
            if lease.settle(verdict, then).await.is_ok()
                && let Some(why) = why
            {
                crowd.over.lock().insert(lease.id.clone(), why);
            }
        }
    }
}

async fn meddle(crowd: Arc<Crowd>, mut dice: Dice) {
    while !crowd.is_done.load(SeqCst) {
        tokio::task::yield_now().await;
        let id = {
            let kept = crowd.kept.lock();
            let recent = kept.len().min(30) as u64;
            if recent == 0 {
                continue;
            }
            kept[kept.len() - 1 - dice.below(recent) as usize].clone()
        };
        match dice.below(5) {
            0 => drop(crowd.store.revive(&id).await),
            // What was refused may have come to disk all the same.
            1 if !matches!(crowd.store.purge(&id).await, Ok(false)) => drop(crowd.purged.lock().insert(id)),
            1 => drop(crowd.store.state(&id).await),
            _ => {
                if matches!(crowd.store.cancel(&id).await, Ok(Cancel::Cancelled)) {
                    crowd.over.lock().insert(id, "cancelled");
                }
            }
        }
    }
}

/// Compares what is known in memory with what a new look at the disk finds.
async fn compare(crowd: &Crowd, media: &Media) {
    while crowd.store.put(vec![draft("f.probe", "", &crowd.clock)]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    crowd.store.letters(None, 0, 1).await.unwrap();
    let copy = open(&media.safe_copy(), &crowd.clock).unwrap();
    for channel in CHANNELS {
        let name = Channel::new(channel);
        let depths = (crowd.store.depth(&name).await.unwrap(), copy.depth(&name).await.unwrap());
        assert_eq!(depths.0, depths.1, "{channel}");
        let ids = |store| {
            let leases = drain(store, channel);
            let mut ids: Vec<_> = leases.iter().map(|lease| lease.id.clone()).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(&crowd.store), ids(&copy), "{channel}");
    }
    let kept = crowd.kept.lock().clone();
    for id in &kept {
        let state = copy.state(id).await.unwrap();
        match crowd.over.lock().get(id) {
            Some(&"done") => assert!(matches!(state, Some(State::Done { .. })), "{id}: {state:?}"),
            Some(_) => assert_eq!(state, Some(State::Cancelled), "{id}"),
            None => assert!(state.is_some() || crowd.purged.lock().contains(id), "{id} is lost"),
        }
    }
}

#[test]
fn what_is_over_stays_over_and_memory_agrees_with_the_disk() {
    for round in 0..ROUNDS {
        let (media, clock) = (Media::default(), clock());
        run(async {
            let store = open(&media, &clock).unwrap();
            let crowd = Arc::new(Crowd {
                store,
                clock,
                kept: Mutex::default(),
                over: Mutex::default(),
                purged: Mutex::default(),
                is_done: AtomicBool::new(false),
            });
            let dice = |nth| Dice(round * 100 + nth);
            let puts: Vec<_> = (0..3).map(|nth| tokio::spawn(put(Arc::clone(&crowd), dice(nth)))).collect();
            let mut others: Vec<_> =
                (3..6).map(|nth| tokio::spawn(serve(Arc::clone(&crowd), dice(nth)))).collect();
            others.extend((6..9).map(|nth| tokio::spawn(meddle(Arc::clone(&crowd), dice(nth)))));
            for nth in 0..round % 4 * 2 {
                tokio::time::sleep(Duration::from_millis(15)).await;
                media.fail_syncs(1 + (nth % 3) as u32);
            }
            for put in puts {
                put.await.unwrap();
            }
            crowd.is_done.store(true, SeqCst);
            for other in others {
                other.await.unwrap();
            }
            media.fail_syncs(0);
            compare(&crowd, &media).await;
        });
    }
}
