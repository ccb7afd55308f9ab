//! What comes while the committer is at work: cancels, verdicts, and what follows from them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::media::Media;
use super::{clock, draft, drain, open, run, watched};
use crate::broker::conformance::{again, done};
use crate::broker::embedded::Probe;
use crate::broker::embedded::pen::number_of;
use crate::broker::{Cancel, Channel, Depth, Draft, State, Store};

#[test]
fn what_is_about_to_be_cancelled_is_not_handed_out() {
    let (clock, probe) = (clock(), Probe::default());
    run(async {
        let store = watched(&Media::default(), &clock, probe.clone()).unwrap();
        let id = store.put(vec![draft("f.a", "a", &clock)]).await.unwrap().remove(0).id;
        // Given back, it stands in memory, ready to be handed out.
        drop(drain(&store, "f.a"));
        probe.delay(Duration::from_millis(200));
        let (cancelling, named) = (Arc::clone(&store), id.clone());
        let cancel = tokio::spawn(async move { cancelling.cancel(&named).await.unwrap() });
        while store.shared.board.lock().changing(number_of(&id).unwrap()).is_none() {
            tokio::task::yield_now().await;
        }
        assert!(drain(&store, "f.a").is_empty(), "it runs, and is cancelled");
        assert_eq!(cancel.await.unwrap(), Cancel::Cancelled);
        assert_eq!(store.depth(&Channel::new("f.a")).await.unwrap(), Depth::default());
    });
}

#[test]
fn a_cancel_that_meets_a_verdict_on_its_way_comes_too_late() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let store = open(&media, &clock).unwrap();
        let channel = Channel::new("f.a");
        for verdict in [again(clock.now().into(), 1), done()] {
            let id = store.put(vec![draft("f.a", "a", &clock)]).await.unwrap().remove(0).id;
            let (token, _) = store.shared.next(&channel, 1).await.unwrap().remove(0);
            // The group of the cancel was taken before the verdict came, and so is written without it.
            let given = store.shared.board.lock().settle(token, (verdict, Vec::new()), clock.now().into());
            assert_eq!(store.cancel(&id).await.unwrap(), Cancel::Running);
            store.shared.queue.settle(given.unwrap(), true);
            store.letters(None, 0, 1).await.unwrap();
            for mut lease in drain(&store, "f.a") {
                assert_eq!((&lease.id, lease.attempt), (&id, 1));
                lease.settle(done(), Vec::new()).await.unwrap();
            }
            assert!(matches!(store.state(&id).await.unwrap(), Some(State::Done { .. })));
            let depth = store.depth(&channel).await.unwrap();
            assert_eq!((depth.waiting, depth.running), (0, 0));
        }
    });
}

#[test]
fn what_follows_a_verdict_stands_before_what_is_put_after_it() {
    let (clock, probe) = (clock(), Probe::default());
    let keyed = |text: &str| Draft { key: Some("a".into()), ..draft("q.b", text, &clock) };
    run(async {
        let store = watched(&Media::default(), &clock, probe.clone()).unwrap();
        store.put(vec![draft("f.a", "a", &clock)]).await.unwrap();
        let mut lease = drain(&store, "f.a").remove(0);
        probe.delay(Duration::from_millis(100));
        // While this one is made safe, the others come and are written together.
        let mut busy = store.put(vec![draft("f.a", "busy", &clock)]);
        assert!(busy.as_mut().now_or_never().is_none());
        lease.settle(done(), vec![keyed("first")]).await.unwrap();
        store.put(vec![keyed("second")]).await.unwrap();
        busy.await.unwrap();
        assert_eq!(drain(&store, "q.b")[0].payload, "first");
    });
}
