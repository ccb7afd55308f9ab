//! In which mode the client wants to be answered.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::event::http::answer::STRUCTURED;
use crate::http::cloudevents::mode::{BATCH, Mode};

/// Media ranges that are looked at; nobody who means it sends more.
const MOST_RANGES: usize = 32;

/// What the header `Accept` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// It names a media type of events.
    Mode(Mode),
    /// It is absent, or takes anything.
    Any,
    /// It takes other types only.
    Others,
}

impl Wish {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges = lines.flat_map(|line| line.split(',')).filter(|range| !range.trim_ascii().is_empty());
        let ranges: Vec<Range> = ranges.take(MOST_RANGES).map(Range::read).collect();
        let weight = |wanted: &str| Range::weight_of(&ranges, wanted);
        let (structured, batch) = (weight(STRUCTURED), weight(BATCH));
        match structured.max(batch) {
            0 if ranges.is_empty() => Self::Any,
            0 if structured_is_refused(&ranges) => Self::Others,
            0 if weight("*/*").max(weight("application/*")) > 0 => Self::Any,
            0 => Self::Others,
            _ if structured >= batch => Self::Mode(Mode::Structured),
            _ => Self::Mode(Mode::Batch),
        }
    }

    /// Returns the mode of the answer to one event, which is that of the request where the client leaves it open.
    pub(super) fn mode(self, request: Mode) -> Mode {
        match self {
            Self::Mode(mode) => mode,
            Self::Any => request,
            Self::Others => Mode::Binary,
        }
    }
}

fn structured_is_refused(ranges: &[Range]) -> bool {
    ranges.iter().any(|range| range.media_type == STRUCTURED)
}

/// A media range with its weight in thousandths.
struct Range {
    media_type: String,
    weight: u16,
}

impl Range {
    fn read(range: &str) -> Self {
        let mut parts = range.split(';').map(str::trim_ascii);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Self { media_type, weight: weight.map_or(1_000, weight_in_thousandths) }
    }

    fn weight_of(ranges: &[Self], wanted: &str) -> u16 {
        ranges.iter().filter(|range| range.media_type == wanted).map(|range| range.weight).max().unwrap_or(0)
    }
}

/// Reads `0.25`; what is no weight weighs nothing.
fn weight_in_thousandths(weight: &str) -> u16 {
    let weight: f32 = weight.parse().unwrap_or(0.0);
    // It cannot be too large any more, and a NaN becomes zero.
    (weight.clamp(0.0, 1.0) * 1_000.0) as u16
}
