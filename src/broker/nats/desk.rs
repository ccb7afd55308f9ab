//! What this runtime holds of the servers' messages, and that it holds it still.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_nats::Subject;
use tokio::time::Instant;

use crate::broker::nats::names::{Lane, NO_KEY};
use crate::broker::{Channel, Token};

/// A message as the servers know it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) sequence: u64,
    /// The sequence under which it was put first.
    pub(super) number: u64,
    pub(super) channel: Channel,
    pub(super) lane: Lane,
    pub(super) key: Arc<str>,
}

impl Place {
    pub(super) fn is_keyed(&self) -> bool {
        &*self.key != NO_KEY
    }
}

/// What is done with a message that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is looked at, or waits for those before it.
    Looked,
    /// It waits for somebody who pulls.
    Ready,
    Out(Token),
    /// It is settled, which is being made safe.
    Ending,
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) place: Place,
    /// Where it is acknowledged.
    pub(super) reply: Subject,
    pub(super) stage: Stage,
    pub(super) attempt: u32,
    pub(super) since: Instant,
    /// On which connection it came.
    connection: u64,
}

impl Held {
    /// Tells whether others may have had it meanwhile, and those behind it, as it came on a connection that is gone.
    fn is_stale(&self, connection: Option<u64>) -> bool {
        self.place.is_keyed()
            && matches!(self.stage, Stage::Looked | Stage::Ready)
            && Some(self.connection) != connection
    }
}

/// All that is held, by sequence.
#[derive(Default)]
pub(super) struct Desk {
    held: HashMap<u64, Held>,
    tokens: HashMap<Token, u64>,
    /// Leases that are being ended, whose holders wait for it.
    ending: HashSet<Token>,
    next: u64,
}

impl Desk {
    /// Takes a message; false if it is held already, and has come again.
    pub(super) fn take(&mut self, place: &Place, reply: Subject, connection: u64) -> bool {
        if let Some(known) = self.held.get_mut(&place.sequence) {
            known.reply = reply;
            return false;
        }
        let (place, since) = (place.clone(), Instant::now());
        let held = Held { place, reply, stage: Stage::Looked, attempt: 0, since, connection };
        self.held.insert(held.place.sequence, held);
        true
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Held> {
        self.held.get(&sequence)
    }

    /// Says what is done with a message now; false if it is not held any more.
    pub(super) fn set(&mut self, sequence: u64, stage: Stage) -> bool {
        let Some(held) = self.held.get_mut(&sequence) else { return false };
        held.stage = stage;
        true
    }

    pub(super) fn ready(&mut self, sequence: u64, attempt: u32) -> bool {
        let Some(held) = self.held.get_mut(&sequence) else { return false };
        (held.stage, held.attempt, held.since) = (Stage::Ready, attempt, Instant::now());
        true
    }

    /// Hands a ready message out, if it came on this connection or has no key.
    pub(super) fn hand_out(&mut self, sequence: u64, connection: Option<u64>) -> Option<Token> {
        let held = self.held.get_mut(&sequence).filter(|held| held.stage == Stage::Ready)?;
        if held.is_stale(connection) {
            self.held.retain(|_, held| !held.is_stale(connection));
            return None;
        }
        self.next += 1;
        let token = Token(self.next);
        held.stage = Stage::Out(token);
        self.tokens.insert(token, sequence);
        Some(token)
    }

    /// Finds what a token stands for.
    pub(super) fn out(&self, token: Token) -> Option<&Held> {
        self.held.get(self.tokens.get(&token)?)
    }

    /// Takes note that the holder of a lease is gone; answers what is to be given back.
    pub(super) fn abandon(&mut self, token: Token) -> Option<u64> {
        self.ending.remove(&token);
        self.out(token).map(|held| held.place.sequence)
    }

    /// Ends a lease while its holder waits for it.
    pub(super) fn begin_ending(&mut self, token: Token) -> Option<Held> {
        let held = self.end_lease(token)?;
        self.ending.insert(token);
        Some(held)
    }

    /// Tells whether the holder of a lease has waited to the end.
    pub(super) fn is_awaited(&mut self, token: Token) -> bool {
        self.ending.remove(&token)
    }

    /// Ends a lease: the message is held, but nobody has it any more.
    pub(super) fn end_lease(&mut self, token: Token) -> Option<Held> {
        let sequence = self.tokens.remove(&token)?;
        self.set(sequence, Stage::Ending);
        self.held.get(&sequence).cloned()
    }

    /// Gives a lease back to who had it, as it could not be settled.
    pub(super) fn resume_lease(&mut self, token: Token, sequence: u64) {
        if self.set(sequence, Stage::Out(token)) {
            self.tokens.insert(token, sequence);
        }
    }

    /// Lets a message go; answers where it is acknowledged.
    pub(super) fn release(&mut self, sequence: u64) -> Option<Held> {
        let held = self.held.remove(&sequence)?;
        if let Stage::Out(token) = held.stage {
            self.tokens.remove(&token);
        }
        Some(held)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    pub(super) fn clear(&mut self) -> Vec<Held> {
        self.tokens.clear();
        self.held.drain().map(|(_, held)| held).collect()
    }
}
