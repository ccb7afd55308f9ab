//! Rows with a name each over one axis of times: at the left where there is room, else above.

use std::time::Duration;

use crate::plot::Size;
use crate::plot::axis::Axis;
use crate::plot::canvas::{Anchor, Canvas};

/// Room for the axis' texts.
const FOOT: f64 = 24.0;
const TOP: f64 = 6.0;

/// Rows over one axis.
pub(super) struct Rows {
    size: Size,
    pub(super) axis: Axis,
    height: f64,
    count: usize,
}

impl Rows {
    pub(super) fn new(size: Size, times: impl Iterator<Item = Duration>, count: usize, height: f64) -> Self {
        let (left, right) = match size {
            Size::Wide => (196.0, 66.0),
            Size::Narrow => (20.0, 22.0),
        };
        Self { size, axis: Axis::new(times, left, size.width() - right), height, count }
    }

    /// The room for a row's name above its content, and before it, so that nobody takes it for that of the row above.
    fn name_height(&self) -> f64 {
        if self.size == Size::Wide { 0.0 } else { 24.0 }
    }

    fn pitch(&self) -> f64 {
        self.height + self.name_height()
    }

    /// Tells where a row's content begins and ends.
    pub(super) fn span(&self, row: usize) -> (f64, f64) {
        let top = TOP + row as f64 * self.pitch() + self.name_height();
        (top, top + self.height)
    }

    pub(super) fn middle(&self, row: usize) -> f64 {
        let (top, bottom) = self.span(row);
        f64::midpoint(top, bottom)
    }

    fn bottom(&self) -> f64 {
        TOP + self.count as f64 * self.pitch()
    }

    pub(super) fn total_height(&self) -> f64 {
        self.bottom() + FOOT
    }

    pub(super) fn draw_axis(&self, canvas: &mut Canvas) {
        self.axis.draw(canvas, TOP, self.bottom());
    }

    /// Writes a row's name, and at its other end a value.
    pub(super) fn name(&self, canvas: &mut Canvas, row: usize, name: &str, value: &str) {
        let ((top, _), right) = (self.span(row), self.size.width());
        let y = match self.size {
            Size::Wide => self.middle(row) + 4.0,
            Size::Narrow => top - 2.0,
        };
        match self.size {
            Size::Wide => canvas.text("name", (self.axis.left() - 12.0, y), Anchor::End, name),
            Size::Narrow => canvas.text("name", (2.0, y), Anchor::Start, name),
        }
        canvas.text("value", (right - 2.0, y), Anchor::End, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_each_other_without_overlap_in_both_sizes() {
        for size in [Size::Wide, Size::Narrow] {
            let rows = Rows::new(size, [Duration::from_micros(5)].into_iter(), 3, 20.0);
            assert!(rows.span(0).1 <= rows.span(1).0 && rows.span(1).1 <= rows.span(2).0);
            assert!(rows.span(2).1 <= rows.bottom() && rows.axis.right() < size.width());
        }
    }
}
