//! Three runtimes at a time on one NATS server: they are killed, and it is restarted.
//!
//! It needs `nats-server`: `cargo test --features nats --test it crashes`. More than 60 kills are had by
//! `FNHOST_TEST_KILLS=600`.

mod blame;
mod habits;
mod order;
#[expect(dead_code, reason = "the tests of the broker use more of it")]
#[path = "../../../../src/broker/nats/tests/server.rs"]
mod server;

use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use fnhost::{Broker, Nats, Runtime};

use crate::cache::Folder;
use crate::crashes::account::settle_up;
use crate::crashes::child::{self, Post};
use crate::crashes::crew::blame::{Span, Troubles};
use crate::crashes::crew::habits::CREW;
use crate::crashes::crew::server::{End, Server};
use crate::crashes::kills;
use crate::crashes::notes::{now, read};
use crate::crashes::steps::steps;
use crate::crashes::submitter::ENOUGH;
use crate::kit::{Dice, busy};

const TEST: &str =
    "crashes::crew::what_was_acknowledged_outlives_kills_of_runtimes_and_restarts_of_their_server";
/// What decides when a kill strikes, and whom.
const SEED: u64 = 7;
const CREW_SIZE: u32 = 3;
/// The server is restarted once in so many kills.
const RESTART: u32 = 9;
/// After that others take up what a killed runtime had.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(1);
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const URL: &str = "url";
/// Stands for the process of the test among the children.
const OWN: u32 = u32::MAX;

fn broker(folder: &Path) -> Broker {
    let url = std::fs::read_to_string(folder.join(URL)).unwrap();
    Broker::nats(Nats::at(url).ack_wait(ACK_WAIT))
}

#[test]
fn what_was_acknowledged_outlives_kills_of_runtimes_and_restarts_of_their_server() {
    child::work(CREW, broker);
    let _busy = busy();
    let (kills, began) = (kills(60), Instant::now());
    let mut crew = Crew::new();
    for nth in 1..=kills {
        crew.kill_one();
        if nth % RESTART == 0 {
            crew.restart_server();
        }
    }
    let runtime = crew.let_finish();
    let killed = began.elapsed();
    let mut tally = settle_up(&runtime, crew.folder.path());
    crew.wait_for_ticks();
    crew.errors_are_none();
    let steps = steps(crew.folder.path());
    crew.troubles.read(crew.folder.path());
    let (ticks, again) = (order::ticks_are_single(&steps), crew.troubles.explain(&steps));
    (tally.keys, tally.again) = (order::keys_are_in_order(&steps, &crew.troubles), again.count());
    let outages = &crew.troubles.outages;
    println!(
        "{kills} kills and {} restarts with seed {SEED} in {killed:?}, all over after {:?}: {tally}; {again}; \
         {ticks} ticks, each one event; {} refused",
        outages.len(),
        began.elapsed(),
        read(crew.folder.path(), "refusals").len()
    );
    assert!(
        tally.acknowledged > 0 && tally.dead > 0 && tally.keys > 0 && ticks > 0,
        "nothing happened: {tally}"
    );
    runtime.block_on(runtime.shutdown(Duration::from_secs(10)));
}

/// A child process, killed at the latest when it is dropped.
struct Worker {
    process: Child,
    number: u32,
}

impl Worker {
    fn kill(&mut self) {
        // It is an error only if it has ended, and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server, and the children that share it.
struct Crew {
    workers: Vec<Worker>,
    server: Server,
    folder: Folder,
    dice: Dice,
    next: u32,
    troubles: Troubles,
}

impl Crew {
    fn new() -> Self {
        let (server, folder) = (Server::new(), Folder::new());
        std::fs::create_dir(folder.path()).unwrap();
        std::fs::write(folder.path().join(URL), server.url()).unwrap();
        habits::watch(&post(folder.path(), (OWN, 0)));
        let (dice, troubles) = (Dice::new(SEED), Troubles::default());
        let mut crew = Self { workers: Vec::new(), server, folder, dice, next: 0, troubles };
        crew.workers = (0..CREW_SIZE).map(|slot| crew.start(slot)).collect();
        crew
    }

    fn start(&mut self, slot: u32) -> Worker {
        let number = self.next;
        self.next += 1;
        Worker { process: child::start(TEST, &post(self.folder.path(), (number, slot))), number }
    }

    /// Kills one of the children: while it starts, when ticks are due, or at any other moment.
    fn kill_one(&mut self) {
        let mut slot = self.dice.roll(CREW_SIZE.into()) as usize;
        match self.dice.roll(4) {
            0 => {
                slot = (0..self.workers.len()).max_by_key(|slot| self.workers[*slot].number).unwrap();
                thread::sleep(Duration::from_micros(self.dice.roll(150_000)));
            }
            1 => {
                let to_the_next_second = 1_000_000 - now() % 1_000_000;
                thread::sleep(Duration::from_micros(to_the_next_second + self.dice.roll(50_000)));
            }
            _ => {
                self.wait_for("a child starts", |crew| crew.is_up(slot));
                thread::sleep(Duration::from_micros(self.dice.roll(600_000)));
            }
        }
        self.kill(slot);
    }

    fn kill(&mut self, slot: usize) {
        self.errors_are_none();
        let from = now();
        self.workers[slot].kill();
        self.troubles.kills.insert(self.workers[slot].number, Span { from, to: now() });
        self.workers[slot] = self.start(slot as u32);
    }

    /// Has the server go away for a while, by either signal, and perhaps a child be killed meanwhile.
    fn restart_server(&mut self) {
        let acks = self.acknowledged();
        self.wait_for("events flow", |crew| crew.acknowledged() > acks);
        let end = if self.troubles.outages.len().is_multiple_of(2) { End::Kill } else { End::Term };
        let from = now();
        self.server.stop(end);
        thread::sleep(Duration::from_micros(self.dice.roll(500_000)));
        if self.dice.roll(2) == 0 {
            let slot = self.dice.roll(CREW_SIZE.into());
            self.kill(slot as usize);
        }
        self.server.start();
        self.troubles.outages.push((end, Span { from, to: now() }));
    }

    /// Lets nothing more be submitted, and answers a runtime that works beside the children.
    fn let_finish(&mut self) -> Runtime {
        for slot in 0..self.workers.len() {
            self.wait_for("a child starts", |crew| crew.is_up(slot));
        }
        std::fs::write(self.folder.path().join(ENOUGH), "").unwrap();
        let own = post(self.folder.path(), (self.next, CREW_SIZE));
        child::serve(&own, CREW, broker(self.folder.path())).unwrap()
    }

    /// Waits until each tick up to now has run.
    fn wait_for_ticks(&mut self) {
        let (second, mut missing) = (now() / 1_000_000, None);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            missing = order::missing_tick(&steps(self.folder.path()), second);
            if missing.is_none() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{missing:?} has not run");
    }

    fn wait_for(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_done(self) {
            assert!(Instant::now() < until, "still waiting: {what}");
            for worker in &mut self.workers {
                let ended = worker.process.try_wait().unwrap();
                assert!(ended.is_none(), "child {}: {:?}", worker.number, read(self.folder.path(), "errors"));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn is_up(&self, slot: usize) -> bool {
        let number = self.workers[slot].number.to_string();
        read(self.folder.path(), "ups").iter().rev().any(|up| up[0] == number)
    }

    /// Returns how much was acknowledged, in bytes of notes.
    fn acknowledged(&self) -> u64 {
        std::fs::metadata(self.folder.path().join("acks")).map_or(0, |file| file.len())
    }

    fn errors_are_none(&self) {
        let errors = read(self.folder.path(), "errors");
        assert!(errors.is_empty(), "{errors:?}");
    }
}

fn post(folder: &Path, (number, slot): (u32, u32)) -> Post {
    Post { folder: folder.into(), number, slot }
}
