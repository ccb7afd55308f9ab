//! The tables in the terminal.

use std::fmt::Write;

use crate::results::{Findings, Row, Stage};
use crate::stats::{self, Percentile};

/// The columns of the last table: medians, and events in a second.
pub(crate) const SUMMARY: [(Stage, &str); 9] = [
    (Stage::Compile, "compile"),
    (Stage::Load, "load"),
    (Stage::Cold, "first"),
    (Stage::Process, "process"),
    (Stage::Fresh, "fresh"),
    (Stage::FreshWarm, "snapshot"),
    (Stage::PacedFresh, "paced"),
    (Stage::Prepared, "prepared"),
    (Stage::Reused, "reused"),
];

/// Widths of a name and a cell: of one guest, where a stage has a long name, and of all, where there are many cells.
const ONE: (usize, usize) = (31, 10);
const ALL: (usize, usize) = (18, 9);

/// What is known of one guest.
pub(crate) fn guest(findings: &Findings) -> String {
    let size = stats::bytes(findings.code_bytes);
    let mut text =
        format!("{}  {} guest of {size}, event {}\n", findings.name, findings.contract, findings.event);
    if !findings.rows.is_empty() {
        let head = ["median", "p95", "p99", "highest", "samples", "setup", "init", "handler"];
        text += &line(ONE, "", head.map(str::to_string));
        findings.rows.iter().for_each(|row| text += &line(ONE, row.stage.label(), cells(row)));
    }
    rates(findings, &mut text);
    for note in &findings.notes {
        let _ = writeln!(text, "  * {note}");
    }
    text
}

/// All guests in one table.
pub(crate) fn summary(all: &[Findings]) -> String {
    let head = SUMMARY.iter().map(|(_, name)| (*name).to_string());
    let mut text = line(ALL, "medians", head.chain(["fresh/s".into(), "reused/s".into()]));
    for findings in all {
        let times = SUMMARY.iter().map(|(stage, _)| or_dash(findings.median(*stage).map(stats::time)));
        let rates = [Stage::Fresh, Stage::Reused];
        let rates = rates.map(|stage| or_dash(findings.best_rate(stage).map(stats::grouped)));
        text += &line(ALL, &findings.name, times.chain(rates));
    }
    text
}

pub(crate) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}

/// The cells of one stage, here and in the report.
pub(crate) fn cells(row: &Row) -> [String; 8] {
    let (samples, split) = (&row.samples, row.split.as_ref());
    let percentile = |percentile| or_dash(samples.percentile(percentile).map(stats::time));
    [
        stats::time(samples.median()),
        percentile(Percentile::P95),
        percentile(Percentile::P99),
        stats::time(samples.highest()),
        stats::grouped(samples.count() as f64),
        or_dash(split.map(|split| stats::time(split.setup))),
        or_dash(split.and_then(|split| split.init).map(stats::time)),
        or_dash(split.map(|split| stats::time(split.handler))),
    ]
}

fn rates(findings: &Findings, text: &mut String) {
    let mut threads: Vec<usize> = findings.rates.iter().map(|rate| rate.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    if threads.is_empty() {
        return;
    }
    *text += &line(ONE, "events in a second, threads", threads.iter().map(ToString::to_string));
    for stage in [Stage::Fresh, Stage::FreshWarm, Stage::Reused] {
        let of_stage = |count: &usize| {
            let rate = findings.rates.iter().find(|rate| rate.stage == stage && rate.threads == *count);
            or_dash(rate.map(|rate| stats::grouped(rate.per_second)))
        };
        if findings.best_rate(stage).is_some() {
            *text += &line(ONE, stage.label(), threads.iter().map(of_stage));
        }
    }
}

fn line(
    (label_width, cell_width): (usize, usize),
    label: &str,
    cells: impl IntoIterator<Item = String>,
) -> String {
    let mut line = format!("  {label:<label_width$}");
    for cell in cells {
        let _ = write!(line, "{cell:>cell_width$}");
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::results::Rate;
    use crate::stats::Samples;

    fn findings() -> Findings {
        let samples = Samples::new((1..=20).map(Duration::from_micros)).unwrap();
        Findings {
            name: "echo".into(),
            contract: "function".into(),
            code_bytes: 4_192,
            event: "visit, body of 3 bytes".into(),
            rows: vec![Row { stage: Stage::Fresh, samples, split: None }],
            rates: vec![
                Rate { stage: Stage::Fresh, threads: 1, per_second: 1_000.4 },
                Rate { stage: Stage::Fresh, threads: 2, per_second: 1_900.0 },
            ],
            notes: vec!["something is missing".into()],
        }
    }

    #[test]
    fn a_guest_has_its_stages_its_rates_and_its_notes() {
        let text = guest(&findings());
        assert!(text.starts_with("echo  function guest of 4 KB, event visit, body of 3 bytes\n"), "{text}");
        let row = text.lines().find(|line| line.starts_with("  fresh")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["fresh", "10.0", "us", "19.0", "us", "-", "20.0", "us", "20", "-", "-", "-"]);
        assert!(text.contains("     1,000     1,900\n"), "{text}");
        assert!(text.ends_with("  * something is missing\n"), "{text}");
    }

    #[test]
    fn the_summary_has_a_dash_for_what_was_not_measured() {
        let text = summary(&[findings()]);
        let row = text.lines().nth(1).unwrap();
        assert_eq!(row.split_whitespace().filter(|cell| *cell == "-").count(), 9, "{row}");
        let last: Vec<&str> = row.split_whitespace().rev().take(2).collect();
        assert_eq!(last, ["-", "1,900"]);
    }
}
