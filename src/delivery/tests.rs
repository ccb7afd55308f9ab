//! Delivery over the store in memory, with a host of closures and a clock that is moved by hand.

mod batches;
mod outcomes;
#[cfg(feature = "cron")]
mod ticks;
mod topics;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::broker::{Bounds, Channel, Depth, Draft, Memory, State, Store, SubmissionId};
use crate::context::Context;
use crate::delivery::{Death, Delivery, History, Host, Parcel, Policy, Retry, Summary, channel_of};
use crate::error::{Error, ErrorKind, Failure, ThrottleReason};
use crate::event::{Event, Response};
use crate::wall::{ManualClock, Wall};

pub(super) type Answer = Result<Response, ErrorKind>;
pub(super) type Handler = Arc<dyn Fn(Event, Context) -> BoxFuture<'static, Answer> + Send + Sync>;

/// Serves events with closures.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) handlers: Mutex<HashMap<String, (Handler, Arc<Policy>)>>,
}

impl Host for Fake {
    fn policy(&self, function: &str) -> Option<Arc<Policy>> {
        self.handlers.lock().get(function).map(|(_, policy)| Arc::clone(policy))
    }

    fn invoke<'a>(
        &'a self,
        target: &'a str,
        context: Context,
        event: Event,
    ) -> BoxFuture<'a, Result<Response, Error>> {
        let handler = self.handlers.lock().get(target).map(|(handler, _)| Arc::clone(handler));
        async move {
            let Some(handler) = handler else {
                return Err(ErrorKind::UnknownFunction { target: target.into(), hint: "gone".into() }.into());
            };
            handler(event, context).await.map_err(Error::from)
        }
        .boxed()
    }
}

/// A host, a store and what delivers between them.
struct Bench {
    clock: ManualClock,
    host: Arc<Fake>,
    store: Arc<Memory>,
    delivery: Arc<Delivery>,
}

impl Bench {
    fn new() -> Self {
        let clock = ManualClock::at(SystemTime::now());
        let wall = Wall::Manual(clock.clone());
        let store = Memory::new(wall.clone(), Bounds::default());
        let host = Arc::new(Fake::default());
        let seen: Weak<dyn Host> = Arc::downgrade(&(Arc::clone(&host) as Arc<dyn Host>));
        let delivery = Delivery::new((Arc::clone(&store) as _, wall), seen, (2, 16));
        delivery.begin();
        Self { clock, host, store, delivery }
    }

    /// Deploys a function that tells what it is sent, and answers what it is given.
    fn deploy(
        &self,
        name: &str,
        policy: Policy,
        answer: impl Fn(u32) -> Answer + Send + Sync + 'static,
    ) -> mpsc::UnboundedReceiver<(Event, Context)> {
        let (tell, told) = mpsc::unbounded_channel();
        let handler = move |event: Event, context: Context| {
            let answer = answer(context.attempt());
            // Nobody listens once the test has seen enough.
            let _ = tell.send((event, context));
            async move { answer }.boxed()
        };
        self.host.handlers.lock().insert(name.into(), (Arc::new(handler), Arc::new(policy)));
        self.delivery.deployed(name);
        told
    }

    async fn submit(&self, function: &str, event: Event) -> SubmissionId {
        let parcel = Parcel::new(event, function, &Context::new().with_tenant("acme"));
        self.put(function, &parcel).await
    }

    async fn put(&self, function: &str, parcel: &Parcel) -> SubmissionId {
        let due = self.delivery.wall.now();
        let draft =
            Draft { channel: channel_of(function), payload: parcel.encode(), key: None, due, once: None };
        self.store.put(vec![draft]).await.unwrap().remove(0).id
    }

    /// Waits until the message is in a state.
    async fn until<T>(&self, id: &SubmissionId, wanted: impl Fn(State) -> Option<T>) -> T {
        loop {
            if let Some(found) = self.store.state(id).await.unwrap().and_then(&wanted) {
                return found;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    /// Waits until the message is dead, moving the clock on to whatever is waited for.
    async fn until_dead(&self, id: &SubmissionId) -> History {
        loop {
            match self.store.state(id).await.unwrap() {
                Some(State::Dead { notes }) => return History::decode(&notes),
                Some(State::Waiting { due, .. }) => {
                    self.clock.advance(due.since(self.delivery.wall.now()));
                }
                _ => {}
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(thread) = self.delivery.close() {
            thread.join().unwrap();
        }
    }
}

fn policy(retry: Retry) -> Policy {
    Policy { retry, concurrency: 4, ..Policy::default() }
}

pub(super) fn trapped() -> Answer {
    Err(ErrorKind::Trapped { message: "unreachable".into(), backtrace: Vec::new() })
}

pub(super) fn throttled() -> Answer {
    let reason = ThrottleReason::QueueFull { limit: 1 };
    Err(ErrorKind::Throttled { reason, retry_after: Duration::from_secs(1) })
}

fn test<F: Future<Output = ()>>(test: impl FnOnce(Arc<Bench>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Arc::new(Bench::new());
        tokio::time::timeout(Duration::from_secs(60), test(bench)).await.expect("it hangs");
    });
}

#[test]
fn what_is_submitted_is_done_and_known_to_be() {
    test(async |bench| {
        let mut told = bench.deploy("a", policy(Retry::new()), |_| Ok(Response::new()));
        let id = bench.submit("a", Event::bytes("order", "tea")).await;
        let (event, context) = told.recv().await.unwrap();
        assert_eq!(
            (event.body_text().unwrap(), context.tenant(), context.attempt()),
            ("tea", Some("acme"), 1)
        );
        let summary = bench.until(&id, |state| match state {
            State::Done { summary } => Summary::decode(&summary),
            _ => None,
        });
        assert_eq!(summary.await.at(), bench.clock.now());
    });
}

#[test]
fn what_waits_for_a_function_is_delivered_when_it_is_deployed() {
    test(async |bench| {
        let id = bench.submit("late", Event::new("a")).await;
        assert!(matches!(bench.store.state(&id).await.unwrap(), Some(State::Waiting { .. })));
        let mut told = bench.deploy("late", policy(Retry::new()), |_| Ok(Response::new()));
        assert!(told.recv().await.is_some());
    });
}

#[test]
fn a_failure_is_tried_again_as_often_as_it_may_be() {
    test(async |bench| {
        let mut told = bench.deploy("a", policy(Retry::new().attempts(4)), |_| trapped());
        let id = bench.submit("a", Event::new("a")).await;
        let history = bench.until_dead(&id).await;
        assert_eq!(history.death, Some(Death::RetriesExhausted));
        let attempts = history.into_attempts();
        assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(attempts.iter().all(|attempt| attempt.kind == "trapped"));
        let mut request_ids = Vec::new();
        for attempt in 1..=4 {
            let (_, context) = told.recv().await.unwrap();
            assert_eq!(context.attempt(), attempt);
            request_ids.push(context.request_id());
        }
        assert!(
            request_ids.windows(2).all(|pair| pair[0] == pair[1]),
            "one request, however often it is tried"
        );
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn a_retry_succeeds_and_is_done() {
    test(async |bench| {
        let answer = |attempt| if attempt < 3 { trapped() } else { Ok(Response::new()) };
        let _told = bench.deploy("a", policy(Retry::new()), answer);
        let id = bench.submit("a", Event::new("a")).await;
        loop {
            match bench.store.state(&id).await.unwrap() {
                Some(State::Done { .. }) => break,
                Some(State::Waiting { due, .. }) => bench.clock.advance(due.since(bench.delivery.wall.now())),
                _ => {}
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    });
}

#[test]
fn what_is_not_retryable_stops_at_once() {
    test(async |bench| {
        let answer = |_| Err(ErrorKind::Failed(Failure::new("out-of-stock", "no tea")));
        let mut told = bench.deploy("a", policy(Retry::new().attempts(9)), answer);
        let id = bench.submit("a", Event::new("a")).await;
        let history = bench.until_dead(&id).await;
        assert_eq!(history.death, Some(Death::NotRetryable));
        assert_eq!(history.last_message(), Some(("failed", "function failed: out-of-stock: no tea")));
        assert!(told.recv().await.is_some());
        assert!(told.try_recv().is_err(), "it was tried once");
    });
}

#[test]
fn throttles_use_up_no_attempts_and_end_with_the_age() {
    test(async |bench| {
        let age = Duration::from_secs(3600);
        let retry = Retry::never().max_age(age);
        let mut told = bench.deploy("a", policy(retry), |_| throttled());
        let id = bench.submit("a", Event::new("a")).await;
        let began = bench.clock.now();
        let history = bench.until_dead(&id).await;
        assert_eq!((history.death, history.count()), (Some(Death::EventAgeExceeded), 0));
        assert!(
            bench.clock.now().duration_since(began).unwrap() < age,
            "it is given up when it could not be tried"
        );
        let mut tried = 0;
        while told.try_recv().is_ok() {
            tried += 1;
        }
        assert!((10..60).contains(&tried), "from a second on to five minutes: {tried} times in an hour");
    });
}

#[test]
fn what_is_cancelled_while_the_runtime_goes_on_waits_and_does_not_count() {
    test(async |bench| {
        let mut told = bench.deploy("a", policy(Retry::never()), |_| Err(ErrorKind::Cancelled));
        let id = bench.submit("a", Event::new("a")).await;
        let now = bench.delivery.wall.now();
        let waits =
            |state| matches!(state, State::Waiting { due, attempt: 0, .. } if due > now).then_some(());
        tokio::time::timeout(Duration::from_secs(5), bench.until(&id, waits)).await.expect("it spins");
        assert!(told.recv().await.is_some());
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn an_event_that_is_too_old_is_not_tried() {
    test(async |bench| {
        let age = Duration::from_secs(60);
        let id = bench.submit("a", Event::new("a")).await;
        bench.clock.advance(age);
        let mut told = bench.deploy("a", policy(Retry::new().max_age(age)), |_| Ok(Response::new()));
        let history = bench.until_dead(&id).await;
        assert_eq!(history.death, Some(Death::EventAgeExceeded));
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn an_event_that_was_put_off_for_longer_than_its_age_allows_runs_when_it_is_due() {
    test(async |bench| {
        let (day, hour) = (Duration::from_secs(24 * 3600), Duration::from_secs(3600));
        let retry = Retry::new().attempts(9).backoff(hour, hour).max_age(hour * 3);
        let mut told = bench.deploy("a", policy(retry), |_| trapped());
        let due = bench.delivery.wall.now().plus(day);
        let parcel = Parcel { due: Some(due), ..Parcel::new(Event::new("a"), "a", &Context::new()) };
        let (channel, payload) = (channel_of("a"), parcel.encode());
        let draft = Draft { channel, payload, key: None, due, once: None };
        let id = bench.store.put(vec![draft]).await.unwrap().remove(0).id;
        let history = bench.until_dead(&id).await;
        assert_eq!((history.death, history.count()), (Some(Death::EventAgeExceeded), 3));
        assert!(told.recv().await.is_some());
        assert_eq!(bench.clock.now(), due.plus(hour * 2).time());
    });
}

#[test]
fn a_chain_of_events_ends() {
    test(async |bench| {
        let mut told = bench.deploy("a", policy(Retry::new()), |_| Ok(Response::new()));
        let parcel = |length| Parcel {
            lineage: vec!["a".to_owned(); length].into(),
            ..Parcel::new(Event::new("a"), "a", &Context::new())
        };
        bench.put("a", &parcel(16)).await;
        assert!(told.recv().await.is_some());
        let id = bench.put("a", &parcel(17)).await;
        assert_eq!(bench.until_dead(&id).await.death, Some(Death::RecursiveInvocation));
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn what_cannot_be_read_is_a_dead_letter() {
    test(async |bench| {
        let _told = bench.deploy("a", policy(Retry::new()), |_| Ok(Response::new()));
        let draft = Draft {
            channel: channel_of("a"),
            payload: "soup".into(),
            key: None,
            due: bench.delivery.wall.now(),
            once: None,
        };
        let id = bench.store.put(vec![draft]).await.unwrap().remove(0).id;
        assert_eq!(bench.until_dead(&id).await.death, Some(Death::Unreadable));
    });
}

#[test]
fn a_failing_answer_of_http_is_a_failure() {
    test(async |bench| {
        let answer = |_| Ok(Response::new().with_attribute("http.status", "404"));
        let _told = bench.deploy("a", policy(Retry::new()), answer);
        let id = bench.submit("a", Event::new("a")).await;
        let history = bench.until_dead(&id).await;
        assert_eq!(history.last_message(), Some(("http-status", "answered with http status 404")));
    });
}

#[test]
fn no_more_run_at_once_than_the_function_allows() {
    test(async |bench| {
        let (tell, mut told) = mpsc::unbounded_channel();
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let opened = Arc::clone(&gate);
        let handler: Handler = Arc::new(move |_, _| {
            let (tell, gate) = (tell.clone(), Arc::clone(&gate));
            async move {
                tell.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
                Ok(Response::new())
            }
            .boxed()
        });
        let policy = Arc::new(Policy { concurrency: 3, ..Policy::default() });
        bench.host.handlers.lock().insert("a".into(), (handler, policy));
        for _ in 0..10 {
            bench.submit("a", Event::new("a")).await;
        }
        for _ in 0..3 {
            assert!(told.recv().await.is_some());
        }
        let Depth { waiting, running, .. } = bench.store.depth(&Channel::new("f.a")).await.unwrap();
        assert_eq!((waiting, running), (7, 3));
        assert!(told.try_recv().is_err());
        opened.add_permits(10);
        for _ in 0..7 {
            assert!(told.recv().await.is_some());
        }
    });
}

#[test]
fn what_is_cut_off_is_given_back() {
    test(async |bench| {
        let (tell, mut told) = mpsc::unbounded_channel();
        let handler: Handler = Arc::new(move |_, _| {
            tell.send(()).unwrap();
            std::future::pending().boxed()
        });
        bench.host.handlers.lock().insert("a".into(), (handler, Arc::new(policy(Retry::new()))));
        let id = bench.submit("a", Event::new("a")).await;
        assert!(told.recv().await.is_some());
        assert!(matches!(bench.store.state(&id).await.unwrap(), Some(State::Running { attempt: 0 })));
        bench.delivery.close().unwrap().join().unwrap();
        assert!(matches!(bench.store.state(&id).await.unwrap(), Some(State::Waiting { attempt: 0, .. })));
    });
}
