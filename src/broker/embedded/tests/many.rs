//! Much waits: memory holds a part of it, and all of it comes in order.

use std::time::Duration;

use futures_util::FutureExt;

use super::media::Media;
use super::{clock, draft, open, run};
use crate::broker::conformance::done;
use crate::broker::{Channel, Draft, Store};
use crate::wall::Moment;

const MANY: u64 = 20_000;

#[test]
fn twenty_thousand_wait_outside_of_memory_and_come_in_the_order_of_their_dues() {
    let (media, clock) = (Media::default(), clock());
    let channel = Channel::new("f.a");
    let start = Moment::from(clock.now());
    run(async {
        let store = open(&media, &clock).unwrap();
        // Whoever waits at the end of the line sees everything that comes.
        assert!(store.pull(&channel, 1).now_or_never().is_none());
        for batch in 0..MANY / 500 {
            let drafts = (0..500).map(|nth| {
                let number = batch * 500 + nth;
                let due = start.plus(Duration::from_millis(number * 7_919 % MANY));
                Draft { due, ..draft("f.a", &number.to_string(), &clock) }
            });
            store.put(drafts.collect()).await.unwrap();
        }
        let held = store.shared.board.lock().line(0).held();
        assert_eq!(held, 1_024);
    });
    clock.advance(Duration::from_millis(MANY));
    run(async {
        let store = open(&media, &clock).unwrap();
        assert_eq!(store.depth(&channel).await.unwrap().waiting, MANY);
        let mut seen = Vec::new();
        while seen.len() < MANY as usize {
            for mut lease in store.pull(&channel, 100).await.unwrap() {
                let number: u64 = std::str::from_utf8(&lease.payload).unwrap().parse().unwrap();
                seen.push(number * 7_919 % MANY);
                lease.settle(done(), Vec::new()).await.unwrap();
            }
            assert!(store.shared.board.lock().line(0).held() <= 1_024);
        }
        assert!(seen.iter().copied().eq(0..MANY), "out of order, or twice");
        let depth = store.depth(&channel).await.unwrap();
        assert_eq!((depth.waiting, depth.running, depth.oldest), (0, 0, None));
    });
}
