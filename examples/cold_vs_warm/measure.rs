//! What is measured for one guest, in which order, and for how long.

use std::time::{Duration, Instant};

use fnhost::Contract;

use crate::Problem;
use crate::cases::Case;
use crate::first_event::{self, FirstEvent};
use crate::folder::Folder;
use crate::lab::{Kept, Subject, Way};
use crate::machine::cores;
use crate::progress::Progress;
use crate::results::{Family, Findings, Rate, Row, Split, Stage};
use crate::sample::{self, Series};
use crate::stats::{self, Samples};

/// Shares of a guest's time. Events get the most of it: percentiles need samples.
const COMPILE: f64 = 0.1;
const LOAD: f64 = 0.05;
const PROCESS: f64 = 0.1;
const EVENTS: f64 = 0.08;
const RATES: f64 = 0.14;

/// What is too slow to be done again within its share is done once.
const MOST_COMPILES: usize = 15;
const LEAST: usize = 3;
const LEAST_PROCESSES: usize = 9;
const MOST_STARTS: usize = 300;
/// Paced events leave four fifths of the time to whoever prepares sandboxes.
const PERIODS: u32 = 5;

/// Measures one guest; what fails is a note, and the rest goes on.
pub(crate) fn measure(case: &Case, seconds: Duration, progress: &mut Progress) -> Findings {
    let findings = Findings {
        name: case.name.clone(),
        contract: "unknown".into(),
        event: case.event_in_words(),
        code_bytes: std::fs::metadata(&case.path).map_or(0, |file| file.len()),
        ..Findings::default()
    };
    let mut visit = Visit { case, seconds, progress, findings };
    if let Err(problem) = visit.all() {
        visit.findings.notes.push(problem.to_string());
    }
    visit.findings.rows.sort_by_key(|row| row.stage);
    visit.findings
}

/// One guest under measurement.
struct Visit<'a> {
    case: &'a Case,
    seconds: Duration,
    progress: &'a mut Progress,
    findings: Findings,
}

impl Visit<'_> {
    /// What fails here leaves nothing to be measured; every stage notes its own failure and lets the others go on.
    fn all(&mut self) -> Result<(), Problem> {
        let cache = self.compile()?;
        self.load(&cache)?;
        self.first_event(&cache)?;
        if self.findings.row(Stage::Load).is_some() {
            self.processes(&cache, Way::Plain, Stage::Process);
        }
        let fresh = self.events(&cache, Way::Plain, Stage::Fresh, None);
        self.events(&cache, Way::Init, Stage::FreshInit, None);
        let warm = self.events(&cache, Way::Warm, Stage::FreshWarm, None);
        if let Some(median) = fresh {
            let period = Some(median * PERIODS);
            self.events(&cache, Way::Plain, Stage::PacedFresh, period);
            self.events(&cache, Way::Prepared, Stage::Prepared, period);
            if warm.is_some() {
                self.events(&cache, Way::PreparedWarm, Stage::PreparedWarm, period);
            }
        }
        if warm.is_some() {
            self.processes(&cache, Way::Warm, Stage::ProcessWarm);
        }
        if self.findings.contract == Contract::Command.to_string() {
            self.note("reused is left out: a command runs once and is over");
        } else {
            self.events(&cache, Way::Reused, Stage::Reused, None);
        }
        self.rates(&cache);
        Ok(())
    }

    /// Deploys into empty caches; the last one stays for what comes after.
    fn compile(&mut self) -> Result<Folder, Problem> {
        self.progress.stage(Stage::Compile);
        let (mut times, started) = (Vec::new(), Instant::now());
        loop {
            let cache = Folder::new()?;
            let subject = Subject::deploy(self.case, Way::Plain, cache.path())?;
            times.push(subject.deploy_took);
            self.findings.contract = subject.contract.to_string();
            let (spent, share) = (started.elapsed(), self.share(COMPILE));
            let is_large = times.len() == 1 && spent > share;
            if is_large || times.len() >= MOST_COMPILES || times.len() >= LEAST && spent > share {
                self.add(Stage::Compile, times, None);
                return Ok(cache);
            }
        }
    }

    fn load(&mut self, cache: &Folder) -> Result<(), Problem> {
        self.progress.stage(Stage::Load);
        let (mut times, mut firsts, started) = (Vec::new(), Vec::new(), Instant::now());
        while times.len() < LEAST || started.elapsed() < self.share(LOAD) && times.len() < MOST_STARTS {
            let subject = Subject::deploy(self.case, Way::Plain, cache.path())?;
            if !subject.was_loaded {
                self.note("the cache did not serve this code, so every deployment compiled it");
                return Ok(());
            }
            times.push(subject.deploy_took);
            let sent = Instant::now();
            if subject.handler.invoke_blocking(self.case.event.clone()).is_ok() {
                firsts.push(sent.elapsed());
            }
        }
        self.add(Stage::Load, times, None);
        self.add(Stage::Cold, firsts, None);
        Ok(())
    }

    /// Makes sure that the guest answers at all.
    fn first_event(&mut self, cache: &Folder) -> Result<(), Problem> {
        let subject = Subject::deploy(self.case, Way::Plain, cache.path())?;
        let answer = subject.handler.invoke_blocking(self.case.event.clone());
        let refused = |error| format!("this event has no answer, so only deploying was measured: {error}");
        Ok(answer.map(drop).map_err(refused)?)
    }

    fn processes(&mut self, cache: &Folder, way: Way, stage: Stage) {
        self.progress.stage(stage);
        match self.start_processes(cache, way) {
            Ok(firsts) => {
                self.note(format!("{}: {}", stage.label(), parts(&firsts)));
                self.add(stage, firsts.into_iter().map(|first| first.total), None);
            }
            Err(problem) => self.note(format!("{}: {problem}", stage.label())),
        }
    }

    fn start_processes(&self, cache: &Folder, way: Way) -> Result<Vec<FirstEvent>, Problem> {
        let event = cache.path().join("event.json");
        std::fs::write(&event, serde_json::to_string(&self.case.event)?)
            .map_err(|error| format!("the event cannot be written to {}: {error}", event.display()))?;
        let start = || first_event::start(self.case, &event, way, cache.path());
        // The first one leaves in the cache what the others find there.
        start()?;
        let (mut firsts, started) = (Vec::new(), Instant::now());
        while firsts.len() < LEAST_PROCESSES
            || started.elapsed() < self.share(PROCESS) && firsts.len() < MOST_STARTS
        {
            firsts.push(start()?);
        }
        Ok(firsts)
    }

    /// Sends events to sandboxes of one way, one after the other or one in each period; answers the median.
    fn events(
        &mut self,
        cache: &Folder,
        way: Way,
        stage: Stage,
        period: Option<Duration>,
    ) -> Option<Duration> {
        self.progress.stage(stage);
        let subject = self.deploy(cache, way, stage)?;
        if way == Way::Warm {
            let took = stats::time(subject.deploy_took);
            self.note(format!("{}: deploying with the snapshot took {took}", stage.label()));
        }
        let (event, budget) = (&self.case.event, self.share(EVENTS));
        let series = match period {
            // Pauses may be so long that a share has room for one or two.
            Some(period) => {
                sample::paced(&subject.handler, event, budget.max((period * 10).min(budget * 3)), period)
            }
            None => sample::without_pause(&subject.handler, event, budget),
        };
        match series {
            Ok(series) => self.add_series(stage, series),
            Err(error) => {
                self.note(format!("{}: {error}", stage.label()));
                None
            }
        }
    }

    /// Deploys, unless there is no snapshot where one is wanted.
    fn deploy(&mut self, cache: &Folder, way: Way, stage: Stage) -> Option<Subject> {
        let subject = match Subject::deploy(self.case, way, cache.path()) {
            Ok(subject) => subject,
            Err(problem) => {
                self.note(format!("{}: {problem}", stage.label()));
                return None;
            }
        };
        match &subject.kept {
            _ if !way.wants_snapshot() => Some(subject),
            Kept::Taken => Some(subject),
            Kept::Nothing => None,
            Kept::Refused(reason) => {
                self.note(format!("{} is left out, no snapshot: {reason}", stage.label()));
                None
            }
        }
    }

    /// Lets more and more threads send events, each as fast as it can.
    fn rates(&mut self, cache: &Folder) {
        let ways = [(Stage::Fresh, Way::Plain), (Stage::FreshWarm, Way::Warm), (Stage::Reused, Way::Reused)];
        let ways = ways.into_iter().filter(|(stage, _)| self.findings.row(*stage).is_some());
        let (ways, counts): (Vec<_>, _) = (ways.collect(), sample::thread_counts(cores()));
        let slice = self.share(RATES) / (ways.len() * counts.len()).max(1) as u32;
        for (stage, way) in ways {
            let Some(subject) = self.deploy(cache, way, stage) else { continue };
            for &threads in &counts {
                self.progress.threads(stage, threads);
                match sample::rate(&subject.handler, &self.case.event, threads, slice) {
                    Ok(per_second) => self.findings.rates.push(Rate { stage, threads, per_second }),
                    Err(error) => self.note(format!("{} on {threads} threads: {error}", stage.label())),
                }
            }
        }
    }

    fn add_series(&mut self, stage: Stage, series: Series) -> Option<Duration> {
        let (split, share) = (series.split(), series.prepared_share());
        if stage.family() == Family::Prepared && share < 0.99 {
            self.note(format!(
                "{}: {:.0} % of the events found a sandbox ready",
                stage.label(),
                share * 100.0
            ));
        }
        self.add(stage, series.into_times(), split)
    }

    fn add(
        &mut self,
        stage: Stage,
        times: impl IntoIterator<Item = Duration>,
        split: Option<Split>,
    ) -> Option<Duration> {
        let samples = Samples::new(times)?;
        let median = samples.median();
        self.findings.rows.push(Row { stage, samples, split });
        Some(median)
    }

    fn note(&mut self, note: impl Into<String>) {
        self.findings.notes.push(note.into());
    }

    fn share(&self, share: f64) -> Duration {
        self.seconds.mul_f64(share)
    }
}

/// Says where the time of a new process goes.
fn parts(firsts: &[FirstEvent]) -> String {
    let median = |part: fn(&FirstEvent) -> Duration| {
        Samples::new(firsts.iter().map(part)).map_or_else(String::new, |times| stats::time(times.median()))
    };
    let rest = |first: &FirstEvent| first.total.saturating_sub(first.runtime + first.deploy + first.event);
    format!(
        "{} making the runtime, {} deploying, {} the event, {} the process itself",
        median(|first| first.runtime),
        median(|first| first.deploy),
        median(|first| first.event),
        median(rest)
    )
}
