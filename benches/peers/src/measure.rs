//! How it is measured: the peers take turns, and what counts is the ratio within a round.
//!
//! The machine may be shared and may stop threads by itself, so absolute times mean little and neighbouring slices
//! much. Each slice is well under 200 ms; the ratio is the median of the rounds' ratios.

use std::time::Duration;

use crate::crew::Crew;

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Whether the rounds are enough to judge by.
    pub(crate) judges: bool,
    pub(crate) rounds: usize,
    slice: Duration,
}

impl Effort {
    pub(crate) fn from_args() -> Self {
        if std::env::args().any(|arg| arg == "--quick") {
            Self { judges: false, rounds: 1, slice: Duration::from_millis(1) }
        } else {
            Self { judges: true, rounds: 25, slice: Duration::from_millis(50) }
        }
    }
}

/// Microseconds for an event, and how many times longer extism takes than fnhost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) fnhost: f64,
    pub(crate) bare: f64,
    pub(crate) extism: f64,
    pub(crate) ratio: Spread,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) lowest: f64,
    pub(crate) median: f64,
    pub(crate) highest: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self { lowest: values[0], median: values[values.len() / 2], highest: values[values.len() - 1] }
    }
}

/// Lets fnhost, the bare engine and extism take turns.
pub(crate) fn compare(effort: Effort, crews: &[Crew; 3]) -> Times {
    let events = crews.each_ref().map(|crew| calibrate(effort, crew));
    let round = |_| std::array::from_fn(|peer| crews[peer].slice(events[peer]));
    let rounds: Vec<[f64; 3]> = (0..effort.rounds).map(round).collect();
    let median = |peer: usize| Spread::of(rounds.iter().map(move |round| round[peer])).median;
    Times {
        fnhost: median(0),
        bare: median(1),
        extism: median(2),
        ratio: Spread::of(rounds.iter().map(|[fnhost, _, extism]| extism / fnhost)),
    }
}

/// Finds how many events fill a slice; it also warms what the first events pay for.
fn calibrate(effort: Effort, crew: &Crew) -> u32 {
    let wanted = effort.slice.as_secs_f64() * 1e6;
    let mut events = 1;
    loop {
        let each = crew.slice(events);
        if each * f64::from(events) >= wanted / 2.0 || events >= 1 << 24 {
            return ((wanted / each) as u32).max(1);
        }
        events *= 2;
    }
}
