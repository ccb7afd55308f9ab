//! The report: one HTML file that needs nothing else, neither scripts nor a network.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::plot::{self, DOTS, Shape, escape};
use crate::results::{Findings, Machine, Row, Stage};
use crate::stats;
use crate::table::{SUMMARY, cells, or_dash};

const STYLE: &str = include_str!("report.css");

/// What the marks of a range stand for.
const MARKS: [(Shape, &str); 4] =
    [(Shape::Circle, "median"), (Shape::Bar, "p95"), (Shape::Diamond, "p99"), (Shape::Ring, "highest")];

const AXES: &str = "Every axis of times is logarithmic: a step from one label to the next is the same factor. A \
    percentile is a time that was measured; it is left out where there are too few samples for it to be more than the \
    slowest one. Times are what the caller waits for, from sending the event to having the answer. Files had been read \
    before, so that none comes from a disk.";

const PARTS: &str = "Setup, init and handler are what the report of each event says: making the sandbox, its init, and \
    the handler itself. What is left of the total is what the caller pays around them. Nothing was dropped: the highest \
    time may be that of a machine that was busy with something else.";

/// Writes the whole report.
pub(crate) fn html(machine: &Machine, all: &[Findings]) -> String {
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>fnhost: cold and warm starts</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>How cold is a cold start, how warm a warm one?</h1>\n<p class=\"quiet\">{}</p>\n",
        escape(&machine.line())
    );
    if !machine.optimized {
        page += "<p class=\"warning\">This is no release build: its times say nothing about fnhost.</p>\n";
    }
    summary(&mut page, all);
    page += "<section class=\"pair\">\n";
    glance(&mut page, all);
    how_to_read(&mut page, all);
    page += "</section>\n";
    all.iter().enumerate().for_each(|(i, findings)| guest(&mut page, i, findings));
    page + "</main>\n</body>\n</html>\n"
}

fn summary(page: &mut String, all: &[Findings]) {
    *page += "<section>\n<header><h2>Medians</h2></header>\n<div class=\"scroll\"><table>\n<thead><tr><th>guest</th>\
              <th>contract</th><th>code</th>";
    for (stage, name) in SUMMARY {
        let _ = write!(page, "<th title=\"{}: {}\">{name}</th>", stage.label(), stage.meaning());
    }
    *page += "<th>fresh/s</th><th>reused/s</th></tr></thead>\n<tbody>\n";
    for (i, findings) in all.iter().enumerate() {
        let times = SUMMARY.map(|(stage, _)| or_dash(findings.median(stage).map(stats::time)));
        let rates = [Stage::Fresh, Stage::Reused];
        let rates = rates.map(|stage| or_dash(findings.best_rate(stage).map(stats::grouped)));
        let head = format!("<a href=\"#guest-{i}\">{}</a>", escape(&findings.name));
        let about = [findings.contract.clone(), stats::bytes(findings.code_bytes)];
        row(page, &head, about.iter().chain(&times).chain(&rates));
    }
    *page += "</tbody>\n</table></div>\n";
    *page += "</section>\n";
}

/// One plot for all guests, if there are several.
fn glance(page: &mut String, all: &[Findings]) {
    if all.len() < 2 {
        return;
    }
    *page += "<div><h2>At a glance</h2>\n<ul class=\"legend\">\n";
    for (stage, shape) in DOTS {
        key(page, &plot::sample(shape, stage.family().class()), stage.label());
    }
    let _ = write!(page, "</ul>\n{}</div>\n", plot::overview(all));
}

fn how_to_read(page: &mut String, all: &[Findings]) {
    let _ = writeln!(page, "<div><h2>How to read this</h2>\n<p>{AXES}</p>\n<dl>");
    let known: BTreeSet<Stage> =
        all.iter().flat_map(|findings| &findings.rows).map(|row| row.stage).collect();
    for stage in known {
        let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", stage.label(), stage.meaning());
    }
    let _ = writeln!(page, "</dl>\n<p>{PARTS}</p>\n</div>");
}

fn guest(page: &mut String, number: usize, findings: &Findings) {
    let _ = write!(
        page,
        "<section id=\"guest-{number}\">\n<header><h2>{}</h2>\n<div class=\"quiet\">{} guest of {}, event {}</div></header>\n",
        escape(&findings.name),
        escape(&findings.contract),
        stats::bytes(findings.code_bytes),
        escape(&findings.event)
    );
    if !findings.rows.is_empty() {
        plots(page, findings);
        numbers(page, findings);
    }
    if !findings.notes.is_empty() {
        *page += "<ul class=\"notes\">\n";
        findings.notes.iter().for_each(|note| *page += &format!("<li>{}</li>\n", escape(note)));
        *page += "</ul>\n";
    }
    *page += "</section>\n";
}

fn plots(page: &mut String, findings: &Findings) {
    *page += "<div class=\"pair\">\n<div><h3>Every stage</h3>\n<ul class=\"legend\">\n";
    for (shape, name) in MARKS {
        key(page, &plot::sample(shape, "plain"), name);
    }
    let _ = write!(page, "</ul>\n{}</div>\n", plot::ranges(findings));
    if findings.event_rows().next().is_some() {
        *page += "<div><h3>Share of events done within a time</h3>\n<ul class=\"legend\">\n";
        findings.event_rows().for_each(|row| key(page, &stroke(row), row.stage.label()));
        let _ = write!(page, "</ul>\n{}</div>\n", plot::percentiles(findings));
        let _ = write!(page, "<div><h3>Where the times lie</h3>\n{}</div>\n", plot::densities(findings));
    }
    if !findings.rates.is_empty() {
        let _ = write!(page, "<div><h3>Events in a second</h3>\n{}</div>\n", plot::throughput(findings));
    }
    *page += "</div>\n";
}

/// The line of a stage, for a legend.
fn stroke(row: &Row) -> String {
    let (class, variant) = (row.stage.family().class(), if row.stage.is_variant() { " variant" } else { "" });
    format!(
        "<svg class=\"key long {class}\" viewBox=\"0 0 26 16\" aria-hidden=\"true\">\
         <path class=\"curve{variant}\" d=\"M1 8H25\"/></svg>"
    )
}

fn key(page: &mut String, picture: &str, name: &str) {
    let _ = writeln!(page, "<li>{picture}{name}</li>");
}

fn numbers(page: &mut String, findings: &Findings) {
    *page += "<details><summary>All numbers</summary>\n<div class=\"scroll\"><table>\n<thead><tr><th>stage</th>\
        <th>median</th><th>p95</th><th>p99</th><th>highest</th><th>samples</th><th>setup</th><th>init</th>\
        <th>handler</th></tr></thead>\n<tbody>\n";
    findings.rows.iter().for_each(|stage| row(page, stage.stage.label(), &cells(stage)));
    *page += "</tbody>\n</table></div>\n</details>\n";
}

/// A row of a table: its head is HTML, its cells are text.
fn row<'a>(page: &mut String, head: &str, cells: impl IntoIterator<Item = &'a String>) {
    let _ = write!(page, "<tr><th scope=\"row\">{head}</th>");
    cells.into_iter().for_each(|cell| *page += &format!("<td>{}</td>", escape(cell)));
    *page += "</tr>\n";
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stats::Samples;

    const EVIL: &str = "<script>alert('x')</script>";

    fn machine() -> Machine {
        Machine {
            processor: EVIL.into(),
            cores: 2,
            system: "linux".into(),
            engine: "fnhost".into(),
            date: "2026-01-01".into(),
            optimized: true,
        }
    }

    fn findings(stage: Stage) -> Findings {
        let samples = Samples::new([Duration::from_micros(5)]).unwrap();
        Findings {
            name: EVIL.into(),
            event: EVIL.into(),
            contract: "function".into(),
            rows: vec![Row { stage, samples, split: None }],
            notes: vec![EVIL.into()],
            ..Findings::default()
        }
    }

    #[test]
    fn whatever_names_say_the_report_has_no_script_and_fetches_nothing() {
        let page = html(&machine(), &[findings(Stage::Fresh), findings(Stage::Compile)]);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("));
    }

    #[test]
    fn what_is_opened_is_closed() {
        let page = html(&machine(), &[findings(Stage::Fresh), Findings::default()]);
        for tag in ["section", "div", "table", "svg", "ul", "details", "header", "dl", "g", "li", "th"] {
            let opened =
                page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn a_build_that_is_not_optimized_says_so() {
        let page = html(&Machine { optimized: false, ..machine() }, &[]);
        assert!(page.contains("no release build"));
    }
}
