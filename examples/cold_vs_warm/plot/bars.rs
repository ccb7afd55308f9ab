//! Events in a second over numbers of threads.

use crate::plot::canvas::{Anchor, Canvas};
use crate::plot::{Size, both};
use crate::results::{Findings, Rate};
use crate::stats;

const BAR: f64 = 20.0;
const HEAD: f64 = 22.0;
const GAP: f64 = 10.0;
/// Room for a bar's number.
const VALUE: f64 = 84.0;

/// Draws a bar for each stage and number of threads.
pub(crate) fn throughput(findings: &Findings) -> String {
    both(|size| draw(size, findings))
}

fn draw(size: Size, findings: &Findings) -> String {
    let left = if size == Size::Wide { 150.0 } else { 144.0 };
    let most = findings.rates.iter().map(|rate| rate.per_second).fold(1e-9, f64::max);
    let scale = (size.width() - left - VALUE) / most;
    let mut canvas = Canvas::new(size, &format!("Events in a second of {}", findings.name));
    let mut y = 0.0;
    for group in groups(&findings.rates) {
        let head = if group.0 == 1 { "1 thread".into() } else { format!("{} threads", group.0) };
        canvas.text("head", (2.0, y + 15.0), Anchor::Start, &head);
        y += HEAD;
        let top = y;
        for rate in group.1 {
            let (label, value) = (rate.stage.label(), stats::grouped(rate.per_second));
            let width = (rate.per_second * scale).max(1.0);
            canvas.text("name", (left - 10.0, y + 14.0), Anchor::End, label);
            canvas.text("value", (left + width + 6.0, y + 14.0), Anchor::Start, &value);
            let title = format!("{label}, {head}: {value} events in a second");
            canvas.group(rate.stage.family().class(), &title, |canvas| {
                canvas.rect("mark", (left, y + 2.0), (width, BAR - 4.0));
            });
            y += BAR;
        }
        canvas.line("base", (left, top), (left, y));
        y += GAP;
    }
    canvas.finish(y.max(1.0))
}

/// The rates by number of threads, each in the order of the stages.
fn groups(rates: &[Rate]) -> Vec<(usize, Vec<Rate>)> {
    let mut threads: Vec<usize> = rates.iter().map(|rate| rate.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let of = |count| rates.iter().filter(|rate| rate.threads == count).copied().collect();
    threads.into_iter().map(|count| (count, of(count))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Stage;

    #[test]
    fn the_longest_bar_leaves_room_for_its_number() {
        let rate = |threads, per_second| Rate { stage: Stage::Reused, threads, per_second };
        let findings = Findings { rates: vec![rate(1, 10.0), rate(2, 1_234_567.0)], ..Findings::default() };
        let svg = draw(Size::Wide, &findings);
        assert!(svg.contains("width=\"366.0\"") && svg.contains("1,234,567"), "{svg}");
        assert!(svg.contains("1 thread<") && svg.contains("2 threads<"));
    }

    #[test]
    fn no_rates_are_no_bars() {
        assert!(!throughput(&Findings::default()).contains("<rect"));
    }
}
