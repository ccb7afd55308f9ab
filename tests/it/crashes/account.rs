//! Accounts for each event that was acknowledged.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use fnhost::{Death, Runtime, Submission, SubmissionId};

use crate::crashes::notes::read;
use crate::crashes::steps::{Name, Step, name, steps};
use crate::kit::until;

/// How long everything that is left may take.
const DRAINED: Duration = Duration::from_secs(120);
/// How many events are asked about at once.
const ASKERS: usize = 8;

/// An event that was acknowledged.
struct Ack {
    name: Name,
    id: SubmissionId,
}

/// What came of everything.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) acknowledged: usize,
    pub(super) done: usize,
    pub(super) dead: usize,
    /// Ends of events that had ended before.
    pub(super) again: usize,
    pub(super) keys: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, done, dead, again, keys } = self;
        write!(
            f,
            "{acknowledged} acknowledged: {done} done, {dead} dead; {again} ran again; {keys} keys in order"
        )
    }
}

/// Waits until nothing that was acknowledged is left, and tells what came of it; fails where anything is lost.
///
/// How the order held and what ran again is for others to tell.
pub(super) fn settle_up(runtime: &Runtime, folder: &Path) -> Tally {
    let acks = acks(folder);
    let mut tally = Tally { acknowledged: acks.len(), ..Tally::default() };
    tally.dead = wait_for_all(runtime, &acks);
    tally.done = acks.len() - tally.dead;
    letters_are_all_there(runtime, &acks);
    outcomes_arrived(folder, &acks);
    let steps = steps(folder);
    everything_ran(&acks, &steps);
    names_hold(&acks, &steps);
    tally
}

/// Waits until every event is done or dead, and counts those that are dead.
fn wait_for_all(runtime: &Runtime, acks: &[Ack]) -> usize {
    let began = Instant::now();
    let is_dead = |ack: &&Ack| matches!(over(runtime, ack, began), Submission::Dead { .. });
    std::thread::scope(|scope| {
        let parts: Vec<_> = acks
            .chunks(acks.len() / ASKERS + 1)
            .map(|acks| scope.spawn(move || acks.iter().filter(is_dead).count()))
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    })
}

fn acks(folder: &Path) -> Vec<Ack> {
    let acks = read(folder, "acks").into_iter();
    acks.map(|words| Ack { name: name(&words), id: SubmissionId::new(words[3].as_str()) }).collect()
}

/// Waits until an event is done or dead.
fn over(runtime: &Runtime, ack: &Ack, began: Instant) -> Submission {
    loop {
        let state = runtime.block_on(runtime.submission(&ack.id)).unwrap();
        let state = state.unwrap_or_else(|| panic!("{:?} is lost: {}", ack.name, ack.id));
        match (&state, ack.name.0.as_str()) {
            (Submission::Dead { death: Death::RetriesExhausted, .. }, "doomed") => return state,
            (Submission::Done { .. }, kind) if kind != "doomed" => return state,
            (Submission::Dead { .. } | Submission::Done { .. } | Submission::Cancelled, _) => {
                panic!("{:?} is {state:?}", ack.name)
            }
            _ => assert!(began.elapsed() < DRAINED, "{:?} is still {state:?}", ack.name),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn letters_are_all_there(runtime: &Runtime, acks: &[Ack]) {
    let (mut behind, mut letters) = (0, HashMap::new());
    loop {
        let page = runtime.block_on(runtime.dead_letters().list(behind, 500)).unwrap();
        let Some(last) = page.last() else { break };
        behind = last.position;
        letters.extend(page.into_iter().map(|letter| (letter.id.clone(), letter)));
    }
    for ack in acks.iter().filter(|ack| ack.name.0 == "doomed") {
        let letter = letters.get(&ack.id).unwrap_or_else(|| panic!("no dead letter of {:?}", ack.name));
        assert_eq!(letter.attempts.len(), 2, "{letter:?}");
        assert_eq!(
            letter.event.as_ref().unwrap().body_text().unwrap(),
            format!("{} {}", ack.name.1, ack.name.2)
        );
    }
    let others: Vec<_> = letters.values().filter(|letter| letter.target != "doomed").collect();
    assert!(others.is_empty(), "{others:?}");
}

/// What was sent on has been handled too, though nobody waits for it.
fn outcomes_arrived(folder: &Path, acks: &[Ack]) {
    let mut missing = Vec::new();
    let began = Instant::now();
    let is_done = || {
        let sunk: HashSet<_> = read(folder, "runs")
            .into_iter()
            .filter(|words| words[0] == "end" && words[1] == "sink")
            .map(|words| (words[2].clone(), words[3].parse::<u64>().unwrap()))
            .collect();
        let sent = acks.iter().filter(|ack| ack.name.0 == "sent").map(|ack| &ack.name);
        missing = sent.filter(|(_, key, number)| !sunk.contains(&(key.clone(), *number))).collect();
        missing.is_empty() || began.elapsed() > Duration::from_secs(8)
    };
    until("outcomes that are sent on", is_done);
    assert!(missing.is_empty(), "outcomes are lost: {missing:?}");
}

/// A done event's handler has ended, a dead one's has begun.
fn everything_ran(acks: &[Ack], steps: &[Step]) {
    let begun: HashSet<_> = steps.iter().map(|step| &step.name).collect();
    let ended: HashSet<_> = steps.iter().filter(|step| step.is_end()).map(|step| &step.name).collect();
    for Ack { name, id } in acks {
        let ran = match name.0.as_str() {
            "guest" | "once" => continue,
            "doomed" => begun.contains(name),
            _ => ended.contains(name),
        };
        assert!(ran, "{name:?} has not run: {id}");
    }
}

/// Everything of one idempotency key is one event: under one id, with one body, and of one submission.
fn names_hold(acks: &[Ack], steps: &[Step]) {
    let mut ids = HashMap::new();
    for ack in acks.iter().filter(|ack| ack.name.0 == "once") {
        let first = ids.entry(&ack.name.1).or_insert(&ack.id);
        assert_eq!(*first, &ack.id, "two events of the key {}", ack.name.1);
    }
    let mut events = HashMap::new();
    for step in steps.iter().filter(|step| step.name.0 == "once") {
        let first = events.entry(&step.name.1).or_insert((step.name.2, &step.request));
        assert_eq!(*first, (step.name.2, &step.request), "two events of the key {} ran", step.name.1);
    }
    let ended: HashSet<_> = steps.iter().filter(|step| step.is_end()).map(|step| &step.name.1).collect();
    ids.keys().for_each(|key| assert!(ended.contains(key), "nothing of the key {key} has run"));
}
