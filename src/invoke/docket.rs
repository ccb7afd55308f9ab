//! One invocation's papers: opened when the event comes, closed once with its ending.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::body::Seen;
use crate::call::Call;
use crate::context::{Context, Facts};
use crate::error::{Error, ErrorKind};
use crate::event::{Input, Response};
use crate::report::{Observer, Outcome, Report, tell};

/// One invocation's papers; dropping them unclosed is the ending of a caller that went away.
pub(crate) struct Docket<'a> {
    observers: &'a [Observer],
    call: Option<Call>,
}

impl<'a> Docket<'a> {
    pub(crate) fn open(
        observers: &'a [Observer],
        (context, arrived): (Context, Instant),
        input: &Input,
        facts: Arc<Facts>,
    ) -> Self {
        let id = input.id(context.request_id());
        let mut call = Call::new(context, arrived, id, facts);
        call.report.bytes_in = input.len();
        call.incoming = input.seen();
        Self { observers, call: Some(call) }
    }

    /// Opens the papers of a request that did not come as far as to be an event.
    pub(crate) fn of_request(
        observers: &'a [Observer],
        (context, arrived): (Context, Instant),
        seen: Arc<Seen>,
        facts: Arc<Facts>,
    ) -> Self {
        let id = context.request_id().to_shared_text();
        let mut call = Call::new(context, arrived, id, facts);
        call.incoming = Some(seen);
        Self { observers, call: Some(call) }
    }

    pub(crate) fn call(&mut self) -> &mut Call {
        self.call.as_mut().expect("it leaves only with the docket")
    }

    /// Closes the papers with the ending, tells it to all observers, and hands the report over with it.
    pub(crate) fn close(mut self, ended: Result<Response, ErrorKind>) -> Result<Response, Error> {
        let call = self.call.take().expect("a docket is closed once");
        let total =
            call.ended.map_or_else(|| call.arrived.elapsed(), |ended| ended.duration_since(call.arrived));
        let mut report = call.report;
        if let Some(incoming) = call.incoming {
            report.bytes_in = incoming.bytes();
        }
        match ended {
            Ok(mut response) => {
                report.bytes_out = report.bytes_out.max(response.bytes().len() as u64);
                let report = self.conclude(report, total, Outcome::Success);
                response.set_report(report);
                Ok(response)
            }
            Err(kind) => {
                let report = self.conclude(report, total, Outcome::Error(kind.name()));
                Err(Error::with_report(kind, report))
            }
        }
    }

    fn conclude(&self, mut report: Box<Report>, total: Duration, outcome: Outcome) -> Box<Report> {
        report.total = total;
        report.outcome = outcome;
        tell(self.observers, &report);
        report
    }
}

impl Drop for Docket<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let _ = self.conclude(
                call.report,
                call.arrived.elapsed(),
                Outcome::Error(ErrorKind::Cancelled.name()),
            );
        }
    }
}
