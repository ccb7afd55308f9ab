//! All guests at a glance: the medians of what matters most.

use crate::plot::canvas::Canvas;
use crate::plot::mark::{self, Shape};
use crate::plot::rows::Rows;
use crate::plot::{Size, both};
use crate::results::{Findings, Stage};
use crate::stats;

/// The stages that have a dot, from the coldest to the warmest, and its shape.
pub(crate) const DOTS: [(Stage, Shape); 6] = [
    (Stage::Compile, Shape::Square),
    (Stage::Process, Shape::Up),
    (Stage::Load, Shape::Diamond),
    (Stage::Fresh, Shape::Circle),
    (Stage::FreshWarm, Shape::Cross),
    (Stage::Reused, Shape::Down),
];

/// Draws a row for each guest.
pub(crate) fn overview(all: &[Findings]) -> String {
    both(|size| draw(size, all))
}

fn draw(size: Size, all: &[Findings]) -> String {
    let shown: Vec<&Findings> = all.iter().filter(|findings| !findings.rows.is_empty()).collect();
    let medians = |findings: &&Findings| DOTS.map(|(stage, _)| findings.median(stage));
    let rows = Rows::new(size, shown.iter().flat_map(medians).flatten(), shown.len(), 24.0);
    let mut canvas = Canvas::new(size, "Medians of all guests");
    rows.draw_axis(&mut canvas);
    for (i, findings) in shown.iter().enumerate() {
        rows.name(&mut canvas, i, &shortened(&findings.name), "");
        let y = rows.middle(i);
        canvas.line("row", (rows.axis.left(), y), (rows.axis.right(), y));
        for (stage, shape) in DOTS {
            let Some(median) = findings.median(stage) else { continue };
            let title = format!("{}, {}: {}", findings.name, stage.label(), stats::time(median));
            let at = (rows.axis.x(median), y);
            canvas.group(stage.family().class(), &title, |canvas| mark::draw(canvas, shape, at));
        }
    }
    canvas.finish(rows.total_height())
}

/// A file may have any name, a row has not.
fn shortened(name: &str) -> String {
    const MOST: usize = 26;
    if name.chars().count() <= MOST {
        return name.into();
    }
    name.chars().take(MOST - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(shortened("echo"), "echo");
        assert_eq!(shortened(&"ä".repeat(40)), "ä".repeat(23) + "...");
    }

    #[test]
    fn a_guest_of_which_nothing_is_known_has_no_row() {
        assert!(!overview(&[Findings { name: "broken".into(), ..Findings::default() }]).contains("broken"));
    }
}
