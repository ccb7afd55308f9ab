//! Tests, by danger.

mod bounds;
mod every;
mod faults;
mod jitter;
mod oracle;
mod random;
mod table;
mod table_changes;
mod table_syntax;
mod ticks;

use jiff::Timestamp;

use super::Cron;

/// Reads a time such as `2026-11-25T03:00+01` as milliseconds.
fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap_or_else(|wrong| panic!("{time}: {wrong}")).as_millisecond()
}

fn cron(expression: &str, zone: &str) -> Cron {
    Cron::parse(expression, zone).unwrap_or_else(|fault| panic!("{expression} in {zone}: {fault}"))
}
