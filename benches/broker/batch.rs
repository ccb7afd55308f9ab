//! How many events of a queue a function gets through, in batches and one by one.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use fnhost::{Batch, Broker, Context, Event, Function, Queue, Response, Runtime, Trigger};

use crate::kit::{Effort, spread};
use crate::own::{Folder, event};

const BATCH: usize = 100;

/// A queue in a folder, and what its function tells of how many events it got.
struct Line {
    runtime: Runtime,
    queue: Queue,
    told: Receiver<usize>,
}

impl Line {
    fn new(folder: &Folder, name: &str, batch: Batch) -> Self {
        let broker = Broker::embedded(folder.path()).max_events(2_000_000);
        let runtime = Runtime::builder().broker(broker).build().expect("the folder is this bench's own");
        let (tell, told) = channel();
        let count = move |batch: Event, _: Context| {
            let tell = tell.clone();
            async move {
                // The bench may be over.
                let _ = tell.send(batch.batch()?.len());
                Ok(Response::new())
            }
        };
        let queue = runtime.queue(name).expect("a name");
        let trigger = Trigger::queue(name).to("count").batch(batch);
        runtime.block_on(async {
            runtime.deploy(Function::native("count", count)).await.expect("deployed");
            runtime.add_trigger("counting", trigger).await.expect("deployed just now");
        });
        Self { runtime, queue, told }
    }

    /// Publishes so many at once, and waits until all have come; answers events a second.
    fn rate(&self, count: usize) -> f64 {
        let (began, mut left) = (Instant::now(), count);
        self.runtime.block_on(async {
            for _ in 0..count / BATCH {
                self.queue.publish_all((0..BATCH).map(|_| event())).await.expect("they are kept");
            }
        });
        while left > 0 {
            left -= self.told.recv_timeout(Duration::from_secs(60)).expect("they come").min(left);
        }
        count as f64 / began.elapsed().as_secs_f64()
    }
}

pub(crate) fn run(effort: Effort) {
    let count = if effort.judges { 4_000 } else { BATCH };
    let (many, one) = (Folder::new("batches"), Folder::new("one-by-one"));
    let lines = [Line::new(&many, "many", Batch::of(BATCH)), Line::new(&one, "one", Batch::of(1))];
    let rates: Vec<_> = (0..effort.rounds).map(|_| lines.each_ref().map(|line| line.rate(count))).collect();
    let rate = |line: usize| spread(rates.iter().map(|rates| rates[line])).1;
    let (low, median, high) = spread(rates.iter().map(|rates| rates[0] / rates[1]));
    println!("\nevents of a queue, published and delivered");
    println!("{:<44} {:>12} {:>12}   ratio (lowest .. highest)", "", "batches", "one by one");
    let name = format!("batches of up to {BATCH}");
    println!("{name:<44} {:>9.0} /s {:>9.0} /s   {median:>5.2} ({low:.2} .. {high:.2})", rate(0), rate(1));
}
