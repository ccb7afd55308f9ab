//! The end of an invocation's log, as its users know it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::Report;

/// How much of the log a client gets.
const TAIL: usize = 4 << 10;

/// Returns the last 4 KB of the log in base64: START, what the guest wrote, END and REPORT.
pub(super) fn tail(report: &Report) -> String {
    let log = text(report);
    STANDARD.encode(&log.as_bytes()[log.len().saturating_sub(TAIL)..])
}

fn text(report: &Report) -> String {
    let id = report.request_id;
    let end = if report.log_tail.is_empty() || report.log_tail.ends_with('\n') { "" } else { "\n" };
    format!(
        "START RequestId: {id} Version: {}\n{}{end}END RequestId: {id}\n{}\n",
        report.version(),
        report.log_tail,
        summary(report)
    )
}

fn summary(report: &Report) -> String {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let init = report.init.map(|init| format!("\tInit Duration: {:.2} ms", ms(init))).unwrap_or_default();
    format!(
        "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\
         {init}",
        report.request_id,
        ms(report.handler),
        report.billed().as_millis(),
        report.memory_limit() >> 20,
        report.peak_memory.div_ceil(1 << 20),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::context::{Facts, RequestId};

    fn report() -> Report {
        let facts = Facts { name: "resize".into(), version: 7, memory_limit: 128 << 20, hash: None };
        let mut report = Report::new(RequestId::new(), "1".into(), Arc::new(facts));
        report.handler = Duration::from_micros(15_740);
        report.peak_memory = (55 << 20) + 1;
        report
    }

    #[test]
    fn a_log_has_start_end_and_report() {
        let mut report = report();
        let id = report.request_id;
        let rest = format!(
            "END RequestId: {id}\nREPORT RequestId: {id}\tDuration: 15.74 ms\tBilled Duration: 16 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 56 MB\n"
        );
        assert_eq!(text(&report), format!("START RequestId: {id} Version: 7\n{rest}"));
        report.log_tail = "no end".into();
        assert_eq!(text(&report), format!("START RequestId: {id} Version: 7\nno end\n{rest}"));
    }

    #[test]
    fn init_is_told_where_there_was_one() {
        let mut report = report();
        report.init = Some(Duration::from_micros(130_490));
        assert!(text(&report).ends_with("\tMax Memory Used: 56 MB\tInit Duration: 130.49 ms\n"));
    }

    #[test]
    fn only_the_end_of_a_long_log_is_given() {
        let mut report = report();
        report.log_tail = "x".repeat(5_000);
        let tail = STANDARD.decode(tail(&report)).unwrap();
        assert_eq!(tail.len(), TAIL);
        assert!(text(&report).as_bytes().ends_with(&tail));
    }
}
