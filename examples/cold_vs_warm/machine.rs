//! What the machine and the engine are called, and what day it is.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::results::Machine;

const LOCK: &str = include_str!("../../Cargo.lock");

impl Machine {
    pub(crate) fn look() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            processor: processor().unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: cores(),
            system: std::env::consts::OS.into(),
            engine: match locked("wasmtime") {
                Some(version) => format!("fnhost {} on wasmtime {version}", env!("CARGO_PKG_VERSION")),
                None => format!("fnhost {}", env!("CARGO_PKG_VERSION")),
            },
            date: date(since),
            optimized: !cfg!(debug_assertions),
        }
    }

    /// One line that says it all.
    pub(crate) fn line(&self) -> String {
        let cores = if self.cores == 1 { "1 core".into() } else { format!("{} cores", self.cores) };
        format!("{}, {cores}, {}; {}; {}", self.processor, self.system, self.engine, self.date)
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Finds the version with which a package was locked when this was built.
fn locked(package: &str) -> Option<&'static str> {
    let wanted = format!("name = \"{package}\"");
    let mut lines = LOCK.lines().skip_while(|line| *line != wanted);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// The day and the minute in Greenwich.
fn date(since: Duration) -> String {
    let minutes = since.as_secs() / 60;
    let (year, month, day) = civil(minutes / 1_440);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

/// Turns days since 1970 into a date, counting years from March so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
        assert_eq!(date(Duration::from_secs(86_400 + 3_660)), "1970-01-02 01:01 UTC");
    }

    #[test]
    fn the_engine_is_locked_and_an_unknown_package_is_not() {
        assert!(locked("wasmtime").is_some_and(|version| version.starts_with("48.")));
        assert_eq!(locked("no-such-package"), None);
    }
}
