//! The server is restarted, runtimes are killed: nothing that was acknowledged is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::broker::conformance::done;
use crate::broker::nats::Cluster;
use crate::broker::nats::tests::crew::{Crew, Seen, WAIT, channel, eventually, run, text, work};
use crate::broker::nats::tests::server::{End, Server};
use crate::broker::{Cancel, Draft, State, Store, SubmissionId};

type Ids = Arc<Mutex<HashMap<String, SubmissionId>>>;

/// Puts events until it is enough, two submitters for each store; notes those that are acknowledged.
fn submit(
    (crew, stores): (&Arc<Crew>, &[Arc<Cluster>]),
    kept: &Ids,
    enough: &Arc<AtomicBool>,
) -> Vec<JoinHandle<()>> {
    let submitters = stores.iter().chain(stores).enumerate().map(|(nth, store)| {
        let (crew, kept, enough) = (Arc::clone(crew), Arc::clone(kept), Arc::clone(enough));
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for number in 0.. {
                if enough.load(SeqCst) {
                    return;
                }
                let text = format!("{nth}-{number}");
                if let Ok(put) = store.put(vec![crew.draft(&text)]).await {
                    kept.lock().insert(text, put[0].id.clone());
                }
            }
        })
    });
    submitters.collect()
}

async fn until_empty(store: &Arc<Cluster>) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let depth = store.depth(&channel()).await.unwrap();
        if depth.waiting + depth.running == 0 {
            return;
        }
        assert!(Instant::now() < until, "something stays: {depth:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn every_acknowledged_event_is_done_though_the_server_is_restarted() {
    run(async {
        let mut server = Server::new();
        let crew = Arc::new(Crew::of(server.url()));
        let stores: Vec<_> = (0..3).map(|_| crew.open()).collect();
        let (stop, full) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (seen, kept) = (Seen::default(), Ids::default());
        let workers: Vec<_> = stores
            .iter()
            .map(|store| {
                let seen = Arc::clone(&seen);
                let started = move |text: &str| *seen.lock().entry(text.to_owned()).or_default() += 1;
                work(Arc::clone(store), Arc::clone(&stop), started)
            })
            .collect();
        let submitters = submit((&crew, &stores), &kept, &full);
        for end in [End::Term, End::Kill, End::Kill, End::Term] {
            let before = kept.lock().len();
            eventually("events flow", || kept.lock().len() > before + 200).await;
            server.stop(end);
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.start();
        }
        let before = kept.lock().len();
        eventually("events flow at last", || kept.lock().len() > before + 200).await;
        full.store(true, SeqCst);
        for submitter in submitters {
            submitter.await.unwrap();
        }
        let missing = || kept.lock().keys().filter(|text| !seen.lock().contains_key(*text)).count();
        eventually("every acknowledged event is done", || missing() == 0).await;
        let again = seen.lock().values().filter(|count| **count > 1).count();
        println!(
            "{} acknowledged, {} seen, {again} of them more than once",
            kept.lock().len(),
            seen.lock().len()
        );
        until_empty(&stores[0]).await;
        stop.store(true, SeqCst);
        for worker in workers {
            worker.await.unwrap();
        }
        let some: Vec<_> = kept.lock().values().take(20).cloned().collect();
        for id in some {
            let state = stores[1].state(&id).await.unwrap();
            assert!(matches!(state, Some(State::Done { .. })), "{id}: {state:?}");
        }
    });
}

#[test]
fn the_events_of_a_runtime_that_is_killed_are_taken_up_by_another() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let (killed, other) = (crew.open(), crew.open());
        for number in 0..5 {
            killed.put(vec![crew.draft(&number.to_string())]).await.unwrap();
        }
        let mut out = Vec::new();
        while out.len() < 5 {
            out.extend(killed.pull(&channel(), 5).await.unwrap());
        }
        let since = Instant::now();
        // Its leases are held for longer than the ack wait while it lives.
        let early = tokio::time::timeout(WAIT * 2, other.pull(&channel(), 5)).await;
        assert!(early.is_err(), "{early:?} after {:?}", since.elapsed());
        killed.kill();
        let mut taken = Vec::new();
        while taken.len() < 5 {
            for mut lease in other.pull(&channel(), 5).await.unwrap() {
                taken.push(text(&lease));
                lease.settle(done(), Vec::new()).await.unwrap();
            }
        }
        taken.sort();
        assert_eq!(taken, ["0", "1", "2", "3", "4"]);
    });
}

#[test]
fn what_another_runtime_runs_is_known_and_cannot_be_cancelled() {
    run(async {
        let crew = Crew::of(Server::shared().url());
        let (one, other) = (crew.open(), crew.open());
        let id = one.put(vec![crew.draft("x")]).await.unwrap().remove(0).id;
        let mut lease = one.pull(&channel(), 1).await.unwrap().remove(0);
        assert_eq!(other.state(&id).await.unwrap(), Some(State::Running { attempt: 0 }));
        assert_eq!(other.cancel(&id).await.unwrap(), Cancel::Running);
        lease.settle(done(), Vec::new()).await.unwrap();
        while matches!(other.state(&id).await.unwrap(), Some(State::Running { .. } | State::Waiting { .. })) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(matches!(other.state(&id).await.unwrap(), Some(State::Done { .. })));
        assert_eq!(other.cancel(&id).await.unwrap(), Cancel::Over);
    });
}

#[test]
fn order_holds_though_a_runtime_and_the_server_are_killed() {
    const KEYS: usize = 4;
    const EACH: usize = 40;
    run(async {
        let mut server = Server::new();
        let crew = Crew::of(server.url());
        let mut stores: Vec<_> = (0..3).map(|_| crew.open()).collect();
        for number in 0..EACH {
            for key in 0..KEYS {
                let key_text: Arc<str> = format!("key {key}").into();
                let draft = Draft { key: Some(key_text), ..crew.draft(&format!("{key} {number}")) };
                stores[0].put(vec![draft]).await.unwrap();
            }
        }
        let started: Arc<Mutex<Vec<Vec<usize>>>> = Arc::new(Mutex::new(vec![Vec::new(); KEYS]));
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers: Vec<_> = stores
            .iter()
            .map(|store| {
                let started = Arc::clone(&started);
                let note = move |text: &str| {
                    let (key, number) = text.split_once(' ').unwrap();
                    started.lock()[key.parse::<usize>().unwrap()].push(number.parse().unwrap());
                };
                work(Arc::clone(store), Arc::clone(&stop), note)
            })
            .collect();
        let count = || started.lock().iter().map(Vec::len).sum::<usize>();
        eventually("a third", || count() >= KEYS * EACH / 3).await;
        workers.remove(2).abort();
        stores.remove(2).kill();
        eventually("a half", || count() >= KEYS * EACH / 2).await;
        server.stop(End::Kill);
        server.start();
        let is_complete = || started.lock().iter().all(|numbers| numbers.contains(&(EACH - 1)));
        eventually("all", is_complete).await;
        stop.store(true, SeqCst);
        for (key, numbers) in started.lock().iter().enumerate() {
            let mut without_repeats = numbers.clone();
            without_repeats.dedup();
            let expected: Vec<_> = (0..EACH).collect();
            assert_eq!(without_repeats, expected, "key {key}");
        }
        println!("{} started of {}", count(), KEYS * EACH);
    });
}
