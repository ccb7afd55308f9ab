//! How many events a second, beside the bare client, in one run.
//!
//! It measures when `FNHOST_MEASURE` is set, alone and with optimizations; else it sees that both go through:
//! `FNHOST_MEASURE=1 cargo test --release --features nats --lib broker::nats::tests::rate -- --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::broker::conformance::done;
use crate::broker::nats::Cluster;
use crate::broker::nats::names::Lane;
use crate::broker::nats::tests::crew::{Crew, channel, run};
use crate::broker::nats::tests::server::Server;
use crate::broker::{Draft, Store};

const SUBMITTERS: usize = 64;
/// What of the bare client's rate is to be left.
const BAR: f64 = 0.7;

/// How many rounds, and how many events of each submitter in one.
fn extent() -> (usize, usize) {
    if std::env::var_os("FNHOST_MEASURE").is_some() { (21, 100) } else { (2, 3) }
}

async fn ours(store: &Arc<Cluster>, draft: &Draft, each: usize) -> (f64, f64) {
    let began = Instant::now();
    let submitters: Vec<_> = (0..SUBMITTERS)
        .map(|_| {
            let (store, draft) = (Arc::clone(store), draft.clone());
            tokio::spawn(async move {
                for _ in 0..each {
                    store.put(vec![draft.clone()]).await.unwrap();
                }
            })
        })
        .collect();
    for submitter in submitters {
        submitter.await.unwrap();
    }
    let put = began.elapsed();
    let (mut count, channel) = (0, channel());
    while count < SUBMITTERS * each {
        for mut lease in store.pull(&channel, 256).await.unwrap() {
            lease.settle(done(), Vec::new()).await.unwrap();
            count += 1;
        }
    }
    until_acknowledged(store).await;
    (rate(each, began.elapsed()), rate(each, put))
}

/// Waits until the server has the acknowledgement of everything, so that the twin's turn bears none of this one's work.
async fn until_acknowledged(store: &Arc<Cluster>) {
    while store.core.desk.lock().all().next().is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let name = store.core.names.consumer(&channel(), Lane::Now);
    store.core.stock.work.consumer_info(name).await.unwrap();
}

async fn bare(
    (context, consumer): (&jetstream::Context, &PullConsumer),
    payload: &Bytes,
    each: usize,
) -> (f64, f64) {
    let began = Instant::now();
    let publishers: Vec<_> = (0..SUBMITTERS)
        .map(|_| {
            let (context, payload) = (context.clone(), payload.clone());
            tokio::spawn(async move {
                for _ in 0..each {
                    context.publish("bare.work.a", payload.clone()).await.unwrap().await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let put = began.elapsed();
    let mut messages = consumer.stream().max_messages_per_batch(256).messages().await.unwrap();
    for _ in 0..SUBMITTERS * each {
        messages.next().await.unwrap().unwrap().ack().await.unwrap();
    }
    consumer.get_info().await.unwrap();
    (rate(each, began.elapsed()), rate(each, put))
}

fn rate(each: usize, time: Duration) -> f64 {
    (SUBMITTERS * each) as f64 / time.as_secs_f64()
}

async fn consumer(context: &jetstream::Context) -> PullConsumer {
    let config = stream::Config {
        name: "bare".into(),
        subjects: vec!["bare.work.>".into()],
        retention: stream::RetentionPolicy::WorkQueue,
        num_replicas: 1,
        ..stream::Config::default()
    };
    let stream = context.create_stream(config).await.unwrap();
    let config = pull::Config { durable_name: Some("a".into()), ..pull::Config::default() };
    stream.create_consumer(config).await.unwrap()
}

#[test]
fn the_rate_is_most_of_the_bare_clients() {
    run(async {
        let server = Server::new();
        let crew = Crew::of(server.url());
        let store = crew.open();
        let draft = crew.draft(&"x".repeat(256));
        let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
        let consumer = consumer(&context).await;
        let ((rounds, each), mut ratios) = (extent(), Vec::new());
        for round in 0..rounds {
            let (mine, theirs) = if round % 2 == 0 {
                let mine = ours(&store, &draft, each).await;
                (mine, bare((&context, &consumer), &draft.payload, each).await)
            } else {
                let theirs = bare((&context, &consumer), &draft.payload, each).await;
                (ours(&store, &draft, each).await, theirs)
            };
            let ratio = mine.0 / theirs.0;
            println!(
                "ours {:6.0}/s (put {:6.0}/s), bare {:6.0}/s (publish {:6.0}/s): {ratio:.2}",
                mine.0, mine.1, theirs.0, theirs.1
            );
            ratios.push(ratio);
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios[rounds / 2];
        println!("median {median:.2}, lowest {:.2}, highest {:.2}", ratios[0], ratios[rounds - 1]);
        assert!(rounds < 9 || median >= BAR, "{median:.2} of {BAR}");
    });
}
