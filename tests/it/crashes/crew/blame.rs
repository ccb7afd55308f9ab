//! Says why an event ran again: a kill, a restart of the server, or a lease that ran out.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use crate::crashes::crew::OWN;
use crate::crashes::crew::server::End;
use crate::crashes::notes::read;
use crate::crashes::steps::{Name, Step, What, name};

/// How long after its handler an event may not be known as done by the server, in microseconds.
const SETTLED: u64 = 500_000;
/// How far back a server that is killed may forget what was acknowledged.
const FORGOTTEN: u64 = 1_000_000;
/// How long after an outage something may be sent once more.
const AFTER: u64 = 500_000;

/// What may have an event run again; all times in microseconds since the epoch.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// By child, between which moments it was killed.
    pub(super) kills: HashMap<u32, Span>,
    /// When the server was away, and what had ended it.
    pub(super) outages: Vec<(End, Span)>,
    /// When a process was held up.
    stalls: Vec<(u32, Span)>,
    /// When each event was submitted, and when that was acknowledged.
    asks: HashMap<Name, (u64, Option<u64>)>,
}

/// From when to when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// One run of a handler.
#[derive(Clone, Debug)]
struct Run {
    attempt: u32,
    child: u32,
    begin: u64,
    end: Option<u64>,
}

/// The runs of each event, as they began.
type Runs = BTreeMap<Name, Vec<Run>>;

/// Why an event ran again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    Kill,
    Restart,
    Lease,
    /// What it came of ran again.
    Source,
}

/// How often events ran again, and why.
#[derive(Debug, Default)]
pub(super) struct Again(HashMap<Why, usize>);

impl Again {
    pub(super) fn count(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |why| self.0.get(&why).copied().unwrap_or_default();
        let (kill, restart) = (of(Why::Kill), of(Why::Restart));
        let (lease, source) = (of(Why::Lease), of(Why::Source));
        write!(
            f,
            "{kill} for kills, {restart} for restarts, {lease} for leases that ran out, {source} for what "
        )?;
        write!(f, "they came of")
    }
}

impl Troubles {
    /// Reads what the children noted.
    pub(super) fn read(&mut self, folder: &Path) {
        let number = |word: &String| word.parse::<u64>().unwrap();
        for words in read(folder, "stalls") {
            let span = Span { from: number(&words[1]), to: number(&words[2]) };
            self.stalls.push((words[0].parse().unwrap(), span));
        }
        for words in read(folder, "asks") {
            self.asks.insert(name(&words), (number(&words[3]), None));
        }
        for words in read(folder, "acks") {
            self.asks.get_mut(&name(&words)).expect("it was submitted").1 = Some(number(&words[4]));
        }
    }

    /// Tells whether leases of a process may have run out, as it or the test, and so the server, was held up.
    pub(super) fn was_held_up(&self, child: u32, during: Span) -> bool {
        let mut stalls = self.stalls.iter();
        stalls.any(|(held, span)| {
            (*held == child || *held == OWN) && span.from <= during.to && during.from <= span.to + AFTER
        })
    }

    /// Explains each run of an event that had run before, in the same attempt; fails where there is no reason.
    ///
    /// What was known of earlier attempts is forgotten as an event is done, a moment before the server hears that it is:
    /// who takes it up then counts attempts anew.
    pub(super) fn explain(&self, steps: &[Step]) -> Again {
        let runs = runs(steps);
        let mut again = Again::default();
        for (name, of_event) in &runs {
            for nth in repeats(of_event) {
                let (before, run) = (&of_event[..nth], &of_event[nth]);
                let why = before.iter().find_map(|first| self.why(name, first, run));
                let why = why.or_else(|| source_ran_again(&runs, name, run).then_some(Why::Source));
                let why = why.unwrap_or_else(|| self.no_reason(name, of_event));
                *again.0.entry(why).or_default() += 1;
            }
        }
        again
    }

    fn no_reason(&self, name: &Name, runs: &[Run]) -> ! {
        let Self { kills, outages, stalls, .. } = self;
        let killed: Vec<_> = runs.iter().filter_map(|run| kills.get(&run.child)).collect();
        panic!(
            "{name:?} ran again for no reason: {runs:?}; kills of these: {killed:?}; {outages:?}; \
             held up: {stalls:?}"
        )
    }

    fn why(&self, name: &Name, first: &Run, again: &Run) -> Option<Why> {
        // Until then the server may not have known what became of the first run.
        let known = |back| first.end.map_or(u64::MAX, |end| end + back);
        let killed = |kill: &Span| first.begin <= kill.to && kill.from <= known(SETTLED);
        if self.kills.get(&first.child).is_some_and(killed) {
            return Some(Why::Kill);
        }
        let restarted = |(end, outage): &(End, Span)| {
            let back = if *end == End::Kill { FORGOTTEN } else { SETTLED };
            first.begin <= outage.to && outage.from <= known(back) && outage.from <= again.begin
        };
        if self.outages.iter().any(restarted) || self.was_sent_twice(name) {
            return Some(Why::Restart);
        }
        let until = again.begin.min(known(SETTLED));
        self.was_held_up(first.child, Span { from: first.begin, to: until }).then_some(Why::Lease)
    }

    /// Tells whether an event may be there twice, as the server was away while it was submitted.
    fn was_sent_twice(&self, name: &Name) -> bool {
        let Some((from, to)) = self.asks.get(name) else { return false };
        let killed = || self.kills.get(&u32::try_from(name.2 / 1_000_000).unwrap()).map(|kill| kill.to);
        let to = to.or_else(killed).unwrap_or(u64::MAX);
        self.outages.iter().any(|(_, outage)| *from <= outage.to + AFTER && outage.from <= to)
    }
}

fn runs(steps: &[Step]) -> Runs {
    let mut ends: HashMap<(u32, u64), u64> = HashMap::new();
    ends.extend(
        steps.iter().filter(|step| step.what != What::Begin).map(|step| ((step.child, step.run), step.at)),
    );
    let mut runs = Runs::new();
    for step in steps.iter().filter(|step| step.what == What::Begin) {
        let end = ends.get(&(step.child, step.run)).copied();
        let run = Run { attempt: step.attempt, child: step.child, begin: step.at, end };
        runs.entry(step.name.clone()).or_default().push(run);
    }
    runs
}

/// Returns which runs were those of an attempt that there had been before.
fn repeats(runs: &[Run]) -> impl Iterator<Item = usize> {
    let is_repeat = |nth: &usize| runs[..*nth].iter().any(|before| before.attempt == runs[*nth].attempt);
    (1..runs.len()).filter(is_repeat)
}

/// Tells whether that ran more than once which a run came of: the attempt before, or the event whose outcome it had.
fn source_ran_again(runs: &Runs, name: &Name, run: &Run) -> bool {
    let (source, attempt) = match name.0.as_str() {
        "sink" => (("sent".to_owned(), name.1.clone(), name.2), 1),
        _ => (name.clone(), run.attempt - 1),
    };
    runs.get(&source).is_some_and(|runs| runs.iter().filter(|run| run.attempt == attempt).count() > 1)
}
