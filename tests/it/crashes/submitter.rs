//! One of those that submit events, one after another, and note which of them were acknowledged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fnhost::{Event, Runtime, Submit};

use crate::crashes::child::KINDS;
use crate::crashes::notes::{Notes, read};
use crate::kit::Dice;

/// How many keys of each sort a submitter uses.
const KEYS: u64 = 3;
/// After an event that was refused.
const PAUSE: Duration = Duration::from_millis(20);

/// Submits events, and notes which of them were acknowledged.
pub(super) struct Submitter {
    runtime: Runtime,
    folder: PathBuf,
    acks: Notes,
    child: u32,
    seat: u64,
    dice: Dice,
}

impl Submitter {
    pub(super) fn new(runtime: Runtime, folder: &Path, (child, seat): (u32, u64)) -> Self {
        let dice = Dice::new(u64::from(child) << 8 | seat);
        Self { runtime, folder: folder.into(), acks: Notes::open(folder, "acks"), child, seat, dice }
    }

    /// Submits until the process is killed.
    pub(super) async fn work(mut self) {
        self.ask_again().await;
        for number in 0.. {
            let kind = KINDS[self.dice.roll(KINDS.len() as u64) as usize];
            // Of one submitter's place, later events have greater numbers, over all children.
            let number = u64::from(self.child) * 1_000_000 + number;
            let key = match kind {
                "keyed" => format!("{}-{}", self.seat, self.dice.roll(KEYS)),
                "once" => format!("{}-{}", self.seat, number / 16),
                _ => format!("{}", self.seat),
            };
            self.submit(kind, &key, number).await;
        }
    }

    /// Submits again what was acknowledged to one that is dead by now.
    async fn ask_again(&self) {
        let seat = format!("{}-", self.seat);
        let acks = read(&self.folder, "acks");
        let once = acks.iter().rev().filter(|ack| ack[0] == "once" && ack[1].starts_with(&seat));
        for ack in once.take(3) {
            self.submit("once", &ack[1], u64::from(self.child) * 1_000_000 + 999_999).await;
        }
    }

    async fn submit(&self, kind: &str, key: &str, number: u64) {
        let event = Event::bytes(kind, format!("{key} {number}"));
        let submit = match kind {
            "keyed" => Submit::new(event).ordering_key(key),
            "once" => Submit::new(event).idempotency_key(key),
            _ => Submit::new(event),
        };
        let accepted = self.runtime.handler(kind).unwrap().submit_with(submit).await;
        match accepted {
            Ok(accepted) => self.acks.note(&[&kind, &key, &number, accepted.id()]),
            // While a server is away nothing is acknowledged; it is tried again with another event.
            Err(error) if error.is_retryable() => {
                Notes::open(&self.folder, "refusals").note(&[&self.child, &error]);
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                Notes::open(&self.folder, "errors").note(&[&self.child, &error]);
                panic!("{error}");
            }
        }
    }
}
