//! One of those that submit events, one after another, and note which of them were acknowledged.

use std::path::PathBuf;
use std::time::Duration;

use fnhost::{Event, Runtime, Submit};

use crate::crashes::child::{Manner, Post, SUBMITTERS};
use crate::crashes::notes::{Notes, now, read};
use crate::kit::Dice;

/// How many keys of each sort a submitter uses.
const KEYS: u64 = 3;
/// After an event that was refused.
const PAUSE: Duration = Duration::from_millis(20);
/// For how long all submitters of a shared broker use one idempotency key, in microseconds.
const SHARED: u64 = 200_000;
/// A file that tells all to submit no more.
pub(super) const ENOUGH: &str = "enough";

/// Submits events, and notes which of them were acknowledged.
pub(super) struct Submitter {
    runtime: Runtime,
    folder: PathBuf,
    asks: Notes,
    acks: Notes,
    manner: Manner,
    /// Of one place, one child comes after another.
    place: u64,
    /// Of one place, later events have greater numbers, over all children.
    first: u64,
    dice: Dice,
}

impl Submitter {
    pub(super) fn new(runtime: Runtime, (post, seat): (&Post, u64), manner: Manner) -> Self {
        let Post { folder, number, slot } = post;
        let dice = Dice::new(u64::from(*number) << 8 | seat);
        let (asks, acks) = (Notes::open(folder, "asks"), Notes::open(folder, "acks"));
        let place = u64::from(*slot) * SUBMITTERS + seat;
        let first = u64::from(*number) * 1_000_000 + seat * 100_000;
        Self { runtime, folder: folder.clone(), asks, acks, manner, place, first, dice }
    }

    /// Submits until the process is killed, or it is enough.
    pub(super) async fn work(mut self) {
        self.ask_again().await;
        for number in self.first.. {
            let (kind, pause) = (self.manner.next)(&mut self.dice);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            if self.manner.is_shared && self.folder.join(ENOUGH).exists() {
                std::future::pending::<()>().await;
            }
            let key = match kind {
                "keyed" => format!("{}-{}", self.place, self.dice.roll(KEYS)),
                "once" if self.manner.is_shared && number % 2 == 0 => format!("all-{}", now() / SHARED),
                "once" => format!("{}-{}", self.place, number / 16),
                _ => format!("{}", self.place),
            };
            self.submit(kind, &key, number).await;
        }
    }

    /// Submits again what was acknowledged to one that is dead by now.
    async fn ask_again(&self) {
        let place = format!("{}-", self.place);
        let acks = read(&self.folder, "acks");
        let once = acks.iter().rev().filter(|ack| ack[0] == "once" && ack[1].starts_with(&place));
        for (nth, ack) in (1..=3).zip(once) {
            self.submit("once", &ack[1], self.first + 100_000 - nth).await;
        }
    }

    async fn submit(&self, kind: &str, key: &str, number: u64) {
        let event = Event::bytes(kind, format!("{key} {number}"));
        let submit = match kind {
            "keyed" => Submit::new(event).ordering_key(key),
            "once" => Submit::new(event).idempotency_key(key),
            _ => Submit::new(event),
        };
        self.asks.note(&[&kind, &key, &number, &now()]);
        let accepted = self.runtime.handler(kind).unwrap().submit_with(submit).await;
        match accepted {
            Ok(accepted) => self.acks.note(&[&kind, &key, &number, accepted.id(), &now()]),
            // While a server is away nothing is acknowledged; it is tried again with another event.
            Err(error) if error.is_retryable() => {
                Notes::open(&self.folder, "refusals").note(&[&number, &error]);
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                Notes::open(&self.folder, "errors").note(&[&number, &error]);
                panic!("{error}");
            }
        }
    }
}
