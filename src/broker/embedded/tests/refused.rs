//! The disk refuses: nothing acknowledged is lost, nothing refused is kept, and it goes on when it can.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::media::Media;
use super::{clock, draft, drain, open, run};
use crate::broker::conformance::done;
use crate::broker::embedded::line::Stand;
use crate::broker::embedded::queue::{Job, Queue, Settled};
use crate::broker::embedded::{Embedded, Probe};
use crate::broker::{Bounds, Channel, Draft, Once, State, Store, SubmissionId, Trouble};
use crate::wall::{Moment, Wall};

#[test]
fn a_full_disk_refuses_with_the_reason_and_goes_on_when_there_is_room() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let store = open(&media, &clock).unwrap();
        for number in 0..20 {
            store.put(vec![draft("f.a", &number.to_string(), &clock)]).await.unwrap();
        }
        let mut lease = store.pull(&Channel::new("f.a"), 1).await.unwrap().remove(0);
        media.fill(true);
        for _ in 0..3 {
            match store.put(vec![draft("f.a", "too much", &clock)]).await {
                Err(Trouble::Failed(reason)) => {
                    assert!(
                        reason.contains("/store/events.redb") && reason.contains("make room on its disk"),
                        "{reason}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        lease.settle(done(), Vec::new()).await.unwrap();
        media.fill(false);
        while store.put(vec![draft("f.a", "fits", &clock)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        store.letters(None, 0, 1).await.unwrap();
        assert!(matches!(store.state(&lease.id).await.unwrap(), Some(State::Done { .. })));
        let mut texts: Vec<_> = drain(&store, "f.a").iter().map(|lease| lease.payload.clone()).collect();
        texts.sort();
        let mut expected: Vec<_> = (1..20).map(|number| number.to_string()).collect();
        expected.push("fits".into());
        expected.sort();
        assert_eq!(texts, expected);
    });
}

#[test]
fn an_ending_that_the_disk_refused_gets_there_although_nobody_asks() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let store = open(&media, &clock).unwrap();
        store.put(vec![draft("f.a", "a", &clock)]).await.unwrap();
        let mut lease = store.pull(&Channel::new("f.a"), 1).await.unwrap().remove(0);
        media.fill(true);
        lease.settle(done(), Vec::new()).await.unwrap();
        while store.shared.base.is_open() {
            tokio::task::yield_now().await;
        }
        media.fill(false);
        loop {
            let copy = open(&media.safe_copy(), &clock).unwrap();
            if matches!(copy.state(&lease.id).await.unwrap(), Some(State::Done { .. })) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn what_came_to_disk_although_it_was_refused_is_taken_out_again() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let store = open(&media, &clock).unwrap();
        store.put(vec![draft("f.a", "kept", &clock)]).await.unwrap();
        let once = Some(Once { key: "k".into(), window: Duration::from_secs(60) });
        let refused = Draft { once, key: Some("a".into()), ..draft("f.a", "refused", &clock) };
        media.fail_syncs(1);
        assert!(matches!(store.put(vec![refused.clone()]).await, Err(Trouble::Failed(_))));
        while store.put(vec![draft("f.b", "probe", &clock)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let depth = store.depth(&Channel::new("f.a")).await.unwrap();
        let texts: Vec<_> = drain(&store, "f.a").iter().map(|lease| lease.payload.clone()).collect();
        assert_eq!((depth.waiting, texts), (1, vec!["kept".into()]));
        let again = store.put(vec![refused]).await.unwrap().remove(0);
        assert!(!again.known, "its once key is free");
        let copy = open(&media.safe_copy(), &clock).unwrap();
        assert_eq!(drain(&copy, "f.a").len(), 2);
    });
}

#[test]
fn what_is_put_again_after_a_refusal_is_kept_although_the_first_came_to_disk() {
    let (media, clock) = (Media::default(), clock());
    run(async {
        let store = open(&media, &clock).unwrap();
        let once = Some(Once { key: "k".into(), window: Duration::from_secs(60) });
        let message = Draft { once, ..draft("f.a", "once", &clock) };
        // The file cannot be opened again at once, so that the next to be put finds out what came of the first.
        media.fail_syncs(2);
        let kept = loop {
            match store.put(vec![message.clone()]).await {
                Ok(mut kept) => break kept.remove(0),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        store.put(vec![draft("f.b", "probe", &clock)]).await.unwrap();
        assert!(matches!(store.state(&kept.id).await.unwrap(), Some(State::Waiting { .. })));
        assert_eq!(drain(&store, "f.a").len(), 1);
    });
}

#[test]
fn a_disk_that_refuses_is_left_alone_although_something_is_to_be_taken_back() {
    let queue = Queue::default();
    queue.put_back(Vec::new(), vec![1]);
    let began = Instant::now();
    let group = queue.next(0).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(400), "it is tried again and again");
    assert_eq!(group.jobs.iter().filter_map(Job::undone).collect::<Vec<_>>(), [[1]]);
}

fn settled(follows: &Bytes) -> Settled {
    let then = Draft { payload: follows.clone(), ..draft("q.b", "", &clock()) };
    let stand = Stand { put: 0, attempt: 0, size: 0 };
    let at = Moment::default();
    Settled { number: 1, channel: 0, place: (0, 1), stand, at, verdict: done(), then: vec![then] }
}

#[test]
fn what_waits_for_a_disk_that_refuses_is_bounded_in_bytes() {
    let (queue, follows) = (Queue::default(), Bytes::from(vec![0; 8 << 20]));
    for _ in 0..7 {
        queue.settle(settled(&follows), true);
    }
    assert!(queue.has_room().unwrap());
    queue.put_back(vec![settled(&follows)], Vec::new());
    let reason = queue.has_room().unwrap_err();
    assert!(matches!(&reason, Trouble::Failed(reason) if reason.contains("8 endings")), "{reason:?}");
    assert_eq!(queue.next(0).unwrap().settled.len(), 8);
    assert!(queue.has_room().unwrap());
}

#[test]
fn nobody_is_held_up_while_the_file_is_opened_again() {
    let (media, clock, times) = (Media::default(), clock(), Arc::new(AtomicU64::new(0)));
    let (disk, opened, (go, gate)) = (media.clone(), Arc::clone(&times), std::sync::mpsc::channel::<()>());
    let gate = Mutex::new(gate);
    let ground = Box::new(move || {
        if opened.fetch_add(1, SeqCst) == 1 {
            // A large file takes long; it ends by itself lest a test that fails hang.
            let _ = gate.lock().recv_timeout(Duration::from_secs(5));
        }
        Ok(Box::new(disk.clone()) as _)
    });
    let wall = (Wall::Manual(clock.clone()), Bounds::default());
    run(async {
        let store = Embedded::on(Path::new("/store/events.redb"), ground, wall, Probe::default()).unwrap();
        media.fail_syncs(1);
        let put = store.put(vec![draft("f.a", "a", &clock)]);
        let meanwhile = async {
            while times.load(SeqCst) < 2 {
                tokio::task::yield_now().await;
            }
            let state = store.state(&SubmissionId::new("m-1")).await;
            assert!(matches!(state, Err(Trouble::Failed(_))), "it was held up until the file was open");
        };
        let (refused, ()) = futures_util::future::join(put, meanwhile).await;
        assert!(matches!(refused, Err(Trouble::Failed(_))));
        drop(go);
        while store.put(vec![draft("f.a", "b", &clock)]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
