//! The power fails at random: what was acknowledged is there, and nothing is half.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::media::{Dice, Media};
use super::{clock, draft, drain, open, run};
use crate::broker::embedded::Embedded;
use crate::broker::{Channel, Draft, Once, State, Store, SubmissionId, Trouble, Verdict};
use crate::wall::ManualClock;

const ROUNDS: u64 = 200;

/// What was told before the power failed.
#[derive(Default)]
struct Told {
    /// What was acknowledged.
    kept: HashMap<SubmissionId, String>,
    /// What was answered to a verdict; it may be on disk or not.
    settled: HashSet<SubmissionId>,
    /// The put that was refused: how many it would have been, and how each begins.
    refused: Option<(usize, String)>,
}

fn drafts(round: u64, dice: &mut Dice, clock: &ManualClock) -> Vec<Draft> {
    let count = 1 + dice.below(5);
    let of = |nth| {
        let text = format!("{round}.{nth} {}", "x".repeat(dice.below(3_000) as usize));
        let key = (dice.below(3) == 0).then(|| "key".into());
        let once = (dice.below(4) == 0).then(|| Once {
            key: format!("{round}.{nth}").into(),
            window: std::time::Duration::from_secs(60),
        });
        Draft { key, once, ..draft("f.a", &text, clock) }
    };
    (0..count).map(of).collect()
}

fn verdict(dice: &mut Dice, clock: &ManualClock) -> Verdict {
    match dice.below(3) {
        0 => Verdict::Done { summary: Bytes::from_static(b"summary") },
        1 => Verdict::Again { due: clock.now().into(), attempt: 1, notes: Bytes::from_static(b"notes") },
        _ => Verdict::Dead { notes: Bytes::from_static(b"why") },
    }
}

/// Puts and settles until the power fails.
async fn work(store: &Arc<Embedded>, clock: &ManualClock, dice: &mut Dice) -> Told {
    let mut told = Told::default();
    for round in 0.. {
        let drafts = drafts(round, dice, clock);
        let texts: Vec<_> =
            drafts.iter().map(|draft| String::from_utf8(draft.payload.to_vec()).unwrap()).collect();
        match store.put(drafts).await {
            Ok(kept) => told.kept.extend(kept.into_iter().map(|kept| kept.id).zip(texts)),
            Err(Trouble::Failed(_)) => {
                told.refused = Some((texts.len(), format!("{round}.")));
                return told;
            }
            Err(other) => panic!("{other:?}"),
        }
        if dice.below(3) == 0 {
            settle(store, clock, (dice, &mut told)).await;
        }
    }
    told
}

async fn settle(store: &Arc<Embedded>, clock: &ManualClock, (dice, told): (&mut Dice, &mut Told)) {
    let Ok(leases) = store.pull(&Channel::new("f.a"), 3).await else { return };
    for mut lease in leases {
        let then = draft("q.then", lease.id.as_str(), clock);
        let id = lease.id.clone();
        told.settled.insert(id);
        let _ = lease.settle(verdict(dice, clock), vec![then]).await;
    }
}

/// Accounts for everything that was told, on what is left.
async fn account(store: &Arc<Embedded>, told: &Told) {
    let mut states = HashMap::new();
    for id in told.kept.keys() {
        let state = store.state(id).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
        let is_new = matches!(state, State::Waiting { attempt: 0, .. });
        assert!(is_new || told.settled.contains(id), "{id} is {state:?}");
        states.insert(id.clone(), is_new);
    }
    let then: HashSet<_> = drain(store, "q.then").into_iter().map(|lease| lease.payload.clone()).collect();
    for (id, is_new) in states {
        assert_ne!(then.contains(id.as_str().as_bytes()), is_new, "{id}: what follows came apart");
    }
    let mut seen = HashSet::new();
    let mut refused = 0;
    loop {
        let leases = drain(store, "f.a");
        if leases.is_empty() {
            break;
        }
        for mut lease in leases {
            assert!(seen.insert(lease.id.clone()), "{} came twice", lease.id);
            match told.kept.get(&lease.id) {
                Some(text) => assert_eq!(lease.payload, text.as_bytes()),
                None => {
                    refused += usize::from(
                        told.refused
                            .as_ref()
                            .is_some_and(|(_, name)| lease.payload.starts_with(name.as_bytes())),
                    )
                }
            }
            lease.settle(Verdict::Done { summary: Bytes::new() }, Vec::new()).await.unwrap();
        }
        // The next of each key is shown when the one before is on disk.
        store.letters(None, 0, 1).await.unwrap();
    }
    let whole = told.refused.as_ref().map_or(0, |(count, _)| *count);
    assert!(refused == 0 || refused == whole, "{refused} of {whole} that were put together");
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_and_nothing_is_half() {
    for round in 0..ROUNDS {
        let mut dice = Dice(round + 1);
        let (media, clock) = (Media::default(), clock());
        let told = run(async {
            let store = open(&media, &clock).unwrap();
            media.lose_power_after(5 + dice.below(150));
            work(&store, &clock, &mut dice).await
        });
        assert!(!media.has_power());
        let after = media.after_power_cut(&mut dice);
        run(async {
            let store = open(&after, &clock).unwrap_or_else(|reason| panic!("round {round}: {reason}"));
            account(&store, &told).await;
            store.put(vec![draft("f.a", "it goes on", &clock)]).await.unwrap();
        });
    }
}
