//! Records that are tried together, and what comes after a failure.

use std::sync::Arc;

use crate::delivery::retry::{Fault, Next, Tried};
use crate::delivery::stream::Consumer;
use crate::delivery::stream::record::Record;
use crate::delivery::{Death, History};
use crate::report::Report;
use crate::wall::Moment;

/// Records that are tried together, one after another in their shard.
pub(super) struct Trial {
    pub(super) records: Vec<Record>,
    /// How often they failed, as far as that counts.
    pub(super) attempts: u32,
    refusals: u32,
    /// How often what they were part of was halved.
    halvings: u32,
    /// Not before then.
    pub(super) due: Moment,
    pub(super) history: History,
}

/// Why a trial was no success.
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) retry_after: Option<std::time::Duration>,
    /// The first record that the answer names; those before it are done.
    pub(super) named: Option<usize>,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) report: Option<Report>,
}

/// What comes after a failure.
#[derive(Default)]
pub(super) struct After {
    /// Comes before what is tried again.
    pub(super) given_up: Option<(Trial, Death)>,
    /// The last ones first.
    pub(super) again: Vec<Trial>,
}

impl Trial {
    pub(super) fn new(records: Vec<Record>) -> Self {
        let (attempts, refusals, halvings) = (0, 0, 0);
        Self { records, attempts, refusals, halvings, due: Moment(0), history: History::default() }
    }

    pub(super) fn tenant(&self) -> Option<Arc<str>> {
        self.records.first().and_then(Record::tenant).cloned()
    }

    /// Returns the sequence behind the last record.
    pub(super) fn end(&self) -> u64 {
        self.records.last().map_or(0, |record| record.sequence + 1)
    }

    /// Returns the targets that the longest chain of events went through, this one included.
    pub(super) fn lineage(&self) -> Arc<[String]> {
        let parcels = self.records.iter().filter_map(|record| record.parcel.as_ref());
        let longest = parcels.max_by_key(|parcel| parcel.lineage.len());
        longest.map(|parcel| parcel.onwards()).unwrap_or_default()
    }

    /// Takes away the records that may not be tried any more at a moment; they are the first ones.
    pub(super) fn cut_aged(&mut self, consumer: &Consumer, at: Moment) -> Option<Self> {
        let aged = self.records.iter().take_while(|record| consumer.retry.is_too_old(record.at, at)).count();
        (aged > 0).then(|| self.cut(aged))
    }

    /// Takes away the first records, with the history of them all.
    fn cut(&mut self, count: usize) -> Self {
        let rest = self.records.split_off(count);
        let records = std::mem::replace(&mut self.records, rest);
        let history = History::decode(&self.history.encode());
        Self { history, attempts: self.attempts, ..Self::new(records) }
    }

    /// Forgets the records before the one that was named: they are done, and the failure is another's.
    pub(super) fn done_before(&mut self, named: usize) {
        if named > 0 {
            *self = Self::new(self.records.split_off(named));
        }
    }

    /// Decides what comes after a failure; `random` is any number, each as likely as the other.
    pub(super) fn after(mut self, failure: Failure, consumer: &Consumer, now: Moment, random: u64) -> After {
        let Failure { kind, message, report, retry_after, named, fault } = failure;
        self.history.note(self.attempts + 1, now, (kind, message), report.as_ref());
        let is_alone = self.records.len() == 1;
        // That a batch failed for good says nothing of a single record of it, unless it was alone.
        let fault = if fault == Fault::Final && !is_alone { Fault::Function } else { fault };
        if consumer.halve && !is_alone && named.is_none() && fault == Fault::Function {
            let pause = consumer.retry.pause_after(self.halvings + 1, random);
            return self.halve(now.plus(pause));
        }
        let put = self.records.last().map_or(now, |record| record.at);
        let (attempts, refusals) = (self.attempts, self.refusals);
        let tried = Tried { fault, retry_after, attempts, refusals, put, now };
        self.history.refusals = tried.refusals();
        match consumer.retry.judge(&tried, random) {
            Next::Again { due, attempts, refusals } => {
                (self.due, self.attempts, self.refusals) = (due, attempts, refusals);
                After { again: vec![self], given_up: None }
            }
            Next::Dead(death) => self.end_as(death, named.is_some()),
        }
    }

    /// Gives up what failed: all, or only the first if the answer named it.
    fn end_as(mut self, death: Death, is_named: bool) -> After {
        if !is_named || death != Death::RetriesExhausted || self.records.len() == 1 {
            return After { given_up: Some((self, death)), again: Vec::new() };
        }
        let first = self.cut(1);
        After { given_up: Some((first, death)), again: vec![Self::new(self.records)] }
    }

    /// Makes two trials of one.
    fn halve(mut self, due: Moment) -> After {
        let halvings = self.halvings + 1;
        let second = self.records.split_off(self.records.len() / 2);
        let first = Self { due, halvings, ..Self::new(self.records) };
        let second = Self { halvings, ..Self::new(second) };
        After { given_up: None, again: vec![second, first] }
    }
}
