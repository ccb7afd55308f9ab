//! How runtimes work that share one broker: with pauses, long runs, and triggers that all of them have.

use std::os::unix::process::parent_id;
use std::thread;
use std::time::{Duration, Instant};

use fnhost::{Error, Event, Missed, Overlap, Runtime, Trigger};

use crate::crashes::child::{Manner, Post, Runs, any};
use crate::crashes::crew::{ACK_WAIT, OWN};
use crate::crashes::notes::{Notes, now};
use crate::kit::Dice;

/// What ticks are noted as.
pub(super) const TICK: &str = "tick";
/// Events that run longer than the ack wait.
pub(super) const SLOW: &str = "slow";
/// Triggers whose ticks wait for each other, and such whose ticks do not.
pub(super) const WAITING: [&str; 3] = ["w0", "w1", "w2"];
const FREE: [&str; 3] = ["f0", "f1", "f2"];
/// The shortest that there is.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// How often a process looks whether it was held up.
const LOOK: Duration = Duration::from_millis(20);
/// A process that is held up for longer may have lost its leases, which it renews in the last third of the ack wait.
const STALL: Duration = Duration::from_millis(300);

/// How they work.
pub(super) const CREW: Manner = Manner { is_shared: true, begin: watch, add, takes, next };

/// Has a process note when it was held up; a child ends when it has no parent any more, or nothing to do.
pub(super) fn watch(post: &Post) {
    let (post, parent) = (post.clone(), parent_id());
    thread::spawn(move || {
        while post.folder.exists() && parent_id() == parent {
            look(&post);
        }
        if post.number != OWN {
            std::process::exit(1);
        }
    });
}

fn look(post: &Post) {
    let (since, began) = (Instant::now(), now());
    thread::sleep(LOOK);
    if since.elapsed() > STALL {
        Notes::open(&post.folder, "stalls").note(&[&post.number, &began, &now()]);
    }
}

fn add(runtime: &Runtime, runs: &Runs) -> Result<(), Error> {
    runtime.block_on(runtime.deploy(runs.handler(SLOW)))?;
    runtime.block_on(runtime.deploy(runs.handler_of(TICK, tick_of)))?;
    for (triggers, overlap) in [(WAITING, Overlap::Wait), (FREE, Overlap::Allow)] {
        for trigger in triggers {
            let every = Trigger::every(PERIOD).to(TICK).missed(Missed::All).overlap(overlap);
            runtime.block_on(runtime.add_trigger(trigger, every))?;
        }
    }
    Ok(())
}

/// Returns the trigger and the second of a tick.
fn tick_of(event: &Event) -> String {
    let trigger = event.id().split('@').next().unwrap();
    let time: jiff::Timestamp = event.time().unwrap().parse().unwrap();
    format!("{trigger} {}", time.as_second())
}

fn takes(kind: &str, run: u64) -> Duration {
    match kind {
        SLOW => ACK_WAIT * 8 / 5,
        _ => Duration::from_millis(1 + run % 8),
    }
}

/// Some at once, then none for a while.
fn next(dice: &mut Dice) -> (&'static str, Duration) {
    let pause = if dice.roll(4) == 0 { dice.roll(600) } else { 0 };
    let kind = if dice.roll(60) == 0 { SLOW } else { any(dice) };
    (kind, Duration::from_millis(pause))
}
