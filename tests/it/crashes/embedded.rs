//! One process at a time on one folder.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use fnhost::Broker;

use crate::cache::Folder;
use crate::crashes::account::settle_up;
use crate::crashes::notes::read;
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
    child::work(broker);
    let _busy = busy();
    let (folder, mut dice, kills) = (Folder::new(), Dice::new(SEED), kills(60));
    std::fs::create_dir(folder.path()).unwrap();
    for number in 0..kills {
        let child = child::start(TEST, folder.path(), number);
        kill_at_random(child, folder.path(), (number, &mut dice));
    }
    for file in ["errors", "refusals"] {
        let notes = read(folder.path(), file);
        assert!(notes.is_empty(), "{file}: {notes:?}");
    }
    let runtime = child::serve(folder.path(), broker(folder.path()), kills).unwrap();
    let tally = settle_up(&runtime, folder.path());
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
