//! Small shapes, so that colour is never the only difference.

use std::fmt::Write;

use crate::plot::canvas::Canvas;

/// A small shape around a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Ring,
    Square,
    Diamond,
    Up,
    Down,
    Bar,
    Cross,
}

impl Shape {
    fn points(self, r: f64) -> Vec<(f64, f64)> {
        match self {
            Self::Circle | Self::Ring => Vec::new(),
            Self::Square => vec![(-r, -r), (r, -r), (r, r), (-r, r)],
            Self::Diamond => vec![(0.0, -1.3 * r), (1.3 * r, 0.0), (0.0, 1.3 * r), (-1.3 * r, 0.0)],
            Self::Up => vec![(0.0, -1.2 * r), (1.2 * r, r), (-1.2 * r, r)],
            Self::Down => vec![(0.0, 1.2 * r), (1.2 * r, -r), (-1.2 * r, -r)],
            Self::Bar => {
                vec![(-0.35 * r, -1.5 * r), (0.35 * r, -1.5 * r), (0.35 * r, 1.5 * r), (-0.35 * r, 1.5 * r)]
            }
            Self::Cross => {
                let (o, i) = (1.2 * r, 0.4 * r);
                let arm =
                    [(-i, -o), (i, -o), (i, -i), (o, -i), (o, i), (i, i), (i, o), (-i, o), (-i, i), (-o, i)];
                arm.into_iter().chain([(-o, -i), (-i, -i)]).collect()
            }
        }
    }

    fn svg(self, (x, y): (f64, f64), radius: f64) -> String {
        match self {
            Self::Circle => format!("<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"),
            Self::Ring => format!("<circle class=\"ring\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"),
            _ => {
                let mut points = String::new();
                for (dx, dy) in self.points(radius) {
                    let _ = write!(points, "{:.1},{:.1} ", x + dx, y + dy);
                }
                format!("<polygon class=\"mark\" points=\"{}\"/>", points.trim_end())
            }
        }
    }
}

pub(super) fn draw(canvas: &mut Canvas, shape: Shape, at: (f64, f64)) {
    canvas.put(shape.svg(at, 5.0));
}

/// A shape alone, for a legend.
pub(crate) fn sample(shape: Shape, class: &str) -> String {
    let svg = shape.svg((8.0, 8.0), 4.5);
    format!("<svg class=\"key {class}\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">{svg}</svg>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_stays_in_its_key() {
        let all = [Shape::Square, Shape::Diamond, Shape::Up, Shape::Down, Shape::Bar, Shape::Cross];
        for shape in all {
            let points = shape.points(4.5);
            assert!(
                points.len() >= 3 && points.iter().all(|(x, y)| x.abs() < 8.0 && y.abs() < 8.0),
                "{shape:?}"
            );
        }
    }
}
