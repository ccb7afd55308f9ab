//! What was measured, apart from how and from how it is shown.

use std::time::Duration;

use crate::stats::Samples;

/// One way in which an event, or a function before its first one, can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Compile,
    Load,
    Cold,
    Process,
    ProcessWarm,
    Fresh,
    FreshInit,
    FreshWarm,
    PacedFresh,
    Prepared,
    PreparedWarm,
    Reused,
}

/// What belongs together and has one colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Compile,
    Load,
    Process,
    Fresh,
    Snapshot,
    Prepared,
    Reused,
}

impl Stage {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Load => "load from cache",
            Self::Cold => "first event",
            Self::Process => "new process",
            Self::ProcessWarm => "new process, warm snapshot",
            Self::Fresh => "fresh",
            Self::FreshInit => "fresh, init snapshot",
            Self::FreshWarm => "fresh, warm snapshot",
            Self::PacedFresh => "fresh, paced",
            Self::Prepared => "prepared, paced",
            Self::PreparedWarm => "prepared, warm snapshot",
            Self::Reused => "reused",
        }
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Self::Compile => Family::Compile,
            Self::Load | Self::Cold => Family::Load,
            Self::Process | Self::ProcessWarm => Family::Process,
            Self::Fresh | Self::PacedFresh => Family::Fresh,
            Self::FreshInit | Self::FreshWarm => Family::Snapshot,
            Self::Prepared | Self::PreparedWarm => Family::Prepared,
            Self::Reused => Family::Reused,
        }
    }

    /// Whether it is a second one of its family, which is drawn dashed.
    pub(crate) fn is_variant(self) -> bool {
        matches!(
            self,
            Self::Cold | Self::ProcessWarm | Self::PacedFresh | Self::FreshInit | Self::PreparedWarm
        )
    }

    /// Whether it is an event in a process that is there, of which there are many.
    pub(crate) fn is_event(self) -> bool {
        !matches!(self.family(), Family::Compile | Family::Load | Family::Process)
    }

    /// What a reader may not guess from the label.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Compile => {
                "deploying with an empty cache: reading, compiling, linking, keeping the artifact"
            }
            Self::Load => "deploying with the artifact in the cache, in a new runtime",
            Self::Cold => "the first event after loading: the code is mapped, and a new sandbox made",
            Self::Process => "from starting a process to its first answer, with the artifact in the cache",
            Self::ProcessWarm => "the same with a snapshot that is taken after a sample event",
            Self::Fresh => "an event in a new sandbox that runs its own init, one event after the other",
            Self::FreshInit => "a new sandbox that starts from a snapshot taken after init",
            Self::FreshWarm => "a new sandbox that starts from a snapshot taken after a sample event",
            Self::PacedFresh => "a new sandbox, events with pauses: a fifth of what one thread can do",
            Self::Prepared => "a new sandbox that was made beforehand, events with the same pauses",
            Self::PreparedWarm => {
                "the same, with the same pauses, from a snapshot taken after a sample event"
            }
            Self::Reused => "a sandbox that has served before",
        }
    }
}

impl Family {
    /// The name of its colour in the report.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Load => "load",
            Self::Process => "process",
            Self::Fresh => "fresh",
            Self::Snapshot => "snapshot",
            Self::Prepared => "prepared",
            Self::Reused => "reused",
        }
    }
}

/// Where the time of an event went: medians of what its report says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub(crate) setup: Duration,
    pub(crate) init: Option<Duration>,
    pub(crate) handler: Duration,
}

/// The times of one stage.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) stage: Stage,
    pub(crate) samples: Samples,
    pub(crate) split: Option<Split>,
}

/// How many events a number of threads got through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) stage: Stage,
    pub(crate) threads: usize,
    pub(crate) per_second: f64,
}

/// All that is known of one guest.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) name: String,
    pub(crate) contract: String,
    pub(crate) code_bytes: u64,
    /// The event that it was sent, in words.
    pub(crate) event: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) rates: Vec<Rate>,
    /// What is missing or odd, and why.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    pub(crate) fn row(&self, stage: Stage) -> Option<&Row> {
        self.rows.iter().find(|row| row.stage == stage)
    }

    /// Returns the stages that are single events, of which there are many.
    pub(crate) fn event_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.stage.is_event())
    }

    pub(crate) fn median(&self, stage: Stage) -> Option<Duration> {
        self.row(stage).map(|row| row.samples.median())
    }

    /// Returns the best that any number of threads reached.
    pub(crate) fn best_rate(&self, stage: Stage) -> Option<f64> {
        let rates = self.rates.iter().filter(|rate| rate.stage == stage);
        rates.map(|rate| rate.per_second).max_by(f64::total_cmp)
    }
}

/// Where and with what it was measured.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) engine: String,
    pub(crate) date: String,
    /// Code that is not optimized measures nothing.
    pub(crate) optimized: bool,
}
