//! Events one after the other, events with pauses, and events from many threads.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use fnhost::{Error, Event, Handler, Report, Start};

use crate::results::Split;

/// More samples than this say nothing new.
const MOST_SAMPLES: usize = 200_000;
/// Before anything counts: the first events map the program and fault its pages in.
const WARM_UP: Duration = Duration::from_millis(30);
/// A system that is told to sleep sleeps longer; what is left is waited for awake.
const AWAKE: Duration = Duration::from_micros(250);

/// The times of events, and what their reports say.
#[derive(Debug, Default)]
pub(crate) struct Series {
    times: Vec<Duration>,
    setups: Vec<Duration>,
    inits: Vec<Duration>,
    handlers: Vec<Duration>,
    prepared: usize,
}

impl Series {
    fn add(&mut self, time: Duration, report: &Report) {
        self.times.push(time);
        self.setups.push(report.setup);
        self.inits.extend(report.init);
        self.handlers.push(report.handler);
        self.prepared += usize::from(report.start == Some(Start::Prepared));
    }

    /// Returns the share of events that found a sandbox ready.
    pub(crate) fn prepared_share(&self) -> f64 {
        self.prepared as f64 / self.times.len().max(1) as f64
    }

    pub(crate) fn split(&self) -> Option<Split> {
        Some(Split {
            setup: median(&self.setups)?,
            init: median(&self.inits),
            handler: median(&self.handlers)?,
        })
    }

    pub(crate) fn into_times(self) -> Vec<Duration> {
        self.times
    }
}

/// The middle one, which may be nothing at all: a reused sandbox needs no setup.
fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied()
}

/// Sends one event after the other for as long as it may take.
pub(crate) fn without_pause(handler: &Handler, event: &Event, budget: Duration) -> Result<Series, Error> {
    warm_up(handler, event)?;
    let (mut series, started) = (Series::default(), Instant::now());
    while series.times.is_empty() || started.elapsed() < budget && series.times.len() < MOST_SAMPLES {
        send(handler, event, &mut series)?;
    }
    Ok(series)
}

/// Sends an event in each period.
pub(crate) fn paced(
    handler: &Handler,
    event: &Event,
    budget: Duration,
    period: Duration,
) -> Result<Series, Error> {
    warm_up(handler, event)?;
    let (mut series, started) = (Series::default(), Instant::now());
    let mut next = started + period;
    while series.times.is_empty() || started.elapsed() < budget && series.times.len() < MOST_SAMPLES {
        wait_until(next);
        send(handler, event, &mut series)?;
        // An event that comes late does not make the next one come early.
        next = (next + period).max(Instant::now());
    }
    Ok(series)
}

fn send(handler: &Handler, event: &Event, series: &mut Series) -> Result<(), Error> {
    let event = event.clone();
    let started = Instant::now();
    let response = handler.invoke_blocking(event)?;
    series.add(started.elapsed(), response.report());
    Ok(())
}

fn warm_up(handler: &Handler, event: &Event) -> Result<(), Error> {
    let started = Instant::now();
    handler.invoke_blocking(event.clone())?;
    while started.elapsed() < WARM_UP {
        handler.invoke_blocking(event.clone())?;
    }
    Ok(())
}

fn wait_until(moment: Instant) {
    let left = moment.saturating_duration_since(Instant::now());
    if left > AWAKE {
        thread::sleep(left - AWAKE);
    }
    while Instant::now() < moment {
        // On one core somebody else has to prepare the next sandbox.
        thread::yield_now();
    }
}

/// Answers how many events so many threads get through in a second.
pub(crate) fn rate(handler: &Handler, event: &Event, threads: usize, slice: Duration) -> Result<f64, Error> {
    let (start, over) = (Barrier::new(threads + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let work = || {
            let warm = warm_up(handler, event);
            start.wait();
            warm?;
            let mut served = 0_u64;
            while !over.load(Relaxed) {
                handler.invoke_blocking(event.clone())?;
                served += 1;
            }
            Ok::<u64, Error>(served)
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        start.wait();
        let started = Instant::now();
        thread::sleep(slice);
        over.store(true, Relaxed);
        let mut served = 0;
        for worker in workers {
            served += worker.join().expect("no worker panics: errors are answers")?;
        }
        // The last event of each thread ends after the slice, and its time counts with it.
        Ok(served as f64 / started.elapsed().as_secs_f64())
    })
}

/// The numbers of threads to try: each up to 8, then in doubles, and all cores in any case.
pub(crate) fn thread_counts(cores: usize) -> Vec<usize> {
    let doubles = std::iter::successors(Some(16), |count| Some(count * 2)).take_while(|count| *count < cores);
    let mut counts: Vec<usize> = (1..=cores.min(8)).chain(doubles).chain([cores]).collect();
    counts.dedup();
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_tried_one_by_one_and_then_in_doubles() {
        assert_eq!(thread_counts(1), [1]);
        assert_eq!(thread_counts(3), [1, 2, 3]);
        assert_eq!(thread_counts(24), [1, 2, 3, 4, 5, 6, 7, 8, 16, 24]);
        assert_eq!(thread_counts(16), [1, 2, 3, 4, 5, 6, 7, 8, 16]);
    }

    #[test]
    fn waiting_ends_at_the_moment_and_not_before() {
        let moment = Instant::now() + Duration::from_micros(400);
        wait_until(moment);
        assert!(Instant::now() >= moment);
    }
}
