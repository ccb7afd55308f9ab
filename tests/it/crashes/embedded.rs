//! One process at a time on one folder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use fnhost::Broker;

use crate::cache::Folder;
use crate::crashes::account::settle_up;
use crate::crashes::child::{ALONE, Post};
use crate::crashes::notes::read;
use crate::crashes::steps::{Name, Step, steps};
use crate::crashes::{child, kills};
use crate::kit::{Dice, busy, median};

const TEST: &str = "crashes::embedded::what_was_acknowledged_outlives_any_number_of_kills";
/// What decides when a kill strikes.
const SEED: u64 = 5;
/// How many events of one process can be handled and not be known as done: what is delivered at once, and what waits for
/// its sync.
const IN_FLIGHT: usize = 64;

fn broker(folder: &Path) -> Broker {
    Broker::embedded(folder.join("events"))
}

#[test]
fn what_was_acknowledged_outlives_any_number_of_kills() {
    child::work(ALONE, broker);
    let _busy = busy();
    let (folder, mut dice, kills) = (Folder::new(), Dice::new(SEED), kills(60));
    std::fs::create_dir(folder.path()).unwrap();
    for number in 0..kills {
        let child = child::start(TEST, &post(folder.path(), number));
        kill_at_random(child, folder.path(), (number, &mut dice));
    }
    for file in ["errors", "refusals"] {
        let notes = read(folder.path(), file);
        assert!(notes.is_empty(), "{file}: {notes:?}");
    }
    let runtime = child::serve(&post(folder.path(), kills), ALONE, broker(folder.path())).unwrap();
    let mut tally = settle_up(&runtime, folder.path());
    let steps = steps(folder.path());
    (tally.keys, tally.again) = (keys_are_in_order(&steps), repeats(&steps));
    let starts = starts(folder.path());
    println!(
        "{kills} kills with seed {SEED}: {tally}; {} starts, {:?} each",
        starts.len(),
        median(starts.clone())
    );
    assert!(tally.acknowledged > 0 && tally.dead > 0 && tally.keys > 0, "nothing happened: {tally}");
    assert!(tally.again <= starts.len() * IN_FLIGHT, "too much ran again: {tally}");
    runtime.block_on(runtime.shutdown(Duration::from_secs(10)));
}

fn post(folder: &Path, number: u32) -> Post {
    Post { folder: folder.into(), number, slot: 0 }
}

/// Kills a child some time after it has begun to work, or, one in four, while it starts.
fn kill_at_random(mut child: Child, folder: &Path, (number, dice): (u32, &mut Dice)) {
    let since = Instant::now();
    let is_early = dice.roll(4) == 0;
    while !is_early && !is_up(folder, number) {
        assert!(since.elapsed() < Duration::from_secs(60), "child {number} does not start");
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "child {number} ended: {:?}", read(folder, "errors"));
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_micros(dice.roll(150_000)));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn is_up(folder: &Path, number: u32) -> bool {
    read(folder, "ups").last().is_some_and(|up| up[0] == number.to_string())
}

/// Returns how long each start took, from the broker to the last trigger.
fn starts(folder: &Path) -> Vec<Duration> {
    read(folder, "ups").iter().map(|up| Duration::from_micros(up[1].parse().unwrap())).collect()
}

/// Of each ordering key an event begins only when those before have ended, and none comes again once a later one has begun.
fn keys_are_in_order(steps: &[Step]) -> usize {
    let mut last: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.name.0 == "keyed") {
        let (key, number) = (step.name.1.as_str(), step.name.2);
        let (before, has_ended) = last.entry(key).or_insert((number, false));
        assert!(number >= *before, "{number} of the key {key} in child {} behind {before}", step.child);
        assert!(
            number == *before || *has_ended,
            "{number} of the key {key} begins before {before} has ended"
        );
        *has_ended = step.is_end() || (number == *before && *has_ended);
        *before = number;
    }
    last.len()
}

/// Counts the ends of events that had ended before; in one and the same process there is no such one.
fn repeats(steps: &[Step]) -> usize {
    let mut ends: HashMap<&Name, HashSet<u32>> = HashMap::new();
    for step in steps.iter().filter(|step| step.is_end()) {
        let is_first = ends.entry(&step.name).or_default().insert(step.child);
        assert!(is_first, "{:?} ended twice in child {}", step.name, step.child);
    }
    ends.values().map(|children| children.len() - 1).sum()
}
