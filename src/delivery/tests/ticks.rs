//! Events at certain times.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::broker::Store;
use crate::context::Context;
use crate::delivery::tests::{Bench, Handler, policy, test, trapped};
use crate::delivery::{Delivery, Host, Missed, Overlap, Policy, Retry, Timetable};
use crate::event::{Event, Response};
use crate::schedule::{Every, Jitter, Schedule};
use futures_util::FutureExt;

const MINUTE: Duration = Duration::from_secs(60);

fn table(bench: &Bench, missed: Missed, overlap: Overlap) -> Timetable {
    let anchor = bench.delivery.wall.now().0 as i64;
    Timetable {
        name: "nightly".into(),
        schedule: Schedule::from(Every::new(10 * MINUTE).unwrap().anchored_at(anchor)),
        jitter: Jitter::default(),
        target: "report".into(),
        function: "report".into(),
        event: Event::json("report.due", &1).unwrap(),
        missed,
        overlap,
    }
}

/// Lets others work before something is looked at again.
async fn nap() {
    tokio::time::sleep(Duration::from_micros(200)).await;
}

/// Waits until the ticker sleeps, and moves the clock to when it wakes.
async fn to_the_next_tick(bench: &Bench) {
    loop {
        if let Some(wait) = bench.clock.next_wait() {
            let now = bench.clock.now();
            bench.clock.advance(wait.duration_since(now).unwrap_or_default());
            return;
        }
        nap().await;
    }
}

/// Waits until the ticker knows where it begins.
async fn begun(bench: &Bench) {
    while bench.clock.next_wait().is_none() {
        nap().await;
    }
}

#[test]
fn each_tick_is_an_event_that_names_it() {
    test(async |bench| {
        let mut told = bench.deploy("report", policy(Retry::new()), |_| Ok(Response::new()));
        bench.delivery.add_timetable(table(&bench, Missed::Skip, Overlap::Allow));
        let mut times = BTreeSet::new();
        for _ in 0..3 {
            to_the_next_tick(&bench).await;
            let (event, context) = told.recv().await.unwrap();
            assert_eq!((event.event_type(), event.body_text().unwrap()), ("report.due", "1"));
            assert!(event.id().starts_with("nightly@"), "{}", event.id());
            assert_eq!(context.attribute("trigger"), Some("nightly"));
            assert!(times.insert(event.time().unwrap().to_owned()));
        }
        bench.delivery.remove_timetable("nightly");
    });
}

/// Lets a ticker begin, end, and begin again after so long; returns how many ticks are made up for.
async fn made_up_for(bench: &Bench, missed: Missed, away: Duration) -> usize {
    let mut told =
        bench.deploy("report", Policy { concurrency: 9, ..Policy::default() }, |_| Ok(Response::new()));
    let first = table(bench, missed, Overlap::Allow);
    let schedule = first.schedule.clone();
    bench.delivery.add_timetable(first);
    begun(bench).await;
    bench.delivery.remove_timetable("nightly");
    while bench.clock.next_wait().is_some() {
        nap().await;
    }
    bench.clock.advance(away);
    bench.delivery.add_timetable(Timetable { schedule, ..table(bench, missed, Overlap::Allow) });
    begun(bench).await;
    let mut count = 0;
    while tokio::time::timeout(Duration::from_millis(100), told.recv()).await.is_ok() {
        count += 1;
    }
    count
}

#[test]
fn ticks_that_were_missed_are_skipped() {
    test(async |bench| {
        assert_eq!(made_up_for(&bench, Missed::Skip, MINUTE * 55).await, 0);
    });
}

#[test]
fn the_last_tick_that_was_missed_is_made_up_for() {
    test(async |bench| {
        assert_eq!(made_up_for(&bench, Missed::Once, MINUTE * 55).await, 1);
    });
}

#[test]
fn all_ticks_that_were_missed_are_made_up_for() {
    test(async |bench| {
        assert_eq!(made_up_for(&bench, Missed::All, MINUTE * 55).await, 5);
    });
}

/// Serves ticks that end when they are let; tells each that begins.
fn slow(bench: &Bench) -> (mpsc::UnboundedReceiver<String>, Arc<tokio::sync::Semaphore>) {
    let (tell, told) = mpsc::unbounded_channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let handler: Handler = Arc::new(move |event: Event, _: Context| {
        let (tell, gate) = (tell.clone(), Arc::clone(&gate));
        async move {
            tell.send(event.id().to_owned()).unwrap();
            gate.acquire().await.unwrap().forget();
            Ok(Response::new())
        }
        .boxed()
    });
    bench.host.handlers.lock().insert("report".into(), (handler, Arc::new(policy(Retry::new()))));
    (told, opened)
}

#[test]
fn a_tick_waits_for_the_one_before() {
    test(async |bench| {
        let (mut told, gate) = slow(&bench);
        bench.delivery.add_timetable(table(&bench, Missed::Skip, Overlap::Wait));
        to_the_next_tick(&bench).await;
        told.recv().await.unwrap();
        to_the_next_tick(&bench).await;
        begun(&bench).await;
        assert!(tokio::time::timeout(MINUTE / 600, told.recv()).await.is_err());
        gate.add_permits(1);
        told.recv().await.unwrap();
        gate.add_permits(1);
    });
}

#[test]
fn a_tick_is_left_out_while_the_one_before_is_not_done() {
    test(async |bench| {
        let (mut told, gate) = slow(&bench);
        bench.delivery.add_timetable(table(&bench, Missed::Skip, Overlap::Skip));
        to_the_next_tick(&bench).await;
        let first = told.recv().await.unwrap();
        to_the_next_tick(&bench).await;
        begun(&bench).await;
        gate.add_permits(2);
        while bench.store.depth(&crate::delivery::channel_of("report")).await.unwrap().running > 0 {
            nap().await;
        }
        to_the_next_tick(&bench).await;
        let third = told.recv().await.unwrap();
        assert_ne!(first, third);
        assert!(told.try_recv().is_err(), "the second was left out");
    });
}

#[test]
fn ticks_run_at_once_where_that_is_allowed() {
    test(async |bench| {
        let (mut told, gate) = slow(&bench);
        bench.delivery.add_timetable(table(&bench, Missed::Skip, Overlap::Allow));
        for _ in 0..2 {
            to_the_next_tick(&bench).await;
            told.recv().await.unwrap();
        }
        gate.add_permits(2);
    });
}

#[test]
fn a_tick_whose_run_failed_is_run_again() {
    test(async |bench| {
        let answer = |attempt| if attempt == 1 { trapped() } else { Ok(Response::new()) };
        let mut told = bench.deploy("report", policy(Retry::new()), answer);
        bench.delivery.add_timetable(table(&bench, Missed::Skip, Overlap::Wait));
        to_the_next_tick(&bench).await;
        let (first, _) = told.recv().await.unwrap();
        while bench.store.depth(&crate::delivery::channel_of("report")).await.unwrap().retrying == 0 {
            nap().await;
        }
        bench.clock.advance(Duration::from_secs(3));
        let (second, context) = told.recv().await.unwrap();
        assert_eq!((first.id(), context.attempt()), (second.id(), 2));
    });
}

#[test]
fn progress_that_cannot_be_read_begins_anew() {
    test(async |bench| {
        bench.store.swap("cron.nightly", None, "\u{ff}".into()).await.unwrap();
        let mut told = bench.deploy("report", policy(Retry::new()), |_| Ok(Response::new()));
        bench.delivery.add_timetable(table(&bench, Missed::Skip, Overlap::Wait));
        let waited = tokio::time::timeout(Duration::from_secs(5), to_the_next_tick(&bench)).await;
        waited.expect("it is never done with its progress");
        assert!(told.recv().await.is_some());
    });
}

#[test]
fn a_clock_that_was_far_ahead_does_not_stop_a_schedule() {
    test(async |bench| {
        let mut told = bench.deploy("report", policy(Retry::new()), |_| Ok(Response::new()));
        let ahead = bench.delivery.wall.now().plus(MINUTE * 60 * 24 * 3_650);
        let progress = postcard::to_stdvec(&(ahead.0 as i64, None::<String>)).unwrap();
        bench.store.swap("cron.nightly", None, progress.into()).await.unwrap();
        bench.delivery.add_timetable(table(&bench, Missed::All, Overlap::Wait));
        begun(&bench).await;
        bench.clock.advance(MINUTE * 20);
        for _ in 0..2 {
            let waited = tokio::time::timeout(Duration::from_secs(5), told.recv()).await;
            assert!(waited.expect("it sleeps for years").is_some());
        }
    });
}

#[test]
fn two_runtimes_submit_each_tick_once() {
    test(async |bench| {
        let (tell, mut told) = mpsc::unbounded_channel();
        let handler: Handler = Arc::new(move |event: Event, _: Context| {
            tell.send(event.id().to_owned()).unwrap();
            async { Ok(Response::new()) }.boxed()
        });
        let deployed = (handler, Arc::new(Policy { concurrency: 4, ..Policy::default() }));
        bench.host.handlers.lock().insert("report".into(), deployed);
        let host: std::sync::Weak<dyn Host> = Arc::downgrade(&(Arc::clone(&bench.host) as Arc<dyn Host>));
        let store: Arc<dyn Store> = Arc::clone(&bench.store) as _;
        let other = Delivery::new((store, bench.delivery.wall.clone()), host, (1, 16));
        other.begin();
        let make = || table(&bench, Missed::All, Overlap::Allow);
        let schedule = make().schedule;
        bench.delivery.add_timetable(Timetable { schedule: schedule.clone(), ..make() });
        other.add_timetable(Timetable { schedule: schedule.clone(), ..make() });
        let mut ids = Vec::new();
        for tick in 1..=1_000 {
            to_the_next_tick(&bench).await;
            // One of them is cut off at any point of its work, and comes back.
            if tick % 3 == 0 {
                other.remove_timetable("nightly");
                other.add_timetable(Timetable { schedule: schedule.clone(), ..make() });
            }
            ids.push(told.recv().await.unwrap());
        }
        assert!(told.try_recv().is_err());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1_000);
        drop(other.close());
    });
}
