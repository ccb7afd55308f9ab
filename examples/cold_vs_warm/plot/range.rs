//! Every stage as a range: from the lowest time to the highest, with the median and what lies above it.

use crate::plot::canvas::Canvas;
use crate::plot::mark::{self, Shape};
use crate::plot::rows::Rows;
use crate::plot::{Size, both};
use crate::results::{Findings, Row};
use crate::stats::{self, Percentile};

/// Draws all stages of a guest.
pub(crate) fn ranges(findings: &Findings) -> String {
    both(|size| draw(size, findings))
}

fn draw(size: Size, findings: &Findings) -> String {
    let times = findings.rows.iter().flat_map(|row| [row.samples.lowest(), row.samples.highest()]);
    let rows = Rows::new(size, times, findings.rows.len(), if size == Size::Wide { 27.0 } else { 16.0 });
    let mut canvas = Canvas::new(size, &format!("Times of each stage of {}", findings.name));
    rows.draw_axis(&mut canvas);
    for (i, row) in findings.rows.iter().enumerate() {
        rows.name(&mut canvas, i, row.stage.label(), &stats::time(row.samples.median()));
        canvas.group(row.stage.family().class(), &title(row), |canvas| stage(canvas, &rows, i, row));
    }
    canvas.finish(rows.total_height())
}

fn stage(canvas: &mut Canvas, rows: &Rows, i: usize, row: &Row) {
    let (y, samples) = (rows.middle(i), &row.samples);
    let x = |time| rows.axis.x(time);
    canvas.line("whisker", (x(samples.lowest()), y), (x(samples.highest()), y));
    let last = samples.percentile(Percentile::P99).or(samples.percentile(Percentile::P95));
    if let Some(last) = last {
        canvas.line("body", (x(samples.median()), y), (x(last), y));
    }
    mark::draw(canvas, Shape::Ring, (x(samples.highest()), y));
    if let Some(time) = samples.percentile(Percentile::P99) {
        mark::draw(canvas, Shape::Diamond, (x(time), y));
    }
    if let Some(time) = samples.percentile(Percentile::P95) {
        mark::draw(canvas, Shape::Bar, (x(time), y));
    }
    mark::draw(canvas, Shape::Circle, (x(samples.median()), y));
}

fn title(row: &Row) -> String {
    let samples = &row.samples;
    let mut title = format!("{}: median {}", row.stage.label(), stats::time(samples.median()));
    for (name, percentile) in [("p95", Percentile::P95), ("p99", Percentile::P99)] {
        if let Some(time) = samples.percentile(percentile) {
            title += &format!(", {name} {}", stats::time(time));
        }
    }
    title
        + &format!(
            ", highest {} of {}",
            stats::time(samples.highest()),
            stats::grouped(samples.count() as f64)
        )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::results::Stage;
    use crate::stats::Samples;

    fn findings(count: u64) -> Findings {
        let samples = Samples::new((1..=count).map(Duration::from_micros)).unwrap();
        let rows = vec![Row { stage: Stage::Fresh, samples, split: None }];
        Findings { name: "a <b>".into(), rows, ..Findings::default() }
    }

    #[test]
    fn few_samples_have_no_marks_that_they_do_not_carry() {
        assert_eq!(draw(Size::Wide, &findings(9)).matches("<polygon").count(), 0);
        assert_eq!(draw(Size::Wide, &findings(20)).matches("<polygon").count(), 1);
        assert_eq!(draw(Size::Wide, &findings(100)).matches("<polygon").count(), 2);
    }

    #[test]
    fn the_guests_name_is_escaped() {
        let svg = ranges(&findings(1));
        assert!(svg.contains("of a &lt;b&gt;") && !svg.contains("<b>"));
    }
}
