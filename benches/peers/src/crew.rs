//! Threads that work when they are told to.
//!
//! They live as long as a case: threads made anew for each slice would pay each time for what engine and allocator
//! keep for each thread.

use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

/// Answers one event, and shows the answer.
pub(crate) type Worker = Box<dyn FnMut(&mut dyn FnMut(&[u8])) + Send>;

/// One thread for each worker.
pub(crate) struct Crew {
    hands: Vec<Hand>,
}

/// A thread: how many events to answer goes in, events in a microsecond come out.
struct Hand {
    orders: Sender<u32>,
    rates: Receiver<f64>,
}

impl Crew {
    pub(crate) fn hire(workers: Vec<Worker>) -> Self {
        let gate = Arc::new(Barrier::new(workers.len()));
        Self { hands: workers.into_iter().map(|worker| Hand::hire(worker, Arc::clone(&gate))).collect() }
    }

    /// Lets each thread answer so many events; returns microseconds for an event on one thread.
    ///
    /// With several threads it is their number by what they do together in a microsecond: as long as on one thread
    /// if they do not hinder one another.
    pub(crate) fn slice(&self, events: u32) -> f64 {
        for hand in &self.hands {
            hand.orders.send(events).expect("the thread waits for orders");
        }
        let rate = |hand: &Hand| hand.rates.recv().expect("every event is answered");
        self.hands.len() as f64 / self.hands.iter().map(rate).sum::<f64>()
    }
}

impl Hand {
    /// The gate lets all threads of a crew start at once.
    fn hire(mut worker: Worker, gate: Arc<Barrier>) -> Self {
        let ((orders, wanted), (report, rates)) = (channel::<u32>(), channel());
        thread::spawn(move || {
            for events in wanted {
                gate.wait();
                let _ = report.send(rate(events, &mut worker));
            }
        });
        Self { orders, rates }
    }
}

/// Returns events in a microsecond.
fn rate(events: u32, worker: &mut Worker) -> f64 {
    let started = Instant::now();
    for _ in 0..events {
        worker(&mut |answer| {
            black_box(answer.len());
        });
    }
    f64::from(events) / (started.elapsed().as_secs_f64() * 1e6)
}
