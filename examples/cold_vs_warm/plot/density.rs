//! Where the times lie: a hill for each stage of events, or a stroke for each time where there are few.

use std::iter::once;

use crate::plot::canvas::Canvas;
use crate::plot::rows::Rows;
use crate::plot::{Size, both};
use crate::results::{Findings, Row};
use crate::stats::{self, Percentile};

/// With fewer samples a hill would be made of chance.
const HILL: usize = 100;
/// Pixels of one bin.
const BIN: f64 = 3.0;

/// Draws a hill for each stage of events.
pub(crate) fn densities(findings: &Findings) -> String {
    both(|size| draw(size, findings))
}

fn draw(size: Size, findings: &Findings) -> String {
    let stages: Vec<&Row> = findings.event_rows().collect();
    let ends = |row: &&Row| {
        let samples = &row.samples;
        [samples.lowest(), samples.percentile(Percentile::P99).unwrap_or(samples.highest())]
    };
    let rows = Rows::new(size, stages.iter().flat_map(ends), stages.len(), 38.0);
    let mut canvas = Canvas::new(size, &format!("Distribution of times of {}", findings.name));
    rows.draw_axis(&mut canvas);
    for (i, row) in stages.iter().enumerate() {
        rows.name(&mut canvas, i, row.stage.label(), &stats::time(row.samples.median()));
        canvas.group(row.stage.family().class(), row.stage.label(), |canvas| {
            if row.samples.count() < HILL {
                strokes(canvas, &rows, i, row);
            } else {
                hill(canvas, &rows, i, row);
            }
        });
    }
    canvas.finish(rows.total_height())
}

fn strokes(canvas: &mut Canvas, rows: &Rows, i: usize, row: &Row) {
    let (top, bottom) = rows.span(i);
    for time in row.samples.iter() {
        let x = rows.axis.x(time);
        canvas.line("stroke", (x, top + 14.0), (x, bottom - 2.0));
    }
}

fn hill(canvas: &mut Canvas, rows: &Rows, i: usize, row: &Row) {
    let (left, right) = (rows.axis.left(), rows.axis.right());
    let bins = ((right - left) / BIN) as usize;
    let counts = smooth(&row.samples.histogram(bins, |time| rows.axis.share(time)));
    let (top, bottom) = rows.span(i);
    let most = counts.iter().copied().fold(1e-9, f64::max);
    let foot = bottom - 1.0;
    let slope = counts.iter().enumerate().map(|(bin, count)| {
        let x = left + (bin as f64 + 0.5) * (right - left) / bins as f64;
        (x, foot - count / most * (foot - top - 5.0))
    });
    canvas.path("hill", once((left, foot)).chain(slope).chain(once((right, foot))), true);
}

/// A bin and its neighbours, so that the grain of the clock does not look like a comb.
fn smooth(counts: &[usize]) -> Vec<f64> {
    let at = |i: usize| counts.get(i).copied().unwrap_or(0) as f64;
    (0..counts.len()).map(|i| (at(i.wrapping_sub(1)) + 2.0 * at(i) + at(i + 1)) / 4.0).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::results::Stage;
    use crate::stats::Samples;

    fn svg(count: u64) -> String {
        let samples = Samples::new((1..=count).map(Duration::from_micros)).unwrap();
        let rows = vec![Row { stage: Stage::Reused, samples, split: None }];
        draw(Size::Narrow, &Findings { rows, ..Findings::default() })
    }

    #[test]
    fn few_times_are_strokes_and_many_are_a_hill() {
        assert_eq!((svg(9).matches("\"stroke\"").count(), svg(9).matches("\"hill\"").count()), (9, 0));
        assert_eq!((svg(100).matches("\"stroke\"").count(), svg(100).matches("\"hill\"").count()), (0, 1));
    }

    #[test]
    fn smoothing_keeps_the_sum_inside() {
        assert_eq!(smooth(&[0, 4, 0]), [1.0, 2.0, 1.0]);
    }
}
