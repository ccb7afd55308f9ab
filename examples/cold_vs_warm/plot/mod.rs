//! Plots as SVG: each twice, for a wide place and for a narrow one, of which the style shows one.

mod axis;
mod bars;
mod canvas;
mod curve;
mod density;
mod mark;
mod overview;
mod range;
mod rows;

pub(crate) use crate::plot::bars::throughput;
pub(crate) use crate::plot::canvas::escape;
pub(crate) use crate::plot::curve::percentiles;
pub(crate) use crate::plot::density::densities;
pub(crate) use crate::plot::mark::{Shape, sample};
pub(crate) use crate::plot::overview::{DOTS, overview};
pub(crate) use crate::plot::range::ranges;

/// How much room there is, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Wide,
    Narrow,
}

impl Size {
    fn width(self) -> f64 {
        match self {
            Self::Wide => 600.0,
            Self::Narrow => 340.0,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }
}

/// Draws for both sizes.
fn both(draw: impl Fn(Size) -> String) -> String {
    draw(Size::Wide) + &draw(Size::Narrow)
}
