//! Runtimes that share a server, as far as a test needs them: each a store that can be killed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::broker::nats::tests::{namespace, open, wall};
use crate::broker::nats::{Cluster, Nats};
use crate::broker::{Bounds, Channel, Draft, Lease, Once, Store};
use crate::clock::Clock;
use crate::wall::Wall;

/// After how long the crew takes up what a killed one had.
pub(super) const WAIT: Duration = Duration::from_millis(1_500);

/// What opens stores on one namespace of a server.
pub(super) struct Crew {
    nats: Nats,
    pub(super) wall: Wall,
    _clock: Clock,
}

/// What workers have seen: how often each text was started.
pub(super) type Seen = Arc<Mutex<HashMap<String, u32>>>;

impl Crew {
    pub(super) fn of(url: String) -> Self {
        let (wall, clock) = wall();
        let nats =
            Nats::at(url).namespace(namespace()).ack_wait(WAIT).connect_within(Duration::from_secs(20));
        Self { nats, wall, _clock: clock }
    }

    pub(super) fn open(&self) -> Arc<Cluster> {
        open(self.nats.clone(), Bounds::default(), self.wall.clone())
    }

    /// Opens one that takes others for dead after some time.
    pub(super) fn open_with(&self, ack_wait: Duration) -> Arc<Cluster> {
        open(self.nats.clone().ack_wait(ack_wait), Bounds::default(), self.wall.clone())
    }

    pub(super) fn draft(&self, text: &str) -> Draft {
        Draft {
            channel: Channel::new("f.crew"),
            payload: Bytes::copy_from_slice(text.as_bytes()),
            key: None,
            due: self.wall.now(),
            once: None,
        }
    }

    pub(super) fn once(&self, key: &str, text: &str) -> Draft {
        Draft { once: Some(Once { key: key.into(), window: Duration::from_secs(3600) }), ..self.draft(text) }
    }
}

pub(super) fn channel() -> Channel {
    Channel::new("f.crew")
}

pub(super) fn text(lease: &Lease) -> String {
    String::from_utf8(lease.payload.to_vec()).unwrap()
}

/// Takes and settles what comes, each after `started` has heard of it, until told to stop.
pub(super) fn work(
    store: Arc<Cluster>,
    stop: Arc<AtomicBool>,
    started: impl Fn(&str) + Send + Sync + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let channel = channel();
        while !stop.load(SeqCst) {
            let pull = tokio::time::timeout(Duration::from_millis(300), store.pull(&channel, 8)).await;
            let Ok(Ok(leases)) = pull else {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            for mut lease in leases {
                started(&text(&lease));
                while lease.settle(crate::broker::conformance::done(), Vec::new()).await.is_err() {
                    if stop.load(SeqCst) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    })
}

pub(super) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(45);
    while !is_so() {
        assert!(Instant::now() < until, "it does not come: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let limit = Duration::from_secs(120);
    runtime.block_on(async { tokio::time::timeout(limit, test).await.expect("it hangs") });
}
