//! Streams over the store in memory: runtimes with hosts of closures, and a clock that is moved by hand.

mod batches;
mod failures;
mod order;
mod places;
mod sharing;

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use crate::broker::{Bounds, Memory, Store};
use crate::context::Context;
use crate::delivery::tests::{Answer, Fake, Handler};
use crate::delivery::{
    Delivery, EventStreamOptions, Host, Journal, Parcel, Policy, StreamTrigger, queue_channel,
};
use crate::event::{Event, Response};
use crate::wall::{ManualClock, Wall};

const SECOND: Duration = Duration::from_secs(1);

/// One runtime: a host and what delivers to it.
struct Node {
    host: Arc<Fake>,
    delivery: Arc<Delivery>,
}

/// Several runtimes on one store.
struct Rig {
    clock: ManualClock,
    store: Arc<Memory>,
    nodes: Vec<Node>,
}

/// A batch, as a function saw it.
#[derive(Clone, Debug)]
struct Seen {
    shard: u32,
    sequences: Vec<u64>,
    texts: Vec<String>,
    tenant: Option<String>,
    attempt: u32,
    at: SystemTime,
    bytes: usize,
}

impl Rig {
    fn new(nodes: usize) -> Self {
        let clock = ManualClock::at(SystemTime::now());
        let wall = Wall::Manual(clock.clone());
        let store = Memory::new(wall.clone(), Bounds::default());
        let nodes = (0..nodes).map(|_| Node::new(&store, &wall)).collect();
        Self { clock, store, nodes }
    }

    fn delivery(&self) -> &Delivery {
        &self.nodes[0].delivery
    }

    async fn stream(&self, shards: u32) -> Journal {
        self.delivery().open_stream("clicks", &EventStreamOptions::new().shards(shards)).await.unwrap()
    }

    /// Appends records of one key, each with a text as its body.
    async fn append(&self, journal: &Journal, key: &str, texts: &[&str]) -> (u32, u64) {
        self.append_of(journal, key, "acme", texts).await
    }

    async fn append_of(&self, journal: &Journal, key: &str, tenant: &str, texts: &[&str]) -> (u32, u64) {
        let context = Context::new().with_tenant(tenant);
        let pack = |text: &&str| Parcel::new(text_event(text), "", &context).encode();
        let payloads = texts.iter().map(pack).collect();
        self.delivery().append(journal, Some(key), payloads).await.unwrap()
    }

    /// Waits until somebody waits for a moment that far from now, before any other, and goes there.
    async fn pass(&self, time: Duration) {
        self.until_waiting(time).await;
        self.clock.advance(time);
    }

    async fn until_waiting(&self, time: Duration) {
        while self.clock.next_wait() != Some(self.clock.now() + time) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the lease of a shard is longer than this.
    async fn until_leased(&self, trigger: &str, shard: u32, time: Duration) {
        loop {
            let value = self.value(&format!("lease.{trigger}.{shard}")).await.unwrap();
            let until = SystemTime::UNIX_EPOCH + Duration::from_millis(value["until"].as_u64().unwrap());
            if until > self.clock.now() + time {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a batch comes, moving the clock on to whatever is waited for.
    async fn run_until(&self, told: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
        loop {
            if let Ok(Some(seen)) = tokio::time::timeout(Duration::from_millis(20), told.recv()).await {
                return seen;
            }
            if let Some(next) = self.clock.next_wait() {
                self.clock.advance(next.duration_since(self.clock.now()).unwrap_or_default());
            }
        }
    }

    /// Waits until the checkpoint of a shard is there.
    async fn until_done(&self, trigger: &str, shard: u32, next: u64) {
        while self.checkpoint(trigger, shard).await != Some(next) {
            tokio::task::yield_now().await;
        }
    }

    async fn checkpoint(&self, trigger: &str, shard: u32) -> Option<u64> {
        let value = self.value(&format!("checkpoint.{trigger}.{shard}")).await?;
        value["next"].as_u64()
    }

    async fn owner(&self, trigger: &str, shard: u32) -> Option<String> {
        let value = self.value(&format!("lease.{trigger}.{shard}")).await?;
        value["owner"].as_str().filter(|owner| !owner.is_empty()).map(Into::into)
    }

    async fn value(&self, key: &str) -> Option<Value> {
        let known = self.store.get(key).await.unwrap()?;
        serde_json::from_slice(&known.value).unwrap()
    }

    /// Takes what came into a queue next.
    async fn letter(&self, queue: &str) -> Parcel {
        let mut leases = self.store.pull(&queue_channel(queue), 1).await.unwrap();
        let mut lease = leases.remove(0);
        let parcel = Parcel::decode(&lease.payload).unwrap();
        lease.settle(crate::broker::Verdict::Done { summary: "".into() }, Vec::new()).await.unwrap();
        parcel
    }

    async fn waiting(&self, queue: &str) -> u64 {
        self.store.depth(&queue_channel(queue)).await.unwrap().waiting
    }
}

impl Node {
    fn new(store: &Arc<Memory>, wall: &Wall) -> Self {
        let host = Arc::new(Fake::default());
        let seen: Weak<dyn Host> = Arc::downgrade(&(Arc::clone(&host) as Arc<dyn Host>));
        let delivery = Delivery::new((Arc::clone(store) as _, wall.clone()), seen, (2, 16));
        delivery.begin();
        Self { host, delivery }
    }

    /// Deploys a function that tells what it is sent, and answers what it is given.
    fn deploy(
        &self,
        answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> mpsc::UnboundedReceiver<Seen> {
        let answer = Arc::new(answer);
        self.deploy_slow(move |seen| {
            let answer = answer(&seen);
            async move { answer }.boxed()
        })
    }

    /// As [`deploy`](Self::deploy), but answers in its own time.
    fn deploy_slow(
        &self,
        answer: impl Fn(Seen) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    ) -> mpsc::UnboundedReceiver<Seen> {
        let (tell, told) = mpsc::unbounded_channel();
        let wall = self.delivery.wall.clone();
        let handler: Handler = Arc::new(move |event: Event, context: Context| {
            let seen = see(&event, &context, wall.now().time());
            // Nobody listens once the test has seen enough.
            let _ = tell.send(seen.clone());
            answer(seen)
        });
        let policy = Arc::new(Policy { concurrency: 4, ..Policy::default() });
        self.host.handlers.lock().insert("count".into(), (handler, policy));
        self.delivery.deployed("count");
        told
    }

    /// Deploys one that answers as often as the gate has permits.
    fn deploy_gated(&self) -> (mpsc::UnboundedReceiver<Seen>, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        let opened = Arc::clone(&gate);
        let told = self.deploy_slow(move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(Response::new())
            }
            .boxed()
        });
        (told, opened)
    }

    fn undeploy(&self) {
        self.host.handlers.lock().remove("count");
    }

    fn read(&self, trigger: StreamTrigger) {
        assert!(self.delivery.add_stream(trigger.into_consumer("tally", "count").unwrap()));
    }

    /// Ends as a process does that is killed: nothing is given back.
    fn die(&self) {
        if let Some(thread) = self.delivery.hands.close() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(thread) = self.delivery.close() {
            thread.join().unwrap();
        }
    }
}

fn text_event(text: &str) -> Event {
    Event::bytes("click", text.to_owned()).with_content_type("text/plain").with_id(format!("id-{text}"))
}

fn see(batch: &Event, context: &Context, at: SystemTime) -> Seen {
    let events = batch.batch().unwrap();
    let number = |event: &Event, name| event.extension(name).unwrap().to_string().parse::<u64>().unwrap();
    Seen {
        shard: number(&events[0], "shard") as u32,
        sequences: events.iter().map(|event| number(event, "sequence")).collect(),
        texts: events.iter().map(|event| event.body_text().unwrap().to_owned()).collect(),
        tenant: context.tenant().map(Into::into),
        attempt: context.attempt(),
        at,
        bytes: batch.body().len(),
    }
}

/// Answers that these sequences have failed.
fn failed(sequences: &[u64]) -> Answer {
    Ok(Response::batch_failures(sequences.iter().map(u64::to_string)))
}

fn test<F: Future<Output = ()>>(nodes: usize, test: impl FnOnce(Arc<Rig>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let rig = Arc::new(Rig::new(nodes));
        tokio::time::timeout(Duration::from_secs(60), test(rig)).await.expect("it hangs");
    });
}
