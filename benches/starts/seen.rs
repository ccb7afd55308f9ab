//! One event as it is seen from outside, with what its report says.

use std::time::{Duration, Instant};

use fnhost::{Event, Handler, Response, Start};

use crate::kit::spread;
use crate::snapshots::BODY;

/// One event, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) start: Start,
    pub(crate) total: f64,
    pub(crate) setup: f64,
    pub(crate) handler: f64,
    /// Page faults of this thread.
    pub(crate) faults: f64,
}

pub(crate) fn seen(handler: &Handler) -> Seen {
    let event = event();
    let (faults, started) = (faults(), Instant::now());
    let response: Response = handler.invoke_blocking(event).expect("an answer");
    let (total, faults) = (started.elapsed(), self::faults() - faults);
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let report = response.report();
    Seen {
        start: report.start.expect("it started"),
        total: us(total),
        setup: us(report.setup),
        handler: us(report.handler),
        faults,
    }
}

/// An event that the JSON guests answer.
pub(crate) fn event() -> Event {
    Event::bytes("bench", BODY)
}

pub(crate) fn median(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    spread(seen.iter().map(of)).1
}

/// Returns how many pages this thread has touched for the first time.
fn faults() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let behind = stat.rsplit(')').next().unwrap_or_default();
    behind.split_whitespace().nth(7).and_then(|faults| faults.parse().ok()).unwrap_or(f64::NAN)
}
