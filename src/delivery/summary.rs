//! What is kept of the report of an event that is done.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::context::{Facts, RequestId};
use crate::report::{Report, Start};
use crate::wall::Moment;

/// How much is kept of a log.
const MOST_LOG: usize = 1024;

/// What is kept of a report.
#[derive(Serialize, Deserialize)]
pub(crate) struct Summary {
    at: u64,
    request_id: u128,
    event_id: String,
    tenant: Option<String>,
    attempt: u32,
    start: Option<u8>,
    /// Queued, setup, handler, total, busy, in nanoseconds.
    times: [u64; 5],
    init: Option<u64>,
    peak_memory: u64,
    fuel: Option<u64>,
    bytes: (u64, u64),
    log_tail: String,
    function: String,
    version: u64,
    memory_limit: u64,
    hash: Option<String>,
}

const STARTS: [Start; 5] = [Start::Cold, Start::Fresh, Start::Prepared, Start::Reused, Start::Native];

impl Summary {
    pub(crate) fn of(report: &Report, at: Moment) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let log = report.log_tail.as_str();
        let cut = log.ceil_char_boundary(log.len().saturating_sub(MOST_LOG));
        Self {
            at: at.0,
            request_id: report.request_id.as_u128(),
            event_id: report.event_id.to_string(),
            tenant: report.tenant.as_deref().map(Into::into),
            attempt: report.attempt,
            start: report.start.and_then(|start| STARTS.iter().position(|s| *s == start)).map(|at| at as u8),
            times: [report.queued, report.setup, report.handler, report.total, report.busy].map(nanos),
            init: report.init.map(nanos),
            peak_memory: report.peak_memory,
            fuel: report.fuel,
            bytes: (report.bytes_in, report.bytes_out),
            log_tail: log[cut..].into(),
            function: report.function().into(),
            version: report.version(),
            memory_limit: report.memory_limit(),
            hash: report.code_hash().map(Into::into),
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        postcard::to_stdvec(self).expect("text and numbers can be written").into()
    }

    /// Reads what was kept; none if another version kept it.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// Returns when the event was done.
    pub(crate) fn at(&self) -> SystemTime {
        Moment(self.at).time()
    }

    pub(crate) fn into_report(self) -> Report {
        let facts = Facts {
            name: self.function,
            version: self.version,
            memory_limit: self.memory_limit,
            hash: self.hash.map(Into::into),
        };
        let mut report =
            Report::new(RequestId::from_u128(self.request_id), self.event_id.into(), Arc::new(facts));
        let [queued, setup, handler, total, busy] = self.times.map(Duration::from_nanos);
        (report.queued, report.setup, report.handler) = (queued, setup, handler);
        (report.total, report.busy) = (total, busy);
        report.tenant = self.tenant.map(Into::into);
        report.attempt = self.attempt;
        report.start = self.start.and_then(|at| STARTS.get(usize::from(at)).copied());
        report.init = self.init.map(Duration::from_nanos);
        (report.peak_memory, report.fuel) = (self.peak_memory, self.fuel);
        (report.bytes_in, report.bytes_out) = self.bytes;
        report.log_tail = self.log_tail;
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was() {
        let facts = Facts { name: "a".into(), version: 7, memory_limit: 1 << 20, hash: Some("0f".into()) };
        let mut report = Report::new(RequestId::new(), "event".into(), Arc::new(facts));
        report.tenant = Some("acme".into());
        report.start = Some(Start::Reused);
        report.init = Some(Duration::from_millis(3));
        report.handler = Duration::from_micros(17);
        report.bytes_out = 9;
        report.log_tail = format!("{}end", "ä".repeat(600));
        let read = Summary::decode(&Summary::of(&report, Moment(5)).encode()).unwrap();
        assert_eq!(read.at(), Moment(5).time());
        let read = read.into_report();
        assert_eq!(read.log_tail.len(), MOST_LOG - 1, "cut between characters");
        report.log_tail.clone_from(&read.log_tail);
        assert_eq!(format!("{read:?}"), format!("{report:?}"));
    }
}
