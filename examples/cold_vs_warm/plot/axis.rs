//! A logarithmic axis of times.

use std::time::Duration;

use crate::plot::canvas::{Anchor, Canvas};

/// Room that the text of a tick needs, in pixels.
const TICK: f64 = 46.0;

/// A logarithmic axis from left to right, in powers of ten of nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    left: f64,
    right: f64,
}

impl Axis {
    /// Makes one that shows all the times, ending at round values.
    pub(super) fn new(times: impl Iterator<Item = Duration>, left: f64, right: f64) -> Self {
        let logs: Vec<f64> = times.map(log).collect();
        let low = logs.iter().copied().reduce(f64::min).unwrap_or(3.0);
        let high = logs.iter().copied().reduce(f64::max).unwrap_or(6.0);
        let (low, mut high) = (round_down(low), round_up(high));
        if high - low < 0.5 {
            high = low + 1.0;
        }
        Self { low, high, left, right }
    }

    /// Tells where a time stands, from 0 at the left to 1 at the right; beyond them when it is outside.
    pub(super) fn share(&self, time: Duration) -> f64 {
        (log(time) - self.low) / (self.high - self.low)
    }

    /// Tells the x of a time; one that is outside stands at the edge.
    pub(super) fn x(&self, time: Duration) -> f64 {
        self.left + self.share(time).clamp(0.0, 1.0) * (self.right - self.left)
    }

    pub(super) fn left(&self) -> f64 {
        self.left
    }

    pub(super) fn right(&self) -> f64 {
        self.right
    }

    /// Draws lines from top to bottom, and below them the times at which they stand.
    pub(super) fn draw(&self, canvas: &mut Canvas, top: f64, bottom: f64) {
        for (x, label) in self.ticks() {
            canvas.line("grid", (x, top), (x, bottom));
            canvas.text("tick", (x, bottom + 16.0), Anchor::Middle, &label);
        }
    }

    /// Chooses ticks that have room: 1, 2 and 5 of each decade, each decade, or every so many decades.
    fn ticks(&self) -> Vec<(f64, String)> {
        let decade = (self.right - self.left) / (self.high - self.low);
        let steps: &[u32] = if decade * 0.3 >= TICK { &[1, 2, 5] } else { &[1] };
        let each = (TICK / decade).ceil().max(1.0) as usize;
        let decades = (self.low.floor() as i32..=self.high.ceil() as i32).step_by(each);
        let values = decades.flat_map(|decade| steps.iter().map(move |step| (decade, *step)));
        let ticks = values.filter_map(|(decade, step)| {
            let log = f64::from(decade) + f64::from(step).log10();
            let share = (log - self.low) / (self.high - self.low);
            let is_inside = (-1e-9..=1.0 + 1e-9).contains(&share);
            is_inside.then(|| (self.left + share * (self.right - self.left), label(decade, step)))
        });
        ticks.collect()
    }
}

fn log(time: Duration) -> f64 {
    (time.as_nanos().max(1) as f64).log10()
}

/// The next 1, 2 or 5 of a decade at or below.
fn round_down(log: f64) -> f64 {
    let decade = (log + 1e-9).floor();
    let step = [5f64, 2.0, 1.0].into_iter().map(f64::log10).find(|step| decade + step <= log + 1e-9);
    decade + step.unwrap_or(0.0)
}

/// The next one at or above: mirrored, 5 is 2.
fn round_up(log: f64) -> f64 {
    -round_down(-log)
}

fn label(decade: i32, step: u32) -> String {
    let (unit, below) = match decade {
        ..3 => ("ns", 0),
        3..6 => ("us", 3),
        6..9 => ("ms", 6),
        _ => ("s", 9),
    };
    let value = u64::from(step) * 10u64.pow((decade - below).clamp(0, 9) as u32);
    format!("{value} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(low: u64, high: u64, width: f64) -> Axis {
        Axis::new([low, high].map(Duration::from_nanos).into_iter(), 0.0, width)
    }

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn it_ends_at_round_times() {
        let axis = axis(1_200, 38_000_000, 350.0);
        assert!((axis.low - 3.0).abs() < 1e-6 && (axis.high - 50e6f64.log10()).abs() < 1e-6, "{axis:?}");
        assert_eq!(labels(&axis), ["1 us", "10 us", "100 us", "1 ms", "10 ms"]);
    }

    #[test]
    fn few_decades_have_finer_ticks_and_many_have_fewer() {
        assert_eq!(labels(&axis(2_000, 20_000, 350.0)), ["2 us", "5 us", "10 us", "20 us"]);
        assert_eq!(labels(&axis(100, 100_000_000_000, 300.0)), ["100 ns", "10 us", "1 ms", "100 ms", "10 s"]);
    }

    #[test]
    fn a_single_time_still_has_an_axis_and_an_outlier_stands_at_the_edge() {
        let axis = axis(1_000, 1_000, 100.0);
        assert!((axis.x(Duration::from_nanos(1_000))).abs() < 1e-6);
        assert!((axis.x(Duration::from_secs(1)) - 100.0).abs() < 1e-6);
        assert!((axis.x(Duration::ZERO)).abs() < 1e-6);
    }
}
