//! How the benches measure: ours and its twin take turns, and what counts is the ratio within a round.
//!
//! The machine may be shared and may stop threads by itself, so absolute times mean little and neighbouring
//! slices much. Each slice is well under 200 ms; the answer is the median of the rounds' ratios, with the lowest
//! and the highest.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::time::{Duration, Instant};

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Whether the rounds are enough to judge by.
    pub(crate) judges: bool,
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
}

impl Effort {
    /// Reads the command line: `--test` (as `cargo test --benches` passes it) runs everything once.
    pub(crate) fn from_args() -> Self {
        if std::env::args().any(|arg| arg == "--test" || arg == "--quick") {
            Self { judges: false, rounds: 1, slice: Duration::from_millis(1) }
        } else {
            Self { judges: true, rounds: 11, slice: Duration::from_millis(120) }
        }
    }
}

/// Whether the case is asked for by the command line; with no name given, all are.
pub(crate) fn is_wanted(name: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|wanted| name.contains(&wanted))
}

/// A ratio over all rounds, with the times behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    pub(crate) ours_us: f64,
    pub(crate) twin_us: f64,
}

/// Lets ours and its twin take turns.
pub(crate) fn compare(effort: Effort, ours: &mut dyn FnMut(u32), twin: &mut dyn FnMut(u32)) -> Ratio {
    let (ours_runs, twin_runs) = (calibrate(effort, ours), calibrate(effort, twin));
    let rounds = (0..effort.rounds).map(|_| (slice(ours_runs, ours), slice(twin_runs, twin)));
    let rounds: Vec<(f64, f64)> = rounds.collect();
    let (low, median, high) = spread(rounds.iter().map(|(ours, twin)| ours / twin));
    Ratio {
        median,
        lowest: low,
        highest: high,
        ours_us: spread(rounds.iter().map(|(ours, _)| *ours)).1,
        twin_us: spread(rounds.iter().map(|(_, twin)| *twin)).1,
    }
}

/// Answers the lowest, the median and the highest.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2], values[values.len() - 1])
}

/// Finds how many runs fill a slice.
pub(crate) fn calibrate(effort: Effort, work: &mut dyn FnMut(u32)) -> u32 {
    let mut runs = 1;
    loop {
        let took = Duration::from_secs_f64(slice(runs, work) * f64::from(runs) / 1e6);
        if took >= effort.slice / 2 || runs >= 1 << 24 {
            let wanted = f64::from(runs) * effort.slice.as_secs_f64() / took.as_secs_f64().max(1e-9);
            return (wanted as u32).max(1);
        }
        runs *= 2;
    }
}

/// Answers microseconds a run.
fn slice(runs: u32, work: &mut dyn FnMut(u32)) -> f64 {
    let started = Instant::now();
    work(runs);
    started.elapsed().as_secs_f64() * 1e6 / f64::from(runs)
}

/// Prints one line of the table.
pub(crate) fn print(effort: Effort, name: &str, ratio: Ratio, target: Option<f64>) {
    let verdict = match target {
        None => String::new(),
        Some(_) if !effort.judges => String::new(),
        Some(most) if ratio.median <= most => format!("  <= {most} ok"),
        Some(most) => format!("  <= {most} MISSED"),
    };
    println!(
        "{name:<44} {:>9.3} us {:>9.3} us   {:>5.2} ({:.2} .. {:.2}){verdict}",
        ratio.ours_us, ratio.twin_us, ratio.median, ratio.lowest, ratio.highest
    );
}

pub(crate) fn print_head(title: &str) {
    println!("\n{title}\n{:<44} {:>12} {:>12}   ratio (lowest .. highest)", "", "fnhost", "bare engine");
}
