//! Events over NATS: submitted, delivered and settled by a runtime, beside what the bare client needs to publish and
//! pull as many. It starts a server of its own.

#[path = "kit/mod.rs"]
mod kit;
#[path = "../src/broker/nats/tests/server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "it is that of the tests, and the bench restarts no server")]
mod server;

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use fnhost::{Broker, Context, Event, Function, Handler, Nats, Response, Runtime};
use futures_util::StreamExt;

use crate::kit::{Effort, spread};
use crate::server::Server;

const SUBMITTERS: usize = 64;
const BODY: &[u8] = &[b'x'; 256];

fn main() {
    let effort = Effort::from_args();
    let (server, threads) = (Server::new(), threads());
    let ours = Ours::new(&server.url());
    let bare = threads.block_on(Bare::new(&server.url()));
    let each = if effort.judges { 40 } else { 2 };
    let mut rates = Vec::new();
    for round in 0..effort.rounds * 2 {
        // Who was first comes second in the next round.
        rates.push(if round % 2 == 0 {
            let ours = ours.rate(&threads, each);
            (ours, threads.block_on(bare.rate(each)))
        } else {
            let bare = threads.block_on(bare.rate(each));
            (ours.rate(&threads, each), bare)
        });
    }
    print(&rates);
}

fn threads() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("threads")
}

fn print(rates: &[(f64, f64)]) {
    let (low, median, high) = spread(rates.iter().map(|(ours, bare)| ours / bare));
    let (ours, bare) = (spread(rates.iter().map(|r| r.0)).1, spread(rates.iter().map(|r| r.1)).1);
    println!("\nevents over NATS, {SUBMITTERS} submitters, from submission to settled");
    println!("{:<44} {:>12} {:>12}   ratio (lowest .. highest)", "", "fnhost", "bare client");
    println!("{:<44} {ours:>9.0} /s {bare:>9.0} /s   {median:>5.2} ({low:.2} .. {high:.2})", "events");
}

fn per_second(each: usize, began: Instant) -> f64 {
    (SUBMITTERS * each) as f64 / began.elapsed().as_secs_f64()
}

/// A runtime with a function that tells of each event.
struct Ours {
    handler: Handler,
    told: Receiver<()>,
    runtime: Runtime,
}

impl Ours {
    fn new(url: &str) -> Self {
        let broker = Broker::nats(Nats::at(url).namespace("bench"));
        let runtime = Runtime::builder().broker(broker).build().expect("the server is this bench's own");
        let (tell, told) = channel();
        let count = move |_: Event, _: Context| {
            let tell = tell.clone();
            async move {
                // The bench may be over.
                let _ = tell.send(());
                Ok(Response::new())
            }
        };
        runtime.block_on(runtime.deploy(Function::native("count", count))).expect("deployed");
        let handler = runtime.handler("count").expect("deployed just now");
        Self { handler, told, runtime }
    }

    fn rate(&self, threads: &tokio::runtime::Runtime, each: usize) -> f64 {
        let began = Instant::now();
        threads.block_on(all(|| {
            let handler = self.handler.clone();
            async move {
                for _ in 0..each {
                    handler.submit(Event::bytes("click", BODY)).await.expect("it is kept");
                }
            }
        }));
        for _ in 0..SUBMITTERS * each {
            self.told.recv_timeout(Duration::from_secs(60)).expect("it comes");
        }
        // So that the twin's turn bears none of this one's work.
        while !threads.block_on(self.is_settled()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        per_second(each, began)
    }

    async fn is_settled(&self) -> bool {
        let backlog = self.runtime.backlogs().of_function("count").await.expect("the server answers");
        backlog.waiting + backlog.retrying + backlog.running == 0
    }
}

/// Lets all submit at once.
async fn all<F: Future<Output = ()> + Send + 'static>(submit: impl Fn() -> F) {
    let tasks: Vec<_> = (0..SUBMITTERS).map(|_| tokio::spawn(submit())).collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
}

/// The client alone: published and acknowledged, pulled and acknowledged.
struct Bare {
    context: jetstream::Context,
    consumer: PullConsumer,
}

impl Bare {
    async fn new(url: &str) -> Self {
        let context = jetstream::new(async_nats::connect(url).await.expect("the server listens"));
        let config = stream::Config {
            name: "bare".into(),
            subjects: vec!["bare.work".into()],
            retention: stream::RetentionPolicy::WorkQueue,
            ..stream::Config::default()
        };
        let stream = context.create_stream(config).await.expect("a new stream");
        let config = pull::Config { durable_name: Some("a".into()), ..pull::Config::default() };
        let consumer = stream.create_consumer(config).await.expect("a new consumer");
        Self { context, consumer }
    }

    async fn rate(&self, each: usize) -> f64 {
        let began = Instant::now();
        all(|| {
            let context = self.context.clone();
            async move {
                for _ in 0..each {
                    let kept = context.publish("bare.work", Bytes::from_static(BODY)).await.expect("sent");
                    kept.await.expect("it is kept");
                }
            }
        })
        .await;
        let messages = self.consumer.stream().max_messages_per_batch(256).messages().await;
        let mut messages = messages.expect("the server answers");
        for _ in 0..SUBMITTERS * each {
            let message = messages.next().await.expect("there is one more").expect("it comes whole");
            message.ack().await.expect("sent");
        }
        self.consumer.get_info().await.expect("the server answers");
        per_second(each, began)
    }
}
