//! Percentile curves: how many of the events were done within a time, with the rare slow ones drawn apart.

use std::time::Duration;

use crate::plot::axis::Axis;
use crate::plot::canvas::{Anchor, Canvas};
use crate::plot::{Size, both};
use crate::results::{Findings, Row};
use crate::stats::{self, Percentile};

const POINTS: usize = 120;
const TOP: f64 = 10.0;
const HEIGHT: f64 = 240.0;
const FOOT: f64 = 24.0;
/// The axis goes to 99.9 %: one more nine would show the machine rather than the guest.
const MOST_NINES: f64 = 3.0;

/// Draws a curve for each stage of events.
pub(crate) fn percentiles(findings: &Findings) -> String {
    both(|size| draw(size, findings))
}

fn draw(size: Size, findings: &Findings) -> String {
    let curves: Vec<(&Row, Vec<(f64, Duration)>)> =
        findings.event_rows().map(|row| (row, row.samples.curve(POINTS, MOST_NINES))).collect();
    let times = curves.iter().flat_map(|(_, curve)| curve.iter().map(|(_, time)| *time));
    let axis = Axis::new(times, 54.0, size.width() - 22.0);
    let most =
        curves.iter().filter_map(|(_, curve)| curve.last()).map(|(nines, _)| *nines).fold(1.0, f64::max);
    let y = |nines: f64| TOP + HEIGHT * (1.0 - nines / most);
    let mut canvas = Canvas::new(size, &format!("Percentile curves of {}", findings.name));
    axis.draw(&mut canvas, TOP, TOP + HEIGHT);
    for (percentile, label) in percents().filter(|(percentile, _)| percentile.nines() <= most + 1e-9) {
        let y = y(percentile.nines());
        canvas.line("grid", (axis.left(), y), (axis.right(), y));
        canvas.text("tick", (axis.left() - 8.0, y + 4.0), Anchor::End, &label);
    }
    for (row, curve) in &curves {
        let class = row.stage.family().class();
        let shape = if row.stage.is_variant() { "curve variant" } else { "curve" };
        let points = curve.iter().map(|(nines, time)| (axis.x(*time), y(*nines)));
        canvas.group(class, &title(row), |canvas| canvas.path(shape, points, false));
    }
    canvas.finish(TOP + HEIGHT + FOOT)
}

fn title(row: &Row) -> String {
    format!("{}: half within {}", row.stage.label(), stats::time(row.samples.median()))
}

/// The percentiles that have a line: 0, 50, 90, 99, 99.9.
fn percents() -> impl Iterator<Item = (Percentile, String)> {
    let lowest = Percentile::from_nines(0.0);
    let all = [
        lowest,
        Percentile::MEDIAN,
        Percentile::from_nines(1.0),
        Percentile::P99,
        Percentile::from_nines(3.0),
    ];
    all.into_iter()
        .map(|percentile| (percentile, format!("{} %", (percentile.percent() * 10.0).round() / 10.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Stage;
    use crate::stats::Samples;

    fn findings(count: u64) -> Findings {
        let samples = Samples::new((1..=count).map(Duration::from_micros)).unwrap();
        let rows = vec![Row { stage: Stage::Fresh, samples, split: None }];
        Findings { rows, ..Findings::default() }
    }

    #[test]
    fn percents_are_written_short() {
        let labels: Vec<String> = percents().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
    }

    #[test]
    fn the_axis_has_no_percentile_that_no_curve_reaches() {
        let svg = draw(Size::Wide, &findings(100));
        assert!(svg.contains(">99 %<") && !svg.contains(">99.9 %<"));
        assert!(draw(Size::Wide, &findings(5_000)).contains(">99.9 %<"));
    }

    #[test]
    fn one_sample_and_none_are_drawn_without_numbers_that_are_none() {
        for count in [0, 1] {
            let findings = if count == 0 { Findings::default() } else { findings(count) };
            let svg = percentiles(&findings);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
