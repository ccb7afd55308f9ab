//! Those who come together are made safe together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::media::Media;
use super::{clock, draft, run, watched};
use crate::broker::Store;
use crate::broker::embedded::{Embedded, Probe};
use crate::wall::ManualClock;

/// Has each of so many submit so often; answers submissions a second.
async fn submit(store: &Arc<Embedded>, clock: &ManualClock, (submitters, each): (u64, u64)) -> f64 {
    let began = Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|_| {
            let (store, clock) = (Arc::clone(store), clock.clone());
            tokio::spawn(async move {
                for _ in 0..each {
                    store.put(vec![draft("f.a", &"x".repeat(450), &clock)]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (submitters * each) as f64 / began.elapsed().as_secs_f64()
}

#[test]
fn sixty_four_submitters_share_their_syncs() {
    let (clock, probe) = (clock(), Probe::default());
    run(async {
        let store = watched(&Media::default(), &clock, probe.clone()).unwrap();
        probe.delay(Duration::from_millis(5));
        let before = probe.syncs();
        submit(&store, &clock, (64, 20)).await;
        let syncs = probe.syncs() - before;
        assert!(syncs * 16 <= 64 * 20, "{syncs} syncs");
    });
}

#[test]
fn sixty_four_submitters_are_twenty_times_as_fast_as_one_on_a_slow_disk() {
    let (clock, probe) = (clock(), Probe::default());
    run(async {
        let store = watched(&Media::default(), &clock, probe.clone()).unwrap();
        probe.delay(Duration::from_millis(5));
        // The machine may have other things to do; once is enough to show that it can.
        let mut best = 0.0_f64;
        for _ in 0..5 {
            let one = submit(&store, &clock, (1, 20)).await;
            best = best.max(submit(&store, &clock, (64, 20)).await / one);
            if best >= 20.0 {
                return;
            }
        }
        panic!("{best:.1} times");
    });
}
