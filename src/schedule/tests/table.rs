//! Expressions and when they run next, over five time zones.
//!
//! A row has the expression, a moment, and the ticks that come behind it. Rows were computed by a program that
//! shares nothing with this crate: it walks through the moments one by one, with another time zone database.

use super::table_changes::{BERLIN, KOLKATA, LORD_HOWE, NEW_YORK};
use super::table_syntax::UTC;
use super::{cron, ms};

const TABLES: [(&str, &str); 5] = [
    ("UTC", UTC),
    ("Europe/Berlin", BERLIN),
    ("America/New_York", NEW_YORK),
    ("Australia/Lord_Howe", LORD_HOWE),
    ("Asia/Kolkata", KOLKATA),
];

struct Row {
    expression: &'static str,
    after: &'static str,
    ticks: Vec<&'static str>,
}

fn rows(table: &'static str) -> impl Iterator<Item = Row> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let [expression, after, ticks] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("a row has three columns: {line}")
        };
        Row { expression, after, ticks: ticks.split(' ').collect() }
    })
}

#[test]
fn each_row_runs_when_it_says() {
    let mut wrong = String::new();
    for (zone, table) in TABLES {
        for row in rows(table) {
            let cron = cron(row.expression, zone);
            let mut after = ms(row.after);
            for expected in &row.ticks {
                let tick = cron.next_after(after);
                if tick != Some(ms(expected)) {
                    wrong += &format!("\n{cron} after {}: {expected}, not {tick:?}", row.after);
                }
                after = ms(expected);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_tables_are_as_large_as_promised() {
    let counts = TABLES.map(|(_, table)| rows(table).count());
    assert!(counts.iter().sum::<usize>() >= 120, "{counts:?}");
}
